//! Captured rows: claim, read, take note, mark as done.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use domain::member::Member;
use domain::{MemberId, Sequence, StreamId};
use futures_util::future::join_all;

use super::{AT_ONCE, Desk, Effect, Ended, GONE, Outage, Tally, failed, unreadable};
use crate::bus::{CommandBus, LoadError, Versioned};
use crate::intake::capture::{Captured, Claim, ClaimOrder, Operation};
use crate::intake::source::SourceError;
use crate::members::{ReadRow, observation_context, observe};

/// Claims up to `limit` rows and works on all of them. Nothing seen: there is nothing to do at this moment.
///
/// # Errors
///
/// The source or our own database cannot be used. Rows that were claimed and not worked on are given back, or their
/// lease ends.
pub async fn claimed<B: CommandBus>(
    desk: &Desk<'_, B>,
    owner: &str,
    limit: u32,
    order: ClaimOrder,
) -> Result<Tally, Outage> {
    let lease_seconds = desk.rules.lease_seconds;
    let half = TimeDelta::milliseconds(i64::from(lease_seconds) * 500);
    let since = desk.clock.stopwatch();
    let claims = desk.source.claim(owner, limit, lease_seconds, order).await?;
    let mut work = Work { desk, tally: Tally::default(), done: Vec::new(), out: None };
    for some in claims.chunks(AT_ONCE) {
        // A row whose lease may be over by the time it is read belongs to somebody else.
        let late = desk.clock.stopwatch() - since > half;
        if late || work.out.is_some() {
            work.give_back(some).await;
            continue;
        }
        let ended = join_all(some.iter().map(|claim| desk.work_on(&claim.row))).await;
        for (claim, ended) in some.iter().zip(ended) {
            work.end(claim, ended).await;
        }
    }
    work.finish().await
}

/// A claim that is worked on.
struct Work<'w, 'd, B> {
    desk: &'w Desk<'d, B>,
    tally: Tally,
    done: Vec<Claim>,
    out: Option<Outage>,
}

impl<B: CommandBus> Work<'_, '_, B> {
    async fn end(&mut self, claim: &Claim, ended: Ended) {
        let source = self.desk.source;
        let mut tally = ended.tally();
        let said = match ended {
            Ended::Noted { aside: None, .. } => {
                self.done.push(claim.clone());
                Ok(())
            }
            Ended::Noted { aside: Some(reason), .. } | Ended::Parked(reason) => {
                source.park(claim, &reason).await
            }
            Ended::Later(reason) => {
                if let Some(seconds) = self.wait(claim.attempt) {
                    source.release(claim, seconds, &reason).await
                } else {
                    tally = Tally { parked: 1, put_off: 0, ..tally };
                    source.park(claim, &format!("given up after {} attempts: {reason}", claim.attempt)).await
                }
            }
            Ended::Out(outage) => {
                self.out.get_or_insert(outage);
                self.give_back(std::slice::from_ref(claim)).await;
                Ok(())
            }
        };
        match said {
            Ok(()) => {}
            // Whoever has it now reads it again.
            Err(SourceError::LeaseLost(_)) => tally = Tally { lost: 1, seen: 1, ..Tally::default() },
            Err(error) => {
                self.out.get_or_insert(error.into());
            }
        }
        self.tally = self.tally.and(tally);
    }

    /// Seconds until the next attempt; `None` when no attempt is left.
    fn wait(&self, attempt: u32) -> Option<u32> {
        let rules = self.desk.rules;
        if attempt >= rules.attempts_max {
            return None;
        }
        let wait = rules.schedule.wait(i64::from(attempt), self.desk.randomness.unit())?;
        u32::try_from(wait.as_secs().max(1)).ok()
    }

    /// Lets others have rows at once that this pass does not work on, as if nobody had claimed them: an outage uses up
    /// no attempt. If that fails, their lease ends.
    async fn give_back(&self, claims: &[Claim]) {
        for claim in claims {
            let reason = self.out.as_ref().map_or_else(String::new, ToString::to_string);
            if self.desk.source.release(claim, 0, &reason).await.is_err() {
                return;
            }
        }
    }

