//! What people wish for, folded from the events up to one position: the preferences of persons and roles, and when
//! something last left for whom. And what becomes due when somebody changes a wish.

use std::collections::{BTreeMap, VecDeque};

use chrono::{DateTime, TimeDelta, Utc};
use domain::StaffId;
use domain::notification::{Channel, Decision, Priority};
use domain::preferences::{Digest, Document, Mode, PreferencesEvent, PreferencesSet, Whose};
use domain::staff::{Role, StaffEvent};

use super::{Fact, PolicyEvent, Reaction, StaffDirectory, members};
use crate::member_notices::{DIGEST_WINDOW, audience};
use crate::preferences::{HoldReason, quiet_hours, quiet_until, resolve};
use crate::texts::kinds;

/// Who said nothing.
static NOTHING_SAID: Document =
    Document { rules: Vec::new(), quiet: None, digest: None, routes: BTreeMap::new(), locale: None };

/// The preferences of every person and every role, folded from their events up to one position.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PreferenceBook {
    documents: BTreeMap<Whose, Document>,
}

/// What counts for one person: what the person said, and what the role says where the person does not.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Wishes<'p> {
    /// The person's own.
    pub own: &'p Document,
    /// Those of the person's role.
    pub role: &'p Document,
}

impl PreferenceBook {
    /// Folds one event in.
    pub fn evolve(&mut self, event: &PreferencesEvent) {
        let PreferencesEvent::Set(set) = event;
        self.documents.insert(set.whose, set.document.clone());
    }

    /// What counts for a person with this role.
    pub fn of(&self, staff: StaffId, role: Option<Role>) -> Wishes<'_> {
        let said = |whose| self.documents.get(&whose).unwrap_or(&NOTHING_SAID);
        Wishes {
            own: said(Whose::Staff(staff)),
            role: role.map_or(&NOTHING_SAID, |role| said(Whose::Role(role))),
        }
    }

    /// Whose bursts are collected: for these the policy must know what left lately.
    pub fn collect_bursts(&self) -> impl Iterator<Item = Whose> + '_ {
        let is_burst = |document: &Document| matches!(document.digest, Some(Digest::Burst { .. }));
        self.documents.iter().filter(move |(_, document)| is_burst(document)).map(|(whose, _)| *whose)
    }
}

/// When a notice of a kind last left for a person through a channel, as far as a decision said so.
///
/// A decision counts with the moment of its event, not with the moment a provider took it: both are in the record of
/// decisions and in the log, so that whoever asks again later (the reconciliation, a repair) finds the same answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Recent {
    left: BTreeMap<StaffId, Vec<Left>>,
    /// The messages about members that left lately, the earliest first.
    crowd: VecDeque<DateTime<Utc>>,
}

#[derive(Debug, Clone, PartialEq)]
struct Left {
    scene: String,
    channel: Channel,
    at: DateTime<Utc>,
}

impl Recent {
    /// Something left; of two moments the later one is kept.
    pub fn note(&mut self, recipient: StaffId, scene: &str, channel: Channel, at: DateTime<Utc>) {
        let of_person = self.left.entry(recipient).or_default();
        match of_person.iter_mut().find(|left| left.scene == scene && left.channel == channel) {
            Some(known) => known.at = known.at.max(at),
            None => of_person.push(Left { scene: scene.to_owned(), channel, at }),
        }
    }

    /// What is decided to leave because of an event of `at`.
    pub fn take_in(&mut self, reaction: &Reaction, at: DateTime<Utc>) {
        for (channel, decision) in &reaction.decisions {
            if *decision == Decision::Deliver && *channel != Channel::InApp {
                self.note(reaction.recipient, reaction.scene, *channel, at);
                if reaction.recipient == audience() {
                    self.note_member(at);
                }
            }
        }
    }

    /// A message about a member left.
    pub fn note_member(&mut self, at: DateTime<Utc>) {
        let at = self.crowd.back().map_or(at, |last| at.max(*last));
        self.crowd.push_back(at);
        while self.crowd.front().is_some_and(|first| *first + DIGEST_WINDOW <= at) {
            self.crowd.pop_front();
        }
    }

