//! The decision table, row by row: `check(what happened, who learns what)`.

mod accounts;
mod follow_ups;
mod imports;
mod kit;
mod members;
mod messages;
mod orders;
mod pool;
mod recall;
mod routes;
mod rules;
mod table;
mod wishes;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use domain::batch::{BatchAssignmentCompleted, MovedCustomer};
use domain::contact::{OpenId, Phone};
use domain::customer::{
    AssignmentSource, ContractStatus, Customer, CustomerAssigned, CustomerCreated, CustomerEvent,
    CustomerNumber, CustomerStatusChanged, CustomerTransferred, LeadLevel, LeadSource, Profile, ProfilePatch,
};
use domain::member::Member;
use domain::member_notices::MemberNotices;
use domain::notification::{Channel, Decision};
use domain::staff::{Role, StaffRegistered, StaffSuspended, StaffWechatBound};
use domain::{Actor, Aggregate, BatchId, CustomerId, EventId, NotificationId, StaffId, StreamId};
use uuid::Uuid;

use kit::{directory, wechat};

use super::{
    Fact, FirstOwner, Outgoing, PolicyEvent, PreferenceBook, Reaction, Recent, StaffDirectory, View, react,
};
use crate::channels::{ChannelSettings, wechat_subscribe};
use crate::texts::{TemplateBook, kinds};

const APP: &str = "wx-app";
const NUMBER: &str = "13812348999";

const ADMIN: StaffId = person(1);
const MANAGER: StaffId = person(2);
const OPERATOR: StaffId = person(3);
const OLD: StaffId = person(4);
const NEW: StaffId = person(5);
/// Has no openid.
const UNBOUND: StaffId = person(6);
/// An operator whose account is cut off.
const SUSPENDED: StaffId = person(7);

const LEAD: CustomerId = CustomerId(Uuid::from_u128(100));
const BATCH: BatchId = BatchId(Uuid::from_u128(200));
/// What happened.
const EVENT: EventId = EventId(Uuid::from_u128(9));
/// The assignment behind a creation.
const ASSIGNMENT: EventId = EventId(Uuid::from_u128(10));

const fn person(n: u128) -> StaffId {
    StaffId(Uuid::from_u128(n))
}

fn at() -> DateTime<Utc> {
    "2026-03-01T02:00:00Z".parse().unwrap()
}

fn profile() -> Profile {
    Profile {
        name: "陈女士".to_owned(),
        lead_source: Some(LeadSource::Douyin),
        phone: Some(Phone::parse(NUMBER).unwrap()),
        ..Profile::default()
    }
}

fn created(by: StaffId) -> CustomerEvent {
    CustomerCreated {
        number: CustomerNumber::nth(1),
        profile: profile(),
        contract_status: ContractStatus::Pending,
        lead_level: LeadLevel::A,
        pooled: None,
        import: None,
        by: Actor::Staff(by),
        at: at(),
    }
    .into()
}

fn assigned(to: StaffId, by: StaffId, source: AssignmentSource) -> CustomerEvent {
    let out_of_pool = matches!(source, AssignmentSource::Pool | AssignmentSource::PoolBatch(_));
    CustomerAssigned { to, by: Actor::Staff(by), reason: None, source, out_of_pool, at: at() }.into()
}

fn transferred(from: StaffId, to: StaffId, by: StaffId, source: AssignmentSource) -> CustomerEvent {
    let reason = Some("离职交接".to_owned());
    CustomerTransferred { from, to, by: Actor::Staff(by), reason, source, at: at() }.into()
}

fn status_changed(by: StaffId) -> CustomerEvent {
    let (from, to) = (ContractStatus::Pending, ContractStatus::Signed);
    CustomerStatusChanged { from, to, by: Actor::Staff(by), at: at() }.into()
}

fn batch(moved: &[(u128, Option<StaffId>)]) -> Fact {
    let moved = moved
        .iter()
        .map(|(n, from)| MovedCustomer { customer: CustomerId(Uuid::from_u128(*n)), from: *from });
    let completed = BatchAssignmentCompleted {
        to: NEW,
        moved: moved.collect(),
        reason: None,
        out_of_pool: false,
        by: Actor::Staff(ADMIN),
        at: at(),
    };
    Fact::Batch(BATCH, completed.into())
}

