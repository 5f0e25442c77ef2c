//! Everything a simulator can be set to, by name. A sender's tests go through this list, so that a switch that is new
//! here cannot be forgotten there.

use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    callback::{CallbackDay, CallbackFormat, CallbackMode},
    switches::{Check, DuplicateAnswer, JsonShape, Limits, Switches},
};

/// A limit that is soon reached: messages, calls or failures.
const TIGHT: u64 = 2;
/// Waiting times that are soon over, in real milliseconds.
const IMPATIENT_MS: u64 = 50;
/// How long a send takes when it takes any time, in real milliseconds.
const BUSY_MS: u64 = 25;
/// A failure that a sent event tells of; no page lists them.
const SYSTEM_FAILED: u64 = 1300;
/// How often a callback comes that comes more than once.
const COPIES: u8 = 3;
/// Seconds between forced refreshes for somebody who must not hurry.
const FAR_APART_SECONDS: u64 = 3_600;

/// A member of [`Switches`], [`Limits`] or [`CallbackDay`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name on the wire.
    pub name: String,
    /// What it can be set to: the default, then everything else, of numbers one that makes a difference.
    pub settings: Vec<Value>,
}

impl Switches {
    /// Every switch.
    pub fn listed() -> Vec<Listed> {
        list(&Self::default(), |name, default| match name {
            "validation_order" => {
                vec![json!([Check::Credit, Check::Content, Check::Template, Check::Openid])]
            }
            "send_takes_ms" => vec![json!(BUSY_MS)],
            "sent_event_errcode" => vec![json!(SYSTEM_FAILED)],
            "callback_json_shape" => others(&JsonShape::ALL, default),
            "wecom_duplicate_answer" => others(&DuplicateAnswer::ALL, default),
            _ => vec![],
        })
    }
}

impl Limits {
    /// Every limit.
    pub fn listed() -> Vec<Listed> {
        list(&Self::default(), |name, default| match name {
            "cloud_timeout_ms" | "callback_timeout_ms" => vec![json!(IMPATIENT_MS)],
            "callback_mark_fail_after" => vec![json!(1)],
            "force_refresh_per_day" => vec![json!(0)],
            "force_refresh_apart_seconds" => vec![json!(FAR_APART_SECONDS)],
            // What is beyond these is dropped without a word: a sender lives by the numbers that are documented.
            "wecom_member_per_minute" | "wecom_member_per_hour" => vec![Value::Null],
            _ if default.is_null() => vec![json!(TIGHT)],
            _ => vec![json!(TIGHT), Value::Null],
        })
    }
}

impl CallbackDay {
    /// Every order of the day.
    pub fn listed() -> Vec<Listed> {
        list(&Self::default(), |name, _| match name {
            "copies" => vec![json!(COPIES)],
            _ => vec![],
        })
    }
}

impl JsonShape {
    /// Every shape.
    pub const ALL: [Self; 3] = [Self::List, Self::ContainerList, Self::Container];
}

impl DuplicateAnswer {
    /// Every answer.
    pub const ALL: [Self; 3] = [Self::SameMsgid, Self::NewMsgid, Self::NoMsgid];
}

impl CallbackMode {
    /// Every mode.
    pub const ALL: [Self; 3] = [Self::Plain, Self::Compatible, Self::Safe];
}

impl CallbackFormat {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Json, Self::Xml];
}

fn others<T: Serialize>(all: &[T], default: &Value) -> Vec<Value> {
    all.iter().map(|one| json!(one)).filter(|one| one != default).collect()
}

/// The members of a value by their names, each with its default and what else there is; of yes and no the other one.
fn list(defaults: &impl Serialize, other: impl Fn(&str, &Value) -> Vec<Value>) -> Vec<Listed> {
    let Value::Object(members) = json!(defaults) else { return vec![] };
    let listed = |(name, default): (String, Value)| {
        let others = match default {
            Value::Bool(on) => vec![json!(!on)],
            _ => other(&name, &default),
        };
        Listed { name, settings: std::iter::once(default).chain(others).collect() }
    };
    members.into_iter().map(listed).collect()
}

#[cfg(test)]
mod tests {
    use serde::de::DeserializeOwned;

    use super::*;

    fn check<T: DeserializeOwned + PartialEq + Default>(listed: &[Listed]) {
        assert!(!listed.is_empty());
        for Listed { name, settings } in listed {
            assert!(settings.len() > 1, "{name} has one setting only: {settings:?}");
            for (n, setting) in settings.iter().enumerate() {
                let set: T = serde_json::from_value(json!({ name: setting })).expect(name);
                assert_eq!(set == T::default(), n == 0, "{name}: {setting}");
            }
        }
    }

    #[test]
    fn everything_that_can_be_set_has_more_than_one_setting() {
        check::<Switches>(&Switches::listed());
        check::<Limits>(&Limits::listed());
        check::<CallbackDay>(&CallbackDay::listed());
    }

    #[test]
    fn every_variant_is_listed() {
        // A new variant does not compile here before it is counted.
        let shape = |one| match one {
            JsonShape::List | JsonShape::ContainerList | JsonShape::Container => 3,
        };
        let answer = |one| match one {
            DuplicateAnswer::SameMsgid | DuplicateAnswer::NewMsgid | DuplicateAnswer::NoMsgid => 3,
        };
        let mode = |one| match one {
            CallbackMode::Plain | CallbackMode::Compatible | CallbackMode::Safe => 3,
        };
        let format = |one| match one {
            CallbackFormat::Json | CallbackFormat::Xml => 2,
        };
        assert_eq!(shape(JsonShape::default()), JsonShape::ALL.len());
        assert_eq!(answer(DuplicateAnswer::default()), DuplicateAnswer::ALL.len());
        assert_eq!(mode(CallbackMode::Safe), CallbackMode::ALL.len());
        assert_eq!(format(CallbackFormat::default()), CallbackFormat::ALL.len());
    }
}
