//! The checks must notice what they are there for: a story in which everything held, and the same story with one
//! thing wrong.

use std::collections::BTreeMap;

use domain::notification::{
    Channel, Decision, DeliveryAccepted, DeliveryCancelled, DeliveryStarted, DeliveryUncertain, Failure,
    FailureClass, Message, NotificationEvent, NotificationRequested, PlannedDelivery, Priority,
};
use domain::{
    Actor, CommandId, CustomerId, DeliveryId, EventId, Metadata, NotificationId, StaffId, StoredEvent,
};
use serde_json::{Value, json};
use uuid::Uuid;
use wechat_simulator::{ClientSaw, Received};

use super::{Check, Seen, verify};
use crate::crash::history::{Decided, History, Row};
use crate::crash::load::Answers;
use crate::crash::plan::{Lead, Plan};
use crate::crash::seats;

const CLERK: u128 = 0;
const OTHER_CLERK: u128 = 1;
const EMPLOYEE: u128 = 2;
const LEAD: &str = "客户00000";
const AT: &str = "2026-03-01T08:00:00Z";

fn staff(n: u128) -> StaffId {
    StaffId(Uuid::from_u128(n))
}

fn customer() -> CustomerId {
    CustomerId(Uuid::from_u128(100))
}

/// The run as it is when everything held: one lead, created by a clerk for an employee, who got the message.
struct Story {
    rows: Vec<Row>,
    seen: Seen,
}

fn story() -> Story {
    let command = CommandId(Uuid::from_u128(200));
    let (created, assigned) = (EventId::of_command(command, 0), EventId::of_command(command, 1));
    let by = json!({ "kind": "staff", "id": staff(CLERK) });
    let mut log = Log { rows: Vec::new(), command };
    let stream = format!("customer-{}", customer());
    log.append(
        &stream,
        "CustomerCreated",
        &json!({
            "number": "CUS00000000001",
            "profile": { "name": LEAD, "leadSource": "抖音" },
            "contract_status": "待定", "lead_level": "A类", "by": by, "at": AT,
        }),
    );
    log.append(
        &stream,
        "CustomerAssigned",
        &json!({
            "to": staff(EMPLOYEE), "by": by, "source": { "kind": "create" }, "at": AT,
        }),
    );
    log.notice(created, OTHER_CLERK, "CUSTOMER_CREATED", "suppress");
    let delivery = log.notice(assigned, EMPLOYEE, "CUSTOMER_ASSIGNED", "deliver");
    let notification = NotificationId::of(assigned, staff(EMPLOYEE), "CUSTOMER_ASSIGNED");
    log.notification(notification, &DeliveryStarted { delivery, attempt: 1, at: AT.parse().unwrap() }.into());
    let accepted =
        DeliveryAccepted { delivery, attempt: 1, provider_message_id: None, at: AT.parse().unwrap() };
    log.notification(notification, &accepted.into());
    let decided = |cause, recipient, scene: &str, told: &[&str]| -> Vec<Decided> {
        let decide = |channel: &Channel| Decided {
            cause,
            recipient: staff(recipient),
            scene: scene.to_owned(),
            channel: channel.to_string(),
            decision: if told.contains(&channel.as_str()) { "deliver" } else { "suppress" }.to_owned(),
        };
        Channel::ALL.iter().map(decide).collect()
    };
    let owners = BTreeMap::from([(customer(), staff(EMPLOYEE))]);
    let people = seats::six();
    let has_one = |id| u64::from([staff(OTHER_CLERK), staff(EMPLOYEE)].contains(&id));
    let seen = Seen {
        answers: Answers { owners: owners.clone(), requests: 1, retried: 0, replayed: 0 },
        ledger: vec![received()],
        listed_owners: owners,
        inboxes: people.everybody().map(|person| (person.id, has_one(person.id))).collect(),
        unknown: [].into(),
        decided: [
            decided(created, CLERK, "CUSTOMER_CREATED", &[]),
            decided(created, OTHER_CLERK, "CUSTOMER_CREATED", &["in_app"]),
            decided(assigned, EMPLOYEE, "CUSTOMER_ASSIGNED", &["in_app", "wechat_subscribe"]),
        ]
        .concat(),
        parked: Vec::new(),
        unreconciled: None,
    };
    Story { rows: log.rows, seen }
}

struct Log {
    rows: Vec<Row>,
    command: CommandId,
}

