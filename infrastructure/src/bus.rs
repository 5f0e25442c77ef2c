//! The command bus: states from memory when they are known, from the log otherwise.
//!
//! A state in memory is only ever a prefix of its stream. On SQLite this process is the only writer, so what it
//! wrote itself is all there is and a hit needs no read. On PostgreSQL another process may have written, and a
//! refusal or a "nothing to do" decided on an old state would never meet the expected sequence that keeps writes
//! honest; so every load reads the tail behind the state in memory: one indexed probe, no fold of old events.

use std::any::Any;
use std::sync::Arc;

use application::bus::{
    AppendError, Appended, CommandBus, CountKind, Draft, LoadError, NewEvent, Receipt, StreamAppend,
    Versioned,
};
use domain::{Aggregate, CommandId, Sequence, StreamId};
use moka::sync::Cache;

use crate::db::{Db, DbError};
use crate::event_log::{Answer, Attachment, EventLog, RecordedRaw, Until};
use crate::upcasters::{ReadError, Upcasters};

/// Streams whose state is kept in memory.
const STREAMS_CACHED_MAX: u64 = 50_000;

/// Events kept unfolded behind a state; a stream that is written more often than it is loaded is dropped instead.
const TAIL_MAX: usize = 64;

/// Whether a state in memory is taken as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// Taken as it is, until an append meets a conflict. Right for the only writer.
    Cached,
    /// The tail is read on every load. Right wherever another process may write.
    Tail,
}

/// Loads aggregates and appends drafts. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Bus {
    log: EventLog,
    upcasters: Arc<Upcasters>,
    states: Cache<StreamId, Known>,
    freshness: Freshness,
}

/// What memory holds of a stream: a folded state and the events written after it. Folding waits for the next load,
/// because only that knows the aggregate's type, and many streams are never loaded again.
#[derive(Debug, Clone)]
struct Known {
    /// `Versioned<A>` up to `folded`; `None` when nothing was folded yet (`folded` is 0).
    state: Option<Arc<dyn Any + Send + Sync>>,
    folded: Sequence,
    tail: Arc<Vec<NewEvent>>,
    /// An append met somebody else's event: read the tail before trusting this again.
    stale: bool,
}

impl Known {
    fn sequence(&self) -> Sequence {
        self.folded + length(&self.tail)
    }
}

fn length(events: &[NewEvent]) -> Sequence {
    Sequence::try_from(events.len()).unwrap_or(Sequence::MAX)
}

impl Bus {
    /// A bus over this log, with the freshness its database needs.
    pub fn new(log: EventLog, upcasters: Arc<Upcasters>) -> Self {
        let freshness = match log.db() {
            Db::Sqlite(_) => Freshness::Cached,
            Db::Postgres(_) => Freshness::Tail,
        };
        Self { log, upcasters, states: Cache::new(STREAMS_CACHED_MAX), freshness }
    }

    /// The same bus with another freshness: `Cached` on PostgreSQL only when this is its only process.
    #[must_use]
    pub fn with_freshness(self, freshness: Freshness) -> Self {
        Self { freshness, ..self }
    }

    /// The log underneath.
    pub fn log(&self) -> &EventLog {
        &self.log
    }

    /// The steps through which old events are read.
    pub fn upcasters(&self) -> &Upcasters {
        &self.upcasters
    }

    /// Appends with work that must commit together with the events, keeping the states in memory in step.
    ///
    /// Runs as a task of its own: a caller that goes away while its command commits must not leave an old state
    /// behind that others trust.
    pub async fn append_with(
        &self,
        draft: Draft,
        attachments: Vec<Box<dyn Attachment>>,
    ) -> Result<Appended, AppendError> {
        let bus = self.clone();
        let appending = tokio::spawn(async move { bus.append_and_advance(draft, attachments).await });
        appending.await.unwrap_or_else(|error| Err(AppendError::Unavailable(error.to_string())))
    }

