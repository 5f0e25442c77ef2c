//! Answers that commit together: how many fit into one append, and what they put into the log and the outbox.

use std::collections::HashSet;
use std::iter::Sum;
use std::ops::Add;
use std::time::Duration;

use application::delivery::spread;
use application::policies::{Hasten, Outgoing, POLICY, Wait};
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use domain::{CommandId, Position, StreamId};
use infrastructure::db::{DbError, Tx};
use infrastructure::event_log::{Attachment, RecordedRaw, Verdict};
use infrastructure::outbox::haste::HastenRows;
use infrastructure::outbox::{NewWork, STANDBY, recipient_key};

use super::decisions::{self, NewDecision};
use super::parked::NewParked;
use super::planner::{Answer, NewNotice, Told};
use super::recall::{Lost, Recall};

/// Most notices of one append. Each brings its event, a decision for every channel and rows of work, all written under the
/// lock that every command waits for: about half a millisecond of it on SQLite.
const NOTICES_MAX: usize = 32;

/// Most bytes of one append, below the log's own limit of 8 MiB a command.
const BYTES_MAX: usize = 4 * 1024 * 1024;

/// Most decisions of answers that tell nobody in one append, roughly: what is among them to be told is written under the
/// lock that every other command waits for, and each lead that a rule moves brings a dozen decisions and no notice.
const QUIET_DECISIONS_MAX: usize = 600;

/// From here on an answer is late: what held when its event happened may not hold any more.
const LATE: TimeDelta = TimeDelta::seconds(10);

/// Answers that commit together.
#[derive(Debug)]
pub(super) struct Chunk {
    /// The checkpoint once it is committed.
    pub(super) to: Position,
    pub(super) notices: Vec<NewNotice>,
    pub(super) decisions: Vec<NewDecision>,
    pub(super) parked: Vec<NewParked>,
    pub(super) lost: Vec<Lost>,
    /// What becomes due earlier, with the position of the event that says so.
    hastened: Vec<(Position, Hasten)>,
}

impl Chunk {
    /// Cuts a page's answers so that each part fits into one append. The last part reaches `to`; there is always one.
    pub(super) fn cut(answers: Vec<Answer>, to: Position) -> Vec<Self> {
        let mut chunks = vec![Self::empty()];
        let (mut filled, mut quiet) = <(Size, usize)>::default();
        for (answer, reached) in answers.into_iter().flat_map(parts) {
            let more = answer.outcome.iter().flatten().map(Size::of).sum();
            if !filled.has_room_for(more) || quiet >= QUIET_DECISIONS_MAX {
                chunks.push(Self::empty());
                (filled, quiet) = <_>::default();
            }
            filled = filled + more;
            if more.notices == 0 {
                quiet += decisions::of(&answer).count();
            }
            if let Some(chunk) = chunks.last_mut() {
                chunk.add(answer, reached);
            }
        }
        if let Some(last) = chunks.last_mut() {
            last.to = to;
        }
        chunks
    }

    /// What is missing of answers that were given before: their notices without the `known` ones, and their decisions.
    /// What is held now waits for the wishes of now, and what was parked stays so.
    pub(super) fn missing(answers: Vec<Answer>, to: Position, known: &HashSet<StreamId>) -> Vec<Self> {
        let mut chunks = Self::cut(answers, to);
        for chunk in &mut chunks {
            chunk.drop_notices(known);
            chunk.hastened.clear();
            chunk.parked.clear();
        }
        chunks
    }

    fn empty() -> Self {
        let (notices, decisions, parked) = (Vec::new(), Vec::new(), Vec::new());
        Self { to: 0, notices, decisions, parked, lost: Vec::new(), hastened: Vec::new() }
    }

    fn add(&mut self, answer: Answer, reached: Position) {
        self.to = reached;
        self.decisions.extend(decisions::of(&answer));
        self.parked.extend(NewParked::of(&answer));
        self.lost.extend(answer.lost);
        self.hastened.extend(answer.hastened.into_iter().map(|hasten| (answer.position, hasten)));
        self.notices.extend(answer.outcome.into_iter().flatten().filter_map(|told| told.notice));
    }

    /// The same notices and cancellations give the same command, so that a repetition meets its own events; others
    /// give another one.
    pub(super) fn command(&self, recall: &Recall) -> CommandId {
        let notices = self.notices.iter().map(|notice| notice.id.to_string());
        let cancelled = recall.deliveries().map(|delivery| format!("-{delivery}"));
        let ids: Vec<String> = notices.chain(cancelled).collect();
        CommandId::from_key(POLICY, &ids.join(","))
    }

    pub(super) fn work(&self, at: DateTime<Utc>, fallback_after: Duration) -> Vec<NewWork> {
        let of_notice = |notice: &NewNotice| {
            notice.outgoing.iter().map(|sent| work(notice, sent, at, fallback_after)).collect::<Vec<_>>()
        };
        self.notices.iter().flat_map(of_notice).collect()
    }