/// A lead's events; the last one is what happened.
fn lead(events: Vec<CustomerEvent>) -> Happened {
    let mut customer = Customer::default();
    for event in &events {
        customer.evolve(event);
    }
    let owner_after_command = customer.owner().map(first_owner);
    let last = events.into_iter().next_back().unwrap();
    let fact = Fact::Customer(LEAD, Box::new(last));
    Happened { fact, customer: Some(customer), member: None, owner_after_command }
}

fn first_owner(owner: StaffId) -> FirstOwner {
    FirstOwner { owner, event: ASSIGNMENT }
}

struct Happened {
    fact: Fact,
    customer: Option<Customer>,
    member: Option<Member>,
    owner_after_command: Option<FirstOwner>,
}

impl Happened {
    /// A creation whose command goes on to make `owner` the owner.
    fn with_owner(mut self, owner: StaffId) -> Self {
        self.owner_after_command = Some(first_owner(owner));
        self
    }
}

impl From<Fact> for Happened {
    fn from(fact: Fact) -> Self {
        Self { fact, customer: None, member: None, owner_after_command: None }
    }
}

/// Everything an answer is given with besides the event's own customer.
#[derive(Default)]
struct Backdrop {
    named: HashMap<CustomerId, Customer>,
    member_notices: MemberNotices,
    staff: StaffDirectory,
    preferences: PreferenceBook,
    templates: TemplateBook,
    recent: Recent,
    channels: ChannelSettings,
}

impl Backdrop {
    fn of(channels: &ChannelSettings) -> Self {
        Self { staff: directory(), channels: channels.clone(), ..Self::default() }
    }

    fn view<'v>(&'v self, happened: &'v Happened, at: DateTime<Utc>) -> View<'v> {
        View {
            customer: happened.customer.as_ref(),
            member: happened.member.as_ref(),
            member_notices: &self.member_notices,
            named: &self.named,
            owner_after_command: happened.owner_after_command,
            at,
            staff: &self.staff,
            preferences: &self.preferences,
            templates: &self.templates,
            recent: &self.recent,
            channels: &self.channels,
        }
    }

    /// What follows from it when it happens at this moment, and what leaves.
    fn answer_at(&self, happened: &Happened, at: DateTime<Utc>) -> (Vec<Reaction>, Vec<Outgoing>) {
        let event = PolicyEvent { id: EVENT, fact: happened.fact.clone(), at };
        let view = self.view(happened, at);
        let reactions = react(&event, &view).unwrap();
        let is_ordered = matches!(happened.fact, Fact::Order(_));
        for scene in reactions.iter().map(|reaction| reaction.scene).filter(|_| !is_ordered) {
            assert!(kinds::orderable().all(|kind| kind != scene), "others could order what we tell: {scene}");
        }
        let outgoing = reactions.iter().flat_map(|reaction| reaction.outgoing(&event, &view).unwrap());
        let outgoing = outgoing.collect();
        (reactions, outgoing)
    }
}

fn answer(happened: Happened, channels: &ChannelSettings) -> (PolicyEvent, Vec<Reaction>) {
    let (reactions, _) = Backdrop::of(channels).answer_at(&happened, at());
    (PolicyEvent { id: EVENT, fact: happened.fact, at: at() }, reactions)
}

/// The messages that leave.
fn sent(happened: &Happened, channels: &ChannelSettings) -> Vec<Outgoing> {
    Backdrop::of(channels).answer_at(happened, at()).1
}

/// How a person is told: `inbox`, and what was decided for WeChat, or the one decision of both.
fn told(reaction: &Reaction) -> String {
    let word = |channel| {
        let (_, decision) = reaction.decisions.iter().find(|(c, _)| *c == channel).unwrap();
        match decision {
            Decision::Deliver => "deliver".to_owned(),
            Decision::Merge { into } => format!("merge {into}"),
            Decision::Hold { until, .. } => format!("hold {until}"),
            Decision::Standby { after } => format!("after {after}"),
            Decision::Suppress { reason } => reason.clone(),
        }
    };
    assert_eq!(reaction.decisions.len(), Channel::ALL.len(), "one decision for every channel");
    let (inbox, wechat) = (word(Channel::InApp), word(Channel::WechatSubscribe));
    assert_eq!(reaction.notice.is_some(), inbox == "deliver", "a notice exists when somebody can read it");
    if inbox == wechat { format!("both: {inbox}") } else { format!("{inbox}, {wechat}") }
}

