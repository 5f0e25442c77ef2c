//! What the log says about the run and about every lead, folded anew: nothing here is taken from what the program derived.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context as _, Result, ensure};
use domain::customer::CustomerEvent;
use domain::recycle_rule::run::{PlannedFall, RecycleRunCompleted, RecycleRunEvent};
use domain::{CustomerId, EventId, Position, RecycleRunId, StaffId, StoredEvent as _, StreamId};

use crate::crash::carried;
use crate::crash::history::{Reader, Row};

/// A run as its events tell it.
#[derive(Debug, Default)]
pub(super) struct Run {
    /// Position of each beginning; there must be one.
    pub(super) begun: Vec<Position>,
    /// Every planned fall, in order.
    pub(super) plan: Vec<PlannedFall>,
    /// Each end; there must be one.
    pub(super) ended: Vec<(EventId, RecycleRunCompleted)>,
}

/// A lead that a rule let fall.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fall {
    pub(super) run: Option<RecycleRunId>,
    pub(super) planned: PlannedFall,
    /// Position of what had happened to the lead before.
    pub(super) after: Position,
}

/// Everything that matters.
#[derive(Debug, Default)]
pub(super) struct Book {
    head: Position,
    pub(super) runs: BTreeMap<RecycleRunId, Run>,
    /// Falls, in order.
    pub(super) falls: Vec<Fall>,
    /// From whom how many leads were taken by hand.
    pub(super) taken: BTreeMap<StaffId, usize>,
    /// Whose each lead is.
    pub(super) owners: HashMap<CustomerId, Option<StaffId>>,
    last: HashMap<CustomerId, Position>,
}

impl carried::Book for Book {
    type Planned = PlannedFall;

    async fn read_on(&mut self, reader: &mut Reader) -> Result<()> {
        loop {
            let rows = reader.rows(self.head).await.context("cannot read the event log")?;
            if rows.is_empty() {
                return Ok(());
            }
            for row in rows {
                self.add(row)?;
            }
        }
    }

    fn plan(&self) -> Option<&[PlannedFall]> {
        self.runs.values().map(|run| run.plan.as_slice()).find(|plan| !plan.is_empty())
    }

    fn done(&self) -> usize {
        self.falls.len()
    }

    fn is_completed(&self) -> bool {
        !self.runs.is_empty() && self.runs.values().all(|run| !run.ended.is_empty())
    }
}

impl Book {
    /// Position of the last thing that happened to a lead.
    pub(super) fn last(&self, customer: CustomerId) -> Position {
        self.last.get(&customer).copied().unwrap_or_default()
    }

    fn add(&mut self, row: Row) -> Result<()> {
        let (position, event_id, stream, _, event_type, payload, _) = row;
        ensure!(position == self.head + 1, "position {position} follows {}", self.head);
        self.head = position;
        let stream = StreamId::parse(&stream).context("not the name of a stream")?;
        match (stream.kind(), stream.uuid()) {
            ("customer", Some(id)) => {
                self.customer(position, CustomerId(id), &CustomerEvent::decode(&event_type, &payload)?);
            }
            ("recycle_run", Some(id)) => {
                let run = self.runs.entry(RecycleRunId(id)).or_default();
                match RecycleRunEvent::decode(&event_type, &payload)? {
                    RecycleRunEvent::Started(_) => run.begun.push(position),
                    RecycleRunEvent::Planned(e) => run.plan.extend(e.falls),
                    RecycleRunEvent::Completed(e) => run.ended.push((EventId(event_id), e)),
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn customer(&mut self, position: Position, customer: CustomerId, fact: &CustomerEvent) {
        let owner = match fact {
            CustomerEvent::Assigned(e) => Some(Some(e.to)),
            CustomerEvent::Transferred(e) => Some(Some(e.to)),
            CustomerEvent::Claimed(e) => Some(Some(e.by)),
            CustomerEvent::Released(e) => {
                *self.taken.entry(e.from).or_default() += 1;
                Some(None)
            }
            CustomerEvent::Recycled(e) => {
                let planned = PlannedFall { customer, from: e.from, rule: e.rule };
                self.falls.push(Fall { run: e.run, planned, after: self.last(customer) });
                Some(None)
            }
            _ => None,
        };
        if let Some(owner) = owner {
            self.owners.insert(customer, owner);
        }
        self.last.insert(customer, position);
    }
}
