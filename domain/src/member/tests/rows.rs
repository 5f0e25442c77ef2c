//! What a row, seen again, says has happened.

use super::*;

pub(super) fn key() -> SourceKey {
    SourceKey { source: "crm".into(), table: "members".into(), key: "7".into() }
}

pub(super) fn row(fields: MemberFields, deleted: bool) -> Observation {
    let fingerprint = RowFingerprint::of(&fields, deleted);
    Observation { key: key(), fields, silent: vec![], deleted, fingerprint, registered_at: Some(at(-5)) }
}

fn intake() -> Actor {
    Actor::System("intake".into())
}

fn observe(observation: Observation, seconds: i64) -> MemberCommand {
    MemberCommand::Observe { row: Box::new(observation), by: intake(), at: at(seconds) }
}

/// A member that has been through this, one step a second: rows seen, and what people did between.
struct Story {
    member: Member,
    seconds: i64,
}

impl Story {
    fn of(first: MemberFields) -> Self {
        let mut story = Self { member: Member::default(), seconds: 0 };
        assert_eq!(story.sees(first), ["MemberRegistered"]);
        story
    }

    fn does(&mut self, command: MemberCommand) -> Vec<MemberEvent> {
        let events = self.member.decide(command).unwrap();
        for event in &events {
            self.member.evolve(event);
        }
        events
    }

    fn looks(&mut self, observation: Observation) -> Vec<MemberEvent> {
        self.seconds += 1;
        self.does(observe(observation, self.seconds))
    }

    fn sees(&mut self, fields: MemberFields) -> Vec<&'static str> {
        self.looks(row(fields, false)).iter().map(crate::StoredEvent::name).collect()
    }
}

#[test]
fn a_new_row_is_a_registration_with_its_source_whatever_its_status() {
    for status in ["ACTIVE", "PENDING", "", "SLEEPING"] {
        let fields = with(fields(&[("nickname", "小王")]), &[("status", status)]);
        let seen = row(fields.clone(), false);
        let expected = MemberRegistered {
            source: MemberSource::Row(key()),
            fields: Box::new(fields),
            row: Some(seen.fingerprint.clone()),
            registered_at: Some(at(-5)),
            by: intake(),
            at: at(1),
        };
        given::<Member>(vec![]).when(observe(seen, 1)).then_expect_events(vec![expected.into()]);
    }
}

#[test]
fn a_row_that_is_deleted_before_anybody_saw_it_is_nothing() {
    given::<Member>(vec![]).when(observe(row(person(), true), 1)).then_expect_events(vec![]);
}

#[test]
fn the_same_row_seen_twice_is_one_event() {
    let mut story = Story::of(person());
    assert!(story.sees(person()).is_empty());
}

#[test]
fn a_changed_row_names_the_columns_with_old_and_new_also_where_there_was_nothing() {
    let mut story = Story::of(person());
    let events = story.looks(row(with(person(), &[("city", "杭州"), ("nickname", "")]), false));
    let [MemberEvent::Updated(updated)] = events.as_slice() else { panic!("{events:?}") };
    let expected = [change(MemberField::Nickname, "小王", ""), change(MemberField::City, "", "杭州")];
    assert_eq!(updated.changed, expected);
    assert!(updated.row.is_some());
}

