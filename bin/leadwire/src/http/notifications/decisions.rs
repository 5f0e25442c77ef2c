//! What was decided for an event or a notice: for everybody it concerns and every channel, and why (product.md G9).

use application::access::{Action, allows};
use application::forms::{FieldError, Rule};
use axum::extract::{RawQuery, State};
use domain::notification::Channel;
use domain::{EventId, NotificationId, StaffId};
use projections::policy_runner::{DecisionRecord, decisions_of_event, decisions_of_notification};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::app::SharedApp;
use crate::auth::Authenticated;
use crate::http::answer::Answer;
use crate::http::people::{People, Person};
use crate::http::problem::{self, Problem};
use crate::http::query::Parameters;
use crate::http::refusals::db_problem;
use crate::http::schemas::{self, Enveloped};
use crate::http::text::Text;
use crate::http::time::Millis;

const LISTED: Text = Text::new("获取通知决策成功", "Here is what was decided");

/// One of the two.
#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub struct DecisionsQuery {
    /// The event that is asked about.
    pub event_id: Option<Uuid>,
    /// The notice that is asked about.
    pub notification_id: Option<Uuid>,
}

/// A decision.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DecisionDocument {
    /// The event.
    #[schema(value_type = uuid::Uuid)]
    event_id: EventId,
    /// Its position in the log.
    position: i64,
    /// Whom it concerns.
    #[schema(value_type = uuid::Uuid)]
    recipient_id: StaffId,
    /// Their names.
    recipient: Option<Person>,
    /// Type of the notice.
    #[serde(rename = "type")]
    scene: String,
    /// The way.
    #[schema(value_type = String)]
    channel: Channel,
    /// deliver, merge, hold, standby or suppress.
    decision: String,
    /// Why, until when, or the setting that caused it.
    reason: Option<String>,
    /// The notice, when one was requested.
    #[schema(value_type = Option<uuid::Uuid>)]
    notification_id: Option<NotificationId>,
    /// When it was decided.
    #[schema(value_type = DateTime<Utc>)]
    recorded_at: Millis,
}

/// Lists what was decided because of one event, or for one notice: for everybody it concerns and every channel.
#[utoipa::path(
    get, path = "/api/notifications/decisions", operation_id = "list_decisions", tag = "deliveries",
    params(DecisionsQuery),
    responses(
        (status = 200, description = "The decisions", body = Enveloped<Vec<DecisionDocument>>),
        schemas::ReadProblems
    )
)]
pub async fn decisions(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    RawQuery(query): RawQuery,
) -> Result<Answer, Problem> {
    if !allows(caller.role, Action::ViewDeliveries) {
        return Err(Problem::of(&problem::FORBIDDEN));
    }
    let found = match parse(query.as_deref())? {
        About::Event(event) => decisions_of_event(&app.db, event).await,
        About::Notice(notice) => decisions_of_notification(&app.db, notice).await,
    };
    let found = found.map_err(|error| db_problem(&error))?;
    let people = People::find(&app, found.iter().map(|record| record.recipient).collect::<Vec<_>>()).await?;
    let documents: Vec<_> = found.into_iter().map(|record| DecisionDocument::of(record, &people)).collect();
    Answer::ok(LISTED, &documents)
}

#[derive(Debug, PartialEq)]
enum About {
    Event(EventId),
    Notice(NotificationId),
}

fn parse(query: Option<&str>) -> Result<About, Problem> {
    let mut parameters = Parameters::of(query);
    let event = parameters.id("eventId").map(About::Event);
    let notice = parameters.id("notificationId").map(About::Notice);
    parameters.finish()?;
    event.or(notice).ok_or_else(|| {
        let missing = FieldError::new("eventId", Rule::Required);
        Problem::fields(vec![missing]).kind(&problem::INVALID_REQUEST)
    })
}

impl DecisionDocument {
    fn of(record: DecisionRecord, people: &People) -> Self {
        Self {
            event_id: record.event,
            position: record.position,
            recipient: people.person(Some(record.recipient)),
            recipient_id: record.recipient,
            scene: record.scene,
            channel: record.channel,
            decision: record.decision,
            reason: record.reason,
            notification_id: record.notification,
            recorded_at: Millis(record.recorded_at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_or_a_notice_must_be_named() {
        let id = "0193f3a0-0000-7000-8000-000000000001";
        assert!(matches!(parse(Some(&format!("eventId={id}"))), Ok(About::Event(_))));
        assert!(matches!(parse(Some(&format!("notificationId={id}"))), Ok(About::Notice(_))));
        for query in ["", "eventId=7", "event=1"] {
            assert_eq!(parse(Some(query)).unwrap_err().kind.status, 400, "{query}");
        }
    }
}
