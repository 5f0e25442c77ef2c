//! Who a message is for: `touser`, `toparty`, `totag` (wechat-apis.md §5.2).

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Wecom, WecomLicence};
use crate::{errcode::Refusal, subscribe::text};

const USERS_MAX: usize = 1000;
const PARTIES_MAX: usize = 100;
const TAGS_MAX: usize = 100;
/// Every member.
const EVERYONE: &str = "@all";

/// The members who get the message, and those named who do not.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Receivers {
    /// As registered.
    pub(super) members: Vec<String>,
    invalid_users: Vec<String>,
    invalid_parties: Vec<String>,
    invalid_tags: Vec<String>,
    unlicensed: Vec<String>,
}

impl Receivers {
    /// Adds the lists of those who get nothing to a success; userids are lower-cased.
    pub(super) fn report(&self, body: &mut Value) {
        for (key, list) in [
            ("invaliduser", &self.invalid_users),
            ("invalidparty", &self.invalid_parties),
            ("invalidtag", &self.invalid_tags),
            ("unlicenseduser", &self.unlicensed),
        ] {
            if !list.is_empty() {
                body[key] = json!(list.join("|"));
            }
        }
    }
}

/// The entries of a `|`-joined list, none twice.
fn list<'a>(body: &'a Value, key: &str) -> Vec<&'a str> {
    let mut seen = BTreeSet::new();
    let entries = text(body, key).unwrap_or_default().split('|').map(str::trim);
    entries.filter(|entry| !entry.is_empty() && seen.insert(*entry)).collect()
}

impl Wecom {
    /// Judges the receivers of a message of a corp; refused when there is none at all or not a valid one.
    pub(super) fn receivers(&self, corp_id: &str, body: &Value) -> Result<Receivers, Refusal> {
        let (users, parties, tags) = (list(body, "touser"), list(body, "toparty"), list(body, "totag"));
        if users.is_empty() && parties.is_empty() && tags.is_empty() {
            return Err(Refusal::Plain(82001));
        }
        for (count, max, errcode) in [
            (users.len(), USERS_MAX, 40031),
            (parties.len(), PARTIES_MAX, 82002),
            (tags.len(), TAGS_MAX, 82003),
        ] {
            if count > max {
                return Err(Refusal::Plain(errcode));
            }
        }
        let mut wanted = BTreeSet::new();
        let mut receivers = Receivers::default();
        if users == [EVERYONE] {
            let corp = self.members.keys().filter(|(corp, _)| corp == corp_id);
            wanted.extend(corp.map(|(_, userid)| userid.clone()));
        } else {
            wanted.extend(users.iter().map(|userid| userid.to_lowercase()));
            let groups = [
                (&parties, &self.parties, &mut receivers.invalid_parties),
                (&tags, &self.tags, &mut receivers.invalid_tags),
            ];
            for (names, known, invalid) in groups {
                for name in names {
                    match known.get(&(corp_id.to_owned(), (*name).to_owned())) {
                        Some(members) => wanted.extend(members.iter().cloned()),
                        None => invalid.push((*name).to_owned()),
                    }
                }
            }
        }
        for userid in wanted {
            match self.members.get(&(corp_id.to_owned(), userid.clone())) {
                None => receivers.invalid_users.push(userid),
                Some(member) if member.licence == WecomLicence::Unlicensed => {
                    receivers.unlicensed.push(userid);
                }
                Some(member) => receivers.members.push(member.userid.clone()),
            }
        }
        if receivers.members.is_empty() && receivers.unlicensed.is_empty() {
            return Err(Refusal::Plain(81013));
        }
        Ok(receivers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_may_be_wrong_but_not_all() {
        let mut wecom = Wecom::default();
        wecom.add_member("c", "LiSi", WecomLicence::Licensed);
        wecom.add_member("c", "wang", WecomLicence::Licensed);
        wecom.add_member("c", "poor", WecomLicence::Unlicensed);
        wecom.add_to_party("c", "7", "wang");
        wecom.add_to_tag("c", "t", "lisi");
        for (body, expected) in [
            (json!({ "touser": "lisi|LISI" }), Ok(("LiSi", json!({})))),
            (json!({ "touser": "Nobody|WANG" }), Ok(("wang", json!({ "invaliduser": "nobody" })))),
            (json!({ "touser": "poor" }), Ok(("", json!({ "unlicenseduser": "poor" })))),
            (
                json!({ "touser": "@all", "toparty": "9" }),
                Ok(("LiSi wang", json!({ "unlicenseduser": "poor" }))),
            ),
            (
                json!({ "toparty": "7|9", "totag": "t|u" }),
                Ok(("LiSi wang", json!({ "invalidparty": "9", "invalidtag": "u" }))),
            ),
            (json!({ "touser": "nobody", "toparty": "9" }), Err(81013)),
            (json!({ "touser": "|", "totag": "" }), Err(82001)),
            (json!({}), Err(82001)),
            (json!({ "touser": numbers(1001) }), Err(40031)),
            (json!({ "toparty": numbers(101) }), Err(82002)),
            (json!({ "totag": numbers(101) }), Err(82003)),
        ] {
            let judged = wecom.receivers("c", &body).map_err(|refusal| refusal.errcode()).map(|receivers| {
                let mut report = json!({});
                receivers.report(&mut report);
                (receivers.members.join(" "), report)
            });
            assert_eq!(judged, expected.map(|(members, report)| (members.to_owned(), report)), "{body}");
        }
        assert_eq!(wecom.receivers("other", &json!({ "touser": "lisi" })), Err(Refusal::Plain(81013)));
    }

    fn numbers(count: usize) -> String {
        (0..count).map(|number| number.to_string()).collect::<Vec<_>>().join("|")
    }
}
