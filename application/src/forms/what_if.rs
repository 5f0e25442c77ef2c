//! The form of `POST /api/lead-transfer/what-if`: a rule that is there, or one as `POST /api/lead-transfer/rules` takes
//! it, and how many days it is tried on.

use serde_json::{Map, Value};

use super::fields::{Fields, Null};
use super::scalars::{id, whole};
use super::{CreateTransferRule, FieldError, Rule};
use crate::transfers::{Tried, WHAT_IF_DAYS};

/// `POST /api/lead-transfer/what-if`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TryTransferRule {
    /// Which rule.
    pub tried: Tried,
    /// On how many days, the last ones.
    pub days: u32,
}

impl TryTransferRule {
    /// Reads the body.
    pub fn parse(body: Value) -> Result<Self, Vec<FieldError>> {
        let Value::Object(mut rule) = body else { return Err(vec![FieldError::new("", Rule::NotAnObject)]) };
        let question: Map<_, _> =
            ["days", "ruleId"].iter().filter_map(|key| rule.remove_entry(*key)).collect();
        let mut fields = Fields::of(Value::Object(question), Null::Absent)?;
        let days = fields.required("days", whole(WHAT_IF_DAYS)).and_then(|days| u32::try_from(days).ok());
        let tried = if fields.has("ruleId") {
            // Whoever names a rule and writes one beside it means one of the two.
            rule.keys().for_each(|key| fields.violated(key, Rule::UnknownField));
            fields.required("ruleId", id).map(Tried::Kept)
        } else {
            fields.take("ruleId");
            written(&mut fields, Value::Object(rule))
        };
        fields.finish(tried.zip(days).map(|(tried, days)| Self { tried, days }))
    }
}

fn written(fields: &mut Fields, rule: Value) -> Option<Tried> {
    match CreateTransferRule::parse(rule) {
        Ok(form) => Some(Tried::Written(Box::new(form.wanted))),
        Err(errors) => {
            for error in errors {
                fields.violated(error.path, error.rule);
            }
            None
        }
    }
}
