//! The contract of the log: one sample of every event in every version that was ever written.
//!
//! `domain/tests/samples/<event>.v<version>.snap` is what stands in people's databases. A changed sample means
//! that old logs no longer say what they said: raise the event's version and write an upcaster instead
//! (infrastructure::upcasters), and the old file stays. Every file of a current version must load as the very
//! event it was written from.

#![expect(clippy::unwrap_used, reason = "a sample that cannot be made is a failed test")]

#[path = "event_samples/aggregates.rs"]
mod aggregates;
#[path = "event_samples/members.rs"]
mod members;
#[path = "event_samples/notices.rs"]
mod notices;
#[path = "event_samples/pool.rs"]
mod pool;
#[path = "event_samples/settings.rs"]
mod settings;
#[path = "event_samples/transfers.rs"]
mod transfers;

use std::collections::BTreeSet;
use std::path::Path;

use domain::{DeliveryId, StaffId, StoredEvent};
use uuid::Uuid;

const SAMPLES: &str = "samples";

/// A moment with microseconds, as the log keeps them.
fn at() -> chrono::DateTime<chrono::Utc> {
    chrono::DateTime::from_timestamp(1_764_547_200, 123_456_000).unwrap()
}

fn uuid(n: u128) -> Uuid {
    Uuid::from_u128(0x0193_7f00_0000_7000_8000_0000_0000_0000 + n)
}

fn staff(n: u128) -> StaffId {
    StaffId(uuid(n))
}

fn delivery() -> DeliveryId {
    DeliveryId(uuid(50))
}

fn boss() -> domain::Actor {
    domain::Actor::Staff(staff(9))
}

fn system() -> domain::Actor {
    domain::Actor::System("policy".into())
}

/// The payload in a sample file: what stands below insta's head.
fn stored_payload(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(SAMPLES).join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let (_, payload) = text.split_once("\n---\n").expect("a head, three hyphens, the payload");
    payload.to_owned()
}

/// Compares every sample with what is written now, and reads the stored one back.
fn check<E: StoredEvent + PartialEq>(samples: Vec<E>) {
    let covered: BTreeSet<_> = samples.iter().map(StoredEvent::name).collect();
    let known: BTreeSet<_> = E::TYPES.iter().map(|(name, _)| *name).collect();
    assert_eq!(covered, known, "every event has a sample");

    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(SAMPLES);
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for event in samples {
        let name = format!("{}.v{}", event.name(), event.schema_version());
        let payload: serde_json::Value = serde_json::from_str(event.encode().unwrap().get()).unwrap();
        let written = serde_json::to_string_pretty(&payload).unwrap();
        settings.bind(|| insta::assert_snapshot!(name.as_str(), written));

        let read = E::decode(event.name(), &stored_payload(&format!("{name}.snap"))).unwrap();
        assert_eq!(read, event, "{name} loads as what it was");
    }
}

