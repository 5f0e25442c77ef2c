//! What the log says about the run and about every lead, folded anew: nothing here is taken from what the program derived.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context as _, Result, ensure};
use domain::customer::{AssignmentSource, CustomerEvent, RuleRun};
use domain::transfer_rule::run::{PlannedMove, TransferRunCompleted, TransferRunEvent, TransferRunStarted};
use domain::{CustomerId, EventId, Position, StaffId, StoredEvent as _, StreamId, TransferRunId};

use crate::crash::carried;
use crate::crash::history::{Reader, Row};

/// A run as its events tell it.
#[derive(Debug, Default)]
pub(super) struct Run {
    /// Each beginning; there must be one.
    pub(super) begun: Vec<(Position, TransferRunStarted)>,
    /// Every planned move, in order.
    pub(super) plan: Vec<PlannedMove>,
    /// Each end; there must be one.
    pub(super) ended: Vec<(EventId, TransferRunCompleted)>,
}

/// A lead that a rule moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Move {
    pub(super) position: Position,
    pub(super) by: RuleRun,
    pub(super) planned: PlannedMove,
    /// Position of what had happened to the lead before.
    pub(super) after: Position,
}

/// Everything that matters.
#[derive(Debug, Default)]
pub(super) struct Book {
    head: Position,
    pub(super) runs: BTreeMap<TransferRunId, Run>,
    /// Moves by rules, in order.
    pub(super) moves: Vec<Move>,
    /// Whose each lead is.
    pub(super) owners: HashMap<CustomerId, Option<StaffId>>,
    last: HashMap<CustomerId, Position>,
}

impl carried::Book for Book {
    type Planned = PlannedMove;

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

    fn plan(&self) -> Option<&[PlannedMove]> {
        self.runs.values().map(|run| run.plan.as_slice()).find(|plan| !plan.is_empty())
    }

    fn done(&self) -> usize {
        self.moves.len()
    }

    fn is_completed(&self) -> bool {
        !self.runs.is_empty() && self.runs.values().all(|run| !run.ended.is_empty())
    }
}

impl Book {
    /// The one run; that there is no other is checked later.
    pub(super) fn the_run(&self) -> Result<TransferRunId> {
        self.runs.keys().next().copied().context("no run began")
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
            ("transfer_run", Some(id)) => {
                let run = self.runs.entry(TransferRunId(id)).or_default();
                match TransferRunEvent::decode(&event_type, &payload)? {
                    TransferRunEvent::Started(e) => run.begun.push((position, e)),
                    TransferRunEvent::Planned(e) => run.plan.extend(e.moves),
                    TransferRunEvent::Completed(e) => run.ended.push((EventId(event_id), e)),
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn customer(&mut self, position: Position, customer: CustomerId, fact: &CustomerEvent) {
        let owner = match fact {
            CustomerEvent::Assigned(e) => Some(Some(e.to)),
            CustomerEvent::Transferred(e) => {
                if let AssignmentSource::Rule(by) = e.source {
                    let planned = PlannedMove { customer, from: e.from, to: e.to };
                    let after = self.last.get(&customer).copied().unwrap_or_default();
                    self.moves.push(Move { position, by, planned, after });
                }
                Some(Some(e.to))
            }
            CustomerEvent::Claimed(e) => Some(Some(e.by)),
            CustomerEvent::Released(_) | CustomerEvent::Recycled(_) => Some(None),
            _ => None,
        };
        if let Some(owner) = owner {
            self.owners.insert(customer, owner);
        }
        self.last.insert(customer, position);
    }

    /// Position of the last thing that happened to a lead.
    pub(super) fn last(&self, customer: CustomerId) -> Position {
        self.last.get(&customer).copied().unwrap_or_default()
    }
}
