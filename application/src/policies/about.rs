//! Words and facts about a customer that every text and every client may use, and reactions put together.

use std::borrow::Cow;

use chrono::{DateTime, SecondsFormat, Utc};
use domain::customer::{Customer, LeadSource, ServiceCategory};
use domain::notification::{Channel, Decision};
use domain::{CustomerId, StaffId};
use serde_json::{Map, Value, json};

use super::routing::{self, suppress};
use super::{Notice, Reaction, View, reasons};
use crate::access::{FieldView, free_text};
use crate::preferences;
use crate::texts::{Language, MissingVariable, Template, Variables, render};

/// What people typed (a name, a reason, a follow-up) as a notice repeats it. A notice is read on lock screens, by
/// former owners and by providers, so a phone that somebody typed into it is masked like the phone itself.
pub(super) fn typed(text: &str) -> String {
    free_text(FieldView::Base, text)
}

/// Stands in a text where nothing is known.
const NOT_GIVEN: &str = "未填写";

/// What a text can say, and what clients can compute with.
pub(super) struct About<'a> {
    pub(super) variables: Variables<'a>,
    pub(super) data: Map<String, Value>,
    pub(super) customers: Vec<CustomerId>,
}

impl<'a> About<'a> {
    /// One customer. Its phone appears masked only (product.md G16); who may see the number opens the customer.
    pub(super) fn customer(id: CustomerId, customer: &'a Customer) -> Self {
        let profile = &customer.profile;
        let name = typed(&profile.name);
        let phone = profile.phone.as_ref().map(domain::contact::Phone::masked);
        let source = profile.lead_source.map(LeadSource::as_str);
        let given = |text: Option<&'static str>| Cow::Borrowed(text.unwrap_or(NOT_GIVEN));
        let data = facts(json!({
            "customerId": id.to_string(),
            "customerNumber": customer.created.as_ref().map(|created| created.number.as_str()),
            "customerName": name,
            "customerPhone": phone,
            "leadSource": source,
            "serviceCategory": profile.service_category.map(ServiceCategory::as_str),
        }));
        let variables = Variables::from([
            ("customerId", id.to_string().into()),
            ("customerName", name.into()),
            ("phone", phone.map_or(NOT_GIVEN.into(), Cow::Owned)),
            ("leadSource", given(source)),
        ]);
        Self { variables, data, customers: vec![id] }
    }

    /// Several customers.
    pub(super) fn customers(ids: Vec<CustomerId>) -> Self {
        let texts: Vec<String> = ids.iter().map(ToString::to_string).collect();
        let data = facts(json!({ "customerCount": ids.len(), "customerIds": texts, "fromBatch": true }));
        let variables = Variables::from([("count", ids.len().to_string().into())]);
        Self { variables, data, customers: ids }
    }

    /// So many customers that a notice for several people names only the first `named` of them.
    pub(super) fn many(mut ids: Vec<CustomerId>, named: usize) -> Self {
        let count = ids.len();
        ids.truncate(named);
        Self::customers(ids).word("count", count.to_string()).facts(json!({ "customerCount": count }))
    }

    /// A person's account; no customer.
    pub(super) fn account(staff: StaffId) -> Self {
        let data = facts(json!({ "staffId": staff.to_string() }));
        Self { variables: Variables::new(), data, customers: Vec::new() }
    }

    /// Adds a word for the texts.
    pub(super) fn word(mut self, name: &'static str, value: impl Into<Cow<'a, str>>) -> Self {
        self.variables.insert(name, value.into());
        self
    }

    /// Adds facts for the clients.
    pub(super) fn facts(mut self, more: Value) -> Self {
        self.data.extend(facts(more));
        self
    }

    /// What everybody in `recipients` reads, each in the language that person wishes for. In one language the text is
    /// the same for all, so it is rendered once.
    pub(super) fn tell(
        self,
        template: &Template,
        recipients: impl IntoIterator<Item = StaffId>,
        view: &View<'_>,
    ) -> Result<Vec<Reaction>, MissingVariable> {
        let mut rendered: Vec<Notice> = Vec::new();
        let mut tell = |recipient| {
            let decisions = routing::decide(view, recipient, template.kind, template.priority);
            let told = decisions.iter().any(|(_, decision)| matches!(decision, Decision::Deliver));
            let notice = if told {
                let wishes = view.preferences.of(recipient, view.staff.role(recipient));
                let language = preferences::language(wishes.own, wishes.role);
                Some(self.notice(&mut rendered, template, language, view)?)
            } else {
                None
            };
            let customers = self.customers.clone();
            Ok(Reaction { recipient, scene: template.kind, customers, decisions, notice })
        };
        recipients.into_iter().map(&mut tell).collect()
    }

    /// The notice in a language, out of those that were rendered already.
    fn notice(
        &self,
        rendered: &mut Vec<Notice>,
        template: &Template,
        language: Language,
        view: &View<'_>,
    ) -> Result<Notice, MissingVariable> {
        if let Some(known) = rendered.iter().find(|notice| notice.language == language) {
            return Ok(known.clone());
        }
        let worded = view.templates.template(template);
        let notice = Notice {
            priority: template.priority,
            message: render(worded, language, &self.variables, self.data.clone())?,
            template: template.key.to_owned(),
            template_version: worded.version,
            language,
        };
        rendered.push(notice.clone());
        Ok(notice)
    }

    /// Like [`tell`](Self::tell) for one person, who may have done it: then it is only recorded that nobody is told.
    pub(super) fn tell_unless_actor(
        self,
        template: &Template,
        recipient: StaffId,
        actor: Option<StaffId>,
        view: &View<'_>,
    ) -> Result<Vec<Reaction>, MissingVariable> {
        if actor == Some(recipient) {
            let decision = suppress(reasons::ACTOR_IS_RECIPIENT);
            return Ok(vec![not_told(template, recipient, self.customers, &decision)]);
        }
        self.tell(template, [recipient], view)
    }
}

/// A person who is not told, and why.
pub(super) fn not_told(
    template: &Template,
    recipient: StaffId,
    customers: Vec<CustomerId>,
    decision: &Decision,
) -> Reaction {
    let decisions: Vec<(Channel, Decision)> = routing::everywhere(decision);
    Reaction { recipient, scene: template.kind, customers, decisions, notice: None }
}

/// An instant as system A's JSON writes it.
pub(super) fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn facts(object: Value) -> Map<String, Value> {
    match object {
        Value::Object(map) => map,
        _ => Map::new(), // every caller writes an object literal
    }
}
