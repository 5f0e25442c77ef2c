//! What one run came to, for whoever asked for it and for logs.

use application::intake::Backlog;
use application::intake::worker::{Held, Outage, Tally};

use super::{IntakeWorker, SourceSettings};
use crate::intake::state::{Alarm, mode_name};

/// What one run came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// What was done.
    pub tally: Tally,
    /// Finished rows that were taken away.
    pub purged: u64,
    /// What is left in the capture table; `None` without one, or when it could not be asked.
    pub backlog: Option<Backlog>,
    /// Whom a comparison found gone in such numbers that it deleted nobody.
    pub held: Option<Held>,
    /// Why somebody should look at the source now.
    pub alarm: Option<Alarm>,
    /// Why it did not come to its end.
    pub outage: Option<Outage>,
}

impl Run {
    /// The run for machines: one line of JSON. Holds no value of a row.
    pub fn document(&self, worker: &IntakeWorker) -> serde_json::Value {
        let SourceSettings { name, mode, .. } = worker.settings();
        let backlog = self.backlog.map(|backlog| {
            serde_json::json!({
                "waiting": backlog.waiting, "parked": backlog.parked, "oldestSeconds": backlog.oldest_seconds,
            })
        });
        serde_json::json!({
            "source": name,
            "table": worker.table,
            "mode": mode_name(*mode),
            "rows": self.tally,
            "purged": self.purged,
            "backlog": backlog,
            "held": self.held,
            "alarm": self.alarm.map(|alarm| alarm.to_string()),
            "error": self.outage.as_ref().map(ToString::to_string),
        })
    }
}
