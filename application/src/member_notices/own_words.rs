//! Words of one's own 自定义消息模板: which placeholders they may name, and what stands for each.

use domain::member::{MemberField as F, MemberFields};

use super::content::known;
use crate::texts::{has_loose_braces, placeholders};

/// Stands where nothing is known, as in the program's own words.
const BLANK: &str = "未填写";

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

/// Why words of one's own are refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OwnWordsFault {
    /// Nothing has this name.
    Unknown(String),
    /// Braces that belong to no placeholder would be read as they are.
    LooseBraces,
}

/// What is wrong with a template; `None` when it can be used.
pub fn own_words_fault(template: &str) -> Option<OwnWordsFault> {
    let unknown = placeholders(template).into_iter().find(|name| !may_name(name));
    let loose = has_loose_braces(template).then_some(OwnWordsFault::LooseBraces);
    unknown.map(|name| OwnWordsFault::Unknown(name.to_owned())).or(loose)
}

/// A picture's address and ids of other programs say nothing to people.
fn is_nameable(field: F) -> bool {
    !matches!(field, F::WechatQrcode | F::UserId)
}

fn may_name(name: &str) -> bool {
    MORE.contains(&name) || name.parse().is_ok_and(is_nameable)
}

/// What people are offered; the other columns may be named too.
pub const NAMEABLE: [&str; 20] = [
    "member_no",
    "nickname",
    "phone",
    "type",
    "status",
    "gender",
    "birth_year",
    "education",
    "occupation",
    "house_car",
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

/// What each placeholder stands for. Whoever names a sensitive column means it (notifications.md section 3).
pub(super) fn values(
    fields: &MemberFields,
    event: &str,
    more: &[(&'static str, String)],
) -> Vec<(&'static str, String)> {
    let or_blank = |text: Option<String>| text.unwrap_or_else(|| BLANK.to_owned());
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
