//! What becomes of each row of a message.

use application::bus::{AppendError, ExecuteError, GuardKind, LoadError};
use application::forms::{FieldError, MessageRow};
use application::members::{MemberRefusal, ObservedReceipt, observation_context, observe};
use domain::member::{MemberField, Observation};
use domain::{Actor, MemberId};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::http::problem::Problem;
use crate::http::refusals::execute_problem;
use crate::http::text::{Language, Text};

const UNREADABLE: Text = Text::new(
    "该会员的已有记录无法读取，请联系管理员",
    "What is known of this member cannot be read; tell an administrator",
);
const BUSY: Text =
    Text::new("该会员正被其他人修改，请稍后重发", "Somebody else changes this member; send it again later");
const NOT_TAKEN: Text =
    Text::new("该会员暂时无法接收，请联系管理员", "This member cannot be taken in; tell an administrator");

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
        let receipt = match self.observed(index, *observation).await {
            Ok(receipt) => receipt,
            Err(error) => return self.failed(index, row.key, error),
        };
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

    async fn observed(
        &self,
        index: usize,
        row: Observation,
    ) -> Result<ObservedReceipt, ExecuteError<MemberRefusal>> {
        let capture = format!("{}/{index}", self.signature);
        let at = self.app.clock.now();
        let mut context = observation_context(&row.key, &capture, self.correlation.clone(), at);
        context.metadata.actor = self.actor.clone();
        Ok(observe(&self.app.bus, &context, row).await?.result)
    }

    /// What is about one member only is that row's answer; the others are taken in. Fails when the store does.
    fn failed(
        &self,
        index: usize,
        id: Option<String>,
        error: ExecuteError<MemberRefusal>,
    ) -> Result<RowTaken, Problem> {
        let (code, text) = match &error {
            ExecuteError::Load(LoadError::Undecodable { .. }) => ("unreadable", UNREADABLE),
            ExecuteError::Append(AppendError::Conflict { .. } | AppendError::Taken { .. }) => ("busy", BUSY),
            ExecuteError::Refused(_) | ExecuteError::Encode(_) => ("not_taken", NOT_TAKEN),
            _ => return Err(execute_problem(error)),
        };
        tracing::error!(message.row = index, %error, "a row of a message of members cannot be taken in");
        let message = match self.language {
            Language::Chinese => text.zh,
            Language::English => text.en,
        };
        let error = RowError { path: String::new(), code, message: message.into_owned() };
        Ok(RowTaken::refused(index, id, vec![error]))
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
        RowTaken::refused(index, id, errors.iter().map(error).collect())
    }
}

impl RowTaken {
    fn refused(index: usize, id: Option<String>, errors: Vec<RowError>) -> Self {
        let outcome = "refused";
        Self { index, id, outcome, member_id: None, contested: vec![], unknown_codes: vec![], errors }
    }

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
