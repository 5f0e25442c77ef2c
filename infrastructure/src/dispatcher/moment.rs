//! Whether a message may leave at this moment. The policy judged the quiet hours when it decided; what leaves later is
//! judged again: a standby that is called, a retry, what waited for a pause, a rest or a backlog, and what a policy that
//! catches up asks late (docs/adr/0021).
//!
//! A message that may not leave goes back to its row, with the moment and the reason; no attempt is used up, and the
//! time until the next channel speaks stands still meanwhile. When the person wished for something else while it was
//! judged, it is judged again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use application::bus::{CommandBus, LoadError};
use application::delivery::{Outcome, spread};
use application::member_notices::{OFF_HELD_MAX, audience};
use application::preferences::{HoldReason, is_critical, quiet_until};
use chrono::{DateTime, TimeDelta, Utc};
use domain::member_notices::MemberNotices;
use domain::notification::{DeliveryState, Failure, FailureClass, NotificationEvent};
use domain::staff::Staff;
use domain::{Sequence, StaffId, StreamId};

use super::attempt::Engine;
use super::commit::Trouble;
use crate::event_log::Until;
use crate::outbox::lease::Leased;
use crate::outbox::put_off::PutOffRow;
use crate::wishes::Wishes;

/// How long the word of the policy counts. Nobody is woken by what was decided before the quiet hours began and is a few
/// seconds late, and a fresh message costs no second look.
const JUST_DECIDED: TimeDelta = TimeDelta::seconds(10);

impl Engine {
    /// Whether the row is done with for now: it is put off, it ended, or it could not be judged.
    pub(super) async fn may_not_leave_now(&self, row: &Leased) -> bool {
        match self.tried(|| self.judge(row)).await {
            Ok(done_with) => done_with,
            Err(trouble) => {
                trouble.log(row, "was not sent: its moment cannot be judged");
                self.release(row).await;
                true
            }
        }
    }

    /// Judges the moment and does what follows from it. A conflict: the person wished for something else meanwhile.
    async fn judge(&self, row: &Leased) -> Result<bool, Trouble> {
        match self.judged(row, self.now()).await? {
            Moment::Right => return Ok(false),
            Moment::Later(later) => self.put_off(row, later).await?,
            Moment::TooLate => {
                let detail = "the provider no longer recognises a repetition".to_owned();
                let failure = Failure { class: FailureClass::Uncertain, code: None, detail };
                self.conclude(row, row.attempt, Outcome::Unknown(failure)).await;
            }
            Moment::SwitchedOff => {
                let detail = "messages about members were switched off for too long".to_owned();
                let failure = Failure { class: FailureClass::Config, code: None, detail };
                self.conclude(row, row.attempt, Outcome::Rejected(failure)).await;
            }
        }
        Ok(true)
    }

    /// Gives the row back until then. What is left until the next channel speaks is left from then on.
    async fn put_off(&self, row: &Leased, Later { until, why, judged_by }: Later) -> Result<(), Trouble> {
        let at = self.now();
        let left = row.fallback_at.map(|fallback_at| (fallback_at - at).max(TimeDelta::zero()));
        let moved = Arc::new(AtomicBool::new(false));
        let put_off = PutOffRow {
            delivery: row.delivery,
            token: row.token,
            until,
            fallback_at: left.and_then(|left| until.checked_add_signed(left)),
            why: why.as_str(),
            judged_by,
            moved: Arc::clone(&moved),
        };
        match self.append(row, row.attempt, "put_off", at, vec![], vec![Box::new(put_off)]).await {
            Err(Trouble::Lost) if moved.load(Ordering::Acquire) => Err(Trouble::Conflict),
            Ok(()) => {
                tracing::info!(delivery.id = %row.delivery,
                    "delivery {} waits: {}", row.delivery, why.as_str());
                Ok(())
            }
            refused => refused,
        }
    }

    async fn judged(&self, row: &Leased, now: DateTime<Utc>) -> Result<Moment, LoadError> {
        let recognised = |at| row.maybe_arrived && self.contract.recognises(row.first_attempt_at, at);
        if self.may_be_blind(row) && !recognised(now) && !self.was_asked_for_again(row).await? {
            return Ok(Moment::TooLate);
        }
        let Some(person) = row.recipient.filter(|_| !was_just_decided(row, now)) else {
            return Ok(Moment::Right);
        };
        if person == audience() {
            return self.switched_on(row, now).await;
        }
        let Some(later) = self.quiet_until(row, person, now).await? else { return Ok(Moment::Right) };
        // A repetition that the provider would not recognise any more in the morning goes now: where the message
        // arrived it shows nothing new, and where it did not, it is the one that began before the night.
        let would_be_blind = recognised(now) && !recognised(later.until);
        Ok(if would_be_blind { Moment::Right } else { Moment::Later(later) })
    }

