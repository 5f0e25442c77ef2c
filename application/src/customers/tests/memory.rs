//! A command bus in memory, as strict as the real one: versions, unique values, counts, paces and receipts are
//! judged before anything is written. What somebody else does between a decision and its append can be said.

use std::collections::{BTreeMap, VecDeque};
use std::pin::pin;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};

use chrono::{DateTime, Utc};
use domain::{Aggregate, CommandId, Position, Sequence, StoredEvent, StreamId};

use crate::bus::{
    AppendError, Appended, CommandBus, CountKind, Draft, GuardChange, GuardKind, LoadError, NewEvent,
    Receipt, Versioned,
};

type Meanwhile = Box<dyn FnOnce(&Memory) + Send>;

#[derive(Default)]
pub(crate) struct Memory {
    log: Mutex<Log>,
    meanwhile: Mutex<VecDeque<Meanwhile>>,
}

#[derive(Default, Clone)]
struct Log {
    streams: BTreeMap<StreamId, Vec<NewEvent>>,
    values: BTreeMap<(GuardKind, String), StreamId>,
    counts: BTreeMap<(CountKind, String), i64>,
    paces: BTreeMap<String, DateTime<Utc>>,
    receipts: BTreeMap<CommandId, Receipt>,
    position: Position,
}

/// What a future of this bus comes to; in memory everything is ready at once.
pub(crate) fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("nothing in memory is worth waiting for"),
    }
}

impl Memory {
    /// Lets this happen after the next decision and before its append.
    pub(crate) fn meanwhile(&self, happens: impl FnOnce(&Memory) + Send + 'static) {
        self.meanwhile.lock().unwrap().push_back(Box::new(happens));
    }

    /// Names of the events of a stream.
    pub(crate) fn events(&self, stream: impl Into<StreamId>) -> Vec<&'static str> {
        let log = self.log.lock().unwrap();
        log.streams.get(&stream.into()).into_iter().flatten().map(|event| event.event_type).collect()
    }

    /// The last event of a stream.
    pub(crate) fn last<E: StoredEvent>(&self, stream: impl Into<StreamId>) -> E {
        let log = self.log.lock().unwrap();
        let event = log.streams[&stream.into()].last().unwrap();
        E::decode(event.event_type, event.payload.get()).unwrap()
    }

    /// Position of the last event.
    pub(crate) fn head(&self) -> Position {
        self.log.lock().unwrap().position
    }

    /// Who holds a unique value.
    pub(crate) fn holder(&self, kind: GuardKind, key: &str) -> Option<StreamId> {
        self.log.lock().unwrap().values.get(&(kind, key.to_owned())).cloned()
    }

    /// Writes the last event of a stream once more, as a program to come would: nobody can read it.
    pub(crate) fn garble(&self, stream: impl Into<StreamId>) {
        let mut log = self.log.lock().unwrap();
        let events = log.streams.get_mut(&stream.into()).unwrap();
        let last = events.last().unwrap();
        events.push(NewEvent { schema_version: last.schema_version + 1, ..last.clone() });
    }

    fn fold<A: Aggregate>(&self, stream: &StreamId, until: usize) -> Result<Versioned<A>, LoadError> {
        let log = self.log.lock().unwrap();
        let events = log.streams.get(stream).map(Vec::as_slice).unwrap_or_default();
        let events = &events[..until.min(events.len())];
        let mut state = A::default();
        for (sequence, event) in (1..).zip(events) {
            let decoded = A::Event::decode(event.event_type, event.payload.get()).unwrap();
            if event.schema_version > decoded.schema_version() {
                let reason = "a newer program wrote it".to_owned();
                return Err(LoadError::Undecodable { stream: stream.clone(), sequence, reason });
            }
            state.evolve(&decoded);
        }
        Ok(Versioned { state, sequence: events.len().try_into().unwrap() })
    }
}

impl Log {
    fn append(&self, draft: Draft) -> Result<(Self, Appended), AppendError> {
        let command = draft.metadata.command;
        if let Some((fingerprint, _)) = &draft.receipt
            && let Some(first) = self.receipts.get(&command)
        {
            let same = first.fingerprint == *fingerprint;
            let replayed = Appended::Replayed(first.clone());
            return if same { Ok((self.clone(), replayed)) } else { Err(AppendError::KeyReused) };
        }
        let mut next = self.clone();
        for append in draft.streams {
            let events = next.streams.entry(append.stream.clone()).or_default();
            let actual = events.len().try_into().unwrap();
            if actual != append.expected {
                let (stream, expected) = (append.stream, append.expected);
                return Err(AppendError::Conflict { stream, expected, actual });
            }
            next.position += Position::try_from(append.events.len()).unwrap();
            events.extend(append.events);
        }
        for guard in draft.guards {
            next.change(guard)?;
        }
        if let Some((fingerprint, result)) = draft.receipt {
            next.receipts.insert(command, Receipt { command, fingerprint, position: next.position, result });
        }
        let last = next.position;
        Ok((next, Appended::Committed { last }))
    }

    fn change(&mut self, guard: GuardChange) -> Result<(), AppendError> {
        match guard {
            GuardChange::Claim { kind, key, holder } => {
                let present = self.values.entry((kind, key)).or_insert(holder.clone());
                if *present != holder {
                    return Err(AppendError::Taken { kind, holder: present.clone() });
                }
            }
            GuardChange::Release { kind, key, holder } => {
                self.values.retain(|value, present| *value != (kind, key.clone()) || *present != holder);
            }
            GuardChange::Count { kind, key, by, max } => {
                let count = self.counts.entry((kind, key.clone())).or_default();
                if let Some(max) = max.filter(|max| by > 0 && *count + by > *max) {
                    return Err(AppendError::LimitReached { kind, key, max, current: *count });
                }
                *count += by;
            }
            GuardChange::Pace { key, at, gap } => {
                let last = self.paces.insert(key, at);
                let until = last.zip(gap).map(|(last, gap)| last + gap);
                if let Some(until) = until.filter(|until| at < *until) {
                    return Err(AppendError::TooSoon { until });
                }
            }
        }
        Ok(())
    }
}

impl CommandBus for Memory {
    async fn load<A: Aggregate>(&self, stream: &StreamId) -> Result<Versioned<A>, LoadError> {
        self.fold(stream, usize::MAX)
    }

    async fn load_many<A: Aggregate>(&self, streams: &[StreamId]) -> Result<Vec<Versioned<A>>, LoadError> {
        streams.iter().map(|stream| self.fold(stream, usize::MAX)).collect()
    }

    async fn load_at<A: Aggregate>(
        &self,
        stream: &StreamId,
        sequence: Sequence,
    ) -> Result<Versioned<A>, LoadError> {
        self.fold(stream, sequence.try_into().unwrap())
    }

    async fn receipt(&self, command: CommandId) -> Result<Option<Receipt>, LoadError> {
        Ok(self.log.lock().unwrap().receipts.get(&command).cloned())
    }

    async fn count(&self, kind: CountKind, key: &str) -> Result<i64, LoadError> {
        Ok(self.log.lock().unwrap().counts.get(&(kind, key.to_owned())).copied().unwrap_or_default())
    }

    async fn append(&self, draft: Draft) -> Result<Appended, AppendError> {
        let meanwhile = self.meanwhile.lock().unwrap().pop_front();
        if let Some(happens) = meanwhile {
            happens(self);
        }
        let mut log = self.log.lock().unwrap();
        let (next, appended) = log.append(draft)?;
        *log = next;
        Ok(appended)
    }
}