/// One row: what happened, and (who, scene, how) for everybody concerned.
fn check(happened: impl Into<Happened>, expected: &[(StaffId, &str, &str)]) {
    let (_, reactions) = answer(happened.into(), &wechat());
    let actual: Vec<(StaffId, &str, String)> =
        reactions.iter().map(|reaction| (reaction.recipient, reaction.scene, told(reaction))).collect();
    let actual: Vec<(StaffId, &str, &str)> =
        actual.iter().map(|(who, scene, how)| (*who, *scene, how.as_str())).collect();
    assert_eq!(actual, expected);
}

/// Told as part of another notice.
fn merged_into(cause: EventId, recipient: StaffId, scene: &str) -> String {
    format!("both: merge {}", StreamId::from(NotificationId::of(cause, recipient, scene)))
}

const BOTH: &str = "both: deliver";
const INBOX: &str = "deliver, not_routed";
const ACTOR: &str = "both: actor_is_recipient";
const MERGED: &str = "both: merge batch-00000000-0000-0000-0000-0000000000c8";

use AssignmentSource::{Batch, Create, Manual, MiniProgram};

#[test]
fn a_creation_tells_every_active_supervisor_who_does_not_know_of_it_otherwise() {
    let scene = kinds::CUSTOMER_CREATED;
    let owner = |owner| merged_into(ASSIGNMENT, owner, kinds::CUSTOMER_ASSIGNED);
    check(
        lead(vec![created(OLD)]),
        &[(ADMIN, scene, INBOX), (MANAGER, scene, INBOX), (OPERATOR, scene, INBOX)],
    );
    check(
        lead(vec![created(ADMIN)]),
        &[(MANAGER, scene, INBOX), (OPERATOR, scene, INBOX), (ADMIN, scene, ACTOR)],
    );
    check(
        lead(vec![created(ADMIN)]).with_owner(MANAGER),
        &[(OPERATOR, scene, INBOX), (ADMIN, scene, ACTOR), (MANAGER, scene, &owner(MANAGER))],
    );
    check(
        lead(vec![created(ADMIN)]).with_owner(ADMIN),
        &[(MANAGER, scene, INBOX), (OPERATOR, scene, INBOX), (ADMIN, scene, &owner(ADMIN))],
    );
}

#[test]
fn an_assignment_tells_the_new_owner_even_when_they_did_it_themselves() {
    let scene = kinds::CUSTOMER_ASSIGNED;
    check(lead(vec![created(ADMIN), assigned(NEW, ADMIN, Create)]), &[(NEW, scene, BOTH)]);
    check(lead(vec![created(NEW), assigned(NEW, NEW, Create)]), &[(NEW, scene, BOTH)]);
    check(lead(vec![created(ADMIN), assigned(NEW, ADMIN, Manual)]), &[(NEW, scene, BOTH)]);
    check(lead(vec![created(ADMIN), assigned(NEW, ADMIN, MiniProgram)]), &[(NEW, scene, BOTH)]);
    check(
        lead(vec![created(ADMIN), assigned(UNBOUND, ADMIN, Manual)]),
        &[(UNBOUND, scene, "deliver, no_binding")],
    );
    check(
        lead(vec![created(ADMIN), assigned(SUSPENDED, ADMIN, Manual)]),
        &[(SUSPENDED, scene, "both: recipient_inactive")],
    );
    check(
        lead(vec![created(ADMIN), assigned(person(99), ADMIN, Manual)]),
        &[(person(99), scene, "both: recipient_inactive")],
    );
}

