//! Who receives one message to several people of a corporation, in a stored body and as somebody chose them.

use std::collections::BTreeSet;

use super::Body;
use crate::channels::body::rewritten;

/// Everybody who may see the application.
pub const EVERYBODY: &str = "@all";

/// Stands between two ids.
const BAR: char = '|';

/// Who receives one message, as `WeCom` wants it: ids with a bar between them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Receivers {
    /// Userids, or `@all`.
    pub users: String,
    /// Numbers of departments.
    pub parties: String,
    /// Numbers of tags.
    pub tags: String,
}

impl std::fmt::Debug for Receivers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Receivers(***)") // they name people
    }
}

impl Receivers {
    /// Whether it is nobody.
    pub fn is_nobody(&self) -> bool {
        self.each().into_iter().all(str::is_empty)
    }

    /// Whether all of `others` are among these. Who belongs to a department or a tag is `WeCom`'s business: only the
    /// same one is among them.
    pub fn include(&self, others: &Self) -> bool {
        let among = |(these, those): (&str, &str)| ids(those).is_subset(&ids(these));
        self.users == EVERYBODY || self.each().into_iter().zip(others.each()).all(among)
    }

    /// Writes them into a body.
    pub(super) fn address(&self, body: &mut Body) {
        let some = |text: &String| (!text.is_empty()).then(|| text.clone());
        body.touser.clone_from(&self.users);
        body.toparty = some(&self.parties);
        body.totag = some(&self.tags);
    }

    fn each(&self) -> [&str; 3] {
        [&self.users, &self.parties, &self.tags]
    }
}

fn ids(text: &str) -> BTreeSet<&str> {
    text.split(BAR).filter(|id| !id.is_empty()).collect()
}

/// Who receives a stored body; `None` when it is not one of ours.
pub fn receivers_of(body: &str) -> Option<Receivers> {
    let Body { touser, toparty, totag, .. } = serde_json::from_str(body).ok()?;
    let text = Option::unwrap_or_default;
    Some(Receivers { users: touser, parties: text(toparty), tags: text(totag) })
}

/// The same message to others; as it is when it is not one of ours.
pub fn readdressed(body: &str, receivers: &Receivers) -> String {
    rewritten(body, |body| receivers.address(body))
}

/// Whether a stored body goes to several people: then those who were not reached do not make it a failure.
pub fn speaks_to_many(body: &str) -> bool {
    receivers_of(body).is_some_and(|Receivers { users, parties, tags }| {
        !parties.is_empty() || !tags.is_empty() || users.contains(BAR) || users == EVERYBODY
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receivers(users: &str, parties: &str, tags: &str) -> Receivers {
        Receivers { users: users.to_owned(), parties: parties.to_owned(), tags: tags.to_owned() }
    }

    #[test]
    fn whoever_is_named_is_among_those_who_are_named_too_and_everybody_is_among_all() {
        for (these, others, expected) in [
            (receivers("a|b", "", ""), receivers("b|a", "", ""), true),
            (receivers("a|b", "1", ""), receivers("b", "", ""), true),
            (receivers("a", "", ""), receivers("a|b", "", ""), false),
            (receivers("ab", "", ""), receivers("a", "", ""), false),
            (receivers("a", "12", "3"), receivers("a", "1", "3"), false),
            (receivers("a", "1", ""), receivers("a", "", "1"), false),
            (receivers("@all", "", ""), receivers("a", "1", "2"), true),
            (receivers("a", "", ""), receivers("@all", "", ""), false),
            (receivers("", "", ""), receivers("", "", ""), true),
        ] {
            assert_eq!(these.include(&others), expected, "{} {}", these.users, others.users);
        }
    }

    #[test]
    fn a_message_to_others_is_the_same_but_for_who_gets_it() {
        let before = r#"{"touser":"a|b","totag":"7","msgtype":"text","agentid":7,"text":{"content":"张三"},"enable_duplicate_check":1,"duplicate_check_interval":14400}"#;
        let after = r#"{"toparty":"2|3","msgtype":"text","agentid":7,"text":{"content":"张三"},"enable_duplicate_check":1,"duplicate_check_interval":14400}"#;
        assert_eq!(receivers_of(before), Some(receivers("a|b", "", "7")));
        let others = receivers("", "2|3", "");
        assert_eq!(readdressed(before, &others), after);
        assert_eq!(receivers_of(after), Some(others));
        assert!(!receivers("", "2", "").is_nobody() && receivers("", "", "").is_nobody());
        assert_eq!((receivers_of("x"), readdressed("x", &Receivers::default())), (None, "x".to_owned()));
    }
}
