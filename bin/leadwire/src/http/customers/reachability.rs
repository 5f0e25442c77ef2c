//! Whether somebody who may be given leads would hear of one now: through what, and when.

use std::collections::{HashMap, HashSet};

use application::bus::{CommandBus as _, CountKind};
use application::channels::ChannelSettings;
use application::preferences::quiet_until;
use domain::notification::Channel;
use domain::preferences::{Preferences, Whose};
use domain::subscription::SubscriptionLedger;
use domain::{StaffId, StreamId};
use projections::queries::deliveries::channels;
use projections::queries::staff::StaffRow;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::http::problem::Problem;
use crate::http::refusals::{db_problem, load_problem};
use crate::http::time::Millis;

/// How somebody can be reached now.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Reachability {
    /// Channels that are configured, bound, and neither paused nor at rest.
    #[schema(value_type = Vec<String>)]
    channels: Vec<Channel>,
    /// Subscribe messages that the person still allows; `null` without a mini program or a binding.
    credits_left: Option<i64>,
    /// When the person may be disturbed again; `null`: now.
    #[schema(value_type = Option<DateTime<Utc>>)]
    quiet_until: Option<Millis>,
    /// Leads the person owns.
    owned_leads: i64,
    /// Messages that have not reached the person: waiting, or given up.
    undelivered: i64,
}

/// How each of these people can be reached now.
pub(super) async fn of(app: &App, people: &[StaffRow]) -> Result<HashMap<StaffId, Reachability>, Problem> {
    let settings = app.settings.channels();
    let alive = alive(app, &settings).await?;
    let undelivered = channels::undelivered(&app.db).await.map_err(|error| db_problem(&error))?;
    let credits = credits(app, &settings, people).await?;
    let quiet = quiet(app, people).await?;
    let mut found = HashMap::new();
    for row in people {
        let owned = app.bus.count(CountKind::OwnedLeads, &row.id.to_string()).await;
        let reach = |channel: &&Channel| settings.receiver(**channel, &row.staff).is_some();
        let reachability = Reachability {
            channels: alive.iter().filter(reach).copied().collect(),
            credits_left: credits.get(&row.id).copied(),
            quiet_until: quiet.get(&row.id).copied().flatten(),
            owned_leads: owned.map_err(|error| load_problem(&error))?,
            undelivered: undelivered.get(&row.id).copied().unwrap_or(0),
        };
        found.insert(row.id, reachability);
    }
    Ok(found)
}

/// Channels that would send now. One that rests in every process that speaks of it rests; of one that no process speaks
/// of, nothing bad is known.
async fn alive(app: &App, settings: &ChannelSettings) -> Result<Vec<Channel>, Problem> {
    let paused = channels::pauses(&app.db).await.map_err(|error| db_problem(&error))?;
    let health = channels::health(&app.db, app.clock.now()).await.map_err(|error| db_problem(&error))?;
    let open: HashSet<&str> =
        health.iter().filter(|row| row.state == "open").map(|row| row.channel.as_str()).collect();
    let rests = |channel: Channel| {
        let spoken_of = health.iter().any(|row| row.channel == channel.as_str());
        spoken_of && !open.contains(channel.as_str())
    };
    let works = |channel: &Channel| {
        settings.is_configured(*channel) && !paused.contains_key(channel) && !rests(*channel)
    };
    Ok(Channel::ALL.iter().copied().filter(works).collect())
}

async fn credits(
    app: &App,
    settings: &ChannelSettings,
    people: &[StaffRow],
) -> Result<HashMap<StaffId, i64>, Problem> {
    let Some(wechat) = &settings.wechat_subscribe else { return Ok(HashMap::new()) };
    let ledgers = people.iter().filter_map(|row| {
        let openid = settings.receiver(Channel::WechatSubscribe, &row.staff)?;
        Some((row.id, StreamId::subscription(&wechat.app, openid, &wechat.template)))
    });
    let (ids, streams): (Vec<_>, Vec<_>) = ledgers.unzip();
    let states = app.bus.load_many::<SubscriptionLedger>(&streams).await;
    let states = states.map_err(|error| load_problem(&error))?;
    Ok(ids.into_iter().zip(states.into_iter().map(|ledger| ledger.state.available)).collect())
}

async fn quiet(app: &App, people: &[StaffRow]) -> Result<HashMap<StaffId, Option<Millis>>, Problem> {
    let roles: Vec<_> =
        people.iter().map(|row| row.staff.account.as_ref().map(|account| account.role)).collect();
    let own: Vec<_> = people.iter().map(|row| Whose::Staff(row.id).stream()).collect();
    let own = app.bus.load_many::<Preferences>(&own).await.map_err(|error| load_problem(&error))?;
    let mut by_role = HashMap::new();
    for role in roles.iter().flatten().copied() {
        if let std::collections::hash_map::Entry::Vacant(entry) = by_role.entry(role) {
            let found = app.bus.load::<Preferences>(&Whose::Role(role).stream()).await;
            entry.insert(found.map_err(|error| load_problem(&error))?.state.document);
        }
    }
    let now = app.clock.now();
    let until = people.iter().zip(roles).zip(own).map(|((row, role), own)| {
        let role = role.and_then(|role| by_role.get(&role)).cloned().unwrap_or_default();
        (row.id, quiet_until(&own.state.document, &role, now).map(Millis))
    });
    Ok(until.collect())
}
