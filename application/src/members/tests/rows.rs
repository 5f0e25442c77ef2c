//! Rows that somebody else wrote.

use domain::member::{MemberField, Observation, SourceKey};

use super::*;

fn key(key: &str) -> SourceKey {
    SourceKey { source: "crm".into(), table: "members".into(), key: key.into() }
}

fn read(columns: &[(&str, Option<&str>)]) -> Result<Observation, ColumnFault> {
    read_observation(key("7"), columns.iter().copied(), false, None)
}

fn row(row_key: &str, fields: MemberFields) -> Observation {
    let fingerprint = domain::member::RowFingerprint::of(&fields, false);
    Observation { key: key(row_key), fields, deleted: false, fingerprint, registered_at: None }
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
    assert!(seen.contested.is_empty());
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
        let read = read(&columns).unwrap();
        assert_eq!(read.registered_at.map(|at| at.to_rfc3339()).as_deref(), expected, "{text}");
        assert_eq!(read.fields, fields(&[("nickname", "小王")]));
    }
}

#[test]
fn a_malformed_row_names_its_column_and_rule_but_no_value() {
    for (column, text, says) in [
        ("height", "很高", "height: 必须是整数"),
        ("created_at", "yesterday", "created_at: 必须是有效的日期时间"),
        ("created_at", "9999-01-01 00:00:00", "created_at: 必须是有效的日期时间"),
        ("shoe_size", "42", "shoe_size: 不是会员的字段"),
    ] {
        let fault = read(&[("nickname", Some("小王")), (column, Some(text))]).unwrap_err();
        assert_eq!(fault.to_string(), says);
        assert!(!fault.to_string().contains(text));
    }
}

#[test]
fn the_intakes_own_fingerprint_is_taken_where_it_has_one() {
    let columns = [("nickname", Some("小王"))];
    let taken = read_observation(key("7"), columns, false, Some("abc".into())).unwrap();
    assert_eq!(taken.fingerprint.as_str(), "abc");
    assert_eq!(read(&columns).unwrap().fingerprint.as_str().len(), 64);
}
