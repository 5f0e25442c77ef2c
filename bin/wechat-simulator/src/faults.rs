//! Fault rules: what goes wrong, for which calls, how many times (wechat-apis.md §8.3).

use serde::{Deserialize, Serialize};

use crate::{
    calls::Endpoint,
    tokens::{TokenEnd, TokenFamily},
};

/// What goes wrong. `process` says whether the message is delivered although the caller sees a failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// The request waits, not yet processed, until it is woken; then it is processed as usual if its caller is
    /// still there, or in any case with `process`.
    Hang {
        /// Process it when woken even if the caller has gone.
        #[serde(default)]
        process: bool,
    },
    /// The request waits this long in real time and is then processed, whether or not its caller is still there.
    Slow {
        /// Real milliseconds.
        ms: u64,
    },
    /// Processed at once, but the answer comes late.
    TimeoutAfterProcessing {
        /// Real milliseconds until the answer; without it the answer waits until woken.
        #[serde(default)]
        ms: Option<u64>,
    },
    /// The connection is reset, nothing is processed.
    ResetBefore {},
    /// Processed, then the connection is reset.
    ResetAfter {},
    /// HTTP 502 with an HTML page, as a proxy gives.
    #[serde(rename = "http_502_html")]
    Http502Html {
        /// Deliver the message all the same.
        #[serde(default)]
        process: bool,
    },
    /// An HTTP 4xx with a plain text, as a gateway gives.
    #[serde(rename = "http_4xx")]
    Http4xx {
        /// 400 to 499.
        status: u16,
        /// Deliver the message all the same.
        #[serde(default)]
        process: bool,
    },
    /// HTTP 200 and half a JSON text.
    TruncatedJson {
        /// Deliver the message (the default).
        #[serde(default = "yes")]
        process: bool,
    },
    /// An errcode of your choice.
    Errcode {
        /// The number.
        errcode: i64,
        /// The words before ` rid:`; without them the usual ones.
        #[serde(default)]
        errmsg: Option<String>,
        /// Deliver the message all the same: a `-1` with a hidden effect (§0.4).
        #[serde(default)]
        process: bool,
    },
    /// The living tokens stop working just before this call, which then goes on as usual.
    ExpireToken {
        /// One family only.
        #[serde(default)]
        family: Option<TokenFamily>,
        /// 40001 (`superseded`, the default) or 42001 (`expired`).
        #[serde(default)]
        how: TokenEnd,
    },
}

fn yes() -> bool {
    true
}

impl Fault {
    /// Its name on the wire.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Hang { .. } => "hang",
            Self::Slow { .. } => "slow",
            Self::TimeoutAfterProcessing { .. } => "timeout_after_processing",
            Self::ResetBefore {} => "reset_before",
            Self::ResetAfter {} => "reset_after",
            Self::Http502Html { .. } => "http_502_html",
            Self::Http4xx { .. } => "http_4xx",
            Self::TruncatedJson { .. } => "truncated_json",
            Self::Errcode { .. } => "errcode",
            Self::ExpireToken { .. } => "expire_token",
        }
    }
}

/// How many calls a rule hits. JSON: a number, or `"forever"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "`times` is a number or \"forever\"")]
pub enum Times {
    /// So many.
    Count(u64),
    /// Until the rule is deleted.
    Forever(Forever),
}

/// The word `forever`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Forever {
    /// No end.
    Forever,
}

impl Times {
    /// Until the rule is deleted.
    pub const FOREVER: Self = Self::Forever(Forever::Forever);
}

impl Default for Times {
    fn default() -> Self {
        Self::Count(1)
    }
}

/// A fault and the calls it hits. The first rule that matches a call is played; the others wait.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    /// Only calls to this endpoint; without it every endpoint.
    #[serde(default)]
    pub endpoint: Option<Endpoint>,
    /// Only sends to this person: an openid, a WeCom userid, a robot's key, the `assignedToId` of a cloud call.
    #[serde(default)]
    pub openid: Option<String>,
    /// Let so many matching calls pass before the first hit.
    #[serde(default)]
    pub after: u64,
    /// How many calls to hit; one by default.
    #[serde(default)]
    pub times: Times,
    /// What goes wrong.
    pub fault: Fault,
}

impl FaultRule {
    /// One fault for the next call to an endpoint.
    pub fn once(endpoint: Endpoint, fault: Fault) -> Self {
        Self { endpoint: Some(endpoint), openid: None, after: 0, times: Times::Count(1), fault }
    }

    /// A fault for every call to an endpoint until the rules are cleared.
    pub fn forever(endpoint: Endpoint, fault: Fault) -> Self {
        Self { times: Times::FOREVER, ..Self::once(endpoint, fault) }
    }

    /// The same rule for one person only.
    #[must_use]
    pub fn to(self, openid: &str) -> Self {
        Self { openid: Some(openid.to_owned()), ..self }
    }
}

