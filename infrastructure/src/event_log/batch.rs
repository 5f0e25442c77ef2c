//! Who goes into the next batch, and what the log's present state says to each of them. Pure.

use std::collections::{HashMap, HashSet, VecDeque};

use application::bus::{AppendError, EVENTS_PER_COMMAND_MAX, GuardChange, GuardKind, Receipt};
use domain::{CommandId, EventId, Position, Sequence, StreamId};

use super::counts::{CountKey, Counts};
use super::prepare::{DRAFT_BYTES_MAX, Request, unique_key};

/// Most commands in one transaction: enough to share the price of a commit, few enough to keep it short.
pub(super) const BATCH_REQUESTS_MAX: usize = 512;
/// Most events in one transaction; at least one command's worth.
const BATCH_EVENTS_MAX: usize = 2 * EVENTS_PER_COMMAND_MAX;
/// Most bytes in one transaction; at least one command's worth.
const BATCH_BYTES_MAX: usize = DRAFT_BYTES_MAX;

/// What a command touches. Two commands that share one go into different batches, in the order they came.
#[derive(PartialEq, Eq, Hash)]
enum Touched<'r> {
    Stream(&'r StreamId),
    Command(CommandId),
    Guard(GuardKind, &'r str),
}

fn touched(request: &Request) -> impl Iterator<Item = Touched<'_>> {
    let streams = request.streams.iter().map(|expected| Touched::Stream(&expected.stream));
    let guards = request.guards.iter().filter_map(unique_key).map(|(kind, key)| Touched::Guard(kind, key));
    streams.chain(guards).chain([Touched::Command(request.command())])
}

/// Takes the next batch out of `waiting`. The first one always goes, so nobody waits for ever.
pub(super) fn form(waiting: &mut VecDeque<Request>) -> Vec<Request> {
    let chosen = choose(waiting);
    let mut batch = Vec::with_capacity(chosen.iter().filter(|goes| **goes).count());
    let mut rest = VecDeque::with_capacity(waiting.len());
    for (request, goes) in waiting.drain(..).zip(chosen) {
        if goes {
            batch.push(request);
        } else {
            rest.push_back(request);
        }
    }
    *waiting = rest;
    batch
}

fn choose(waiting: &VecDeque<Request>) -> Vec<bool> {
    let mut seen = HashSet::new();
    let (mut requests, mut events, mut bytes) = (0, 0, 0);
    let mut full = false;
    waiting
        .iter()
        .map(|request| {
            let mut free = true;
            for thing in touched(request) {
                // A command that waits keeps its place: later ones that share something with it wait behind it. A
                // thing named twice by the same command is no clash, but then `insert` says so; hence the second set.
                free &= !seen.contains(&thing);
            }
            seen.extend(touched(request));
            full |= requests > 0
                && (requests == BATCH_REQUESTS_MAX
                    || events + request.events.len() > BATCH_EVENTS_MAX
                    || bytes + request.bytes > BATCH_BYTES_MAX);
            let goes = free && !full;
            if goes {
                requests += 1;
                events += request.events.len();
                bytes += request.bytes;
            }
            goes
        })
        .collect()
}

/// The part of the log's state that a batch depends on, read under the append lock.
#[derive(Debug, Default)]
pub(super) struct Present {
    pub(super) head: Position,
    pub(super) sequences: HashMap<String, Sequence>,
    pub(super) receipts: HashMap<CommandId, Receipt>,
    /// Positions of those commands' first events that are in the log already.
    pub(super) first_events: HashMap<EventId, Position>,
    pub(super) holders: HashMap<(String, String), StreamId>,
    /// As the commands accepted so far leave them.
    pub(super) counts: Counts,
}

/// What becomes of one command.
#[derive(Debug, PartialEq)]
pub(super) enum Judgement {
    /// It may be written, with these changes to the unique values.
    Write(GuardWrites),
    /// A keyed command that was here before.
    Replay(Receipt),
    /// A command of the system whose first event stands at this position already.
    Repeated(Position),
    /// No.
    Refuse(AppendError),
}