#[test]
fn what_has_a_name_of_its_own_is_told_by_it_after_the_columns() {
    let pending = with(person(), &[("status", "PENDING")]);
    for (columns, expected) in [
        (vec![("status", "ACTIVE")], vec!["MemberActivated"]),
        (vec![("status", "ACTIVE"), ("city", "杭州")], vec!["MemberUpdated", "MemberActivated"]),
        (vec![("status", "REVOKED")], vec!["MemberRevoked"]),
        (vec![("status", "INACTIVE")], vec!["MemberUpdated"]),
        (vec![("status", "")], vec!["MemberUpdated"]),
        (vec![("status", "LOST")], vec!["MemberUpdated"]),
        (vec![("type", "ANNUAL"), ("remaining_matches", "6")], vec!["MemberUpgraded"]),
        (vec![("type", "ANNUAL"), ("remaining_matches", "")], vec!["MemberUpdated", "MemberUpgraded"]),
        (vec![("type", "")], vec!["MemberUpdated"]),
        (
            vec![("type", "VIP"), ("status", "ACTIVE"), ("city", "杭州")],
            vec!["MemberUpdated", "MemberUpgraded", "MemberActivated"],
        ),
    ] {
        let mut story = Story::of(pending.clone());
        let after = with(pending.clone(), &columns);
        assert_eq!(story.sees(after.clone()), expected, "{columns:?}");
        assert_eq!(story.member.fields, after, "{columns:?}");
    }
}

#[test]
fn whoever_comes_from_a_source_that_tells_no_status_takes_part() {
    let told = |silent| Observation { silent, ..row(fields(&[("nickname", "小王")]), false) };
    let mut member: Member = Member::default();
    for event in member.decide(observe(told(vec![MemberField::Status]), 1)).unwrap() {
        member.evolve(&event);
    }
    assert!(member.is_active());
    assert_eq!(member.decide(observe(told(vec![MemberField::Status]), 2)), Ok(vec![]), "the same again");
    let events = member.decide(observe(told(vec![]), 3)).unwrap();
    assert!(matches!(events.as_slice(), [MemberEvent::Updated(_)]), "a NULL is a word: {events:?}");
}

#[test]
fn a_reason_goes_with_the_revocation_it_was_given_for() {
    for status in ["INACTIVE", "SUCCESS", "ACTIVE", ""] {
        let mut story = Story::of(person());
        story.does(revoke());
        assert_eq!(story.member.revoked_because.as_deref(), Some("资料不实"));
        story.sees(with(person(), &[("status", "REVOKED"), ("city", "杭州")]));
        assert_eq!(
            story.member.revoked_because.as_deref(),
            Some("资料不实"),
            "another column is no news of it"
        );
        story.sees(with(person(), &[("status", status)]));
        assert_eq!(story.member.revoked_because, None, "{status}");
    }
}

#[test]
fn a_lower_type_is_a_correction_and_no_upgrade() {
    let mut story = Story::of(with(person(), &[("type", "ANNUAL")]));
    assert_eq!(story.sees(person()), ["MemberUpdated"]);
}

#[test]
fn an_edit_made_here_stays_until_the_source_changes_that_very_column() {
    let mut story = Story::of(person());
    let edit = MemberPatch { nickname: Some(Some("王姐".into())), ..MemberPatch::default() };
    assert_eq!(story.does(update(edit)).len(), 1);

    assert!(story.sees(person()).is_empty(), "the same row is no news");
    let moved = with(person(), &[("city", "杭州")]);
    assert_eq!(story.sees(moved.clone()), ["MemberUpdated"]);
    assert_eq!(story.member.fields.nickname.as_deref(), Some("王姐"));

    let events = story.looks(row(with(moved, &[("nickname", "小李")]), false));
    let [MemberEvent::Updated(updated)] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(updated.changed, [change(MemberField::Nickname, "王姐", "小李")]);
}

#[test]
fn what_is_true_here_already_is_no_news() {
    let mut story = Story::of(person());
    assert_eq!(story.does(upgrade(MemberKind::OneTime)).len(), 1);
    let before = story.member.clone();
    let agreed = with(person(), &[("type", "ONE_TIME")]);
    assert_eq!(story.sees(agreed.clone()), ["MemberRowSeen"]);
    assert_eq!(story.member.fields, before.fields);
    assert_eq!(story.member.updated_at, before.updated_at);
    assert_eq!(story.member.row.as_ref().map(|seen| &seen.fields), Some(&agreed));
    assert!(story.sees(agreed).is_empty());
}

