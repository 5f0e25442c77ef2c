//! Somebody asks for a run, and when the process goes away without an answer asks the next one, with the same key.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::office::Office;
use crate::crash::carried::crew::Crew;

/// Longest wait for an answer: a run of some hundred leads on a slow machine.
const ANSWER: Duration = Duration::from_mins(2);

/// A request under way.
#[derive(Debug)]
pub(super) struct Asking {
    at: Arc<AtomicUsize>,
    repeats: Arc<Semaphore>,
    task: JoinHandle<Result<()>>,
}

impl Asking {
    /// Asks the first process.
    pub(super) fn begin(crew: &Crew, office: &Office) -> Self {
        let urls = crew.addresses().iter();
        let urls = urls.map(|address| format!("{}/api/lead-transfer/execute-now", address.base_url()));
        let (at, repeats) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
        let asker = Asker {
            urls: urls.collect(),
            token: office.manager.token.clone(),
            body: json!({ "ruleId": office.rule }),
            at: Arc::clone(&at),
            repeats: Arc::clone(&repeats),
        };
        Self { at, repeats, task: tokio::spawn(asker.ask()) }
    }

    /// The process that has the request.
    pub(super) fn at(&self) -> usize {
        self.at.load(Ordering::SeqCst)
    }

    /// Lets the request be repeated once.
    pub(super) fn go_on(&self) {
        self.repeats.add_permits(1);
    }

    /// Waits for the answer. A refusal is an error.
    pub(super) async fn answered(self) -> Result<()> {
        self.task.await.context("the asker panicked")?
    }
}

struct Asker {
    urls: Vec<String>,
    token: String,
    body: Value,
    at: Arc<AtomicUsize>,
    repeats: Arc<Semaphore>,
}

impl Asker {
    async fn ask(self) -> Result<()> {
        let client = reqwest::Client::builder().timeout(ANSWER).retry(reqwest::retry::never()).build()?;
        loop {
            let at = self.at.load(Ordering::SeqCst);
            let request = client.post(&self.urls[at]).bearer_auth(&self.token).json(&self.body);
            if let Ok(answer) = request.header("Idempotency-Key", "the-one-run").send().await {
                let status = answer.status();
                let told = answer.text().await.unwrap_or_default();
                ensure!(status.is_success(), "execute-now was refused with {status}: {told}");
                return Ok(());
            }
            // Only a kill ends a request without an answer.
            self.repeats.acquire().await?.forget();
            self.at.store((at + 1) % self.urls.len(), Ordering::SeqCst);
        }
    }
}
