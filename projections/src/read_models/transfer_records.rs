//! The transfer records 流转记录: one row for each lead that fitted a rule in a run, with what came of it and what the
//! lead was like when it was planned (existing-systems.md section 5.2), and one row for each run.
//!
//! A row is written with the plan, so that a run under way can be watched; the move itself makes it a success, and the
//! end of the run tells why the others stayed. That nobody was to get a lead is known with the plan.

mod rows;

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};

use domain::customer::{AssignmentSource, Customer, CustomerEvent, CustomerTransferred};
use domain::transfer_rule::run::{
    TransferRunCompleted, TransferRunEvent, TransferRunPlanned, TransferRunStarted,
};
use domain::{CommandId, CustomerId, Position, Recorded, TransferRunId};
use infrastructure::db::Tx;
use infrastructure::event_log::Filter;
use uuid::Uuid;

use super::Fact;
use super::folded::poison;
use crate::consumer::HandleError;
use crate::schema::FIRST_REVISION;
use crate::table::{Dialect, Kind, Table, Target, fetch_in, index, may, must, upsert};
use rows::{Fitting, RecordRow, RunRow};

pub(crate) const REVISION: i64 = FIRST_REVISION;

pub(crate) const FILTER: Filter<'static> = Filter::Types(&[
    "TransferRunStarted",
    "TransferRunPlanned",
    "TransferRunCompleted",
    "CustomerTransferred",
]);

domain::code_table! {
    /// What came of a planned move.
    RecordStatus {
        /// The run is under way and did not come to it yet.
        Planned = "planned",
        /// The lead moved.
        Success = "success",
        /// It stayed; the record says why.
        Failed = "failed",
    }
}

/// The runs.
pub(crate) const RUNS: Table = Table {
    name: "transfer_runs",
    columns: &[
        must("id", Kind::Uuid),
        must("rule", Kind::Uuid),
        must("rule_name", Kind::Text),
        must("revision", Kind::Int),
        must("triggered", Kind::Text),
        may("period", Kind::Time),
        must("plan_hash", Kind::Text),
        must("seed", Kind::Text),
        may("started_by", Kind::Uuid),
        must("started_at", Kind::Time),
        must("planned", Kind::Int),
        must("moved", Kind::Int),
        must("skipped", Kind::Int),
        may("explanation", Kind::Text),
        may("completed_at", Kind::Time),
        must("position", Kind::Int),
    ],
    key: &["id"],
    indexes: &[index("by_rule", "rule, started_at"), index("by_end", "completed_at, started_at")],
};

/// The leads that fitted. `at` is the moment of the move, for one that stayed the end of its run, and until then the
/// plan's; that of a lead that nobody was to get stays the plan's.
pub(crate) const TABLE: Table = Table {
    name: "transfer_records",
    columns: &[
        must("id", Kind::Uuid),
        must("run", Kind::Uuid),
        must("rule", Kind::Uuid),
        must("rule_name", Kind::Text),
        must("customer", Kind::Uuid),
        must("from_user", Kind::Uuid),
        may("meant_for", Kind::Uuid),
        must("status", Kind::Text),
        may("reason", Kind::Text),
        must("at", Kind::Time),
        must("number", Kind::Text),
        must("name", Kind::Text),
        may("contract_status", Kind::Text),
        must("inactive_hours", Kind::Int),
        may("last_activity_at", Kind::Time),
        must("lead_created_at", Kind::Time),
        must("position", Kind::Int),
    ],
    key: &["id"],
    indexes: &[
        crate::table::Index { name: "by_run", on: "run", only: None, folding: true },
        index("by_rule", "rule, at"),
        index("by_customer", "customer, at"),
        index("by_from", "from_user, at"),
        index("by_to", "meant_for, at"),
        index("by_time", "at"),
    ],
};

/// The run's move that an event of a lead is, if it is one.
fn moved_by_rule(event: &Recorded<CustomerEvent>) -> Option<(Uuid, &CustomerTransferred)> {
    let CustomerEvent::Transferred(e) = &event.payload else { return None };
    let AssignmentSource::Rule(by) = &e.source else { return None };
    let customer = CustomerId(event.stream.uuid()?);
    Some((CommandId::of_move(by.run, customer).0, e))
}

/// What a page needs to know of what came before it, and what it changes.
#[derive(Default)]
struct Book {
    runs: HashMap<Uuid, RunRow>,
    records: HashMap<Uuid, RecordRow>,
    changed_runs: HashSet<Uuid>,
    changed_records: HashSet<Uuid>,
}

pub(crate) async fn apply(tx: &mut Tx<'_>, target: Target, page: &[Fact]) -> Result<(), HandleError> {
    let mut book = Book::load(tx, target, page).await?;
    for fact in page {
        match fact {
            Fact::TransferRun(event, leads) => {
                let Some(run) = event.stream.uuid() else { continue };
                match &event.payload {
                    TransferRunEvent::Started(e) => book.started(run, event.position, e),
                    TransferRunEvent::Planned(e) => book.planned(run, event.position, e, leads)?,
                    TransferRunEvent::Completed(e) => book.completed(run, event.position, e),
                }
            }
            Fact::Customer(event) => {
                if let Some((id, e)) = moved_by_rule(event) {
                    book.settle(id, event.position, RecordStatus::Success, None, e.at);
                }
            }
            _ => {}
        }
    }
    book.write(tx, target).await
}