    /// What a comparison put aside and a captured row could be read of is put aside no longer.
    async fn clear(&self) -> Result<(), Outage> {
        let read: BTreeSet<&str> = self.done.iter().map(|claim| claim.row.key.as_str()).collect();
        let read: Vec<&str> = read.into_iter().collect();
        for key in self.desk.ledger.aside(&read).await? {
            self.desk.ledger.cleared(&key).await?;
        }
        Ok(())
    }

    async fn finish(mut self) -> Result<Tally, Outage> {
        if !self.done.is_empty() {
            let finished = self.desk.source.done(&self.done).await?;
            let all = u64::try_from(self.done.len()).unwrap_or(u64::MAX);
            self.tally.lost += all.saturating_sub(finished);
            if let Err(outage) = self.clear().await {
                self.out.get_or_insert(outage);
            }
        }
        match self.out {
            Some(outage) if self.tally.noted() == 0 => Err(outage),
            // What was done counts; the next pass meets the outage again, if it still is one.
            _ => Ok(self.tally),
        }
    }
}

impl<B: CommandBus> Desk<'_, B> {
    /// Reads what a captured row is about and takes note of it as it is. The operation says what somebody did, not what is
    /// there: a row that was removed may be there again (MySQL's `REPLACE INTO`, a retry of long ago).
    async fn work_on(&self, row: &Captured) -> Ended {
        let found = match self.source.read(&row.key).await {
            Ok(found) => found,
            Err(error) => return unreadable(error),
        };
        let read = match (&found, row.operation) {
            (Some(found), _) => self.read(found),
            (None, Operation::Delete) => self.absent(&row.key),
            (None, Operation::Insert | Operation::Update) => return Ended::Parked(GONE.to_owned()),
        };
        if found.is_some() && read.observation.deleted {
            // Nobody ever heard of the member, and nobody will: somebody should know.
            match self.member(&row.key).await {
                Ok(known) if known.state.registered.is_none() => return Ended::Parked(GONE.to_owned()),
                Ok(_) => {}
                Err(error) => return failed(&error.into()),
            }
        }
        self.note(read, &row.id()).await
    }

    /// Takes note of what a row says. The same capture has one effect, however often it is noted; a row that says
    /// something else by now, as after a retry, is a look of its own.
    async fn note(&self, read: ReadRow, capture: &str) -> Ended {
        let (key, now) = (read.observation.key.clone(), read.observation.fingerprint.clone());
        let noted = self.note_once(read.clone(), capture).await;
        let Ok((ended, true)) = noted else { return noted.map_or_else(|ended| ended, |(ended, _)| ended) };
        match self.member(&key.key).await {
            Ok(known) if known.state.row.as_ref().is_some_and(|seen| seen.fingerprint == now) => ended,
            Ok(known) => self.note_look(read, known.sequence).await,
            Err(error) => failed(&error.into()),
        }
    }

    /// Takes note of a row that nobody captured. The same row after another change is another look: it may have been
    /// this way before.
    pub(super) async fn note_look(&self, read: ReadRow, after: Sequence) -> Ended {
        let capture = format!("look at {} after {after}", read.observation.fingerprint);
        self.note_once(read, &capture).await.map_or_else(|ended| ended, |(ended, _)| ended)
    }

    /// What came of it, and whether it had been noted before.
    async fn note_once(&self, read: ReadRow, capture: &str) -> Result<(Ended, bool), Ended> {
        let (aside, at) = (read.reason(), self.clock.now());
        let context = observation_context(&read.observation.key, capture, self.run.to_owned(), at);
        let executed = observe(self.bus, &context, read.observation).await.map_err(|error| failed(&error))?;
        let receipt = executed.result;
        let effect = match receipt.member.sequence {
            _ if !receipt.member.changed || executed.replayed => Effect::Nothing,
            1 => Effect::Registered,
            _ => Effect::Changed,
        };
        let contested = !receipt.contested.is_empty();
        Ok((Ended::Noted { effect, contested, aside }, executed.replayed))
    }

    pub(super) async fn member(&self, key: &str) -> Result<Versioned<Member>, LoadError> {
        self.bus.load::<Member>(&StreamId::from(MemberId::of_row(&self.key(key)))).await
    }
}
