//! `events replay`: the state of a stream at any moment, and what each event changed.
//!
//! The kind of the stream says which aggregate folds it. Old events pass the upcasters, as everywhere.

use anyhow::{Context as _, Result, bail};
use domain::batch::Batch;
use domain::channel_control::ChannelControl;
use domain::customer::Customer;
use domain::inbox::Inbox;
use domain::member::Member;
use domain::member_notices::MemberNotices;
use domain::notice_order::NoticeOrder;
use domain::notification::Notification;
use domain::pool_rules::PoolRules;
use domain::preferences::Preferences;
use domain::recycle_rule::RecycleRule;
use domain::recycle_rule::run::RecycleRun;
use domain::staff::Staff;
use domain::subscription::SubscriptionLedger;
use domain::template::NoticeTemplate;
use domain::transfer_rule::TransferRule;
use domain::transfer_rule::run::TransferRun;
use domain::{Aggregate, StreamId};
use infrastructure::bus::Bus;
use infrastructure::event_log::{RecordedRaw, Until};
use infrastructure::upcasters::Upcasters;
use serde_json::{Value, json};

use super::super::arguments::EventsReplay;
use super::super::{personal, say, stream};
use super::{actor, heading};
use crate::cli::moment;

/// What stands for a member that is not there.
const ABSENT: &str = "(absent)";

/// Prints the state of that moment.
pub(super) async fn replay(bus: &Bus, arguments: &EventsReplay) -> Result<()> {
    let stream = stream::find(bus.log(), &arguments.stream).await?;
    let until = match &arguments.until {
        until if until.to_sequence.is_some() => until.to_sequence.map(Until::Sequence),
        until if until.to_position.is_some() => until.to_position.map(Until::Position),
        until => until.as_of.map(|moment| Until::Time(moment.0)),
    };
    let events = bus.log().stream_until(&stream, 0, until.unwrap_or(Until::Now)).await?;
    if events.is_empty() {
        bail!("{stream} had no event yet at that moment");
    }
    let mut steps = steps(&stream, bus.upcasters(), events)?;
    if !arguments.personal.show_personal_data {
        for step in &mut steps {
            personal::hide(&mut step.state);
        }
    }
    match (arguments.diff, arguments.output.json) {
        (false, json) => print_last(&stream, &steps, json),
        (true, false) => print_changes(&steps),
        (true, true) => say::json(&changes_as_json(&steps)),
    }
}

/// An event and the state it led to.
struct Step {
    event: RecordedRaw,
    state: Value,
}

fn steps(stream: &StreamId, upcasters: &Upcasters, events: Vec<RecordedRaw>) -> Result<Vec<Step>> {
    match stream.kind() {
        Customer::TYPE => fold::<Customer>(upcasters, events),
        Staff::TYPE => fold::<Staff>(upcasters, events),
        Notification::TYPE => fold::<Notification>(upcasters, events),
        SubscriptionLedger::TYPE => fold::<SubscriptionLedger>(upcasters, events),
        Inbox::TYPE => fold::<Inbox>(upcasters, events),
        Batch::TYPE => fold::<Batch>(upcasters, events),
        Preferences::TYPE => fold::<Preferences>(upcasters, events),
        NoticeTemplate::TYPE => fold::<NoticeTemplate>(upcasters, events),
        ChannelControl::TYPE => fold::<ChannelControl>(upcasters, events),
        NoticeOrder::TYPE => fold::<NoticeOrder>(upcasters, events),
        TransferRule::TYPE => fold::<TransferRule>(upcasters, events),
        TransferRun::TYPE => fold::<TransferRun>(upcasters, events),
        RecycleRule::TYPE => fold::<RecycleRule>(upcasters, events),
        RecycleRun::TYPE => fold::<RecycleRun>(upcasters, events),
        PoolRules::TYPE => fold::<PoolRules>(upcasters, events),
        Member::TYPE => fold::<Member>(upcasters, events),
        MemberNotices::TYPE => fold::<MemberNotices>(upcasters, events),
        other => bail!("this program knows no streams of kind {other}; one of {}", stream::KINDS.join(", ")),
    }
}

fn fold<A: Aggregate>(upcasters: &Upcasters, events: Vec<RecordedRaw>) -> Result<Vec<Step>> {
    let mut state = A::default();
    events
        .into_iter()
        .map(|event| {
            let decoded = upcasters
                .decode::<A::Event>(event.clone())
                .with_context(|| format!("position {} cannot be read", event.position))?;
            state.evolve(&decoded.payload);
            Ok(Step { event, state: serde_json::to_value(&state)? })
        })
        .collect()
}

fn print_last(stream: &StreamId, steps: &[Step], json: bool) -> Result<()> {
    let Some(Step { event, state }) = steps.last() else { return Ok(()) };
    if json {
        return say::json(&json!({
            "stream": stream,
            "sequence": event.sequence,
            "position": event.position,
            "recordedAt": event.recorded_at,
            "state": state,
        }));
    }
    say::remark(format_args!(
        "{stream} after event {} (position {}, {})",
        event.sequence,
        event.position,
        moment::shown(event.recorded_at)
    ));
    say::json(state)
}

fn print_changes(steps: &[Step]) -> Result<()> {
    let mut before = &Value::Null;
    for Step { event, state } in steps {
        say::line(heading(event))?;
        for (path, old, new) in changes(before, state) {
            say::line(format_args!("    {path}: {old} → {new}"))?;
        }
        before = state;
    }
    Ok(())
}

