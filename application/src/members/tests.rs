//! The use cases on a log in memory: who may do what, what only one member may have, what a row may say.

mod rows;

use domain::member::{Member, MemberEvent};
use domain::member::{MemberFields, MemberKind, MemberPatch, MemberSource, Upgrade};
use domain::staff::Role;
use domain::{CommandId, MemberId, Metadata, StaffId, StreamId};
use uuid::Uuid;

use super::*;
use crate::access::Caller;
use crate::bus::{CommandBus, CommandContext};
use crate::customers::tests::memory::{Memory, ready};

const ROLES: [Role; 6] =
    [Role::Admin, Role::Manager, Role::Operator, Role::Dispatch, Role::Employee, Role::Admissions];

fn caller(role: Role) -> Caller {
    let id = StaffId(Uuid::from_u128(1));
    Caller { id, username: "u".into(), name: "姓名".into(), role }
}

fn at(seconds: i64) -> chrono::DateTime<chrono::Utc> {
    chrono::DateTime::from_timestamp(1_764_547_200 + seconds, 0).unwrap()
}

/// A command of its own; with the same number, the same command with the same key.
fn context(n: u128) -> CommandContext {
    let command = CommandId(Uuid::from_u128(n));
    let actor = domain::Actor::Staff(StaffId(Uuid::from_u128(1)));
    let metadata = Metadata { command, correlation: "test".into(), causation: None, actor };
    CommandContext { metadata, at: at(0), fingerprint: Some(n.to_string()) }
}

fn member(n: u128) -> MemberId {
    MemberId(Uuid::from_u128(1000 + n))
}

fn fields(columns: &[(&str, &str)]) -> MemberFields {
    let mut fields = MemberFields::default();
    for (column, text) in columns {
        fields.read(column.parse().unwrap(), Some(text)).unwrap();
    }
    fields
}

/// The `n`-th person, with everything that a registration needs.
fn person(n: u32) -> MemberFields {
    let (number, wechat, phone) = (format!("M{n}"), format!("wx{n}"), format!("1381234{n:04}"));
    fields(&[("member_no", &number), ("wechat", &wechat), ("phone", &phone)])
}

fn registers(bus: &Memory, n: u128, fields: MemberFields) -> Result<MemberReceipt, MemberRefusal> {
    let request = Register { id: member(n), fields };
    settled(ready(register(bus, &caller(Role::Admin), &context(n), request)))
}

fn acts(bus: &Memory, command: u128, n: u128, action: Action) -> Result<MemberReceipt, MemberRefusal> {
    let request = Act { member: member(n), expected: None, action };
    settled(ready(act(bus, &caller(Role::Admin), &context(command), request)))
}

fn settled<T>(result: MemberResult<T>) -> Result<T, MemberRefusal> {
    match result {
        Ok(executed) => Ok(executed.result),
        Err(ExecuteError::Refused(refusal)) => Err(refusal),
        Err(other) => panic!("neither done nor refused: {other}"),
    }
}

fn state(bus: &Memory, id: MemberId) -> Member {
    ready(bus.load::<Member>(&StreamId::from(id))).unwrap().state
}

fn patch(columns: &[(&str, &str)]) -> Box<MemberPatch> {
    let wanted = fields(columns);
    let mut patch = Box::<MemberPatch>::default();
    for (column, _) in columns {
        let field = column.parse().unwrap();
        patch.set(field, wanted.get(field).as_ref());
    }
    patch
}

fn upgrade() -> Action {
    let (remaining_matches, paid_at, expires_at, notes) = (None, None, None, None);
    Action::Upgrade(Upgrade { to: MemberKind::Annual, remaining_matches, paid_at, expires_at, notes })
}

#[test]
fn who_may_do_what_is_the_tables_answer() {
    use crate::access::{Action as Right, allows};
    let revoke = || Action::Revoke { reason: None };
    for role in ROLES {
        for (right, action) in [
            (Right::UpdateMember, Action::Update(patch(&[("city", "杭州")]))),
            (Right::MoveMember, Action::Activate),
            (Right::MoveMember, upgrade()),
            (Right::MoveMember, revoke()),
            (Right::DeleteMember, Action::Delete),
        ] {
            let bus = Memory::default();
            registers(&bus, 1, person(1)).unwrap();
            let request = Act { member: member(1), expected: None, action: action.clone() };
            let done = settled(ready(act(&bus, &caller(role), &context(9), request)));
            let refused = matches!(done, Err(MemberRefusal::Forbidden(_)));
            assert_eq!(refused, !allows(role, right), "{role} {action:?}");
        }
    }
}

#[test]
fn a_registration_fills_in_what_system_s_fills_in() {
    for (gender, matches) in [("female", 1), ("male", 0), ("", 0)] {
        let bus = Memory::default();
        let mut typed = person(1);
        typed.read("gender".parse().unwrap(), Some(gender)).unwrap();
        let receipt = registers(&bus, 1, typed).unwrap();
        assert!(receipt.changed && receipt.sequence == 1);
        let MemberEvent::Registered(event) = bus.last(member(1)) else { panic!("registered") };
        assert_eq!((event.source, event.fields.remaining_matches), (MemberSource::Staff, Some(matches)));
        assert!(state(&bus, member(1)).is_active());
    }
}

#[test]
fn a_registration_sent_twice_is_answered_twice_and_done_once() {
    let bus = Memory::default();
    assert_eq!(registers(&bus, 1, person(1)), registers(&bus, 1, person(1)));
    assert_eq!(bus.events(member(1)), ["MemberRegistered"]);
}

