//! What followed from one step: its events, the decisions, the deliveries with their attempts, and the messages that
//! people really received. Gathered from the log, the read models and the simulator's ledger, then printed.

use std::collections::HashSet;

use anyhow::{Context as _, Result};
use domain::notification::{DeliveryState, NotificationRequested};
use domain::{EventId, Position, StoredEvent as _};
use infrastructure::event_log::{Filter, PAGE_MAX, RecordedRaw};
use projections::policy_runner::{DecisionRecord, decisions_of_event};
use projections::queries::deliveries::{self, DeliveryDetail};
use wechat_simulator::Received;

use super::client::Answer;
use super::people::openid;
use super::world::World;
use crate::cli::say;

/// A step that is about to happen.
pub(super) struct Step {
    correlation: String,
    after: Position,
    received_before: u64,
}

impl Step {
    /// Remembers where the log and the ledger stand.
    pub(super) async fn begin(world: &World, correlation: &str) -> Result<Self> {
        Ok(Self {
            correlation: correlation.to_owned(),
            after: world.leadwire.app().bus.log().head().await?,
            received_before: last_received(world),
        })
    }
}

/// Number of the last message anybody received.
pub(super) fn last_received(world: &World) -> u64 {
    world.simulator.handle().ledger().last().map_or(0, |received| received.seq)
}

/// What followed from a step.
pub(super) struct Facts {
    /// The command's own events.
    pub(super) events: Vec<RecordedRaw>,
    /// What was decided for each recipient and channel, also where nobody is told.
    decisions: Vec<DecisionRecord>,
    /// Who should learn it.
    pub(super) notices: Vec<Notice>,
    /// Login name and message, of everybody.
    pub(super) received: Vec<(String, Received)>,
}

/// One person's notice.
pub(super) struct Notice {
    /// The request.
    pub(super) request: NotificationRequested,
    /// What became of it.
    pub(super) deliveries: Vec<DeliveryDetail>,
}

/// Gathers it. Everything has happened already.
pub(super) async fn facts(world: &World, step: Step) -> Result<Facts> {
    let app = world.leadwire.app();
    let log = app.bus.log();
    let mut events = Vec::new();
    let mut requested = Vec::new();
    let mut after = step.after;
    loop {
        let page = log.page(after, PAGE_MAX, Filter::All).await?;
        let Some(last) = page.last().map(|event| event.position) else { break };
        for event in page {
            let is_answer = event.event_type == NOTICE;
            if is_answer {
                requested.push(event);
            } else if event.metadata.correlation.starts_with(&step.correlation) && is_of_person(&event) {
                events.push(event);
            }
        }
        after = last;
    }
    let causes: HashSet<EventId> = events.iter().map(|event| event.event_id).collect();
    let mut notices = Vec::new();
    for event in requested {
        let decoded = app.bus.upcasters().decode::<domain::notification::NotificationEvent>(event)?;
        let domain::notification::NotificationEvent::Requested(request) = decoded.payload else { continue };
        if causes.contains(&request.cause) {
            notices.push(Notice { deliveries: became_of(world, &request).await?, request });
        }
    }
    let mut decisions = Vec::new();
    for event in &events {
        decisions.extend(decisions_of_event(&app.db, event.event_id).await?);
    }
    let received = received_since(world, step.received_before);
    Ok(Facts { events, decisions, notices, received })
}

/// Name of the event that asks for a notice.
const NOTICE: &str = domain::notification::NotificationEvent::TYPES[0].0;

fn is_of_person(event: &RecordedRaw) -> bool {
    event.metadata.actor.staff().is_some()
}

async fn became_of(world: &World, request: &NotificationRequested) -> Result<Vec<DeliveryDetail>> {
    let db = &world.leadwire.app().db;
    let mut found = Vec::new();
    for row in deliveries::of_notification(db, request.notification).await? {
        found.push(deliveries::by_id(db, row.id).await?.context("a delivery vanished")?);
    }
    Ok(found)
}

/// What everybody received after a message, with login names.
pub(super) fn received_since(world: &World, seq: u64) -> Vec<(String, Received)> {
    let ledger = world.simulator.handle().ledger();
    let name = |received: &Received| {
        let known = world.people.usernames().find(|username| openid(username) == received.openid);
        known.unwrap_or("a stranger").to_owned()
    };
    ledger
        .into_iter()
        .filter(|received| received.seq > seq)
        .map(|received| (name(&received), received))
        .collect()
}

/// Prints it.
pub(super) fn tell(world: &World, title: &str, answer: &Answer, facts: &Facts) -> Result<()> {
    say::line(format_args!("\n{title}"))?;
    say::line(format_args!("   request    {} → {} in {:?}", answer.request, answer.status, answer.took))?;
    for event in &facts.events {
        say::line(format_args!(
            "   event      position {} {} ({}#{})",
            event.position, event.event_type, event.stream, event.sequence
        ))?;
    }
    for person in
        facts.decisions.chunk_by(|a, b| (a.event, a.recipient, &a.scene) == (b.event, b.recipient, &b.scene))
    {
        let Some(first) = person.first() else { continue };
        let words: Vec<String> = person.iter().map(word).collect();
        let who = world.people.username(first.recipient);
        say::line(format_args!("   decision   {who} {}: {}", first.scene, words.join(", ")))?;
    }
    for notice in &facts.notices {
        tell_deliveries(world, notice)?;
    }
    for (username, received) in &facts.received {
        let fields: Vec<String> =
            received.data.iter().map(|(field, text)| format!("{field}={text}")).collect();
        say::line(format_args!("   received   {username}'s phone: {}", fields.join(" | ")))?;
    }
    Ok(())
}

fn tell_deliveries(world: &World, notice: &Notice) -> Result<()> {
    for DeliveryDetail { delivery, tries } in &notice.deliveries {
        if delivery.state == DeliveryState::Suppressed {
            continue; // the decision said so
        }
        let tries: Vec<String> = tries
            .iter()
            .map(|attempt| {
                let took = attempt.ended_at.map(|ended| ended - attempt.started_at);
                let took = took.map_or(0, |took| took.num_milliseconds());
                let outcome = attempt.outcome.as_deref().unwrap_or("under way");
                format!("attempt {} {outcome} after {took} ms", attempt.number)
            })
            .collect();
        let tries = if tries.is_empty() { String::new() } else { format!(": {}", tries.join(", ")) };
        let (channel, state) = (delivery.channel.as_str(), delivery.state.as_str());
        say::line(format_args!(
            "   delivery   {} {channel} {state}{tries}",
            world.people.username(delivery.recipient)
        ))?;
    }
    Ok(())
}

fn word(record: &DecisionRecord) -> String {
    let reason = record.reason.as_ref().map_or_else(String::new, |reason| format!(" ({reason})"));
    format!("{} {}{reason}", record.channel.as_str(), record.decision)
}
