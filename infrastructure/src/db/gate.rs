//! Who may write to a SQLite file next. It has one writer, and behind it stand the commands of people together with
//! everything that follows from them.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, OwnedMutexGuard, watch};
use tokio::time::timeout;

/// However many go first, whoever gives way does so for no longer than this.
const GIVES_WAY: Duration = Duration::from_millis(100);

/// Who somebody is at the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Somebody waits for the answer: goes before everybody that gives way.
    First,
    /// Work that follows from what is written already: a little later it is more work at once.
    GivesWay,
}

/// The right to write.
pub(crate) type Permit = OwnedMutexGuard<()>;

/// The gate before the one connection that writes.
#[derive(Debug, Default)]
pub(super) struct Gate {
    writing: Arc<Mutex<()>>,
    /// Those that give way stand here, and only the first of them asks for more: whoever goes first finds at most one of
    /// them before it.
    line: Mutex<()>,
    /// How many wait that go first.
    first: watch::Sender<usize>,
}

impl Gate {
    /// Waits for the turn.
    pub(super) async fn enter(&self, turn: Turn) -> Permit {
        let writing = Arc::clone(&self.writing);
        match turn {
            Turn::First => {
                let _waits = Waits::at(&self.first);
                writing.lock_owned().await
            }
            Turn::GivesWay => {
                let _line = self.line.lock().await;
                // Either nobody goes first any more, or this one has waited long enough.
                let _ = timeout(GIVES_WAY, self.first.subscribe().wait_for(|count| *count == 0)).await;
                writing.lock_owned().await
            }
        }
    }
}

/// Somebody waits that goes first, as long as this lives.
struct Waits<'g>(&'g watch::Sender<usize>);

impl<'g> Waits<'g> {
    fn at(first: &'g watch::Sender<usize>) -> Self {
        first.send_modify(|count| *count += 1);
        Self(first)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex as Record;

    use tokio::task::yield_now;
    use tokio::time::{Instant, sleep};

    use super::*;

    /// Longer than any of this takes.
    const PATIENCE: Duration = Duration::from_secs(30);

    /// Lets every other task run as far as it can.
    async fn others() {
        for _ in 0..100 {
            yield_now().await;
        }
    }

    /// Tasks that ask in this order while somebody writes; the order in which they wrote.
    async fn order(asking: &[(Turn, &'static str)]) -> Vec<&'static str> {
        let gate = Arc::<Gate>::default();
        let wrote = Arc::<Record<Vec<&str>>>::default();
        let writing = gate.enter(Turn::GivesWay).await;
        let mut tasks = Vec::new();
        for (turn, name) in asking.iter().copied() {
            let (gate, wrote) = (Arc::clone(&gate), Arc::clone(&wrote));
            tasks.push(tokio::spawn(async move {
                let _permit = gate.enter(turn).await;
                wrote.lock().unwrap().push(name);
                others().await;
            }));
            others().await;
        }
        drop(writing);
        for task in tasks {
            task.await.unwrap();
        }
        let wrote = wrote.lock().unwrap();
        wrote.clone()
    }

    #[tokio::test]
    async fn who_is_waited_for_goes_before_everybody_but_the_first_in_line() {
        use Turn::{First, GivesWay};
        let asking = [(GivesWay, "a"), (GivesWay, "b"), (First, "1"), (GivesWay, "c"), (First, "2")];
        assert_eq!(order(&asking).await, ["a", "1", "2", "b", "c"]);
        assert_eq!(order(&[(First, "1"), (GivesWay, "a"), (First, "2")]).await, ["1", "2", "a"]);
    }

    #[tokio::test]
    async fn however_many_go_first_the_line_moves() {
        let gate = Arc::<Gate>::default();
        let busy: Vec<_> = (0..3)
            .map(|_| {
                let gate = Arc::clone(&gate);
                tokio::spawn(async move {
                    loop {
                        let _permit = gate.enter(Turn::First).await;
                        sleep(GIVES_WAY / 10).await;
                    }
                })
            })
            .collect();
        others().await;
        let asked = Instant::now();
        drop(timeout(PATIENCE, gate.enter(Turn::GivesWay)).await.expect("it never had its turn"));
        assert!(asked.elapsed() >= GIVES_WAY, "it did not give way");
        busy.iter().for_each(tokio::task::JoinHandle::abort);
    }

    #[tokio::test]
    async fn who_goes_away_keeps_nobody_waiting() {
        let gate = Gate::default();
        let writing = gate.enter(Turn::First).await;
        assert!(timeout(Duration::from_millis(1), gate.enter(Turn::First)).await.is_err());
        drop(writing);
        assert_eq!(*gate.first.borrow(), 0);
        drop(gate.enter(Turn::GivesWay).await);
    }
}
