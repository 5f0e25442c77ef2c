//! The customers as of the events of a page: from memory where they were met lately, from the log otherwise.

use std::collections::{HashMap, HashSet};

use domain::customer::{Customer, CustomerEvent};
use domain::{Aggregate, Sequence, StreamId};
use infrastructure::bus::Bus;
use infrastructure::db::DbError;
use infrastructure::event_log::RecordedRaw;

use application::policies::Fact;

use super::planner::{Known, read};

/// Customers kept between pages. When there are more, all are forgotten: a lead is mostly met twice within seconds,
/// when it is created and when it is assigned, and what is forgotten is read again.
const KEPT_MAX: usize = 10_000;

/// Customers with the sequence of the last event folded into them.
#[derive(Debug, Default)]
pub(super) struct States {
    kept: HashMap<StreamId, (Customer, Sequence)>,
}

impl States {
    /// The state right after event `sequence`, when it is known.
    pub(super) fn get(&self, stream: &StreamId, sequence: Sequence) -> Option<&Customer> {
        self.kept.get(stream).filter(|(_, folded)| *folded == sequence).map(|(customer, _)| customer)
    }

    /// Folds an event into a state that is right before it. Others are left: they are read when needed.
    pub(super) fn evolve(&mut self, stream: &StreamId, sequence: Sequence, event: &CustomerEvent) {
        if let Some((customer, folded)) = self.kept.get_mut(stream)
            && *folded == sequence - 1
        {
            customer.evolve(event);
            *folded = sequence;
        }
    }

    /// Brings every customer the policy will ask for to where it was before the page, set-wise. Gives the streams
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
        for (stream, first) in firsts(page, known) {
            let folded = self.kept.get(stream).map_or(0, |(_, folded)| *folded);
            // A state beyond the page's beginning comes from a page that was not committed.
            let folded = if folded < first { folded } else { 0 };
            if folded == 0 {
                self.kept.insert(stream.clone(), (Customer::default(), 0));
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
                let Known::Fact(Fact::Customer(_, change)) = read(bus.upcasters(), event) else {
                    unreadable.push(stream.clone());
                    break;
                };
                self.evolve(&stream, event.sequence, &change);
            }
        }
        Ok(unreadable)
    }
}

/// The customers whose state is needed, with the sequence of their first event in the page.
fn firsts<'p>(page: &'p [RecordedRaw], known: &[Known]) -> HashMap<&'p StreamId, Sequence> {
    let mut firsts: HashMap<&StreamId, Sequence> = HashMap::new();
    let asks = |known: &Known| matches!(known, Known::Fact(fact) if fact.needs_customer());
    let needed: HashSet<&StreamId> =
        page.iter().zip(known).filter(|(_, known)| asks(known)).map(|(event, _)| &event.stream).collect();
    for event in page.iter().filter(|event| needed.contains(&event.stream)) {
        firsts.entry(&event.stream).or_insert(event.sequence);
    }
    firsts
}