    /// Until when messages about members wait, because `most` of them left within the `window` before `at`; `None`: there
    /// is room. What waits does not count, so all of it waits for the same moment.
    pub fn crowded_until(&self, most: i64, window: TimeDelta, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let most = usize::try_from(most).ok().filter(|most| *most > 0)?;
        let first = self.crowd.iter().rev().nth(most - 1)?;
        Some(*first + window).filter(|until| *until > at)
    }

    /// When something of this kind last left.
    pub fn last(&self, recipient: StaffId, scene: &str, channel: Channel) -> Option<DateTime<Utc>> {
        let of_person = self.left.get(&recipient)?;
        let same = |left: &&Left| left.scene == scene && left.channel == channel;
        of_person.iter().find(same).map(|left| left.at)
    }
}

/// Messages held for a reason that a person's new wishes no longer give, or give for a shorter time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hasten {
    /// Whose.
    pub recipient: StaffId,
    /// What they are held for.
    pub reason: HoldReason,
    /// They are due then, if not earlier.
    pub due_at: DateTime<Utc>,
}

/// Whether somebody's wishes may be others after this.
pub fn changes_wishes(fact: &Fact) -> bool {
    match fact {
        Fact::Preferences(_) | Fact::MemberNotices(_) => true,
        Fact::Staff(_, event) => matches!(**event, StaffEvent::RoleChanged(_)),
        Fact::Customer(..)
        | Fact::Batch(..)
        | Fact::Member(..)
        | Fact::TransferRun(..)
        | Fact::RecycleRun(..)
        | Fact::Template(_)
        | Fact::Order(_) => false,
    }
}

/// What becomes due earlier with this event. `staff` and `preferences` are as the event left them.
///
/// Nothing is held for ever in any case, because every held message has its moment; but who turned digests off must
/// not wait for one, and who ended the quiet hours is awake.
pub fn hastened(event: &PolicyEvent, staff: &StaffDirectory, preferences: &PreferenceBook) -> Vec<Hasten> {
    let people: Vec<StaffId> = match &event.fact {
        Fact::Preferences(set) => match &**set {
            PreferencesEvent::Set(PreferencesSet { whose: Whose::Staff(person), .. }) => vec![*person],
            PreferencesEvent::Set(PreferencesSet { whose: Whose::Role(role), .. }) => {
                staff.with_role(*role).collect()
            }
        },
        Fact::Staff(person, event) if matches!(**event, StaffEvent::RoleChanged(_)) => vec![*person],
        Fact::MemberNotices(set) => return members::hastened(set, event.at),
        Fact::Staff(..)
        | Fact::Customer(..)
        | Fact::Member(..)
        | Fact::Batch(..)
        | Fact::TransferRun(..)
        | Fact::RecycleRun(..)
        | Fact::Template(_)
        | Fact::Order(_) => vec![],
    };
    let of_person = |person: StaffId| {
        let wishes = preferences.of(person, staff.role(person));
        let due = move |(reason, due_at)| Hasten { recipient: person, reason, due_at };
        due_by(wishes, event.at).into_iter().map(due)
    };
    people.into_iter().flat_map(of_person).collect()
}

/// The latest moment that these wishes allow for what is held for each reason; a reason that is missing may last.
fn due_by(wishes: Wishes<'_>, now: DateTime<Utc>) -> Vec<(HoldReason, DateTime<Utc>)> {
    let Wishes { own, role } = wishes;
    let awake = |at| quiet_until(own, role, at).unwrap_or(at);
    let digest = collects(wishes).then(|| own.digest.or(role.digest).unwrap_or_default());
    let zone = quiet_hours(own, role).map(|quiet| quiet.zone).unwrap_or_default();
    let daily = match digest {
        Some(daily @ Digest::Daily { .. }) => daily.until(now, zone, None).unwrap_or(now),
        Some(Digest::Burst { .. }) | None => now,
    };
    let mut due = vec![(HoldReason::QuietHours, awake(now)), (HoldReason::DigestDaily, awake(daily))];
    if !matches!(digest, Some(Digest::Burst { .. })) {
        due.push((HoldReason::DigestBurst, awake(now)));
    }
    due
}

/// Whether anything is collected at all.
fn collects(wishes: Wishes<'_>) -> bool {
    let is_collected = |scene: &str, channel| {
        resolve(wishes.own, wishes.role, scene, channel, Priority::Low).mode == Mode::Digest
    };
    kinds::ALL.iter().any(|scene| Channel::EXTERNAL.iter().any(|channel| is_collected(scene, *channel)))
}
