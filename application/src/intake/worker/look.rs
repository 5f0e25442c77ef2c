//! A row that nobody captured, or not as it is now: a page of a poll or a comparison brought it up.

use chrono::{DateTime, Utc};

use super::{Desk, Effect, Ended, Outage, Tally, failed, unreadable};
use crate::bus::{CommandBus, LoadError};
use crate::intake::row::SourceRow;
use crate::members::{ReadRow, read_moment};

/// How often a row is looked at that changes under our eyes.
const LOOKS_MAX: usize = 5;

/// What a row of a page is to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Judged {
    /// It is as it was last seen.
    Known,
    /// It is not.
    News,
    /// It is older than our time here.
    Older,
}

/// Where a row was met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Met {
    /// In a poll. `settled`: see [`Sweep::is_settled`](crate::intake::Sweep::is_settled).
    Poll { settled: bool },
    /// In a comparison.
    Comparison,
}

/// Looks at the row with this key and takes note of it, or of its absence. Its trouble is kept in the ledger.
///
/// # Errors
///
/// The source or our own database cannot be used.
pub async fn looked<B: CommandBus>(desk: &Desk<'_, B>, key: &str) -> Result<Tally, Outage> {
    desk.settled(key, desk.look(key).await).await
}

impl<B: CommandBus> Desk<'_, B> {
    /// Keeps the trouble that a row ended with in the ledger: nobody captured it, so nothing else would bring it up again.
    pub(super) async fn settled(&self, key: &str, ended: Ended) -> Result<Tally, Outage> {
        let tally = ended.tally();
        match ended {
            Ended::Noted { aside: None, .. } => Ok(tally),
            Ended::Noted { aside: Some(reason), .. } | Ended::Parked(reason) | Ended::Later(reason) => {
                self.ledger.set_aside(key, &reason).await?;
                Ok(Tally { parked: 1, put_off: 0, ..tally })
            }
            Ended::Out(outage) => Err(outage),
        }
    }

    /// What a row of a page, and what was read of it, is to us. Fails where what is known of the member cannot be read.
    pub(super) async fn judge(&self, row: &SourceRow, read: &ReadRow, met: Met) -> Result<Judged, LoadError> {
        let known = self.member(&row.key).await?.state;
        if known.row.as_ref().is_some_and(|seen| seen.fingerprint == read.observation.fingerprint) {
            return Ok(Judged::Known);
        }
        if known.registered.is_some() {
            return Ok(Judged::News);
        }
        if row.deleted {
            return Ok(Judged::Known); // nobody was told of the member, and nobody misses it
        }
        let Some(since) = self.since else { return Ok(Judged::News) };
        Ok(if is_news(row, read.observation.registered_at, since, met) {
            Judged::News
        } else {
            Judged::Older
        })
    }

    /// Reads a row and takes note of it until it stands still: nobody holds a lease on it, so another process may take
    /// note of a newer state in between, and the last word must be the source's.
    async fn look(&self, key: &str) -> Ended {
        let mut ended = Ended::Noted { effect: Effect::Nothing, contested: false, aside: None };
        let mut last = None;
        for _ in 0..LOOKS_MAX {
            let found = match self.source.read(key).await {
                Ok(found) => found,
                Err(error) => return unreadable(error),
            };
            let print = found.as_ref().map(|row| row.fingerprint.clone());
            if last.as_ref() == Some(&print) {
                break;
            }
            let known = match self.member(key).await {
                Ok(known) => known,
                Err(error) => return failed(&error.into()),
            };
            let read = found.as_ref().map_or_else(|| self.absent(key), |row| self.read(row));
            ended = after(&ended, self.note_look(read, known.sequence).await);
            if !matches!(ended, Ended::Noted { .. }) {
                return ended;
            }
            last = Some(print);
        }
        ended
    }
}

/// Whether the row of somebody who is not known is of our time. A row that does not say when its member registered goes by
/// its last change.
fn is_news(row: &SourceRow, registered: Option<DateTime<Utc>>, since: DateTime<Utc>, met: Met) -> bool {
    let changed = row.changed_at.as_deref().and_then(read_moment);
    let is_changed = changed.is_some_and(|at| at >= since);
    match registered {
        Some(at) if at >= since => true,
        // A poll is told of an activation by nothing else.
        Some(_) => is_changed && row.is_active() && met != Met::Comparison,
        None if changed.is_some() => is_changed,
        // It names no moment at all. The first sweeps meet everybody, later ones who came or changed since.
        None => met == Met::Poll { settled: true },
    }
}

/// Two looks together: what the first did is not undone by a second that did less.
fn after(first: &Ended, second: Ended) -> Ended {
    match (first, second) {
        (Ended::Noted { effect: first, .. }, Ended::Noted { effect, contested, aside }) => {
            let effect = match (first, effect) {
                (Effect::Registered, _) | (_, Effect::Registered) => Effect::Registered,
                (Effect::Changed, _) | (_, Effect::Changed) => Effect::Changed,
                (Effect::Nothing, Effect::Nothing) => Effect::Nothing,
            };
            Ended::Noted { effect, contested, aside }
        }
        (_, second) => second,
    }
}
