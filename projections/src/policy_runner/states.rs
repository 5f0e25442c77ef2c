//! The customers and members as of the events of a page: from memory where they were met lately, from the log otherwise.

use std::collections::{HashMap, HashSet};

use domain::customer::Customer;
use domain::member::Member;
use domain::{Aggregate, Sequence, StreamId};
use infrastructure::bus::Bus;
use infrastructure::db::DbError;
use infrastructure::event_log::RecordedRaw;

use application::policies::Fact;

use super::planner::{Known, read};

/// States kept between pages. When there are more, all are forgotten: a lead is mostly met twice within seconds,
/// when it is created and when it is assigned, and what is forgotten is read again.
const KEPT_MAX: usize = 10_000;

/// What the policy may have to know as an event left it.
pub(super) trait Followed: Aggregate {
    /// The change, when the event is one of its own.
    fn change(fact: &Fact) -> Option<&Self::Event>;

    /// Whether the answer to the event needs it.
    fn is_needed(fact: &Fact) -> bool;
}

impl Followed for Customer {
    fn change(fact: &Fact) -> Option<&Self::Event> {
        if let Fact::Customer(_, change) = fact { Some(change) } else { None }
    }

    fn is_needed(fact: &Fact) -> bool {
        fact.needs_customer()
    }
}

impl Followed for Member {
    fn change(fact: &Fact) -> Option<&Self::Event> {
        if let Fact::Member(_, change) = fact { Some(change) } else { None }
    }

    fn is_needed(fact: &Fact) -> bool {
        fact.needs_member()
    }
}

/// States with the sequence of the last event folded into them.
#[derive(Debug)]
pub(super) struct States<A> {
    kept: HashMap<StreamId, (A, Sequence)>,
}

impl<A> Default for States<A> {
    fn default() -> Self {
        Self { kept: HashMap::new() }
    }
}

impl<A: Followed> States<A> {
    /// The state right after event `sequence`, when it is known.
    pub(super) fn get(&self, stream: &StreamId, sequence: Sequence) -> Option<&A> {
        self.kept.get(stream).filter(|(_, folded)| *folded == sequence).map(|(state, _)| state)
    }

    /// Folds an event into a state that is right before it. Others are left: they are read when needed.
    pub(super) fn evolve(&mut self, stream: &StreamId, sequence: Sequence, event: &A::Event) {
        if let Some((state, folded)) = self.kept.get_mut(stream)
            && *folded == sequence - 1
        {
            state.evolve(event);
            *folded = sequence;
        }
    }

    /// Brings every state the policy will ask for to where it was before the page, set-wise. Gives the streams
    /// whose past cannot be read.
    pub(super) async fn load(
        &mut self,
        bus: &Bus,
        page: &[RecordedRaw],
        known: &[Known],
    ) -> Result<Vec<StreamId>, DbError> {
        if self.kept.len() > KEPT_MAX {
            self.kept.clear();
        }
        let mut wanted = Vec::new();
        for (stream, first) in firsts::<A>(page, known) {
            let folded = self.kept.get(stream).map_or(0, |(_, folded)| *folded);
            // A state beyond the page's beginning comes from a page that was not committed.
            let folded = if folded < first { folded } else { 0 };
            if folded == 0 {
                self.kept.insert(stream.clone(), (A::default(), 0));
            }
            if folded < first - 1 {
                wanted.push((stream.clone(), folded, first));
            }
        }
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let asked: Vec<_> = wanted.iter().map(|(stream, folded, _)| (stream.clone(), *folded)).collect();
        let past = bus.log().streams_many(&asked).await?;
        let mut unreadable = Vec::new();
        for (stream, _, first) in wanted {
            let events = past.get(&stream).into_iter().flatten();
            for event in events.take_while(|event| event.sequence < first) {
                let read = read(bus.upcasters(), event);
                let Some(change) = read.fact().and_then(A::change) else {
                    unreadable.push(stream.clone());
                    break;
                };
                self.evolve(&stream, event.sequence, change);
            }
        }
        Ok(unreadable)
    }
}

/// Whose state is needed, with the sequence of their first event in the page.
fn firsts<'p, A: Followed>(page: &'p [RecordedRaw], known: &[Known]) -> HashMap<&'p StreamId, Sequence> {
    let mut firsts: HashMap<&StreamId, Sequence> = HashMap::new();
    let asks = |known: &Known| known.fact().is_some_and(A::is_needed);
    let needed: HashSet<&StreamId> =
        page.iter().zip(known).filter(|(_, known)| asks(known)).map(|(event, _)| &event.stream).collect();
    for event in page.iter().filter(|event| needed.contains(&event.stream)) {
        firsts.entry(&event.stream).or_insert(event.sequence);
    }
    firsts
}