    /// Messages about members wait while they are switched off, and are given up when they are old. A repetition of one
    /// that may have arrived is no new message: it goes on.
    async fn switched_on(&self, row: &Leased, now: DateTime<Utc>) -> Result<Moment, LoadError> {
        let stream = StreamId::member_notices();
        let notices = self.bus.load::<MemberNotices>(&stream).await?;
        if notices.state.text.enabled || row.maybe_arrived {
            return Ok(Moment::Right);
        }
        let until = row.created_at + OFF_HELD_MAX;
        if until <= now {
            return Ok(Moment::SwitchedOff);
        }
        let (why, judged_by) = (HoldReason::MemberNoticesOff, vec![(stream, notices.sequence)]);
        Ok(Moment::Later(Later { until, why, judged_by }))
    }

    /// Whether sending it may tell somebody twice: a repetition on a channel that recognises one for a while.
    fn may_be_blind(&self, row: &Leased) -> bool {
        row.state == DeliveryState::Retry && row.maybe_arrived && self.contract.dedupe.is_some()
    }

    /// Whether somebody decided that it is sent again after the last doubt about its arrival.
    async fn was_asked_for_again(&self, row: &Leased) -> Result<bool, LoadError> {
        let mut asked = false;
        for event in self.events(row, Until::Now).await? {
            match event {
                NotificationEvent::Requeued(e) if e.delivery == row.delivery => asked = true,
                NotificationEvent::Uncertain(e) if e.delivery == row.delivery => asked = false,
                NotificationEvent::RetryScheduled(e)
                    if e.delivery == row.delivery && e.failure.class == FailureClass::Uncertain =>
                {
                    asked = false;
                }
                _ => {}
            }
        }
        Ok(asked)
    }

    /// When the person may be disturbed, if not now; the same moment for everything that waits for it.
    async fn quiet_until(
        &self,
        row: &Leased,
        person: StaffId,
        now: DateTime<Utc>,
    ) -> Result<Option<Later>, LoadError> {
        let account = StreamId::from(person);
        let staff = self.bus.load::<Staff>(&account).await?;
        let wishes = Wishes::of(&self.bus, person, &staff.state).await?;
        let Some(until) = quiet_until(&wishes.own, &wishes.role, now) else { return Ok(None) };
        let request = self.events(row, Until::Sequence(1)).await?.into_iter().next();
        let may_pass =
            matches!(request, Some(NotificationEvent::Requested(request)) if is_critical(&request.scene));
        // Whoever is awake for less time than it is moved back by would never hear of it.
        let moved = spread(until, person);
        let is_quiet_again = quiet_until(&wishes.own, &wishes.role, moved).is_some();
        let until = if is_quiet_again { until } else { moved };
        // Another role has other wishes.
        let judged_by = [wishes.read_from, vec![(account, staff.sequence)]].concat();
        let why = HoldReason::QuietHours;
        Ok((!may_pass).then_some(Later { until, why, judged_by }))
    }

    async fn events(&self, row: &Leased, until: Until) -> Result<Vec<NotificationEvent>, LoadError> {
        let stream = StreamId::from(row.notification);
        let events = self.bus.log().stream_until(&stream, 0, until).await;
        let events = events.map_err(|error| LoadError::Unavailable(error.to_string()))?;
        let read = |event: crate::event_log::RecordedRaw| {
            let sequence = event.sequence;
            self.bus.upcasters().decode::<NotificationEvent>(event).map(|event| event.payload).map_err(
                |error| LoadError::Undecodable {
                    stream: stream.clone(),
                    sequence,
                    reason: error.to_string(),
                },
            )
        };
        events.into_iter().map(read).collect()
    }
}

/// When a message may leave.
enum Moment {
    /// Now.
    Right,
    /// Then.
    Later(Later),
    /// Never by itself: it may have arrived, and a repetition would be a second message.
    TooLate,
    /// Never by itself: messages about members have been switched off for too long.
    SwitchedOff,
}

/// The end of somebody's quiet hours, or the longest that a message waits for a switch.
struct Later {
    until: DateTime<Utc>,
    why: HoldReason,
    /// The streams it follows from, and where they were.
    judged_by: Vec<(StreamId, Sequence)>,
}

/// The first attempt of the first channel, right after the policy asked for it. What was released or put off meanwhile
/// is due later than that.
fn was_just_decided(row: &Leased, now: DateTime<Utc>) -> bool {
    row.attempt == 0 && row.due_at <= row.created_at && now - row.created_at < JUST_DECIDED
}
