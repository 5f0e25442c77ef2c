//! Words and facts about a customer that every text and every client may use, and reactions put together.

use std::borrow::Cow;

use chrono::{DateTime, SecondsFormat, Utc};
use domain::customer::{Customer, LeadSource, ServiceCategory};
use domain::notification::{Channel, Decision, Message};
use domain::{CustomerId, StaffId};
use serde_json::{Map, Value, json};

use super::routing::{self, suppress};
use super::{Notice, Reaction, View, reasons};
use crate::access::{FieldView, free_text};
use crate::preferences;
use crate::texts::{self, Language, MissingVariable, Template, Variables, Worded, render};

/// What people typed (a name, a reason, a follow-up) as a notice repeats it. A notice is read on lock screens, by
/// former owners and by providers, so a phone that somebody typed into it is masked like the phone itself.
pub(super) fn typed(text: &str) -> String {
    free_text(FieldView::Base, text)
}

/// Stands in a text where nothing is known.
const NOT_GIVEN: Said<&str> = Said { zh: texts::NOT_GIVEN, en: "not given" };

/// What is said otherwise in each language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Said<Text = String> {
    pub(super) zh: Text,
    pub(super) en: Text,
}

impl Said {
    /// What people typed is the same in every language.
    pub(super) fn alike(text: String) -> Self {
        Self { zh: text.clone(), en: text }
    }
}

impl From<Said<&str>> for Said {
    fn from(Said { zh, en }: Said<&str>) -> Self {
        Self { zh: zh.to_owned(), en: en.to_owned() }
    }
}

/// What a text can say, and what clients can compute with.
pub(super) struct About<'a> {
    pub(super) variables: Variables<'a>,
    /// The words that are others in English; `variables` has those in Chinese.
    pub(super) in_english: Variables<'a>,
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
        let data = facts(json!({
            "customerId": id.to_string(),
            "customerNumber": customer.created.as_ref().map(|created| created.number.as_str()),
            "customerName": name,
            "customerPhone": phone,
            "leadSource": source,
            "serviceCategory": profile.service_category.map(ServiceCategory::as_str),
        }));
        let variables =
            Variables::from([("customerId", id.to_string().into()), ("customerName", name.into())]);
        let about = Self { variables, in_english: Variables::new(), data, customers: vec![id] };
        about
            .or_not_given("phone", phone.map(Cow::Owned))
            .or_not_given("leadSource", source.map(Cow::Borrowed))
    }

    /// Several customers.
    pub(super) fn customers(ids: Vec<CustomerId>) -> Self {
        let texts: Vec<String> = ids.iter().map(ToString::to_string).collect();
        let data = facts(json!({ "customerCount": ids.len(), "customerIds": texts, "fromBatch": true }));
        let variables = Variables::from([("count", ids.len().to_string().into())]);
        Self { variables, in_english: Variables::new(), data, customers: ids }
    }

    /// So many customers that a notice for several people names only the first `named` of them.
    pub(super) fn many(mut ids: Vec<CustomerId>, named: usize) -> Self {
        let count = ids.len();
        ids.truncate(named);
        Self::customers(ids).word("count", count.to_string()).facts(json!({ "customerCount": count }))
    }

    /// No customer and no account: whoever tells it adds the words.
    pub(super) fn bare() -> Self {
        Self {
            variables: Variables::new(),
            in_english: Variables::new(),
            data: Map::new(),
            customers: Vec::new(),
        }
    }

    /// A person's account; no customer.
    pub(super) fn account(staff: StaffId) -> Self {
        let data = facts(json!({ "staffId": staff.to_string() }));
        Self { variables: Variables::new(), in_english: Variables::new(), data, customers: Vec::new() }
    }

    /// Adds a word for the texts.
    pub(super) fn word(mut self, name: &'static str, value: impl Into<Cow<'a, str>>) -> Self {
        self.variables.insert(name, value.into());
        self
    }

    /// Adds words that are others in each language, for the texts and for the clients.
    pub(super) fn said(mut self, name: &'static str, words: Said) -> Self {
        self.data.insert(name.to_owned(), Value::String(words.zh.clone()));
        self.in_english.insert(name, words.en.into());
        self.word(name, words.zh)
    }

    fn or_not_given(mut self, name: &'static str, value: Option<Cow<'a, str>>) -> Self {
        if value.is_none() {
            self.in_english.insert(name, NOT_GIVEN.en.into());
        }
        self.word(name, value.unwrap_or(NOT_GIVEN.zh.into()))
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
            message: self.message(worded, language)?,
            template: template.key.to_owned(),
            template_version: worded.version,
            language,
        };
        rendered.push(notice.clone());
        Ok(notice)
    }

    fn message(&self, worded: Worded<'_>, language: Language) -> Result<Message, MissingVariable> {
        let (mut variables, mut data) = (self.variables.clone(), self.data.clone());
        if language == Language::En {
            for (name, words) in &self.in_english {
                variables.insert(*name, words.clone());
                if let Some(known) = data.get_mut(*name).filter(|known| known.is_string()) {
                    *known = Value::String(words.clone().into_owned());
                }
            }
        }
        render(worded, language, &variables, data)
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
