//! What people do while the rules run: four kinds of commands in turn, over HTTP, on leads that no rule finds.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use domain::staff::Role;
use domain::{StaffId, TransferRuleId};
use hdrhistogram::Histogram;
use leadwire::wiring::Running;
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tests::crash::client::http_client;
use tests::people;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::seed::{self, Owned, Seeded};

/// Commands a second.
pub(crate) const RATE: u32 = 100;
/// What they are, in turn.
const KINDS: [&str; 4] = ["assign", "follow up", "claim", "release"];

/// People at their desks.
#[derive(Clone)]
pub(crate) struct Load {
    client: Client,
    base_url: Arc<str>,
    manager: Arc<str>,
    /// What each of the others shows at the door.
    tokens: Arc<[String]>,
    people: Arc<[StaffId]>,
    to_assign: Arc<[Owned]>,
    to_follow_up: Arc<[Owned]>,
    to_release: Arc<[Owned]>,
    to_claim: Arc<[domain::CustomerId]>,
}

/// One request.
struct Request<'l> {
    token: &'l str,
    method: Method,
    path: String,
    body: Value,
}

impl Load {
    pub(crate) fn open(service: &Running, seeded: &Seeded) -> Result<Self> {
        let app = service.app();
        let address = service.local_addr().context("the service has no address")?;
        let employees = seeded.people.iter().enumerate();
        let tokens: Result<Vec<String>> = employees
            .map(|(n, person)| people::token(app, *person, &seed::name(n), Role::Employee))
            .collect();
        Ok(Self {
            client: http_client()?,
            base_url: format!("http://{address}").into(),
            manager: people::token(app, seeded.manager, "manager", Role::Manager)?.into(),
            tokens: tokens?.into(),
            people: seeded.people.clone().into(),
            to_assign: seeded.to_assign.clone().into(),
            to_follow_up: seeded.to_follow_up.clone().into(),
            to_release: seeded.to_release.clone().into(),
            to_claim: seeded.to_claim.clone().into(),
        })
    }

    /// Previews a rule.
    pub(crate) async fn predict(&self, rule: TransferRuleId) -> Result<()> {
        let path = format!("{}/api/lead-transfer/rules/{rule}/predict", self.base_url);
        let answer = self.client.get(path).bearer_auth(&self.manager).send().await?;
        ensure!(answer.status().is_success(), "a preview was answered with {}", answer.status());
        answer.bytes().await?;
        Ok(())
    }

    /// Works at the rate of the bench until told to stop.
    pub(crate) fn work(&self) -> Working {
        let stop = CancellationToken::new();
        let (load, told) = (self.clone(), stop.clone());
        Working { stop, task: tokio::spawn(async move { load.until(told).await }) }
    }

    async fn until(self, stop: CancellationToken) -> Result<Times> {
        let mut times = Times::default();
        let mut due = interval(Duration::from_secs(1) / RATE);
        due.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut running = JoinSet::new();
        let mut n = 0;
        while !stop.is_cancelled() {
            let at = due.tick().await;
            let (load, number) = (self.clone(), n);
            running.spawn(async move {
                load.send(number).await?;
                anyhow::Ok((number % KINDS.len(), at, at.elapsed()))
            });
            n += 1;
            while let Some(ended) = running.try_join_next() {
                times.0.push(ended??);
            }
        }
        while let Some(ended) = running.join_next().await {
            times.0.push(ended??);
        }
        Ok(times)
    }

    async fn send(&self, number: usize) -> Result<()> {
        let Request { token, method, path, body } = self.request(number).context("no lead is left")?;
        let request = self.client.request(method.clone(), format!("{}{path}", self.base_url));
        let answer = request.bearer_auth(token).json(&body).send().await?;
        let status = answer.status();
        let told = answer.text().await?;
        ensure!(status.is_success(), "{method} {path} was answered with {status}: {told}");
        Ok(())
    }

    /// The n-th command. Every lead is used once.
    fn request(&self, number: usize) -> Option<Request<'_>> {
        let n = number / KINDS.len();
        Some(match KINDS[number % KINDS.len()] {
            "assign" => {
                let (lead, owner) = *self.to_assign.get(n)?;
                let to = self.people[(owner + 1) % self.people.len()];
                let (path, body) = (format!("/api/customers/{lead}/assign"), json!({ "assignedTo": to }));
                Request { token: &self.manager, method: Method::PATCH, path, body }
            }
            "follow up" => {
                let (lead, owner) = *self.to_follow_up.get(n)?;
                let path = format!("/api/customers/{lead}/follow-ups");
                let body = json!({ "type": "phone", "content": "电话沟通，客户考虑中" });
                Request { token: &self.tokens[owner], method: Method::POST, path, body }
            }
            "claim" => {
                let lead = *self.to_claim.get(n)?;
                let (path, token) =
                    ("/api/customers/public-pool/claim".to_owned(), &self.tokens[n % self.tokens.len()]);
                Request { token, method: Method::POST, path, body: json!({ "customerIds": [lead] }) }
            }
            _ => {
                let (lead, _) = *self.to_release.get(n)?;
                let path = format!("/api/customers/{lead}/release-to-pool");
                let body = json!({ "reason": "客户暂时不需要" });
                Request { token: &self.manager, method: Method::POST, path, body }
            }
        })
    }
}

/// People at work.
pub(crate) struct Working {
    stop: CancellationToken,
    task: JoinHandle<Result<Times>>,
}

impl Working {
    pub(crate) async fn stop(self) -> Result<Times> {
        self.stop.cancel();
        self.task.await?
    }
}

/// Of each request its kind, when it was due, and how long its answer took from then.
#[derive(Default)]
pub(crate) struct Times(Vec<(usize, Instant, Duration)>);

impl Times {
    /// The requests that were due in between.
    pub(crate) fn within(&self, from: Instant, to: Instant) -> Result<Latencies> {
        let mut latencies = Latencies::new()?;
        for (kind, _, took) in self.0.iter().filter(|(_, due, _)| (from..to).contains(due)) {
            let micros = u64::try_from(took.as_micros())?;
            latencies.all.0.record(micros)?;
            latencies.of_kind[*kind].0.record(micros)?;
        }
        Ok(latencies)
    }
}

/// Times in microseconds.
pub(crate) struct Answers(Histogram<u64>);

impl Answers {
    pub(crate) fn p99(&self) -> Duration {
        Duration::from_micros(self.0.value_at_quantile(0.99))
    }
}

/// How long answers took.
pub(crate) struct Latencies {
    pub(crate) all: Answers,
    of_kind: [Answers; KINDS.len()],
}

impl Latencies {
    fn new() -> Result<Self> {
        let none = || anyhow::Ok(Answers(Histogram::new(3)?));
        Ok(Self { all: none()?, of_kind: [none()?, none()?, none()?, none()?] })
    }

    pub(crate) fn table(&self, when: &str) -> String {
        let mut table = String::new();
        let rows = [("all", &self.all)].into_iter().chain(KINDS.into_iter().zip(&self.of_kind));
        for (kind, Answers(times)) in rows {
            let ms = |micros: u64| Duration::from_micros(micros).as_secs_f64() * 1000.0;
            let (p50, p99) = (ms(times.value_at_quantile(0.5)), ms(times.value_at_quantile(0.99)));
            // Writing to a string cannot fail.
            let _ = writeln!(
                table,
                "    {when:<11} {kind:<10} {:>7} requests   p50 {p50:>8.2}   p99 {p99:>8.2}   max {:>8.2}",
                times.len(),
                ms(times.max())
            );
        }
        table
    }
}
