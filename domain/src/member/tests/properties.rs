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
    let upgrade =
        (select(MemberKind::TABLE), of(0..9_i64), who_when()).prop_map(|(to, matches, (by, at))| {
            let upgrade =
                Upgrade { to, remaining_matches: matches, paid_at: Some(at), expires_at: None, notes: None };
            MemberCommand::Upgrade { upgrade, by, at }
        });
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
                assert!(exists && e.from != Some(e.to.into()), "it is more than before");
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
}
