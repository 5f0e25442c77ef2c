//! Words of one's own 自定义消息模板: which placeholders they may name, and what stands for each.

use domain::member::{MemberField as F, MemberFields};

use super::content::known;
use crate::texts::{NOT_GIVEN, has_loose_braces, placeholders};

/// What may be named besides the columns of a member.
const MORE: [&str; 10] = [
    "event",
    "location",
    "time",
    "changed_fields",
    "changes",
    "old_type",
    "new_type",
    "matches",
    "reason",
    "operator",
];

/// The columns that people are offered.
const OFFERED: [F; 10] = [
    F::MemberNo,
    F::Nickname,
    F::Phone,
    F::Kind,
    F::Status,
    F::Gender,
    F::BirthYear,
    F::Education,
    F::Occupation,
    F::HouseCar,
];

/// What people are offered; the other columns may be named too.
pub const NAMEABLE: [&str; OFFERED.len() + MORE.len()] = {
    let mut all = [""; OFFERED.len() + MORE.len()];
    let mut n = 0;
    while n < all.len() {
        all[n] = if n < OFFERED.len() { OFFERED[n].as_str() } else { MORE[n - OFFERED.len()] };
        n += 1;
    }
    all
};

/// Why words of one's own are refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OwnWordsFault {
    /// Nothing has this name.
    Unknown(String),
    /// No message shows this column.
    Sensitive(F),
    /// Braces that belong to no placeholder would be read as they are.
    LooseBraces,
}

/// What is wrong with a template; `None` when it can be used.
pub fn own_words_fault(template: &str) -> Option<OwnWordsFault> {
    let fault = placeholders(template).into_iter().find_map(name_fault);
    fault.or_else(|| has_loose_braces(template).then_some(OwnWordsFault::LooseBraces))
}

fn name_fault(name: &str) -> Option<OwnWordsFault> {
    match name.parse::<F>() {
        Ok(field) if field.is_sensitive() => Some(OwnWordsFault::Sensitive(field)),
        Ok(field) if is_nameable(field) => None,
        _ if MORE.contains(&name) => None,
        _ => Some(OwnWordsFault::Unknown(name.to_owned())),
    }
}

/// A picture's address and ids of other programs say nothing to people, and a message leaves the house: what is sensitive
/// stays in it.
fn is_nameable(field: F) -> bool {
    !field.is_sensitive() && !matches!(field, F::WechatQrcode | F::UserId)
}

/// What each placeholder stands for. A template that was saved when more could be named shows nothing in its place.
pub(super) fn values(
    fields: &MemberFields,
    event: &str,
    more: &[(&'static str, String)],
) -> Vec<(&'static str, String)> {
    let or_blank = |text: Option<String>| text.unwrap_or_else(|| NOT_GIVEN.to_owned());
    let columns = F::ALL.iter().copied().filter(|field| is_nameable(*field));
    let columns = columns.map(|field| (field.as_str(), or_blank(known(fields, field))));
    let place: Vec<String> =
        [F::Province, F::City, F::District].into_iter().filter_map(|field| known(fields, field)).collect();
    let location = or_blank((!place.is_empty()).then(|| place.join(" ")));
    let mut values: Vec<_> = columns.collect();
    values.extend([("event", event.to_owned()), ("location", location)]);
    values.extend(more.iter().cloned());
    let missing = MORE.iter().filter(|name| !values.iter().any(|(known, _)| known == *name));
    let missing: Vec<_> = missing.map(|name| (*name, String::new())).collect();
    values.extend(missing);
    values
}