    pub(super) fn haste(&self, at: DateTime<Utc>) -> Haste {
        let haste = |(position, hasten): &(Position, Hasten)| {
            let (recipient, due_at) = (hasten.recipient, hasten.due_at);
            let due_at = if due_at > at { spread(due_at, recipient) } else { due_at };
            let reasons = vec![hasten.reason.as_str().to_owned()];
            (*position, HastenRows { recipient, reasons, at: due_at })
        };
        Haste(self.hastened.iter().map(haste).collect())
    }

    pub(super) fn settled(&mut self) {
        self.notices.clear();
        self.lost.clear();
    }

    pub(super) fn drop_notices(&mut self, known: &HashSet<StreamId>) {
        self.notices.retain(|notice| !known.contains(&notice.append.stream));
    }
}

/// The row of a message, as it is right after the request of its notice. What a policy that catches up asks for is as
/// old as its event, so that the dispatcher judges the quiet hours of today.
pub(super) fn work(
    notice: &NewNotice,
    sent: &Outgoing,
    at: DateTime<Utc>,
    fallback_after: Duration,
) -> NewWork {
    let (held_for, due_at) = match &sent.held {
        None => (None, at),
        Some(Wait::Standby) => (Some(STANDBY.to_owned()), at),
        // One moment for all that the person waits for, so that it can be told as one.
        Some(Wait::Until { reason, until }) => (Some(reason.clone()), spread(*until, notice.recipient)),
    };
    let credits = |template: &String| StreamId::subscription(&sent.app, &sent.receiver, template);
    NewWork {
        delivery: sent.delivery,
        notification: notice.id,
        channel: sent.channel,
        app: sent.app.clone(),
        recipient: notice.recipient,
        recipient_key: recipient_key(&sent.app, &sent.receiver),
        ledger: sent.template.as_ref().map(credits),
        request_body: sent.body.clone(),
        due_at,
        created_at: if at - notice.happened_at < LATE { at } else { notice.happened_at },
        gained: notice.gained,
        held_for,
        subject: notice.subject,
        fallback: sent.fallback.then_some(fallback_after),
    }
}

/// How much of an append something takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Size {
    notices: usize,
    bytes: usize,
}

impl Size {
    fn of(told: &Told) -> Self {
        let Some(notice) = &told.notice else { return Self::default() };
        let bytes = notice.append.events.iter().map(|event| event.payload.get().len()).sum();
        Self { notices: 1, bytes }
    }

    /// An append takes one notice in any case.
    fn has_room_for(self, more: Self) -> bool {
        let both = self + more;
        self.notices == 0 || (both.notices <= NOTICES_MAX && both.bytes <= BYTES_MAX)
    }
}

impl Add for Size {
    type Output = Self;

    fn add(self, more: Self) -> Self {
        Self { notices: self.notices + more.notices, bytes: self.bytes + more.bytes }
    }
}

impl Sum for Size {
    fn sum<I: Iterator<Item = Self>>(sizes: I) -> Self {
        sizes.fold(Self::default(), Add::add)
    }
}

/// An answer that tells more people than one append takes, in several, each with the position that is reached with it.
/// The event is answered with the last of them, which has whatever belongs to the event itself; if the process dies
/// before that, the whole answer is given again, and what was told is met.
fn parts(answer: Answer) -> Vec<(Answer, Position)> {
    let position = answer.position;
    let Ok(told) = answer.outcome else { return vec![(answer, position)] };
    let (mut parts, mut part, mut filled) = (Vec::new(), Vec::new(), Size::default());
    for told in told {
        let more = Size::of(&told);
        if !filled.has_room_for(more) {
            parts.push(std::mem::take(&mut part));
            filled = Size::default();
        }
        filled = filled + more;
        part.push(told);
    }
    let before = |told| Answer {
        event: answer.event,
        position,
        stream: answer.stream.clone(),
        event_type: answer.event_type.clone(),
        outcome: Ok(told),
        lost: None,
        hastened: Vec::new(),
    };
    let mut parts: Vec<_> = parts.into_iter().map(|told| (before(told), position - 1)).collect();
    parts.push((Answer { outcome: Ok(part), ..answer }, position));
    parts
}

/// What becomes due earlier. Goes behind the decisions and the insertion of the chunk's own rows: it concerns what was
/// decided before somebody wished for something else, and only that.
pub(super) struct Haste(Vec<(Position, HastenRows)>);

#[async_trait]
impl Attachment for Haste {
    async fn fence(&mut self, _: &mut Tx<'_>) -> Result<Verdict, DbError> {
        Ok(Verdict::Apply)
    }

    async fn write(&mut self, tx: &mut Tx<'_>, _: &[RecordedRaw]) -> Result<(), DbError> {
        for (position, rows) in &self.0 {
            rows.hasten_before(tx, Some(*position)).await?;
        }
        Ok(())
    }
}
