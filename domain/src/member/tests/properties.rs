//! What holds for a member whatever is asked of it and whatever its row says.

use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;

use super::rows::row;
use super::*;
use crate::testing::{play, staff};

/// Texts that columns may hold, the odd ones included.
fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => select(vec![
            "ACTIVE", "PENDING", "REVOKED", "INACTIVE", "NORMAL", "ANNUAL", "ONE_TIME", "VIP", "DOCTOR", "male", "BOTH",
            "NEGOTIABLE", "1990", "0", "1", "13812348999", "+86 138 1234 8999",
        ])
        .prop_map(str::to_owned),
        2 => "[a-z0-9 ]{0,6}",
        1 => "\\PC{0,8}",
    ]
}

/// A row; columns that cannot hold what was drawn stay empty.
fn any_fields() -> impl Strategy<Value = MemberFields> {
    let statuses = select(vec!["ACTIVE", "PENDING", "REVOKED", "INACTIVE", "", "ODD"]);
    let kinds = select(vec!["NORMAL", "ONE_TIME", "ANNUAL", "VIP", "", "ODD"]);
    let columns = prop::collection::vec((select(MemberField::ALL), any_text()), 0..8);
    (columns, statuses, kinds).prop_map(|(columns, status, kind)| {
        let mut fields = MemberFields::default();
        for (field, text) in columns {
            let _refused = fields.read(field, Some(&text));
        }
        with(fields, &[("status", status), ("type", kind)])
    })
}

fn any_actor() -> impl Strategy<Value = Actor> {
    prop_oneof![(0..4_u128).prop_map(|n| Actor::Staff(staff(n))), Just(Actor::System("intake".into()))]
}

fn any_observe() -> impl Strategy<Value = MemberCommand> {
    (any_fields(), prop::bool::weighted(0.1), any_actor(), 0..1000_i64).prop_map(
        |(fields, deleted, by, seconds)| MemberCommand::Observe {
            row: Box::new(row(fields, deleted)),
            by,
            at: at(seconds),
        },
    )
}

fn any_command() -> impl Strategy<Value = MemberCommand> {
    let who_when = || (any_actor(), (0..1000_i64).prop_map(at));
    let update = (any_fields(), of(of("[a-z]{0,3}")), who_when()).prop_map(|(fields, city, (by, at))| {
        let changes = MemberPatch {
            phone: fields.phone.map(Some),
            nickname: Some(fields.nickname),
            city,
            ..MemberPatch::default()
        };
        MemberCommand::Update { changes: Box::new(changes), by, at }
    });
    let until = of((0..9_i64).prop_map(at));
    let upgrade = (select(MemberKind::TABLE), of(0..9_i64), until, who_when()).prop_map(
        |(to, remaining_matches, expires_at, (by, at))| {
            let upgrade = Upgrade { to, remaining_matches, paid_at: Some(at), expires_at, notes: None };
            MemberCommand::Upgrade { upgrade, by, at }
        },
    );
    let activate = who_when().prop_map(|(by, at)| MemberCommand::Activate { by, at });
    let revoke =
        (of(".{0,4}"), who_when()).prop_map(|(reason, (by, at))| MemberCommand::Revoke { reason, by, at });
    let delete = who_when().prop_map(|(by, at)| MemberCommand::Delete { by, at });
    let register = (any_fields(), who_when()).prop_map(|(fields, (by, at))| MemberCommand::Register {
        source: MemberSource::Public,
        fields: Box::new(fields),
        by,
        at,
    });
    prop_oneof![
        8 => any_observe(), 4 => update, 3 => upgrade, 3 => activate, 2 => revoke, 1 => delete, 1 => register,
    ]
}

/// One turn of somebody: the source writes a column, or somebody here does.
#[derive(Debug, Clone)]
enum Turn {
    Row(MemberField, Option<FieldValue>),
    Edit(MemberField, Option<FieldValue>),
    Activate,
    Revoke,
}

/// Few columns and few values, so that both sides often mean the same one.
fn any_turn() -> impl Strategy<Value = Turn> {
    let text = |texts: &'static [&'static str]| {
        of(select(texts)).prop_map(|text| text.map(|text| FieldValue::Text(text.to_owned())))
    };
    let plain = || {
        prop_oneof![
            (Just(MemberField::City), text(&["杭州", "北京", "苏州"])),
            (Just(MemberField::Nickname), text(&["小王", "小李"])),
            (Just(MemberField::Education), text(&["MASTER", "MBA"])),
            (Just(MemberField::Height), of(165..167_i64).prop_map(|height| height.map(FieldValue::Number))),
        ]
    };
    let moved = prop_oneof![
        (Just(MemberField::Status), text(&["ACTIVE", "PENDING", "REVOKED", "ODD"])),
        (Just(MemberField::Kind), text(&["NORMAL", "ANNUAL", "VIP"])),
        (Just(MemberField::RemainingMatches), (0..3_i64).prop_map(|n| Some(FieldValue::Number(n)))),
    ];
    prop_oneof![
        4 => plain().prop_map(|(field, value)| Turn::Row(field, value)),
        3 => moved.prop_map(|(field, value)| Turn::Row(field, value)),
        4 => plain().prop_map(|(field, value)| Turn::Edit(field, value)),
        1 => Just(Turn::Activate),
        1 => Just(Turn::Revoke),
    ]
}

