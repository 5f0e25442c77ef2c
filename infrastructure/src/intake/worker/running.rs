//! The loop of a worker inside a process that runs on.

use std::mem::{Discriminant, discriminant};
use std::time::Duration;

use chrono::TimeDelta;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{Bell, Comparing, IntakeWorker, Run};
use crate::intake::state::Alarm;

/// Longest rest while the source or our database cannot be used.
const BACKOFF_MAX: Duration = Duration::from_mins(1);

/// First rest after a failure.
const BACKOFF_MIN: Duration = Duration::from_secs(1);

/// How often the log repeats that somebody should look at a source.
const ALARM_AGAIN: TimeDelta = TimeDelta::minutes(10);

/// How long a run may go on after the process was told to stop; what it leaves is found when its leases end.
const STOP_PATIENCE: Duration = Duration::from_secs(3);

impl IntakeWorker {
    /// Whoever rings here makes the worker begin at once.
    pub fn bell(&self) -> &Bell {
        &self.bell
    }

    /// Works until told to stop.
    pub async fn run(&self, stop: CancellationToken) {
        let (mut failures, mut alarms) = (0, Alarms::default());
        while !stop.is_cancelled() {
            let run = tokio::select! {
                run = self.turn(&stop) => run,
                () = too_late(&stop) => return,
            };
            failures = if run.outage.is_some() { failures + 1 } else { 0 };
            self.tell(&run, failures);
            self.alarm(&run, &mut alarms);
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
            let compared = self.reconcile(Comparing::default(), &|_| {}).await;
            self.bell.tell(|ended| {
                ended.comparisons += 1;
                ended.compared = ended.compared.and(compared.tally);
                ended.held = compared.held;
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
    }

    /// Tells that somebody should look: when it begins, and once in a while as long as it lasts.
    fn alarm(&self, run: &Run, alarms: &mut Alarms) {
        let name = &self.settings.name;
        if let Some(alarm) = run.alarm {
            if alarms.is_news(alarm, self.tools.clock.stopwatch()) {
                tracing::error!(intake.source = %name, "source {name}: {alarm}; see `leadwire intake status`");
            }
        } else if alarms.0.take().is_some() {
            tracing::info!(intake.source = %name, "source {name}: nobody needs to look at it any more");
        }
    }
}

/// The alarm that was last told, and when by the stopwatch.
#[derive(Debug, Default)]
struct Alarms(Option<(Discriminant<Alarm>, TimeDelta)>);

impl Alarms {
    /// Whether this one is to be told now.
    fn is_news(&mut self, alarm: Alarm, now: TimeDelta) -> bool {
        let kind = discriminant(&alarm);
        let is_news = self.0.is_none_or(|(told, at)| told != kind || now - at >= ALARM_AGAIN);
        if is_news {
            self.0 = Some((kind, now));
        }
        is_news
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

    #[test]
    fn an_alarm_is_told_once_and_repeated_now_and_then() {
        let mut alarms = Alarms::default();
        let waiting = |seconds| Alarm::Waiting { seconds };
        let silent = Alarm::Silent { seconds: 700 };
        for (alarm, seconds, expected) in [
            (waiting(600), 0, true),
            (waiting(602), 2, false),
            (silent, 4, true),
            (silent, 603, false),
            (silent, 604, true),
            (waiting(1300), 606, true),
        ] {
            assert_eq!(alarms.is_news(alarm, TimeDelta::seconds(seconds)), expected, "at {seconds} s");
        }
    }
}
