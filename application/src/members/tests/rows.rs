//! Rows that somebody else wrote.

use domain::member::{MemberField, Observation, SourceKey};

use super::*;

fn key(key: &str) -> SourceKey {
    SourceKey { source: "crm".into(), table: "members".into(), key: key.into() }
}

fn read(columns: &[(&str, Option<&str>)]) -> ReadRow {
    read_observation(key("7"), columns.iter().copied(), false, None)
}

fn row(row_key: &str, fields: MemberFields) -> Observation {
    let fingerprint = domain::member::RowFingerprint::of(&fields, false);
    let (key, silent) = (key(row_key), vec![]);
    Observation { key, fields, silent, deleted: false, fingerprint, registered_at: None }
}

fn sees(bus: &Memory, capture: &str, row: Observation) -> ObservedReceipt {
    let context = observation_context(&row.key, capture, "test".into(), at(0));
    settled(ready(observe(bus, &context, row))).unwrap()
}

#[test]
fn a_capture_registers_its_member_and_the_same_capture_does_nothing_again() {
    let bus = Memory::default();
    let id = MemberId::of_row(&key("7"));
    let first = sees(&bus, "1", row("7", person(1)));
    assert_eq!(first.member, MemberReceipt { member: id, sequence: 1, changed: true });

    // A crash after the append: the capture is read again, and the row says something else by now.
    let mut changed = person(1);
    changed.read(MemberField::City, Some("杭州")).unwrap();
    assert_eq!(sees(&bus, "1", row("7", changed.clone())), first);
    assert_eq!(bus.events(id), ["MemberRegistered"]);

    // The change has a capture of its own.
    assert!(sees(&bus, "2", row("7", changed.clone())).member.changed);
    assert!(!sees(&bus, "3", row("7", changed)).member.changed);
    assert_eq!(bus.events(id), ["MemberRegistered", "MemberUpdated"]);
}

#[test]
fn a_row_is_told_of_although_another_member_has_its_phone() {
    let bus = Memory::default();
    registers(&bus, 1, person(1)).unwrap();
    let seen = sees(&bus, "1", row("7", person(1)));
    assert!(seen.member.changed);
    let all = [GuardKind::MemberNumber, GuardKind::MemberPhone, GuardKind::MemberWechat];
    assert_eq!(seen.contested, Contested::from(all));
    assert_eq!(
        bus.holder(GuardKind::MemberPhone, "13812340001"),
        Some(member(1).into()),
        "it stays where it is"
    );

    let mut moved = person(1);
    moved.read(MemberField::Phone, Some("13912340000")).unwrap();
    let seen = sees(&bus, "2", row("7", moved));
    let others = [GuardKind::MemberNumber, GuardKind::MemberWechat];
    assert_eq!(seen.contested, Contested::from(others), "the phone is its own now");
    let id = MemberId::of_row(&key("7"));
    assert_eq!(bus.holder(GuardKind::MemberPhone, "13912340000"), Some(id.into()));
}

#[test]
fn somebody_who_writes_meanwhile_is_seen_in_the_next_plan() {
    let bus = Memory::default();
    let id = MemberId::of_row(&key("7"));
    bus.meanwhile(|bus| {
        sees(bus, "1", row("7", person(1)));
    });
    let mut changed = person(1);
    changed.read(MemberField::City, Some("杭州")).unwrap();
    sees(&bus, "2", row("7", changed));
    assert_eq!(bus.events(id), ["MemberRegistered", "MemberUpdated"]);
}

#[test]
fn columns_become_fields_and_the_moment_of_registration() {
    for (text, expected) in [
        ("2026-03-02 12:00:00", Some("2026-03-02T04:00:00+00:00")),
        ("2026-03-02T12:00:00.5", Some("2026-03-02T04:00:00.500+00:00")),
        ("2026-03-02 12:00:00+00", Some("2026-03-02T12:00:00+00:00")),
        ("2026-03-02T12:00:00Z", Some("2026-03-02T12:00:00+00:00")),
        ("2026/03/02", Some("2026-03-01T16:00:00+00:00")),
        ("0000-00-00 00:00:00", None),
        (" ", None),
    ] {
        let columns = [("nickname", Some(" 小王 ")), ("city", None), ("created_at", Some(text))];
        let ReadRow { observation: read, faults } = read(&columns);
        assert_eq!(read.registered_at.map(|at| at.to_rfc3339()).as_deref(), expected, "{text}");
        assert_eq!((read.fields, faults), (fields(&[("nickname", "小王")]), vec![]));
        assert!(read.silent.contains(&MemberField::Phone), "a column that is not there says nothing");
        assert!(!read.silent.contains(&MemberField::City), "a NULL says that there is nothing");
    }
}

#[test]
fn a_malformed_column_costs_the_row_that_column_and_is_named_without_its_value() {
    let long = "长".repeat(domain::member::LONG_TEXT_CHARS_MAX + 1);
    for (column, text, says) in [
        ("height", "很高", "height: 必须是整数"),
        ("wechat_qrcode", long.as_str(), "wechat_qrcode: 不能超过5000个字符"),
        ("created_at", "yesterday", "created_at: 必须是有效的日期时间"),
        ("created_at", "9999-01-01 00:00:00", "created_at: 必须是有效的日期时间"),
        ("shoe_size", "42", "shoe_size: 不是会员的字段"),
    ] {
        let row = read(&[("nickname", Some("小王")), (column, Some(text)), ("city", Some("杭州"))]);
        let reason = row.reason().unwrap();
        assert_eq!(reason, says);
        assert!(!reason.contains(text));
        assert_eq!(row.observation.fields, fields(&[("nickname", "小王"), ("city", "杭州")]));
    }
}