impl Book {
    /// The runs and records that the page is about.
    async fn load(tx: &mut Tx<'_>, target: Target, page: &[Fact]) -> Result<Self, HandleError> {
        let (mut runs, mut ended, mut moves) = (Vec::new(), Vec::new(), Vec::new());
        for fact in page {
            match fact {
                Fact::TransferRun(event, _) => {
                    let Some(run) = event.stream.uuid() else { continue };
                    runs.push(run);
                    match &event.payload {
                        TransferRunEvent::Started(_) => {}
                        TransferRunEvent::Planned(e) => moves.extend(ids_of(run, e)),
                        TransferRunEvent::Completed(_) => ended.push(run),
                    }
                }
                Fact::Customer(event) => moves.extend(moved_by_rule(event).map(|(id, _)| id)),
                _ => {}
            }
        }
        let dialect = Dialect::of_tx(tx);
        let mut book = Self::default();
        let sql = RUNS.select_where_in(dialect, target, &RUNS.column_list(), "id");
        book.runs = fetch_in(tx, sql, &runs).await?.into_iter().map(|run: RunRow| (run.id, run)).collect();
        for (of, ids) in [("id", moves), ("run", ended)] {
            let sql = TABLE.select_where_in(dialect, target, &TABLE.column_list(), of);
            let found: Vec<RecordRow> = fetch_in(tx, sql, &ids).await?;
            book.records.extend(found.into_iter().map(|record| (record.id, record)));
        }
        Ok(book)
    }

    fn started(&mut self, run: Uuid, position: Position, e: &TransferRunStarted) {
        if let Entry::Vacant(free) = self.runs.entry(run) {
            free.insert(RunRow::begun(run, position, e));
            self.changed_runs.insert(run);
        }
    }

    fn planned(
        &mut self,
        run: Uuid,
        position: Position,
        e: &TransferRunPlanned,
        leads: &HashMap<CustomerId, Customer>,
    ) -> Result<(), HandleError> {
        let begun =
            self.runs.get_mut(&run).ok_or_else(|| poison(position, "a run does not begin with its start"))?;
        if position <= begun.position {
            return Ok(()); // already in
        }
        begun.planned += i64::try_from(e.moves.len()).unwrap_or(i64::MAX);
        begun.position = position;
        let moves = e.moves.iter().map(Fitting::of_move);
        for fitting in moves.chain(e.unplaced.iter().map(Fitting::of_unplaced)) {
            let id = CommandId::of_move(TransferRunId(run), fitting.customer).0;
            let lead = leads.get(&fitting.customer);
            let record = RecordRow::planned(id, begun, position, &fitting, lead)
                .ok_or_else(|| poison(position, "a run planned with a lead that was never created"))?;
            self.records.insert(id, record);
            self.changed_records.insert(id);
        }
        self.changed_runs.insert(run);
        Ok(())
    }

    fn completed(&mut self, run: Uuid, position: Position, e: &TransferRunCompleted) {
        if let Some(begun) = self.runs.get_mut(&run)
            && begun.position < position
        {
            begun.end(position, e);
            self.changed_runs.insert(run);
        }
        let reasons: BTreeMap<Uuid, &str> =
            e.skipped.iter().map(|one| (one.customer.0, one.reason.as_str())).collect();
        let open = |record: &&RecordRow| record.run == run && record.status == RecordStatus::Planned.as_str();
        let left: Vec<_> = self.records.values().filter(open).map(|one| (one.id, one.customer)).collect();
        for (id, customer) in left {
            let (status, reason) = match reasons.get(&customer) {
                Some(reason) => (RecordStatus::Failed, Some(*reason)),
                None => (RecordStatus::Success, None),
            };
            self.settle(id, position, status, reason, e.at);
        }
    }

    fn settle(
        &mut self,
        id: Uuid,
        position: Position,
        status: RecordStatus,
        reason: Option<&str>,
        at: chrono::DateTime<chrono::Utc>,
    ) {
        if let Some(record) = self.records.get_mut(&id)
            && record.position < position
        {
            status.as_str().clone_into(&mut record.status);
            record.reason = reason.map(str::to_owned);
            record.at = at;
            record.position = position;
            self.changed_records.insert(id);
        }
    }

    async fn write(self, tx: &mut Tx<'_>, target: Target) -> Result<(), HandleError> {
        let runs: Vec<_> =
            self.changed_runs.iter().filter_map(|id| Some(self.runs.get(id)?.cells())).collect();
        upsert(tx, &RUNS, target, &runs).await?;
        let records: Vec<_> =
            self.changed_records.iter().filter_map(|id| Some(self.records.get(id)?.cells())).collect();
        upsert(tx, &TABLE, target, &records).await?;
        Ok(())
    }
}

fn ids_of(run: Uuid, planned: &TransferRunPlanned) -> impl Iterator<Item = Uuid> {
    let moves = planned.moves.iter().map(|one| one.customer);
    let leads = moves.chain(planned.unplaced.iter().map(|one| one.customer));
    leads.map(move |lead| CommandId::of_move(TransferRunId(run), lead).0)
}