/// An unreadable payload is named by its place; what it holds stays out of the error.
fn check_errors<E: StoredEvent>() {
    assert!(
        matches!(E::decode("LeadEaten", "{}"), Err(domain::DecodeError::UnknownType(name)) if name == "LeadEaten")
    );
    for (name, _) in E::TYPES {
        let error = E::decode(name, r#"{"phone": "13812348999"}"#).unwrap_err();
        assert!(!error.to_string().contains("13812348999"), "{error}");
    }
}

#[test]
fn customer_events() {
    check([aggregates::customer(), transfers::customer()].concat());
    check_errors::<domain::customer::CustomerEvent>();
}

/// Another source of a move than the one in the sample of the event.
#[test]
fn a_move_by_a_rule_loads_as_what_it_was() {
    let moved = transfers::moved_by_a_rule();
    insta::with_settings!({ snapshot_path => SAMPLES, prepend_module_to_snapshot => false, omit_expression => true }, {
        let payload: serde_json::Value = serde_json::from_str(moved.encode().unwrap().get()).unwrap();
        insta::assert_snapshot!("CustomerTransferred.v1.rule", serde_json::to_string_pretty(&payload).unwrap());
    });
    let read = domain::customer::CustomerEvent::decode(
        "CustomerTransferred",
        &stored_payload("CustomerTransferred.v1.rule.snap"),
    );
    assert_eq!(read.unwrap(), moved);
}

#[test]
fn transfer_rule_events() {
    check(transfers::transfer_rule());
    check_errors::<domain::transfer_rule::TransferRuleEvent>();
}

#[test]
fn transfer_run_events() {
    check(transfers::transfer_run());
    check_errors::<domain::transfer_rule::run::TransferRunEvent>();
}

/// The sample of the event is of a plan as it was written before it named such leads.
#[test]
fn a_plan_that_names_leads_nobody_gets_loads_as_what_it_was() {
    let planned = transfers::planned_without_a_place();
    insta::with_settings!({ snapshot_path => SAMPLES, prepend_module_to_snapshot => false, omit_expression => true }, {
        let payload: serde_json::Value = serde_json::from_str(planned.encode().unwrap().get()).unwrap();
        insta::assert_snapshot!("TransferRunPlanned.v1.unplaced", serde_json::to_string_pretty(&payload).unwrap());
    });
    let read = domain::transfer_rule::run::TransferRunEvent::decode(
        "TransferRunPlanned",
        &stored_payload("TransferRunPlanned.v1.unplaced.snap"),
    );
    assert_eq!(read.unwrap(), planned);
}

#[test]
fn staff_events() {
    check(aggregates::staff_member());
    check_errors::<domain::staff::StaffEvent>();
}

#[test]
fn member_events() {
    check(members::member());
    check_errors::<domain::member::MemberEvent>();
}

#[test]
fn batch_events() {
    check(aggregates::batch());
    check_errors::<domain::batch::BatchEvent>();
}

#[test]
fn inbox_events() {
    check(aggregates::inbox());
    check_errors::<domain::inbox::InboxEvent>();
}

#[test]
fn subscription_events() {
    check(aggregates::subscription());
    check_errors::<domain::subscription::SubscriptionEvent>();
}

#[test]
fn notification_events() {
    check(notices::notification());
    check_errors::<domain::notification::NotificationEvent>();
}

#[test]
fn channel_control_events() {
    check(settings::channel_control());
    check_errors::<domain::channel_control::ChannelControlEvent>();
}

#[test]
fn preferences_events() {
    check(settings::preferences());
    check_errors::<domain::preferences::PreferencesEvent>();
}

#[test]
fn notice_order_events() {
    check(settings::notice_order());
    check_errors::<domain::notice_order::NoticeOrderEvent>();
}

/// The other way to word an order, which the sample of an event cannot show beside it.
#[test]
fn an_order_filled_from_the_published_text_loads_as_what_it_was() {
    let order = settings::order_of_a_text();
    let written = order.encode().unwrap();
    insta::with_settings!({ snapshot_path => SAMPLES, prepend_module_to_snapshot => false, omit_expression => true }, {
        let payload: serde_json::Value = serde_json::from_str(written.get()).unwrap();
        insta::assert_snapshot!("NoticeOrdered.v1.text", serde_json::to_string_pretty(&payload).unwrap());
    });
    let read = domain::notice_order::NoticeOrderEvent::decode(
        "NoticeOrdered",
        &stored_payload("NoticeOrdered.v1.text.snap"),
    );
    assert_eq!(read.unwrap(), order);
}

#[test]
fn recycle_rule_events() {
    check(pool::recycle_rule());
    check_errors::<domain::recycle_rule::RecycleRuleEvent>();
}

#[test]
fn recycle_run_events() {
    check(pool::recycle_run());
    check_errors::<domain::recycle_rule::run::RecycleRunEvent>();
}

/// The sample of the event is of a fall as it was written before there were runs.
#[test]
fn a_fall_in_a_run_loads_as_what_it_was() {
    let fallen = transfers::recycled_in_a_run();
    insta::with_settings!({ snapshot_path => SAMPLES, prepend_module_to_snapshot => false, omit_expression => true }, {
        let payload: serde_json::Value = serde_json::from_str(fallen.encode().unwrap().get()).unwrap();
        insta::assert_snapshot!("CustomerRecycled.v1.run", serde_json::to_string_pretty(&payload).unwrap());
    });
    let read = domain::customer::CustomerEvent::decode(
        "CustomerRecycled",
        &stored_payload("CustomerRecycled.v1.run.snap"),
    );
    assert_eq!(read.unwrap(), fallen);
}

#[test]
fn pool_rules_events() {
    check(pool::pool_rules());
    check_errors::<domain::pool_rules::PoolRulesEvent>();
}

#[test]
fn member_notices_events() {
    check(settings::member_notices());
    check_errors::<domain::member_notices::MemberNoticesEvent>();
}

#[test]
fn template_events() {
    check(settings::template());
    check_errors::<domain::template::TemplateEvent>();
}

/// A profile with every field set, so that a renamed field cannot hide.
#[test]
fn the_sample_of_a_created_customer_has_every_field() {
    let payload: serde_json::Value =
        serde_json::from_str(&stored_payload("CustomerCreated.v1.snap")).unwrap();
    let profile = payload["profile"].as_object().unwrap();
    assert_eq!(profile.len(), 32, "{:?}", profile.keys());
}

/// The same of a member's columns.
#[test]
fn the_sample_of_a_registered_member_has_every_field() {
    let payload: serde_json::Value =
        serde_json::from_str(&stored_payload("MemberRegistered.v1.snap")).unwrap();
    let fields = payload["fields"].as_object().unwrap();
    assert_eq!(fields.len(), domain::member::MemberField::ALL.len(), "{:?}", fields.keys());
}
