//! Notices that another system ordered: everybody in the order is told, through whatever channels the person's route has.

use std::borrow::Cow;

use domain::notice_order::{NoticeOrderEvent, NoticeOrdered, OrderedWords};
use domain::notification::{Decision, Message};
use domain::preferences::Language;

use super::about::About;
use super::{Fact, Notice, PolicyEvent, ReactError, Reaction, View, routing};
use crate::preferences;
use crate::texts::{self, Variables, kinds};

/// Stands for a template where the words are the ordering system's own.
const OWN_WORDS: &str = "OWN_WORDS";

/// There is one version of them: the order's.
const OWN_WORDS_VERSION: i64 = 1;

/// How a notice of a type looks that has no look of its own.
const ICON: (&str, &str) = ("BellOutlined", "#1890ff");

/// Where a notice leads that names no place.
const INBOX_URL: &str = "/notifications";

/// Everybody in the order.
pub(super) fn placed(event: &PolicyEvent, view: &View<'_>) -> Result<Vec<Reaction>, ReactError> {
    let Fact::Order(placed) = &event.fact else {
        return Err(ReactError::WrongRow(event.fact.event_type()));
    };
    let NoticeOrderEvent::Placed(order) = &**placed;
    let scene = kinds::ALL.iter().copied().find(|kind| *kind == order.scene);
    let scene = scene.ok_or_else(|| ReactError::UnknownKind(order.scene.clone()))?;
    match &order.words {
        OrderedWords::Own { .. } => Ok(in_own_words(order, scene, view)),
        OrderedWords::Text { variables } => {
            let template = texts::of_kind(scene).ok_or_else(|| ReactError::UnknownKind(scene.to_owned()))?;
            let value = |name: &&'static str| Some((*name, Cow::from(variables.get(*name)?.as_str()?)));
            let words: Variables<'_> = template.variables.iter().filter_map(value).collect();
            let mut data = variables.clone();
            data.extend(order.data.clone());
            let about = About { variables: words, in_english: Variables::new(), data, customers: Vec::new() };
            Ok(about.tell(template, order.recipients.iter().copied(), view)?)
        }
    }
}

fn in_own_words(order: &NoticeOrdered, scene: &'static str, view: &View<'_>) -> Vec<Reaction> {
    let OrderedWords::Own { title, content, priority, action_url, action_text } = &order.words else {
        return Vec::new(); // the caller has looked
    };
    let (icon, color) = texts::of_kind(scene).map_or(ICON, |known| (known.icon, known.color));
    let message = |language: Language| Message {
        title: title.clone(),
        content: content.clone(),
        icon: icon.to_owned(),
        color: color.to_owned(),
        action_url: action_url.clone().unwrap_or_else(|| INBOX_URL.to_owned()),
        action_text: action_text.clone().unwrap_or_else(|| look(language).to_owned()),
        data: order.data.clone(),
    };
    let tell = |recipient| {
        let decisions = routing::decide(view, recipient, scene, *priority);
        let told = decisions.iter().any(|(_, decision)| matches!(decision, Decision::Deliver));
        let wishes = view.preferences.of(recipient, view.staff.role(recipient));
        let language = preferences::language(wishes.own, wishes.role);
        let notice = told.then(|| Notice {
            priority: *priority,
            message: message(language),
            template: OWN_WORDS.to_owned(),
            template_version: OWN_WORDS_VERSION,
            language,
        });
        Reaction { recipient, scene, customers: Vec::new(), decisions, notice }
    };
    order.recipients.iter().copied().map(tell).collect()
}

/// The words on the button.
fn look(language: Language) -> &'static str {
    match language {
        Language::ZhCn => "查看详情",
        Language::En => "View",
    }
}
