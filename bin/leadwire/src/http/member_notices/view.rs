//! What is shown and sent of how the staff hears of members; the names are those of system S's page.

use application::channels::wecom_app::EVERYBODY;
use application::forms::ConfiguredApp;
use domain::Actor;
use domain::member_notices::{MemberNotices, MemberNoticesText};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::schemas::Enveloped;
use crate::http::time::Millis;

/// The application of system S's page that is no other's.
const SELF_BUILT: &str = "self_built";

/// Who hears of members, and in which form and words.
#[derive(Debug, Serialize, ToSchema)]
pub struct MemberNoticesView {
    /// The corporation; of the configuration.
    corp_id: Option<String>,
    /// The application; of the configuration.
    agent_id: Option<i64>,
    /// Whether there is a secret. It is never shown.
    has_secret: bool,
    /// Where it comes from: `configuration` or `console`.
    secret_from: &'static str,
    /// Always `self_built`.
    app_type: &'static str,
    /// Whether messages leave; while not, they are held.
    member_notification_enabled: bool,
    /// Userids with a bar between them, or `@all`; empty: nobody.
    notification_recipients: String,
    /// Numbers of departments.
    notification_parties: Vec<i64>,
    /// Numbers of tags.
    notification_tags: Vec<i64>,
    /// Roles whose inbox tells it too.
    notification_roles: Vec<&'static str>,
    /// `text`, `textcard` or `markdown`.
    message_type: &'static str,
    /// Words of one's own; empty: those of the program.
    custom_message_template: String,
    /// From which message within ten minutes on the others are told together; 0: each by itself.
    digest_from: i64,
    /// Id of who set it; `null`: nobody yet.
    set_by: Option<String>,
    /// When.
    #[schema(value_type = Option<DateTime<Utc>>)]
    set_at: Option<Millis>,
}

/// The settings as they are from now on.
#[derive(utoipa::IntoResponses)]
#[response(status = 200, description = "The settings")]
pub struct MemberNoticesSaved(
    #[expect(dead_code, reason = "for the description only")] Enveloped<MemberNoticesView>,
);

/// Where the secret comes from that holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SecretFrom {
    Configuration,
    Console,
}

impl MemberNoticesView {
    /// The settings and what the configuration says of the application.
    pub(super) fn of(app: ConfiguredApp, secret_from: SecretFrom, notices: &MemberNotices) -> Self {
        let MemberNoticesText { enabled, audience, roles, message_type, template, digest_from } =
            &notices.text;
        let ConfiguredApp { corp_id, agent_id } = app;
        let recipients = if audience.everybody { EVERYBODY.to_owned() } else { audience.users.join("|") };
        Self {
            // An application without its secret is refused at start.
            has_secret: corp_id.is_some(),
            secret_from: match secret_from {
                SecretFrom::Configuration => "configuration",
                SecretFrom::Console => "console",
            },
            corp_id,
            agent_id,
            app_type: SELF_BUILT,
            member_notification_enabled: *enabled,
            notification_recipients: recipients,
            notification_parties: audience.parties.clone(),
            notification_tags: audience.tags.clone(),
            notification_roles: roles.iter().map(|role| role.as_str()).collect(),
            message_type: message_type.as_str(),
            custom_message_template: template.clone().unwrap_or_default(),
            digest_from: *digest_from,
            set_by: notices.set_by.as_ref().map(actor),
            set_at: notices.set_at.map(Millis),
        }
    }
}

fn actor(actor: &Actor) -> String {
    match actor {
        Actor::Staff(staff) => staff.to_string(),
        Actor::System(name) => name.clone(),
    }
}

/// A change to the settings; what is missing stays as it is, a blank text clears.
#[derive(ToSchema)]
pub struct MemberNoticesBody {
    /// Whether messages leave; 0 and 1 are understood too.
    pub member_notification_enabled: Option<bool>,
    /// Userids with a bar between them, at most 1000, or `@all`.
    pub notification_recipients: Option<String>,
    /// Numbers of departments, at most 100.
    pub notification_parties: Option<Vec<i64>>,
    /// Numbers of tags, at most 100.
    pub notification_tags: Option<Vec<i64>>,
    /// Roles whose inbox tells it too.
    pub notification_roles: Option<Vec<String>>,
    /// `text`, `textcard` or `markdown`.
    pub message_type: Option<String>,
    /// Words of one's own with placeholders such as `{{nickname}}`.
    #[schema(max_length = 1000)]
    pub custom_message_template: Option<String>,
    /// From which message within ten minutes on the others are told together; 0: each by itself.
    #[schema(minimum = 0, maximum = 1000)]
    pub digest_from: Option<i64>,
    /// As shown, or missing: it stands in the configuration.
    pub corp_id: Option<String>,
    /// As shown, or missing: it stands in the configuration.
    pub agent_id: Option<i64>,
    /// Another secret of the application; blank or missing keeps the old one.
    #[schema(max_length = 128, write_only)]
    pub secret: Option<String>,
}

/// Who gets a test message.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TestNoticeBody {
    /// The person's userid.
    pub test_user: String,
}

/// A test message on its way.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TestNoticeView {
    /// Who gets it.
    pub(super) test_user: String,
    /// The notice; `/api/deliveries` says what became of it.
    pub(super) notification_id: Uuid,
}