impl Log {
    fn append(&mut self, stream: &str, event_type: &str, payload: &Value) {
        let sequence = 1 + self.rows.iter().filter(|row| row.2 == stream).count();
        let metadata = Metadata {
            command: self.command,
            correlation: "request".to_owned(),
            causation: None,
            actor: Actor::Staff(staff(CLERK)),
        };
        let event = EventId::of_command(self.command, self.rows.len());
        self.rows.push((
            i64::try_from(self.rows.len()).unwrap() + 1,
            event.0,
            stream.to_owned(),
            i64::try_from(sequence).unwrap(),
            event_type.to_owned(),
            payload.to_string(),
            serde_json::to_string(&metadata).unwrap(),
        ));
    }

    fn notification(&mut self, id: NotificationId, event: &NotificationEvent) {
        let payload = serde_json::from_str(event.encode().unwrap().get()).unwrap();
        self.append(&format!("notification-{id}"), event.name(), &payload);
    }

    /// A notice for the inbox, with this decision for the phone; the delivery to the phone.
    fn notice(&mut self, cause: EventId, recipient: u128, scene: &str, phone: &str) -> DeliveryId {
        let notification = NotificationId::of(cause, staff(recipient), scene);
        let phone = match phone {
            "deliver" => Decision::Deliver,
            reason => Decision::Suppress { reason: reason.to_owned() },
        };
        let planned = |channel: Channel, decision| {
            let delivery = DeliveryId::of(notification, channel.as_str());
            PlannedDelivery { delivery, channel, decision }
        };
        let text = || "文".to_owned();
        let request = NotificationRequested {
            notification,
            cause,
            recipient: staff(recipient),
            scene: scene.to_owned(),
            priority: Priority::High,
            message: Message {
                title: text(),
                content: text(),
                icon: text(),
                color: text(),
                action_url: text(),
                action_text: text(),
                data: serde_json::Map::new(),
            },
            customers: vec![customer()],
            deliveries: vec![
                planned(Channel::InApp, Decision::Deliver),
                planned(Channel::WechatSubscribe, phone),
            ],
            template_version: 1,
            template: String::new(),
            rendered_hash: String::new(),
            digest_of: vec![],
            at: AT.parse().unwrap(),
        };
        self.notification(notification, &request.into());
        DeliveryId::of(notification, Channel::WechatSubscribe.as_str())
    }
}

fn received() -> Received {
    Received {
        seq: 1,
        time: AT.parse().unwrap(),
        channel: wechat_simulator::Channel::WechatSubscribe,
        appid: "app".to_owned(),
        openid: "openid2".to_owned(),
        template_id: "template".to_owned(),
        data: BTreeMap::from([("thing1".to_owned(), LEAD.to_owned())]),
        page: None,
        miniprogram_state: None,
        lang: None,
        msgid: 1,
        message_id: "1".to_owned(),
        summary: LEAD.to_owned(),
        recalled_at: None,
        client_saw: ClientSaw::Accepted,
    }
}

impl Story {
    fn checks(self) -> Vec<Check> {
        let mut history = History::default();
        for row in self.rows {
            history.add(row);
        }
        let lead =
            Lead { name: LEAD.to_owned(), phone: String::new(), first_owner: None, owners: Vec::new() };
        let plan = Plan { leads: vec![lead], kills: Vec::new() };
        verify(&history, &self.seen, &seats::six(), &plan)
    }

    /// The names of the checks that found something.
    fn broken(self) -> Vec<&'static str> {
        let checks = self.checks().into_iter();
        checks.filter(|check| !check.violations.is_empty()).map(|check| check.name).collect()
    }
}

/// The last event becomes an uncertain end of the attempt.
fn uncertain(story: &mut Story) -> DeliveryId {
    let row = story.rows.last_mut().unwrap();
    let accepted: DeliveryAccepted = serde_json::from_str(&row.5).unwrap();
    let failure = Failure { class: FailureClass::Uncertain, code: None, detail: "killed".to_owned() };
    let event: NotificationEvent =
        DeliveryUncertain { delivery: accepted.delivery, attempt: 1, failure, at: accepted.at }.into();
    row.4 = event.name().to_owned();
    row.5 = event.encode().unwrap().get().to_owned();
    accepted.delivery
}

#[test]
fn a_run_in_which_everything_held_passes() {
    let none: [&str; 0] = [];
    assert_eq!(story().broken(), none);
}

#[test]
fn a_hole_in_the_log_is_noticed() {
    let mut story = story();
    story.rows.remove(4);
    let broken = story.broken();
    assert!(broken.contains(&"positions 1..n and every stream without a hole"), "{broken:?}");
}

