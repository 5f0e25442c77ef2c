//! Waits until nothing more happens by itself: every consumer has seen every event, and no delivery is unfinished.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tokio::time::{Instant, sleep};

use super::history::{History, Reader};
use super::service::{Address, Service};

/// How often it looks.
const POLL: Duration = Duration::from_millis(500);

/// Longest time without any progress: longer than any lease, than the first waits of the retry schedule, and than the
/// two minutes after which the next channel speaks for a message that nobody knows of.
const STUCK_AFTER: Duration = Duration::from_secs(200);

/// Longest time altogether.
const PATIENCE: Duration = Duration::from_mins(10);

/// Where the program says that its consumers stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Name of the consumer.
    pub name: String,
    /// Last position it has seen.
    pub position: i64,
    /// Why it stopped, when it did.
    pub error: Option<String>,
}

/// Waits. An error says what is stuck.
pub async fn wait(
    reader: &mut Reader,
    history: &mut History,
    address: &Address,
    service: &mut Service,
    tell: &impl Fn(&str),
) -> Result<()> {
    let started = Instant::now();
    let mut last_progress = (Instant::now(), None);
    loop {
        service.check_alive()?;
        reader.continue_reading(history).await?;
        let unfinished = history.unfinished();
        let standings = if unfinished == 0 { standings(address).await? } else { Vec::new() };
        // A consumer that came to the head in between may have answered it; then the head is another one now.
        reader.continue_reading(history).await?;
        let behind: Vec<&Standing> =
            standings.iter().filter(|standing| standing.position < history.head).collect();
        if unfinished == 0 && behind.is_empty() {
            tell(&format!("quiet at position {} after {} s", history.head, started.elapsed().as_secs()));
            return Ok(());
        }
        let state = Some((history.head, unfinished, standings.clone()));
        if state != last_progress.1 {
            last_progress = (Instant::now(), state);
        }
        let stuck = last_progress.0.elapsed() > STUCK_AFTER || started.elapsed() > PATIENCE;
        ensure!(
            !stuck,
            "no end: {unfinished} deliveries are unfinished at {}, {behind:?} are behind",
            history.head
        );
        sleep(POLL).await;
    }
}

async fn standings(address: &Address) -> Result<Vec<Standing>> {
    let listed = address.json(&["projections", "list"]).await?;
    let listed = listed.as_array().context("`projections list --json` is no list")?;
    ensure!(!listed.is_empty(), "`projections list --json` lists nothing");
    let standing = |consumer: &serde_json::Value| {
        let name = consumer["name"].as_str().context("a consumer without name")?.to_owned();
        let position = consumer["position"].as_i64().context("a consumer without position")?;
        let error = consumer["error"].as_str().map(str::to_owned);
        Ok(Standing { name, position, error })
    };
    listed.iter().map(standing).collect()
}