/// What is true of every member.
fn holds(member: &Member, history: &[MemberEvent]) {
    assert_eq!(member.registered.is_some(), !history.is_empty(), "it begins with its registration");
    let mut exists = false;
    for event in history {
        match event {
            MemberEvent::Registered(_) => {
                assert!(!exists, "nobody is registered who is there");
                exists = true;
            }
            MemberEvent::Deleted(_) => {
                assert!(exists, "nobody is deleted who is not there");
                exists = false;
            }
            MemberEvent::Updated(e) => {
                assert!(exists && !e.changed.is_empty(), "an update names what changed");
                assert!(e.changed.iter().all(|change| change.old != change.new), "{:?}", e.changed);
            }
            MemberEvent::Activated(e) => {
                assert!(exists && e.from != Some(MemberStatus::Active.into()), "it was not active before");
            }
            MemberEvent::Upgraded(e) => {
                let renewed = e.from == Some(e.to.into());
                assert!(exists && (!renewed || e.expires_at.is_some()), "it is more than before, or longer");
            }
            MemberEvent::RowSeen(e) => {
                assert!(exists && !e.agreed.is_empty(), "it names what the row changed");
            }
            MemberEvent::Revoked(e) => {
                assert!(exists && e.from != Some(MemberStatus::Revoked.into()), "it was not revoked before");
            }
        }
    }
    assert_eq!(member.exists(), exists);
}

proptest! {
    #[test]
    fn a_member_keeps_its_promises(commands in prop::collection::vec(any_command(), 0..24)) {
        play::<Member>(commands, |_| false, holds);
    }

    #[test]
    fn where_only_the_source_speaks_the_member_is_its_row(rows in prop::collection::vec(any_fields(), 1..8)) {
        let mut member = Member::default();
        for fields in rows {
            let seen = row(fields.clone(), false);
            let fingerprint = seen.fingerprint.clone();
            let command = MemberCommand::Observe { row: Box::new(seen), by: boss(), at: at(0) };
            for event in member.decide(command).unwrap() {
                member.evolve(&event);
            }
            prop_assert_eq!(&member.fields, &fields);
            let seen = member.row.as_ref().unwrap();
            prop_assert_eq!(&seen.fields, &fields);
            prop_assert_eq!(&seen.fingerprint, &fingerprint);
        }
    }

    #[test]
    fn changes_from_one_row_to_another_make_the_other(before in any_fields(), after in any_fields()) {
        let changes = before.changes_to(&after);
        prop_assert_eq!(changes.is_empty(), before == after);
        let mut folded = before.clone();
        folded.apply(&changes);
        prop_assert_eq!(&folded, &after);
        prop_assert_eq!(
            RowFingerprint::of(&before, false) == RowFingerprint::of(&after, false),
            before == after
        );
        let written = serde_json::to_string(&after).unwrap();
        prop_assert_eq!(serde_json::from_str::<MemberFields>(&written).unwrap(), after);
    }

    /// The whole rule in a few lines: whoever wrote a column last has it, and a source writes a column when its row says
    /// something else there than before.
    #[test]
    fn whoever_wrote_a_column_last_has_it(turns in prop::collection::vec(any_turn(), 1..24)) {
        let (first, mut seen) = (person(), person());
        let mut member: Member = Member::default();
        let mut model = first.clone();
        let observe = |fields: &MemberFields| MemberCommand::Observe {
            row: Box::new(row(fields.clone(), false)), by: boss(), at: at(0),
        };
        let does = |member: &mut Member, command| {
            let Ok(events) = member.decide(command) else { return false };
            for event in &events {
                member.evolve(event);
            }
            true
        };
        does(&mut member, observe(&first));
        for turn in turns {
            match turn {
                Turn::Row(field, value) => {
                    let mut now = seen.clone();
                    now.set(field, value.as_ref());
                    for change in seen.changes_to(&now) {
                        model.set(change.field, change.new.as_ref());
                    }
                    prop_assert!(does(&mut member, observe(&now)));
                    seen = now;
                }
                Turn::Edit(field, value) => {
                    let mut changes = MemberPatch::default();
                    changes.set(field, value.as_ref());
                    if does(&mut member, update(changes)) {
                        model.set(field, value.as_ref());
                    }
                }
                Turn::Activate => {
                    does(&mut member, activate());
                    model.status = Some(MemberStatus::Active.into());
                }
                Turn::Revoke => {
                    does(&mut member, revoke());
                    model.status = Some(MemberStatus::Revoked.into());
                }
            }
            prop_assert_eq!(&member.fields, &model);
            prop_assert_eq!(&member.row.as_ref().unwrap().fields, &seen);
        }
    }
}