#[test]
fn a_lost_answer_is_noticed_in_the_log_and_in_the_list() {
    let mut story = story();
    story.seen.answers.owners.insert(customer(), staff(3));
    assert_eq!(
        story.broken(),
        ["the log has the owner of each last answer", "the list of customers has it too"]
    );
}

#[test]
fn a_second_creation_of_the_same_lead_is_noticed() {
    let mut story = story();
    let other = format!("customer-{}", Uuid::from_u128(101));
    let mut again = story.rows[0].clone();
    (again.0, again.1, again.2) = (7, Uuid::from_u128(300), other);
    story.rows.push(again);
    let broken = story.broken();
    assert!(broken.contains(&"every lead was created once"), "{broken:?}");
}

#[test]
fn a_missing_notice_and_a_second_one_are_noticed() {
    let mut missing = story();
    missing.rows.remove(2);
    let broken = missing.broken();
    assert!(broken.contains(&"every notice of the decision table exists once"), "{broken:?}");

    let mut doubled = story();
    let mut again = doubled.rows[2].clone();
    (again.0, again.3) = (7, 2);
    doubled.rows.push(again);
    let broken = doubled.broken();
    assert!(broken.contains(&"every notice of the decision table exists once"), "{broken:?}");
}

#[test]
fn a_missing_a_doubled_and_an_unasked_decision_are_noticed() {
    let mut missing = story();
    missing.seen.decided.pop();
    let mut doubled = story();
    doubled.seen.decided.push(doubled.seen.decided[0].clone());
    let mut unasked = story();
    unasked.seen.decided[0].recipient = staff(5);
    for story in [missing, doubled, unasked] {
        assert_eq!(story.broken(), ["every decision is recorded once"]);
    }
}

#[test]
fn a_lost_and_a_doubled_message_are_noticed() {
    let mut lost = story();
    lost.seen.ledger.clear();
    assert_eq!(lost.broken(), ["every accepted message arrived once"]);
    let mut doubled = story();
    doubled.seen.ledger.push(received());
    assert_eq!(doubled.broken(), ["every accepted message arrived once", "nobody received a message twice"]);
}

#[test]
fn a_message_to_the_wrong_person_is_noticed() {
    let mut story = story();
    story.seen.ledger[0].openid = "openid3".to_owned();
    assert_eq!(
        story.broken(),
        ["every accepted message arrived once", "nobody received what was not meant for them"]
    );
}

#[test]
fn an_uncertain_message_is_fine_when_it_is_listed_whether_or_not_it_arrived() {
    for arrived in [0, 1] {
        let mut listed = story();
        let delivery = uncertain(&mut listed);
        listed.seen.unknown.insert(delivery);
        listed.seen.ledger.truncate(arrived);
        let none: [&str; 0] = [];
        assert_eq!(listed.broken(), none);
    }
    let mut hidden = story();
    uncertain(&mut hidden);
    assert_eq!(hidden.broken(), ["unknown messages are listed as such"]);
}

#[test]
fn a_message_that_never_got_anywhere_is_noticed() {
    let mut story = story();
    story.rows.pop();
    let broken = story.broken();
    assert_eq!(broken, ["every message is accepted, unknown or taken back"]);
}

#[test]
fn a_message_taken_back_from_somebody_who_still_has_the_lead_is_noticed() {
    let mut story = story();
    story.rows.truncate(story.rows.len() - 2);
    story.seen.ledger.clear();
    let requested = story.rows.last().unwrap().clone();
    let request: NotificationRequested = serde_json::from_str(&requested.5).unwrap();
    let delivery = DeliveryId::of(request.notification, Channel::WechatSubscribe.as_str());
    let (channel, reason) = (Channel::WechatSubscribe, "lead_transferred".to_owned());
    let event: NotificationEvent =
        DeliveryCancelled { delivery, channel, reason, at: AT.parse().unwrap() }.into();
    let payload = event.encode().unwrap().get().to_owned();
    let (position, sequence, id) = (requested.0 + 1, requested.3 + 1, Uuid::from_u128(301));
    story.rows.push((position, id, requested.2, sequence, event.name().to_owned(), payload, requested.6));
    assert_eq!(story.broken(), ["what was taken back never arrived and was no longer true"]);
}

#[test]
fn an_inbox_that_lost_a_notice_is_noticed() {
    let mut story = story();
    story.seen.inboxes.insert(staff(EMPLOYEE), 0);
    assert_eq!(story.broken(), ["every inbox lists them"]);
}