fn changes_as_json(steps: &[Step]) -> Vec<Value> {
    let before = std::iter::once(&Value::Null).chain(steps.iter().map(|step| &step.state));
    steps
        .iter()
        .zip(before)
        .map(|(Step { event, state }, before)| {
            let changes: Vec<Value> = changes(before, state)
                .into_iter()
                .map(|(path, old, new)| json!({ "path": path, "from": old, "to": new }))
                .collect();
            json!({
                "sequence": event.sequence,
                "position": event.position,
                "eventType": event.event_type,
                "recordedAt": event.recorded_at,
                "actor": actor(&event.metadata.actor),
                "changes": changes,
            })
        })
        .collect()
}

/// Every place where two states differ: path, before, after.
fn changes(before: &Value, after: &Value) -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    compare(String::new(), Some(before), Some(after), &mut found);
    found
}

fn compare(
    path: String,
    before: Option<&Value>,
    after: Option<&Value>,
    found: &mut Vec<(String, String, String)>,
) {
    let empty = serde_json::Map::new();
    let members = |value: Option<&Value>| match value {
        Some(Value::Object(members)) => Some(members.clone()),
        Some(Value::Null) | None => Some(empty.clone()),
        _ => None,
    };
    match (members(before), members(after)) {
        (Some(old), Some(new)) if !(old.is_empty() && new.is_empty()) => {
            let names: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
            for name in names {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                compare(path, old.get(name), new.get(name), found);
            }
        }
        _ => {
            let text = |value: Option<&Value>| match value {
                None | Some(Value::Null) => ABSENT.to_owned(),
                Some(value) => value.to_string(),
            };
            let (old, new) = (text(before), text(after));
            if old != new {
                found.push((path, old, new));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "00000000-0000-0000-0000-000000000007";

    /// Event `sequence` of the stream, as the log gives it.
    fn recorded(kind: &str, sequence: i64, event_type: &str, payload: &Value) -> RecordedRaw {
        let value = json!({
            "position": sequence * 10,
            "event_id": ID,
            "stream": format!("{kind}-{ID}"),
            "sequence": sequence,
            "event_type": event_type,
            "schema_version": 1,
            "metadata": { "command": ID, "correlation": "c", "actor": { "kind": "system", "id": "cli" } },
            "recorded_at": "2026-11-21T01:00:00Z",
        });
        let field = |name: &str| serde_json::from_value(value[name].clone()).unwrap();
        RecordedRaw {
            position: sequence * 10,
            event_id: ID.parse().unwrap(),
            stream: StreamId::parse(value["stream"].as_str().unwrap()).unwrap(),
            sequence,
            event_type: event_type.to_owned(),
            schema_version: 1,
            payload: serde_json::value::to_raw_value(payload).unwrap(),
            metadata: serde_json::from_value(value["metadata"].clone()).unwrap(),
            recorded_at: field("recorded_at"),
        }
    }

    fn fold_all(kind: &str, events: &[(&str, Value)]) -> Vec<Step> {
        let stream = StreamId::parse(&format!("{kind}-{ID}")).unwrap();
        let events =
            (1..).zip(events).map(|(sequence, (name, payload))| recorded(kind, sequence, name, payload));
        steps(&stream, &Upcasters::none(), events.collect()).unwrap()
    }

    #[test]
    fn each_event_of_a_member_of_staff_leads_to_its_own_state() {
        let by = json!({ "kind": "system", "id": "cli" });
        let at = "2026-11-21T01:00:00Z";
        let registered =
            json!({ "username": "zhang", "name": "张三", "role": "manager", "by": by, "at": at });
        let events = [
            ("StaffRegistered", registered),
            ("StaffSuspended", json!({ "by": by, "at": at })),
            ("StaffActivated", json!({ "by": by, "at": at })),
        ];
        let suspended: Vec<Value> =
            fold_all("staff", &events).iter().map(|step| step.state["suspended"].clone()).collect();
        assert_eq!(suspended, [json!(false), json!(true), json!(false)]);
        let as_json = changes_as_json(&fold_all("staff", &events[..2]));
        assert_eq!(as_json[1]["changes"], json!([{ "path": "suspended", "from": "false", "to": "true" }]));
    }

    #[test]
    fn every_kind_of_stream_has_an_aggregate_and_a_wrong_event_is_named_by_its_position() {
        for kind in stream::KINDS {
            let stream = StreamId::parse(&format!("{kind}-{ID}")).unwrap();
            assert!(steps(&stream, &Upcasters::none(), vec![]).is_ok(), "{kind}");
            let event = recorded(kind, 1, "NeverHeardOf", &json!({}));
            let error = steps(&stream, &Upcasters::none(), vec![event]).err().unwrap();
            assert_eq!(format!("{error:#}"), "position 10 cannot be read: unknown event type NeverHeardOf");
        }
        let unknown = StreamId::parse(&format!("robot-{ID}")).unwrap();
        assert!(steps(&unknown, &Upcasters::none(), vec![]).is_err());
    }

    #[test]
    fn changes_name_the_deepest_place() {
        let before = json!({ "a": { "b": 1, "c": [1] }, "d": null, "e": "x" });
        let after = json!({ "a": { "b": 2, "c": [1, 2] }, "d": { "f": true }, "g": {} });
        let expected = [
            ("a.b", "1", "2"),
            ("a.c", "[1]", "[1,2]"),
            ("d.f", ABSENT, "true"),
            ("e", "\"x\"", ABSENT),
            ("g", ABSENT, "{}"),
        ];
        let found = changes(&before, &after);
        let found: Vec<_> =
            found.iter().map(|(path, old, new)| (path.as_str(), old.as_str(), new.as_str())).collect();
        assert_eq!(found, expected);
        assert!(changes(&after, &after).is_empty());
    }
}
