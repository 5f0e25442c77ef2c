//! Whether a message may leave at this moment, and as what. The policy judged the quiet hours when it decided; what leaves later is
//! judged again: a standby that is called, a retry, what waited for a pause, a rest or a backlog, and what a policy that
//! catches up asks late (docs/adr/0021).
//!
//! A message that may not leave goes back to its row, with the moment and the reason; no attempt is used up, and the
//! time until the next channel speaks stands still meanwhile. When the person wished for something else while it was
//! judged, it is judged again.
//!
//! A message to the audience of members is always judged: it goes to whoever is chosen when it leaves (docs/adr/0031).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use application::bus::{CommandBus, LoadError};
use application::delivery::{Outcome, spread};
use application::member_notices::{Leaving, Waiting, audience, leaving};
use application::preferences::{HoldReason, is_critical, quiet_until};
use chrono::{DateTime, TimeDelta, Utc};
use domain::member_notices::MemberNotices;
use domain::notification::{DeliveryState, Failure, FailureClass, NotificationEvent};
use domain::staff::Staff;
use domain::{Sequence, StaffId, StreamId};

use super::attempt::Engine;
use super::commit::Trouble;
use crate::event_log::Until;
use crate::outbox::address::AddressRow;
use crate::outbox::lease::Leased;
use crate::outbox::put_off::PutOffRow;
use crate::wishes::Wishes;

/// How long the word of the policy counts. Nobody is woken by what was decided before the quiet hours began and is a few
/// seconds late, and a fresh message costs no second look.
const JUST_DECIDED: TimeDelta = TimeDelta::seconds(10);

impl Engine {
    /// The row, if it may leave now. Otherwise it is done with for now: it is put off, it ended, or it could not be judged.
    pub(super) async fn may_leave_now(&self, mut row: Leased) -> Option<Leased> {
        match self.tried(|| self.judge(&row)).await {
            Ok(Judged::Leaves) => Some(row),
            Ok(Judged::LeavesAs(body)) => {
                row.request_body = body;
                Some(row)
            }
            Ok(Judged::Stays) => None,
            Err(trouble) => {
                trouble.log(&row, "was not sent: its moment cannot be judged");
                self.release(&row).await;
                None
            }
        }
    }

    /// Judges the moment and does what follows from it. A conflict: the person wished for something else meanwhile.
    async fn judge(&self, row: &Leased) -> Result<Judged, Trouble> {
        match self.judged(row, self.now()).await? {
            Moment::Right => return Ok(Judged::Leaves),
            Moment::RightAs(body, judged_by) => {
                self.address(row, body.clone(), judged_by).await?;
                return Ok(Judged::LeavesAs(body));
            }
            Moment::Later(later) => self.put_off(row, later).await?,
            Moment::TooLate => {
                let detail = "the provider no longer recognises a repetition".to_owned();
                let failure = Failure { class: FailureClass::Uncertain, code: None, detail };
                self.conclude(row, row.attempt, Outcome::Unknown(failure)).await;
            }
            Moment::Never(why) => {
                let failure = Failure { class: FailureClass::Config, code: None, detail: why.to_owned() };
                self.conclude(row, row.attempt, Outcome::Rejected(failure)).await;
            }
        }
        Ok(Judged::Stays)
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
        let done = self.append(row, row.attempt, "put_off", at, vec![], vec![Box::new(put_off)]).await;
        unless_moved(done, &moved)?;
        tracing::info!(delivery.id = %row.delivery, "delivery {} waits: {}", row.delivery, why.as_str());
        Ok(())
    }

    /// Writes the request as it leaves, before anything leaves.
    async fn address(
        &self,
        row: &Leased,
        body: String,
        judged_by: Vec<(StreamId, Sequence)>,
    ) -> Result<(), Trouble> {
        let moved = Arc::new(AtomicBool::new(false));
        let (delivery, token) = (row.delivery, row.token);
        let address = AddressRow { delivery, token, body, judged_by, moved: Arc::clone(&moved) };
        let at = self.now();
        let done = self.append(row, row.attempt, "address", at, vec![], vec![Box::new(address)]).await;
        unless_moved(done, &moved)?;
        tracing::info!(delivery.id = %row.delivery, "delivery {} goes to whoever is chosen now", row.delivery);
        Ok(())
    }

    async fn judged(&self, row: &Leased, now: DateTime<Utc>) -> Result<Moment, LoadError> {
        let recognised = |at| row.maybe_arrived && self.contract.recognises(row.first_attempt_at, at);
        if self.may_be_blind(row) && !recognised(now) && !self.was_asked_for_again(row).await? {
            return Ok(Moment::TooLate);
        }
        if row.recipient == Some(audience()) {
            return self.to_audience(row, now).await;
        }
        let Some(person) = row.recipient.filter(|_| !was_just_decided(row, now)) else {
            return Ok(Moment::Right);
        };
        let Some(later) = self.quiet_until(row, person, now).await? else { return Ok(Moment::Right) };
        // A repetition that the provider would not recognise any more in the morning goes now: where the message
        // arrived it shows nothing new, and where it did not, it is the one that began before the night.
        let would_be_blind = recognised(now) && !recognised(later.until);
        Ok(if would_be_blind { Moment::Right } else { Moment::Later(later) })
    }

    /// Messages about members wait while they are switched off, and go to whoever is chosen when they leave.
    async fn to_audience(&self, row: &Leased, now: DateTime<Utc>) -> Result<Moment, LoadError> {
        let repeats = row.maybe_arrived && !self.was_asked_for_again(row).await?;
        let message = Waiting { body: &row.request_body, created_at: row.created_at, repeats };
        let stream = StreamId::member_notices();
        let notices = self.bus.load::<MemberNotices>(&stream).await?;
        let judged_by = vec![(stream, notices.sequence)];
        Ok(match leaving(&notices.state.text, message, now) {
            Leaving::AsItIs => Moment::Right,
            Leaving::As(body) => Moment::RightAs(body, judged_by),
            Leaving::Held { until } => {
                Moment::Later(Later { until, why: HoldReason::MemberNoticesOff, judged_by })
            }
            Leaving::Never(why) => Moment::Never(why),
        })
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

/// What came of judging a row.
enum Judged {
    /// It leaves as it is.
    Leaves,
    /// It leaves with this request, which stands in its row.
    LeavesAs(String),
    /// It does not leave now.
    Stays,
}

/// When a message may leave.
enum Moment {
    /// Now.
    Right,
    /// Now, with this request; and the streams it follows from, and where they were.
    RightAs(String, Vec<(StreamId, Sequence)>),
    /// Then.
    Later(Later),
    /// Never by itself: it may have arrived, and a repetition would be a second message.
    TooLate,
    /// Never by itself, for this reason.
    Never(&'static str),
}

/// The end of somebody's quiet hours, or the longest that a message waits for a switch.
struct Later {
    until: DateTime<Utc>,
    why: HoldReason,
    /// The streams it follows from, and where they were.
    judged_by: Vec<(StreamId, Sequence)>,
}

/// A row is not fenced by what it was judged by alone: then it is judged again.
fn unless_moved(done: Result<(), Trouble>, moved: &AtomicBool) -> Result<(), Trouble> {
    match done {
        Err(Trouble::Lost) if moved.load(Ordering::Acquire) => Err(Trouble::Conflict),
        done => done,
    }
}

/// The first attempt of the first channel, right after the policy asked for it. What was released or put off meanwhile
/// is due later than that.
fn was_just_decided(row: &Leased, now: DateTime<Utc>) -> bool {
    row.attempt == 0 && row.due_at <= row.created_at && now - row.created_at < JUST_DECIDED
}
