//! The loop of a worker inside a process that runs on.

use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{Bell, IntakeWorker, Run};

/// Longest rest while the source or our database cannot be used.
const BACKOFF_MAX: Duration = Duration::from_mins(1);

/// First rest after a failure.
const BACKOFF_MIN: Duration = Duration::from_secs(1);

/// How long a run may go on after the process was told to stop; what it leaves is found when its leases end.
const STOP_PATIENCE: Duration = Duration::from_secs(3);

impl IntakeWorker {
    /// Whoever rings here makes the worker begin at once.
    pub fn bell(&self) -> &Bell {
        &self.bell
    }

    /// Works until told to stop.
    pub async fn run(&self, stop: CancellationToken) {
        let mut failures = 0;
        while !stop.is_cancelled() {
            let run = tokio::select! {
                run = self.turn(&stop) => run,
                () = too_late(&stop) => return,
            };
            failures = if run.outage.is_some() { failures + 1 } else { 0 };
            self.tell(&run, failures);
            let rest = if failures == 0 { self.settings.interval } else { backoff(failures) };
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.bell.rung() => {}
                () = sleep(rest) => {}
            }
        }
    }

    /// One run: everything that is captured, and the comparison that somebody asked for.
    pub async fn turn(&self, stop: &CancellationToken) -> Run {
        self.bell.tell(|ended| ended.begun += 1);
        let asked = self.bell.takes_comparison();
        let mut run = self.drain(stop).await;
        if asked && run.outage.is_none() {
            let compared = self.reconcile(false, &|_| {}).await;
            self.bell.tell(|ended| {
                ended.comparisons += 1;
                ended.compared = ended.compared.and(compared.tally);
            });
            run = Run {
                tally: run.tally.and(compared.tally),
                purged: run.purged + compared.purged,
                ..compared
            };
        }
        if asked && run.outage.is_some() {
            self.bell.puts_comparison_back();
        }
        self.bell.tell(|ended| {
            ended.runs += 1;
            ended.all = ended.all.and(run.tally);
            ended.failed = run.outage.is_some();
        });
        run
    }

    fn tell(&self, run: &Run, failures: u32) {
        let name = &self.settings.name;
        match &run.outage {
            Some(outage) => tracing::warn!(
                intake.source = %name, intake.failures = failures, error = %outage,
                "source {name} waits: {outage}"
            ),
            None if run.tally.is_quiet() && run.purged == 0 => {}
            None => tracing::info!(
                intake.source = %name,
                intake.registered = run.tally.registered,
                intake.changed = run.tally.changed,
                intake.unchanged = run.tally.unchanged,
                intake.parked = run.tally.parked,
                intake.put_off = run.tally.put_off,
                intake.purged = run.purged,
                "source {name}: {} rows", run.tally.seen
            ),
        }
        let age = run.status.and_then(|status| status.oldest_seconds);
        if let Some(age) = age.filter(|age| *age >= self.settings.alarm_age.as_secs()) {
            tracing::error!(
                intake.source = %name, intake.oldest_seconds = age,
                "source {name}: the oldest captured row waits for {age} s; see `leadwire intake status`"
            );
        }
    }
}

/// The rest after so many failures in a row.
fn backoff(failures: u32) -> Duration {
    const DOUBLINGS_MAX: u32 = 10;
    let doublings = failures.saturating_sub(1).min(DOUBLINGS_MAX);
    BACKOFF_MIN.saturating_mul(2_u32.saturating_pow(doublings)).min(BACKOFF_MAX)
}

async fn too_late(stop: &CancellationToken) {
    stop.cancelled().await;
    sleep(STOP_PATIENCE).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rests_grow_to_a_minute() {
        let rests: Vec<u64> = (1..=8).map(|failures| backoff(failures).as_secs()).collect();
        assert_eq!(rests, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(backoff(u32::MAX), BACKOFF_MAX);
    }
}