/// A rule that is in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActiveFault {
    /// Its number.
    pub id: u64,
    /// The rule, `after` and `times` counted down.
    pub rule: FaultRule,
    /// Calls hit so far.
    pub hits: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Faults {
    last_id: u64,
    active: Vec<ActiveFault>,
}

impl Faults {
    pub(crate) fn add(&mut self, rule: FaultRule) -> u64 {
        self.last_id += 1;
        self.active.push(ActiveFault { id: self.last_id, rule, hits: 0 });
        self.last_id
    }

    pub(crate) fn list(&self) -> &[ActiveFault] {
        &self.active
    }

    pub(crate) fn clear(&mut self) {
        self.active.clear();
    }

    /// The fault of a call that arrives now, if any; counts it.
    pub(crate) fn take(&mut self, endpoint: Endpoint, receivers: &[String]) -> Option<Fault> {
        let matching = self.active.iter_mut().filter(|active| {
            let rule = &active.rule;
            rule.endpoint.is_none_or(|wanted| wanted == endpoint)
                && rule.openid.as_deref().is_none_or(|wanted| receivers.iter().any(|named| named == wanted))
                && rule.times != Times::Count(0)
        });
        for active in matching {
            if active.rule.after > 0 {
                active.rule.after -= 1;
                continue;
            }
            if let Times::Count(left) = &mut active.rule.times {
                *left -= 1;
            }
            active.hits += 1;
            return Some(active.rule.fault.clone());
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(faults: &mut Faults, calls: &[(Endpoint, Option<&str>)]) -> Vec<&'static str> {
        let who = |who: Option<&str>| who.map(str::to_owned).into_iter().collect::<Vec<_>>();
        calls
            .iter()
            .map(|(at, named)| faults.take(*at, &who(*named)).map_or("-", |fault| fault.kind()))
            .collect()
    }

    #[test]
    fn rules_match_by_endpoint_and_person_and_run_out() {
        let mut faults = Faults::default();
        let send = Endpoint::SubscribeSend;
        faults.add(FaultRule::once(send, Fault::ResetBefore {}).to("o1"));
        faults.add(FaultRule { times: Times::Count(2), ..FaultRule::once(send, Fault::ResetAfter {}) });
        let calls = [
            (Endpoint::Token, None),
            (send, Some("o2")),
            (send, Some("o1")),
            (send, Some("o1")),
            (send, Some("o1")),
        ];
        let expected = ["-", "reset_after", "reset_before", "reset_after", "-"];
        assert_eq!(kinds(&mut faults, &calls), expected);
        assert_eq!(faults.list().iter().map(|active| active.hits).collect::<Vec<_>>(), [1, 2]);
    }

    #[test]
    fn a_rule_may_let_some_calls_pass_and_may_last_forever() {
        let mut faults = Faults::default();
        let rule = FaultRule {
            after: 2,
            endpoint: None,
            ..FaultRule::forever(Endpoint::Token, Fault::ResetBefore {})
        };
        faults.add(rule);
        let calls = [(Endpoint::Token, None); 5];
        assert_eq!(kinds(&mut faults, &calls), ["-", "-", "reset_before", "reset_before", "reset_before"]);
        faults.clear();
        assert_eq!(kinds(&mut faults, &calls[..1]), ["-"]);
    }

    #[test]
    fn json_forms() {
        for (json, ok) in [
            (r#"{"fault":{"kind":"hang"}}"#, true),
            (
                r#"{"endpoint":"subscribe_send","openid":"o1","times":"forever","fault":{"kind":"slow","ms":5}}"#,
                true,
            ),
            (r#"{"times":3,"after":1,"fault":{"kind":"errcode","errcode":-1,"process":true}}"#, true),
            (r#"{"fault":{"kind":"http_4xx","status":404}}"#, true),
            (r#"{"fault":{"kind":"http_502_html"}}"#, true),
            (r#"{"fault":{"kind":"expire_token","family":"stable","how":"expired"}}"#, true),
            (r#"{"fault":{"kind":"timeout_after_processing"}}"#, true),
            (r#"{"fault":{"kind":"reset_before","process":true}}"#, false),
            (r#"{"fault":{"kind":"slow"}}"#, false),
            (r#"{"fault":{"kind":"melt"}}"#, false),
            (r#"{"fault":{"kind":"hang"},"colour":"red"}"#, false),
            (r#"{"times":"often","fault":{"kind":"hang"}}"#, false),
            (r#"{"times":-1,"fault":{"kind":"hang"}}"#, false),
        ] {
            let parsed = serde_json::from_str::<FaultRule>(json);
            assert_eq!(parsed.is_ok(), ok, "{json}: {parsed:?}");
            if let Ok(rule) = parsed {
                let again: FaultRule = serde_json::from_str(&serde_json::to_string(&rule).unwrap()).unwrap();
                assert_eq!(again, rule);
            }
        }
    }
}