#[test]
fn a_transfer_tells_both_owners_unless_they_did_it() {
    let (scene, out) = (kinds::CUSTOMER_TRANSFERRED, kinds::CUSTOMER_TRANSFERRED_OUT);
    let moved =
        |by| lead(vec![created(ADMIN), assigned(OLD, ADMIN, Create), transferred(OLD, NEW, by, Manual)]);
    check(moved(ADMIN), &[(NEW, scene, BOTH), (OLD, out, INBOX)]);
    check(moved(NEW), &[(NEW, scene, ACTOR), (OLD, out, INBOX)]);
    check(moved(OLD), &[(NEW, scene, BOTH), (OLD, out, ACTOR)]);
}

#[test]
fn a_lead_of_a_batch_is_told_in_the_summary() {
    let (scene, out) = (kinds::CUSTOMER_ASSIGNED, kinds::CUSTOMER_TRANSFERRED_OUT);
    let source = Batch(BATCH);
    check(lead(vec![created(ADMIN), assigned(NEW, ADMIN, source)]), &[(NEW, scene, MERGED)]);
    check(
        lead(vec![created(ADMIN), assigned(OLD, ADMIN, Create), transferred(OLD, NEW, ADMIN, source)]),
        &[(NEW, scene, MERGED), (OLD, out, MERGED)],
    );
}

#[test]
fn a_batch_tells_each_person_once() {
    let (scene, out) = (kinds::CUSTOMER_ASSIGNED, kinds::CUSTOMER_TRANSFERRED_OUT);
    check(batch(&[]), &[]);
    check(batch(&[(1, None)]), &[(NEW, scene, BOTH)]);
    let mixed = batch(&[(1, Some(UNBOUND)), (2, None), (3, Some(OLD)), (4, Some(UNBOUND))]);
    check(mixed, &[(NEW, scene, BOTH), (OLD, out, INBOX), (UNBOUND, out, INBOX)]);
}

#[test]
fn a_new_status_tells_the_owner_unless_they_set_it() {
    let scene = kinds::CUSTOMER_STATUS_CHANGED;
    check(lead(vec![created(ADMIN), status_changed(ADMIN)]), &[]);
    let owned = |by| lead(vec![created(ADMIN), assigned(NEW, ADMIN, Create), status_changed(by)]);
    check(owned(ADMIN), &[(NEW, scene, INBOX)]);
    check(owned(NEW), &[(NEW, scene, ACTOR)]);
}

#[test]
fn changed_fields_concern_nobody() {
    let changes = ProfilePatch { name: Some("新名".to_owned()), ..ProfilePatch::default() };
    let updated = domain::customer::CustomerUpdated { changes, by: Actor::Staff(ADMIN), at: at() };
    check(lead(vec![created(ADMIN), assigned(NEW, ADMIN, Create), updated.into()]), &[]);
}

#[test]
fn without_wechat_the_decision_says_so_and_nothing_else_changes() {
    let assignment = || lead(vec![created(ADMIN), assigned(NEW, ADMIN, Manual)]);
    let (_, with) = answer(assignment(), &wechat());
    let (_, without) = answer(assignment(), &ChannelSettings::default());
    assert_eq!(told(&without[0]), "deliver, channel_not_configured");
    let same = Reaction { decisions: with[0].decisions.clone(), ..without[0].clone() };
    assert_eq!(same, with[0]);
}

#[test]
fn clients_get_the_facts_system_a_gave_them() {
    let data = |happened: Happened| {
        let (_, reactions) = answer(happened, &wechat());
        let data =
            |reaction: &Reaction| serde_json::Value::from(reaction.notice.clone().unwrap().message.data);
        reactions.iter().map(data).collect::<Vec<_>>()
    };
    insta::assert_json_snapshot!("created", data(lead(vec![created(OLD)]))[0]);
    insta::assert_json_snapshot!("assigned", data(lead(vec![created(ADMIN), assigned(NEW, ADMIN, Manual)])));
    let moved = vec![created(ADMIN), assigned(OLD, ADMIN, Create), transferred(OLD, NEW, ADMIN, Manual)];
    insta::assert_json_snapshot!("transferred", data(lead(moved)));
    insta::assert_json_snapshot!("batch", data(batch(&[(1, Some(OLD)), (2, None)]).into()));
}