#[test]
fn number_phone_and_wechat_belong_to_one_member() {
    let bus = Memory::default();
    registers(&bus, 1, person(1)).unwrap();
    for (column, value, refusal) in [
        ("member_no", "M1", MemberRefusal::DuplicateNumber),
        ("phone", "13812340001", MemberRefusal::DuplicatePhone),
        ("wechat", "wx1", MemberRefusal::DuplicateWechat),
    ] {
        let mut second = person(2);
        second.read(column.parse().unwrap(), Some(value)).unwrap();
        assert_eq!(registers(&bus, 2, second), Err(refusal.clone()));
        assert!(bus.events(member(2)).is_empty());

        registers(&bus, 3, person(3)).unwrap();
        let change = Action::Update(patch(&[(column, value)]));
        assert_eq!(acts(&bus, 100, 3, change), Err(refusal));
    }
}

#[test]
fn what_a_member_gives_up_is_free_again() {
    let bus = Memory::default();
    registers(&bus, 1, person(1)).unwrap();
    let moved = Action::Update(patch(&[("phone", "13912340000"), ("city", "杭州")]));
    acts(&bus, 100, 1, moved).unwrap();
    assert_eq!(bus.holder(GuardKind::MemberPhone, "13812340001"), None);
    assert_eq!(bus.holder(GuardKind::MemberPhone, "13912340000"), Some(member(1).into()));

    acts(&bus, 101, 1, Action::Delete).unwrap();
    for (kind, key) in [
        (GuardKind::MemberNumber, "M1"),
        (GuardKind::MemberPhone, "13912340000"),
        (GuardKind::MemberWechat, "wx1"),
    ] {
        assert_eq!(bus.holder(kind, key), None);
    }
    registers(&bus, 2, person(1)).unwrap();
}

#[test]
fn a_member_that_is_gone_is_not_found_and_an_old_version_is_refused() {
    let bus = Memory::default();
    assert_eq!(acts(&bus, 100, 1, Action::Activate), Err(MemberError::NotFound.into()));
    registers(&bus, 1, person(1)).unwrap();
    let old = Act { member: member(1), expected: Some(0), action: Action::Delete };
    let refused = settled(ready(act(&bus, &caller(Role::Admin), &context(101), old)));
    assert_eq!(refused, Err(MemberRefusal::Stale { sequence: 1 }));
    acts(&bus, 102, 1, Action::Delete).unwrap();
    assert_eq!(acts(&bus, 103, 1, Action::Delete), Err(MemberError::NotFound.into()));
}

#[test]
fn what_is_so_already_changes_nothing() {
    let bus = Memory::default();
    registers(&bus, 1, person(1)).unwrap();
    for (command, action) in [(100, Action::Activate), (101, Action::Update(patch(&[("wechat", "wx1")])))] {
        let receipt = acts(&bus, command, 1, action).unwrap();
        assert_eq!((receipt.changed, receipt.sequence), (false, 1));
    }
}

/// The form without a number, as the public sends it.
fn myself(n: u32) -> MemberFields {
    let mut fields = person(n);
    fields.read("member_no".parse().unwrap(), None).unwrap();
    fields
}

fn registers_myself(bus: &Memory, command: u128, fields: MemberFields) -> Registered {
    let form = PublicRegistration { id: member(command), fields };
    ready(register_publicly(bus, &context(command), form)).unwrap()
}

#[test]
fn whoever_registers_gets_a_number_and_takes_part() {
    let bus = Memory::default();
    assert_eq!(registers_myself(&bus, 1, myself(1)), Registered::Member(1));
    let MemberEvent::Registered(event) = bus.last(member(1)) else { panic!("registered") };
    assert_eq!(event.source, MemberSource::Public);
    let number = event.fields.member_no.unwrap();
    assert_eq!(number.as_str(), format!("M{}{:03}", at(0).timestamp_millis(), 1));
    assert!(state(&bus, member(1)).is_active());
    assert_eq!(registers_myself(&bus, 1, myself(1)), Registered::Member(1), "the same form again");
}

#[test]
fn a_known_phone_or_wechat_changes_nothing_and_is_remembered_all_the_same() {
    let bus = Memory::default();
    registers_myself(&bus, 1, myself(1));
    let head = bus.head();
    for column in ["phone", "wechat"] {
        let mut other = myself(2);
        let known = myself(1).get(column.parse().unwrap());
        other.set(column.parse().unwrap(), known.as_ref());
        let command = if column == "phone" { 2 } else { 3 };
        assert_eq!(registers_myself(&bus, command, other), Registered::Known);
        assert!(ready(bus.receipt(CommandId(Uuid::from_u128(command)))).unwrap().is_some());
    }
    assert_eq!(bus.head(), head);
}

#[test]
fn a_number_that_is_taken_is_drawn_again() {
    let bus = Memory::default();
    let first = format!("M{}{:03}", at(0).timestamp_millis(), 1);
    registers(&bus, 50, fields(&[("member_no", &first), ("wechat", "a"), ("phone", "13900000000")])).unwrap();
    registers_myself(&bus, 1, myself(1));
    let number = state(&bus, member(1)).fields.member_no.unwrap();
    assert_eq!(number.as_str(), format!("M{}{:03}", at(0).timestamp_millis(), 2));
}