    async fn append_and_advance(
        &self,
        draft: Draft,
        attachments: Vec<Box<dyn Attachment>>,
    ) -> Result<Appended, AppendError> {
        let streams = draft.streams.clone();
        let outcome = self.log.submit(draft, attachments).await;
        match &outcome {
            Ok(Answer::Written(_)) => self.advance(streams),
            Err(AppendError::Conflict { stream, .. }) => self.distrust(stream),
            // Met: what the log holds was decided earlier, maybe on another state. Unavailable: it may hold the
            // events all the same. Either way, read it.
            Ok(Answer::Met(_)) | Err(AppendError::Unavailable(_)) => {
                for append in &streams {
                    self.distrust(&append.stream);
                }
            }
            Err(_) => {}
        }
        outcome.map(Answer::into_appended)
    }

    fn advance(&self, streams: Vec<StreamAppend>) {
        for append in streams {
            if append.events.is_empty() {
                continue;
            }
            self.states.entry(append.stream).and_compute_with(|entry| {
                use moka::ops::compute::Op;
                let known = entry.map(moka::Entry::into_value);
                match known {
                    None if append.expected == 0 => {
                        Op::Put(Known { state: None, folded: 0, tail: Arc::new(append.events), stale: false })
                    }
                    Some(known) if known.sequence() == append.expected && !known.stale => {
                        if known.tail.len() + append.events.len() > TAIL_MAX {
                            return Op::Remove;
                        }
                        let mut tail = known.tail.as_ref().clone();
                        tail.extend(append.events);
                        Op::Put(Known { tail: Arc::new(tail), ..known })
                    }
                    // Somebody loaded the new events already, or missed some before: reading settles it.
                    Some(known) if known.sequence() < append.expected => {
                        Op::Put(Known { stale: true, ..known })
                    }
                    None | Some(_) => Op::Nop,
                }
            });
        }
    }

    fn distrust(&self, stream: &StreamId) {
        self.states.entry(stream.clone()).and_compute_with(|entry| match entry {
            Some(entry) => moka::ops::compute::Op::Put(Known { stale: true, ..entry.into_value() }),
            None => moka::ops::compute::Op::Nop,
        });
    }

    /// The state in memory, folded, and whether it may be used without reading.
    fn remembered<A: Aggregate>(&self, stream: &StreamId) -> Result<(Versioned<A>, bool), LoadError> {
        let empty = || Versioned { state: A::default(), sequence: 0 };
        let Some(known) = self.states.get(stream) else { return Ok((empty(), false)) };
        let folded = known.state.as_ref().map(|state| state.downcast_ref::<Versioned<A>>());
        let mut state = match folded {
            None => empty(),
            Some(Some(state)) => state.clone(),
            // The same stream under another aggregate type: memory knows nothing about that one.
            Some(None) => return Ok((empty(), false)),
        };
        for event in known.tail.iter() {
            let decoded = self
                .upcasters
                .payload(event.event_type, event.schema_version, &event.payload)
                .map_err(|error| undecodable(stream, state.sequence + 1, &error))?;
            state.state.evolve(&decoded);
            state.sequence += 1;
        }
        if !known.tail.is_empty() {
            self.remember(stream, &state, known.stale);
        }
        Ok((state, self.freshness == Freshness::Cached && !known.stale))
    }

    /// Keeps a state unless memory already holds a later one.
    fn remember<A: Aggregate>(&self, stream: &StreamId, state: &Versioned<A>, doubted: bool) {
        if state.sequence == 0 {
            return;
        }
        self.states.entry_by_ref(stream).and_compute_with(|entry| {
            use moka::ops::compute::Op;
            if entry.is_some_and(|entry| entry.into_value().sequence() > state.sequence) {
                return Op::Nop;
            }
            let folded = state.sequence;
            let state: Arc<dyn Any + Send + Sync> = Arc::new(state.clone());
            Op::Put(Known { state: Some(state), folded, tail: Arc::new(Vec::new()), stale: doubted })
        });
    }