#[test]
fn every_fault_of_a_row_is_named() {
    let row = read(&[("height", Some("x")), ("weight", Some("y")), ("status", Some("SLEEPING"))]);
    let reason = "height: 必须是整数; weight: 必须是整数; status: 不是已知的会员状态";
    assert_eq!(row.reason().as_deref(), Some(reason));
}

#[test]
fn an_unknown_code_is_kept_and_named_and_only_a_status_is_somebodys_business() {
    let columns = [("education", Some("MBA")), ("gender", Some("other")), ("status", Some("ACTIVE"))];
    let row = read(&columns);
    assert_eq!(row.reason(), None);
    assert_eq!(row.unknown_codes(), [(MemberField::Gender, "other"), (MemberField::Education, "MBA")]);

    let row = read(&[("nickname", Some("小王")), ("status", Some("SLEEPING"))]);
    assert_eq!(row.reason().as_deref(), Some("status: 不是已知的会员状态"));
    let bus = Memory::default();
    assert!(sees(&bus, "1", row.observation).member.changed, "it is a member all the same");
    let member = state(&bus, MemberId::of_row(&key("7")));
    assert_eq!(member.fields.status.unwrap().as_str(), "SLEEPING");
}

#[test]
fn a_column_that_cannot_be_read_keeps_what_it_had_and_is_read_once_it_can() {
    let bus = Memory::default();
    let id = MemberId::of_row(&key("7"));
    let says = |height, city| {
        let columns = [("nickname", Some("小王")), ("height", Some(height)), ("city", Some(city))];
        read_observation(key("7"), columns, false, Some(format!("{height}{city}")))
    };
    sees(&bus, "1", says("165", "北京").observation);
    let odd = says("165cm", "杭州");
    assert!(!odd.faults.is_empty());
    sees(&bus, "2", odd.observation.clone());
    let known = state(&bus, id).fields;
    assert_eq!((known.height, known.city.as_deref()), (Some(165), Some("杭州")));
    sees(&bus, "3", odd.observation);
    assert_eq!(bus.events(id).len(), 2, "the same again is nothing");
    sees(&bus, "4", says("170", "杭州").observation);
    assert_eq!(state(&bus, id).fields.height, Some(170));
}

#[test]
fn the_intakes_own_fingerprint_is_taken_where_the_whole_row_was_read() {
    let columns = [("nickname", Some("小王"))];
    let taken = |columns: &[(&'static str, Option<&'static str>)]| {
        let row = read_observation(key("7"), columns.iter().copied(), false, Some("abc".into()));
        row.observation.fingerprint.as_str().to_owned()
    };
    assert_eq!(taken(&columns), "abc");
    assert_eq!(taken(&[("nickname", Some("小王")), ("height", Some("x"))]).len(), 64);
    assert_eq!(read(&columns).observation.fingerprint.as_str().len(), 64);
}

/// Everything a second member shares with the first, in the order of the guards.
fn held_by(bus: &Memory) -> [Option<StreamId>; 3] {
    [
        bus.holder(GuardKind::MemberNumber, "M1"),
        bus.holder(GuardKind::MemberPhone, "13812340001"),
        bus.holder(GuardKind::MemberWechat, "wx1"),
    ]
}

#[test]
fn what_was_contested_is_taken_by_the_next_look_once_it_is_free() {
    let bus = Memory::default();
    registers(&bus, 1, person(1)).unwrap();
    sees(&bus, "1", row("7", person(1)));
    acts(&bus, 100, 1, Action::Delete).unwrap();
    assert_eq!(held_by(&bus), [None, None, None]);

    let seen = sees(&bus, "2", row("7", person(1)));
    assert!(!seen.member.changed && seen.contested.is_empty(), "the row itself is no news");
    let id = StreamId::from(MemberId::of_row(&key("7")));
    assert_eq!(held_by(&bus), [Some(id.clone()), Some(id.clone()), Some(id)]);
    assert_eq!(registers(&bus, 2, person(1)), Err(MemberRefusal::DuplicateNumber));
}

#[test]
fn what_was_contested_stands_in_the_way_of_no_edit_and_is_taken_by_one_once_it_is_free() {
    let bus = Memory::default();
    let id = MemberId::of_row(&key("7"));
    registers(&bus, 1, person(1)).unwrap();
    sees(&bus, "1", row("7", person(1)));
    let edits = |command: u128, columns: &[(&str, &str)]| {
        let action = Action::Update(patch(columns));
        let request = Act { member: id, expected: None, action };
        settled(ready(act(&bus, &caller(Role::Admin), &context(command), request)))
    };
    assert!(edits(100, &[("city", "杭州")]).unwrap().changed);
    assert!(edits(101, &[("city", "北京"), ("phone", "13812340001")]).unwrap().changed, "a phone as it was");
    assert_eq!(held_by(&bus), [1, 1, 1].map(|n| Some(member(n).into())));

    registers(&bus, 2, person(2)).unwrap();
    assert_eq!(edits(102, &[("phone", "13812340002")]), Err(MemberRefusal::DuplicatePhone));

    acts(&bus, 103, 1, Action::Delete).unwrap();
    edits(104, &[("city", "苏州")]).unwrap();
    let id = StreamId::from(id);
    assert_eq!(held_by(&bus), [Some(id.clone()), Some(id.clone()), Some(id)]);
}
