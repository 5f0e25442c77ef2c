//! What a rule would have done 假设分析: one that is there, or one that somebody is about to write, tried on the last days
//! of the log. Nothing is written.

use std::collections::HashMap;

use application::access::Action;
use application::forms::TryTransferRule;
use application::transfers::{Question, Trial};
use axum::extract::State;
use domain::transfer_rule::run::PersonMoves;
use domain::{CustomerId, StaffId};
use projections::ReadModel;
use projections::queries::transfers::LogPast;
use serde::Serialize;
use tokio::sync::{Semaphore, SemaphorePermit};
use utoipa::ToSchema;

use super::bodies::TransferWhatIfBody;
use super::document::{everybody, role};
use super::predict::schedule;
use super::{Reads, permitted, transfer_problem};
use crate::app::SharedApp;
use crate::auth::Authenticated;
use crate::http::answer::Answer;
use crate::http::command::CommandRequest;
use crate::http::people::People;
use crate::http::problem::{self, Problem};
use crate::http::reading::{MinPosition, fresh};
use crate::http::refusals::{db_problem, load_problem};
use crate::http::schemas::{self, Enveloped};
use crate::http::text::{Language, Text};
use crate::http::time::Millis;

/// Questions at the same time in this process: each holds the lives of many leads in memory and keeps a core busy for
/// seconds. Whoever goes away gives up the place in the queue.
static TURNS: Semaphore = Semaphore::const_new(1);

const TRIED: Text = Text::new("流转规则假设分析成功", "This is what the rule would have done");

/// What a rule would have done.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransferWhatIfDocument {
    /// What the rule is called.
    rule_name: String,
    /// The days it was tried on.
    days: u32,
    /// When they begin.
    #[schema(value_type = DateTime<Utc>)]
    from: Millis,
    /// When they end.
    #[schema(value_type = DateTime<Utc>)]
    until: Millis,
    /// Runs there would have been.
    runs_count: usize,
    /// Leads that would have moved, each counted once.
    leads_count: usize,
    /// How often a lead would have moved.
    transferred_count: u64,
    /// Everybody in its lists.
    user_stats: Vec<TransferWhatIfUser>,
    /// The first 1000 moves, oldest first.
    moves: Vec<TransferWhatIfMove>,
    /// Why nothing would have moved, as the last run would have found it; and whether somebody of the rule got nothing
    /// because the account cannot be read.
    explanation: Option<String>,
}

/// One person's part.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransferWhatIfUser {
    /// The person.
    #[schema(value_type = Uuid)]
    user_id: StaffId,
    /// Name on screens.
    user_name: String,
    /// `source`, `target` or `both`.
    role: &'static str,
    /// Leads that would have gone out of their hands.
    transferred_out: u32,
    /// Leads that would have come into them.
    transferred_in: u32,
}

/// One move that would have been.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransferWhatIfMove {
    /// When.
    #[schema(value_type = DateTime<Utc>)]
    at: Millis,
    /// The lead.
    #[schema(value_type = Uuid)]
    customer_id: CustomerId,
    /// Whose it would have been.
    #[schema(value_type = Uuid)]
    from_user_id: StaffId,
    /// Name on screens.
    from_user_name: String,
    /// Who would have got it.
    #[schema(value_type = Uuid)]
    to_user_id: StaffId,
    /// Name on screens.
    to_user_name: String,
}

