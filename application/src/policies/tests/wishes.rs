//! What becomes due when somebody wishes for something else.

use chrono::TimeDelta;
use domain::preferences::{Digest, Document, Mode, PreferencesSet, Whose};
use domain::staff::StaffRoleChanged;

use super::super::{Hasten, changes_wishes, hastened};
use super::routes::{everything, nights, rule};
use super::*;
use crate::preferences::HoldReason::{self, DigestBurst, DigestDaily, QuietHours};

/// What is let go after `happened`, when the wishes are as `backdrop` has them: whose, held for what, due when.
fn let_go(backdrop: &Backdrop, fact: Fact, at: DateTime<Utc>) -> Vec<(StaffId, HoldReason, DateTime<Utc>)> {
    assert!(changes_wishes(&fact));
    let event = PolicyEvent { id: EVENT, fact, at };
    let due = hastened(&event, &backdrop.staff, &backdrop.preferences);
    due.into_iter().map(|Hasten { recipient, reason, due_at }| (recipient, reason, due_at)).collect()
}

fn set(whose: Whose, document: &Document) -> Fact {
    let document = document.clone();
    Fact::Preferences(Box::new(PreferencesSet { whose, document, by: Actor::Staff(NEW), at: at() }.into()))
}

fn of(document: &Document, at: DateTime<Utc>) -> Vec<(HoldReason, DateTime<Utc>)> {
    let whose = Whose::Staff(NEW);
    let backdrop = everything().wishes(whose, document.clone());
    let due = let_go(&backdrop, set(whose, document), at);
    assert!(due.iter().all(|(person, ..)| *person == NEW));
    due.into_iter().map(|(_, reason, due_at)| (reason, due_at)).collect()
}

#[test]
fn what_is_no_longer_collected_or_held_is_due_at_once() {
    let noon: DateTime<Utc> = "2026-03-01T04:00:00Z".parse().unwrap();
    let night: DateTime<Utc> = "2026-03-01T15:00:00Z".parse().unwrap();
    let morning: DateTime<Utc> = "2026-03-02T00:00:00Z".parse().unwrap();
    let nothing = Document::default();
    assert_eq!(of(&nothing, noon), [(QuietHours, noon), (DigestDaily, noon), (DigestBurst, noon)]);
    // Who turns digests off within quiet hours is told when these are over.
    assert_eq!(of(&nights(), night), [(QuietHours, morning), (DigestDaily, morning), (DigestBurst, morning)]);
    assert_eq!(of(&nights(), noon)[0], (QuietHours, noon));
    // A digest that goes on keeps what it holds, at the new time when that is earlier.
    let collected = |digest| Document { digest: Some(digest), ..rule(None, None, Mode::Digest) };
    let six = Digest::Daily { at: "18:00".parse().unwrap() };
    let due = of(&collected(six), noon);
    assert_eq!(due[1..], [(DigestDaily, noon + TimeDelta::hours(6)), (DigestBurst, noon)]);
    let due = of(&collected(Digest::Burst { minutes: 30 }), noon);
    assert_eq!(due, [(QuietHours, noon), (DigestDaily, noon)]);
}

#[test]
fn a_role_speaks_for_all_who_have_it_and_who_gets_another_role_has_other_wishes() {
    let noon: DateTime<Utc> = "2026-03-01T04:00:00Z".parse().unwrap();
    let people = |due: Vec<(StaffId, HoldReason, DateTime<Utc>)>| -> Vec<StaffId> {
        let quiet = due.into_iter().filter(|(_, reason, _)| *reason == QuietHours);
        quiet.map(|(person, ..)| person).collect()
    };
    let role = Whose::Role(Role::Employee);
    let backdrop = everything().wishes(role, nights());
    assert_eq!(people(let_go(&backdrop, set(role, &nights()), noon)), [OLD, NEW, UNBOUND]);
    let (from, to) = (Role::Employee, Role::Manager);
    let promoted = StaffRoleChanged { from, to, by: Actor::Staff(ADMIN), at: at() };
    assert_eq!(people(let_go(&backdrop, Fact::Staff(OLD, Box::new(promoted.into())), noon)), [OLD]);
    assert!(!changes_wishes(&batch(&[(1, None)])));
}
