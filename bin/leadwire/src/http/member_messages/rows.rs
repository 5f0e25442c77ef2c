//! What becomes of each row of a message.

use application::bus::GuardKind;
use application::forms::{FieldError, MessageRow};
use application::members::{ObservedReceipt, observation_context, observe};
use domain::member::{MemberField, Observation};
use domain::{Actor, MemberId};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::http::problem::Problem;
use crate::http::refusals::execute_problem;
use crate::http::text::Language;

/// What became of a message.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MessageTaken {
    /// The source that it names.
    pub(super) source: String,
    /// Its rows.
    pub(super) total: usize,
    /// Those that were taken in, whether they said anything new or not.
    pub(super) accepted: usize,
    /// The others.
    pub(super) refused: usize,
    /// Every row, in its order.
    pub(super) results: Vec<RowTaken>,
}

/// What became of a row.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RowTaken {
    /// Its place in the message, from 0.
    index: usize,
    /// Its key.
    id: Option<String>,
    /// `registered`, `changed`, `unchanged` or `refused`.
    outcome: &'static str,
    /// The member.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<uuid::Uuid>)]
    member_id: Option<MemberId>,
    /// Columns whose value another member holds, and keeps.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    contested: Vec<&'static str>,
    /// Columns whose code nobody knows; it was kept as it stands.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unknown_codes: Vec<&'static str>,
    /// What is wrong with it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<RowError>,
}

/// A rule that a row breaks. Holds no value.
#[derive(Debug, Serialize, ToSchema)]
pub struct RowError {
    /// The column; empty for the row as a whole.
    path: String,
    /// The rule, for programs.
    code: &'static str,
    /// The rule, for people.
    message: String,
}

/// What all rows of a message have in common.
pub(super) struct Taking<'a> {
    pub(super) app: &'a App,
    pub(super) actor: Actor,
    pub(super) correlation: String,
    /// Names the message: the same row in another message is another look.
    pub(super) signature: String,
    pub(super) language: Language,
}

impl Taking<'_> {
    /// Takes a row in, or says what is wrong with it. Fails when the store does.
    pub(super) async fn one(&self, index: usize, row: MessageRow) -> Result<RowTaken, Problem> {
        let observation = match row.read {
            Ok(observation) => observation,
            Err(errors) => return Ok(self.refused(index, row.key, &errors)),
        };
        let unknown: Vec<MemberField> =
            observation.fields.unknown_codes().into_iter().map(|(field, _)| field).collect();
        let receipt = self.observed(index, *observation).await?;
        Ok(RowTaken {
            index,
            id: row.key,
            outcome: outcome(&receipt),
            member_id: Some(receipt.member.member),
            contested: receipt.contested.iter().filter_map(|kind| column(*kind)).collect(),
            unknown_codes: unknown.into_iter().map(MemberField::as_str).collect(),
            errors: vec![],
        })
    }

    async fn observed(&self, index: usize, row: Observation) -> Result<ObservedReceipt, Problem> {
        let capture = format!("{}/{index}", self.signature);
        let at = self.app.clock.now();
        let mut context = observation_context(&row.key, &capture, self.correlation.clone(), at);
        context.metadata.actor = self.actor.clone();
        let observed = observe(&self.app.bus, &context, row).await;
        Ok(observed.map_err(execute_problem)?.result)
    }

    fn refused(&self, index: usize, id: Option<String>, errors: &[FieldError]) -> RowTaken {
        let error = |error: &FieldError| RowError {
            path: error.path.clone(),
            code: error.rule.code(),
            message: match self.language {
                Language::Chinese => error.message_zh.clone(),
                Language::English => error.message_en.clone(),
            },
        };
        RowTaken {
            index,
            id,
            outcome: "refused",
            member_id: None,
            contested: vec![],
            unknown_codes: vec![],
            errors: errors.iter().map(error).collect(),
        }
    }
}

impl RowTaken {
    pub(super) fn is_refused(&self) -> bool {
        !self.errors.is_empty()
    }
}

fn outcome(receipt: &ObservedReceipt) -> &'static str {
    match (receipt.member.changed, receipt.member.sequence) {
        (false, _) => "unchanged",
        (true, 1) => "registered",
        (true, _) => "changed",
    }
}

/// The column of a value that only one member may hold.
fn column(kind: GuardKind) -> Option<&'static str> {
    let field = match kind {
        GuardKind::MemberNumber => MemberField::MemberNo,
        GuardKind::MemberPhone => MemberField::Phone,
        GuardKind::MemberWechat => MemberField::Wechat,
        _ => return None,
    };
    Some(field.as_str())
}