/// A row that says what is known already must be remembered: its next change is one, and the staff's next edit stays.
#[test]
fn a_row_that_came_to_agree_is_remembered_as_it_is() {
    let city = |city: &str| with(person(), &[("city", city)]);
    let edit = |city: &str| MemberPatch { city: Some(Some(city.into())), ..MemberPatch::default() };

    let mut story = Story::of(city("北京"));
    story.does(update(edit("杭州")));
    assert_eq!(story.sees(city("杭州")), ["MemberRowSeen"]);
    assert_eq!(story.sees(city("北京")), ["MemberUpdated"], "a change back is a change");
    assert_eq!(story.member.fields.city.as_deref(), Some("北京"));

    let mut story = Story::of(city("北京"));
    story.does(update(edit("杭州")));
    assert_eq!(story.sees(city("杭州")), ["MemberRowSeen"]);
    story.does(update(edit("苏州")));
    assert_eq!(story.sees(with(city("杭州"), &[("nickname", "小李")])), ["MemberUpdated"]);
    assert_eq!(story.member.fields.city.as_deref(), Some("苏州"), "an edit is not undone by another column");
}

#[test]
fn a_look_may_find_both_what_is_known_and_what_is_new() {
    let mut story = Story::of(with(person(), &[("status", "PENDING")]));
    let city = MemberPatch { city: Some(Some("杭州".into())), ..MemberPatch::default() };
    story.does(update(city));
    let now = with(person(), &[("city", "杭州"), ("nickname", "小李")]);
    assert_eq!(story.sees(now.clone()), ["MemberRowSeen", "MemberUpdated", "MemberActivated"]);
    assert_eq!(story.member.fields, now);
}

#[test]
fn a_column_that_says_nothing_stays_as_it_was_and_a_null_clears() {
    let mut story = Story::of(with(person(), &[("height", "165")]));
    let blank = with(person(), &[("city", "杭州")]);
    let silent = Observation { silent: vec![MemberField::Height], ..row(blank.clone(), false) };
    let events = story.looks(silent);
    let [MemberEvent::Updated(updated)] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(updated.changed, [change(MemberField::City, "", "杭州")]);
    assert_eq!(story.member.fields.height, Some(165));

    assert_eq!(story.sees(blank), ["MemberUpdated"]);
    assert_eq!(story.member.fields.height, None);
}

#[test]
fn a_row_that_is_deleted_takes_the_member_with_it_and_brings_it_back() {
    let mut story = Story::of(person());
    let gone = story.looks(row(person(), true));
    assert!(matches!(gone.as_slice(), [MemberEvent::Deleted(_)]), "{gone:?}");
    assert!(story.looks(row(with(person(), &[("city", "杭州")]), true)).is_empty());
    assert_eq!(story.sees(person()), ["MemberRegistered"]);
    assert!(story.member.is_active());
}

#[test]
fn what_the_staff_deleted_stays_deleted_whatever_the_row_says() {
    let mut story = Story::of(person());
    assert_eq!(story.does(delete()).len(), 1);
    assert!(story.sees(with(person(), &[("city", "杭州")])).is_empty());
    assert!(!story.member.exists());
}

#[test]
fn a_member_of_another_source_is_not_this_row() {
    given::<Member>(vec![registered(person())])
        .when(observe(row(person(), false), 1))
        .then_expect_events(vec![]);
}

#[test]
fn every_look_at_a_row_means_the_same_member_and_no_other_row_does() {
    let id = crate::MemberId::of_row(&key());
    assert_eq!(id, crate::MemberId::of_row(&key()));
    for other in [
        SourceKey { source: "crm2".into(), ..key() },
        SourceKey { table: "users".into(), ..key() },
        SourceKey { key: "8".into(), ..key() },
        SourceKey { table: "member".into(), key: "s7".into(), ..key() },
    ] {
        assert_ne!(id, crate::MemberId::of_row(&other), "{other:?}");
    }
    let command = |capture| crate::CommandId::of_capture(&key(), capture);
    assert_eq!(command("1"), command("1"));
    assert_ne!(command("1"), command("2"));
}