    fn fold<A: Aggregate>(
        &self,
        mut state: Versioned<A>,
        events: Vec<RecordedRaw>,
    ) -> Result<Versioned<A>, LoadError> {
        for event in events {
            let (stream, sequence) = (event.stream.clone(), event.sequence);
            if sequence != state.sequence + 1 {
                let reason = format!("event {} is missing", state.sequence + 1);
                return Err(LoadError::Undecodable { stream, sequence, reason });
            }
            let event =
                self.upcasters.decode(event).map_err(|error| undecodable(&stream, sequence, &error))?;
            state.state.evolve(&event.payload);
            state.sequence = sequence;
        }
        Ok(state)
    }

    /// The state of a stream at any moment, from the log alone; for replays and audits.
    pub async fn load_until<A: Aggregate>(
        &self,
        stream: &StreamId,
        until: Until,
    ) -> Result<Versioned<A>, LoadError> {
        let events = self.log.stream_until(stream, 0, until).await.map_err(unavailable)?;
        self.fold(Versioned { state: A::default(), sequence: 0 }, events)
    }
}

impl CommandBus for Bus {
    async fn load<A: Aggregate>(&self, stream: &StreamId) -> Result<Versioned<A>, LoadError> {
        let (state, fresh) = self.remembered::<A>(stream)?;
        if fresh {
            return Ok(state);
        }
        let before = state.sequence;
        let tail = self.log.stream_until(stream, before, Until::Now).await.map_err(unavailable)?;
        let state = self.fold(state, tail)?;
        self.remember(stream, &state, false);
        Ok(state)
    }

    async fn load_many<A: Aggregate>(&self, streams: &[StreamId]) -> Result<Vec<Versioned<A>>, LoadError> {
        let mut states = Vec::with_capacity(streams.len());
        let mut wanted = Vec::new();
        for stream in streams {
            let (state, fresh) = self.remembered::<A>(stream)?;
            if !fresh {
                wanted.push((stream.clone(), state.sequence));
            }
            states.push((state, fresh));
        }
        wanted.sort();
        wanted.dedup_by(|a, b| a.0 == b.0);
        let tails = self.log.streams_many(&wanted).await.map_err(unavailable)?;
        let mut loaded = Vec::with_capacity(streams.len());
        for (stream, (state, fresh)) in streams.iter().zip(states) {
            if fresh {
                loaded.push(state);
                continue;
            }
            let known = state.sequence;
            let tail = tails.get(stream).into_iter().flatten().filter(|event| event.sequence > known);
            let state = self.fold(state, tail.cloned().collect())?;
            self.remember(stream, &state, false);
            loaded.push(state);
        }
        Ok(loaded)
    }

    async fn load_at<A: Aggregate>(
        &self,
        stream: &StreamId,
        sequence: Sequence,
    ) -> Result<Versioned<A>, LoadError> {
        let (state, _) = self.remembered::<A>(stream)?;
        if state.sequence == sequence {
            return Ok(state);
        }
        self.load_until(stream, Until::Sequence(sequence)).await
    }

    async fn receipt(&self, command: CommandId) -> Result<Option<Receipt>, LoadError> {
        self.log.receipt(command).await.map_err(unavailable)
    }

    async fn count(&self, kind: CountKind, key: &str) -> Result<i64, LoadError> {
        self.log.count(kind, key).await.map_err(unavailable)
    }

    async fn counts(&self, kind: CountKind, keys: &[String]) -> Result<Vec<i64>, LoadError> {
        let known = self.log.counts(kind, keys).await.map_err(unavailable)?;
        Ok(keys.iter().map(|key| known.get(key).copied().unwrap_or_default()).collect())
    }

    async fn append(&self, draft: Draft) -> Result<Appended, AppendError> {
        self.append_with(draft, Vec::new()).await
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape map_err wants")]
fn unavailable(error: DbError) -> LoadError {
    LoadError::Unavailable(error.to_string())
}

fn undecodable(stream: &StreamId, sequence: Sequence, error: &ReadError) -> LoadError {
    LoadError::Undecodable { stream: stream.clone(), sequence, reason: error.to_string() }
}