/// Tries a rule on the last days, at every moment of the schedule within the rule's hours, as if it had been written, and
/// nobody owed anything, when they began. Who is suspended now gets nothing, the holding caps are those in force, and a
/// lead that really went elsewhere is from then on what it really was. Chance is the same each time.
#[utoipa::path(
    post, path = "/api/lead-transfer/what-if", operation_id = "try_transfer_rule", tag = "lead transfer",
    request_body = TransferWhatIfBody,
    responses(
        (status = 200, description = "What it would have done", body = Enveloped<TransferWhatIfDocument>),
        schemas::CommandProblems
    )
)]
pub async fn what_if(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    request: CommandRequest,
) -> Result<Answer, Problem> {
    permitted(&caller, Action::ViewTransferRules)?;
    let request = request.without_version()?;
    let language = request.language;
    let TryTransferRule { tried, days } = TryTransferRule::parse(request.body).map_err(Problem::fields)?;
    // Which leads there are to look at; what they were like comes from the log.
    fresh(&app, &caller, ReadModel::AssignmentLog, MinPosition::default()).await;
    let grid = schedule(&app.db).await.map_err(|error| db_problem(&error))?;
    let grid = grid.unwrap_or_else(|| app.settings.schedules.lead_transfer.clone());
    let reads = Reads::of(&app).await.map_err(|error| load_problem(&error))?;
    let past = LogPast::new(app.projections.clone());
    let turn = turn().await;
    let question = Question::gather(reads.stores(&app), &past, &caller, &tried, (days, &grid)).await;
    let question = question.map_err(|error| transfer_problem(error, language))?;
    let trial = answered(question, turn).await.ok_or_else(|| Problem::of(&problem::INTERNAL))?;
    let people = People::find(&app, everybody(&trial.text)).await?;
    let document = TransferWhatIfDocument::of(&trial, days, &people, language);
    Answer::ok(TRIED, &document)
}

/// Computes the answer where no other request waits for it. The turn ends with it, also when the caller went away.
/// `None`: it broke off, which the log says.
async fn answered(question: Question, turn: Option<SemaphorePermit<'static>>) -> Option<Trial> {
    let answer = move || {
        let trial = question.answer();
        drop(turn);
        trial
    };
    let answered = tokio::task::spawn_blocking(answer).await;
    answered.inspect_err(|error| tracing::error!(error = %error, "a question of the past broke off")).ok()
}

/// Waits until this question may be asked. `None` cannot be: nobody closes it.
async fn turn() -> Option<SemaphorePermit<'static>> {
    TURNS.acquire().await.ok()
}

impl TransferWhatIfDocument {
    pub(crate) fn of(trial: &Trial, days: u32, people: &People, language: Language) -> Self {
        let Trial { text, from, until, told, .. } = trial;
        let parts: HashMap<StaffId, &PersonMoves> =
            told.people.iter().map(|part| (part.staff, part)).collect();
        let user = |staff: StaffId| TransferWhatIfUser {
            user_id: staff,
            user_name: people.shown(staff),
            role: role(text, staff),
            transferred_out: parts.get(&staff).map_or(0, |part| part.moved_out),
            transferred_in: parts.get(&staff).map_or(0, |part| part.moved_in),
        };
        let moves = told.moves.iter().map(|moved| TransferWhatIfMove {
            at: Millis(moved.at),
            customer_id: moved.one.customer,
            from_user_id: moved.one.from,
            from_user_name: people.shown(moved.one.from),
            to_user_id: moved.one.to,
            to_user_name: people.shown(moved.one.to),
        });
        let explanation = trial.explanation().map(|(zh, en)| Text::with(zh, en));
        Self {
            rule_name: text.name.clone(),
            days,
            from: Millis(*from),
            until: Millis(*until),
            runs_count: told.runs,
            leads_count: told.leads,
            transferred_count: told.moved,
            user_stats: everybody(text).into_iter().map(user).collect(),
            moves: moves.collect(),
            explanation: explanation.map(|text| text.get(language).to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn one_question_at_a_time_and_who_leaves_the_queue_holds_up_nobody() {
        let first = turn().await;
        let mut second = Box::pin(turn());
        let mut third = Box::pin(turn());
        assert!(second.as_mut().now_or_never().is_none());
        assert!(third.as_mut().now_or_never().is_none());
        drop(second);
        drop(first);
        assert!(third.as_mut().now_or_never().flatten().is_some());
    }
}
