//! Everything that happened to a customer, in words.

use application::access::{FieldView, field_view, free_text};
use application::history::{self, actor, words};
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use domain::customer::CustomerEvent;
use domain::{Actor, CommandId, EventId, Recorded, Sequence, StaffId};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::super::{CustomerPath, document};
use super::story;
use crate::app::SharedApp;
use crate::auth::Authenticated;
use crate::http::answer::Answer;
use crate::http::people::People;
use crate::http::problem::Problem;
use crate::http::query::Parameters;
use crate::http::reading::{MIN_POSITION, MinPosition};
use crate::http::schemas::{self, Enveloped};
use crate::http::text::{Language, Text};
use crate::http::time::Millis;

const TOLD: Text = Text::new("获取客户历史成功", "Here is what happened");

/// Events of an answer when the caller does not say.
const EVENTS: u32 = 100;

/// Most events of one answer.
const EVENTS_MAX: u32 = 200;

/// Parameters of the history.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes the query; `Parameters` reads it")]
pub struct HistoryQuery {
    /// Most events.
    #[param(minimum = 1, maximum = 200, default = 100)]
    limit: Option<u32>,
    /// Only events before this one: `before` of the answer before.
    #[param(minimum = 1)]
    before: Option<i64>,
}

/// What happened to a customer.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct History {
    /// The events, newest first.
    events: Vec<Happening>,
    /// How many there are.
    total: i64,
    /// Where to read on, while there are earlier ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<Sequence>,
}

/// One event in words.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Happening {
    /// Id of the event.
    #[serde(rename = "_id")]
    #[schema(value_type = uuid::Uuid)]
    id: EventId,
    /// Its number among the customer's events: the version it led to.
    sequence: Sequence,
    /// Its position in the log.
    position: i64,
    /// Its name, e.g. `CustomerAssigned`.
    event_type: String,
    /// What happened, in the language of `Accept-Language`.
    description: String,
    /// Who did it; `null` when a part of the system did.
    #[schema(value_type = Option<uuid::Uuid>)]
    actor_id: Option<StaffId>,
    /// Who did it, by name; `系统-` and the part of the system.
    actor_name: String,
    /// When.
    #[schema(value_type = DateTime<Utc>)]
    at: Millis,
    /// The command that caused it: the same for everything that one request did.
    #[schema(value_type = uuid::Uuid)]
    command_id: CommandId,
    /// Id of the request.
    correlation_id: String,
    /// The event that made the system issue the command.
    #[schema(value_type = Option<uuid::Uuid>)]
    causation_id: Option<EventId>,
}

/// Everything that happened to a customer, newest first.
#[utoipa::path(
    get, path = "/api/customers/{id}/history", operation_id = "show_customer_history", tag = "customers",
    params(schemas::IdPath, HistoryQuery, schemas::ReadHeaders),
    responses((status = 200, description = "The events", body = Enveloped<History>), schemas::ReadProblems)
)]
pub async fn history(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    CustomerPath(id): CustomerPath,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    _: MinPosition,
) -> Result<Answer, Problem> {
    let mut parameters = Parameters::of(query.as_deref());
    parameters.text(MIN_POSITION);
    let limit = parameters.count("limit", EVENTS, EVENTS_MAX);
    let before = parameters.whole("before", 1..=i64::MAX);
    parameters.finish()?;
    let story = story::read(&app, &caller, id, before, limit as usize).await?;
    let named = story.steps.iter().flat_map(|step| history::people(&step.event.payload));
    let people = People::find(&app, named).await?;
    let told = Told { people, view: field_view(&caller, &story.customer), language: Language::of(&headers) };
    let oldest = story.steps.front().map(|step| step.event.sequence);
    let history = History {
        events: story.steps.into_iter().rev().map(|step| told.happening(step.event)).collect(),
        total: story.version,
        before: oldest.filter(|sequence| *sequence > 1),
    };
    Ok(Answer::ok(TOLD, &history)?.version(story.version))
}

/// To whom it is told.
struct Told {
    people: People,
    view: FieldView,
    language: Language,
}

impl Told {
    fn happening(&self, event: Recorded<CustomerEvent>) -> Happening {
        let name = |id: StaffId| self.people.name(Some(id)).map(|person| person.name);
        let words = words(&event.payload, &name);
        let description = match self.language {
            Language::Chinese => words.zh,
            Language::English => words.en,
        };
        let actor = actor(&event.payload);
        let actor_name = match &actor {
            Actor::Staff(id) => name(*id).unwrap_or_default(),
            Actor::System(_) => document::actor(&actor),
        };
        Happening {
            id: event.event_id,
            sequence: event.sequence,
            position: event.position,
            event_type: event.event_type,
            description: free_text(self.view, &description),
            actor_id: actor.staff(),
            actor_name,
            at: Millis(event.recorded_at),
            command_id: event.metadata.command,
            correlation_id: event.metadata.correlation,
            causation_id: event.metadata.causation,
        }
    }
}