/// The net change of one command to the unique values, and the counts after it.
#[derive(Debug, Default, PartialEq)]
pub(super) struct GuardWrites {
    pub(super) held: Vec<(GuardKind, String, StreamId)>,
    pub(super) freed: Vec<(GuardKind, String)>,
    pub(super) counts: Vec<(CountKey, i64)>,
}

/// Judges one command. Replays come first: the first answer stands whatever happened since.
pub(super) fn judge(request: &Request, present: &Present) -> Judgement {
    if let Some(decided) = replay(request, present) {
        return decided;
    }
    if let Err(refusal) = check_sequences(request, present) {
        return Judgement::Refuse(refusal);
    }
    match guard_writes(request, present) {
        Ok(writes) => Judgement::Write(writes),
        Err(refusal) => Judgement::Refuse(refusal),
    }
}

fn replay(request: &Request, present: &Present) -> Option<Judgement> {
    if let Some(receipt) = &request.receipt
        && let Some(first) = present.receipts.get(&request.command())
    {
        let same = first.fingerprint == receipt.fingerprint;
        return Some(if same {
            Judgement::Replay(first.clone())
        } else {
            Judgement::Refuse(AppendError::KeyReused)
        });
    }
    let position = *present.first_events.get(&request.events.first()?.id)?;
    Some(match request.receipt {
        None => Judgement::Repeated(position),
        // The id was used by a command that left no receipt: whatever that was, it was not this request.
        Some(_) => Judgement::Refuse(AppendError::KeyReused),
    })
}

fn check_sequences(request: &Request, present: &Present) -> Result<(), AppendError> {
    let mut moved: HashMap<&StreamId, Sequence> = HashMap::new();
    for expected in &request.streams {
        let stored = || present.sequences.get(expected.stream.as_str()).copied().unwrap_or(0);
        let actual = moved.get(&expected.stream).copied().unwrap_or_else(stored);
        if actual != expected.sequence {
            return Err(AppendError::Conflict {
                stream: expected.stream.clone(),
                expected: expected.sequence,
                actual,
            });
        }
        let added = Sequence::try_from(expected.events).unwrap_or(Sequence::MAX);
        moved.insert(&expected.stream, actual.saturating_add(added));
    }
    Ok(())
}

fn guard_writes(request: &Request, present: &Present) -> Result<GuardWrites, AppendError> {
    let mut now: HashMap<(GuardKind, &str), Option<&StreamId>> = HashMap::new();
    let mut order = Vec::new();
    let stored =
        |kind: GuardKind, key: &str| present.holders.get(&(kind.as_str().to_owned(), key.to_owned()));
    for change in &request.guards {
        let Some((kind, key)) = unique_key(change) else { continue };
        let holder = now.entry((kind, key)).or_insert_with(|| {
            order.push((kind, key));
            stored(kind, key)
        });
        match change {
            GuardChange::Claim { holder: claimant, .. } => match holder {
                Some(other) if *other != claimant => {
                    return Err(AppendError::Taken { kind, holder: other.clone() });
                }
                _ => *holder = Some(claimant),
            },
            GuardChange::Release { holder: releaser, .. } => {
                if *holder == Some(releaser) {
                    *holder = None;
                }
            }
            GuardChange::Count { .. } | GuardChange::Pace { .. } => {}
        }
    }
    let counts = present.counts.judge(&request.guards)?;
    let mut writes = GuardWrites { counts, ..GuardWrites::default() };
    for (kind, key) in order {
        let before = stored(kind, key);
        let after = now.get(&(kind, key)).copied().flatten();
        match after {
            Some(holder) if before != Some(holder) => {
                writes.held.push((kind, key.to_owned(), holder.clone()));
            }
            None if before.is_some() => writes.freed.push((kind, key.to_owned())),
            _ => {}
        }
    }
    Ok(writes)
}
