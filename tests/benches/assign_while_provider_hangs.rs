//! `cargo xtask bench --only assign_while_provider_hangs`: assigning leads while WeChat answers, and while every call
//! to it hangs (product.md G7 and its service objectives). Everything runs in this process, on both databases.
//!
//! The load is open: a request is sent when it is due, whether or not earlier ones were answered, and its time counts
//! from that moment. So the figures are an upper bound of the server's own time: they include this client, which
//! shares the processor, and all that waited in a queue.
//!
//! While WeChat answers, the bench also measures from the commit of an assignment to the call it leads to: from the
//! moment in the event to the moment the provider processed the message.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io::{Write as _, stdout};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clap::Parser;
use domain::notification::{Channel, DeliveryState};
use domain::staff::Role;
use domain::{CustomerId, StaffId};
use hdrhistogram::Histogram;
use leadwire::config::{Settings, Sources};
use leadwire::wiring::{self, Leadwire, Running};
use projections::queries::deliveries::{self, DeliveryCursor, DeliveryFilter};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tests::crash::client::http_client;
use tests::people;
use tests::scratch::{Backend, ScratchDatabase};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use wechat_simulator::{
    DEMO_APPID, DEMO_SECRET, DEMO_TEMPLATE, Fault, FaultRule, Received, Simulator, SimulatorHandle, Times,
};

/// Assignments a second: the load of the service objectives.
const RATE: u32 = 200;
/// The bar: the 99th percentile while the provider hangs.
const BAR: Duration = Duration::from_millis(25);
/// The bar: the 99th percentile from the commit to the provider's call (design/performance.md).
const CALL_BAR: Duration = Duration::from_millis(250);
/// Length of each part, and of each with `--quick`.
const LONG: Duration = Duration::from_secs(30);
const QUICK: Duration = Duration::from_secs(5);
/// Seconds at the beginning of a part that are not counted: connections open, caches fill.
const WARM_UP: Duration = Duration::from_secs(1);
/// Assignments that a part may make beyond its rate: bursts after a late tick.
const SPARE: usize = RATE as usize;
/// People who get them, each bound to WeChat.
const EMPLOYEES: usize = 64;
/// Messages that each of them has agreed to: more than there can be.
const CREDITS: u32 = 500;
/// Leads created at the same time while the bench prepares.
const CREATED_AT_ONCE: usize = 16;
/// Longest wait for the messages to arrive once the provider works again.
const PATIENCE: Duration = Duration::from_mins(3);
/// Longest time of a call to the provider: longer than a part, so that no call gives up while the provider hangs.
const CALL_TIMEOUT_MS: &str = "60000";

/// How fast leads are assigned while the provider hangs.
#[derive(Debug, Parser)]
struct Arguments {
    /// Shorter parts: good for a first look, not for a number to quote
    #[arg(long)]
    quick: bool,
    /// What `cargo bench` adds
    #[arg(long, hide = true)]
    bench: bool,
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let Arguments { quick, .. } = Arguments::parse();
    let length = if quick { QUICK } else { LONG };
    let mut held = true;
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let outcome = measure(backend, length).await.with_context(|| backend.name())?;
        writeln!(stdout(), "{outcome}")?;
        held &= outcome.holds();
    }
    Ok(if held || quick { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What was measured on one database.
struct Outcome {
    backend: Backend,
    length: Duration,
    answering: Histogram<u64>,
    hanging: Histogram<u64>,
    /// From the commit to the provider's call.
    to_call: Histogram<u64>,
    /// Calls that hung when the part was over.
    waiting: usize,
    /// Messages that arrived once the provider worked again, of as many assignments, and after how long.
    arrived: usize,
    assigned: usize,
    arrived_after: Duration,
}

impl Outcome {
    fn holds(&self) -> bool {
        let p99 = |times: &Histogram<u64>| Duration::from_micros(times.value_at_quantile(0.99));
        p99(&self.hanging) < BAR && p99(&self.to_call) < CALL_BAR && self.arrived == self.assigned
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.length.as_secs();
        writeln!(f, "{}, {RATE} assigns/s for {seconds} s (ms)", self.backend.name())?;
        writeln!(f, "  {:<20} {:>8} {:>8} {:>8} {:>8}", "", "requests", "p50", "p99", "max")?;
        for (name, times) in [
            ("provider answers", &self.answering),
            ("provider hangs", &self.hanging),
            ("commit to call", &self.to_call),
        ] {
            let ms = |micros: u64| Duration::from_micros(micros).as_secs_f64() * 1000.0;
            let (p50, p99) = (ms(times.value_at_quantile(0.5)), ms(times.value_at_quantile(0.99)));
            let max = ms(times.max());
            writeln!(f, "  {name:<20} {:>8} {p50:>8.2} {p99:>8.2} {max:>8.2}", times.len())?;
        }
        writeln!(
            f,
            "  {} calls hung and nobody received anything; {} s after the provider woke {} of {} messages were there",
            self.waiting,
            self.arrived_after.as_secs(),
            self.arrived,
            self.assigned
        )?;
        let word = if self.holds() { "held" } else { "MISSED" };
        writeln!(
            f,
            "  bar: p99 under {} ms while the provider hangs, under {} ms to the call, and every message arrives: {word}",
            BAR.as_millis(),
            CALL_BAR.as_millis()
        )
    }
}

async fn measure(backend: Backend, length: Duration) -> Result<Outcome> {
    let database = ScratchDatabase::create(backend).await?;
    let simulator = Simulator::start("127.0.0.1:0").await?;
    let wechat = simulator.handle();
    let settings = settings(database.url(), simulator.base_url())?;
    let service = Leadwire::start(settings, &wiring::Role::ALL).await?;
    let mut office = Office::open(&service, wechat, length).await?;
    service.settle(PATIENCE).await?;

    let prepared = wechat.ledger().len();
    let answering = office.assign_for(length).await?;
    service.settle(PATIENCE).await?;
    let to_call = to_call(&service, &wechat.ledger()[prepared..]).await?;
    let before = wechat.ledger().len();

    let hang = Fault::Hang { process: false };
    wechat.add_fault(FaultRule {
        endpoint: None,
        openid: None,
        after: 0,
        times: Times::FOREVER,
        fault: hang,
    })?;
    let hanging = office.assign_for(length).await?;
    let waiting = wechat.waiting();
    ensure!(waiting > 0, "no call hung");
    ensure!(wechat.ledger().len() == before, "a message arrived although every call hung");
    wechat.clear_faults();
    let woken = Instant::now();
    let assigned = office.assigned_in_last_part;
    // Whether they are all there is told by the count below.
    let _ = timeout(PATIENCE, wechat.until_received(before + assigned)).await;
    let arrived_after = woken.elapsed();
    service.settle(PATIENCE).await?;
    let arrived = wechat.ledger().len() - before;

    ensure!(service.stop().await, "the service did not stop in time");
    simulator.stop().await;
    Ok(Outcome { backend, length, answering, hanging, to_call, waiting, arrived, assigned, arrived_after })
}

/// How long each of these messages took from the commit that caused it.
async fn to_call(service: &Running, received: &[Received]) -> Result<Histogram<u64>> {
    let called: HashMap<&str, _> = received.iter().map(|r| (r.message_id.as_str(), r.time)).collect();
    let mut times = Histogram::new(3)?;
    let mut filter = DeliveryFilter {
        channel: Some(Channel::WechatSubscribe),
        state: Some(DeliveryState::Accepted),
        ..DeliveryFilter::default()
    };
    loop {
        let page = deliveries::list(&service.app().db, &filter, deliveries::DELIVERIES_MAX).await?;
        for row in &page {
            let message = row.provider_message_id.as_deref().unwrap_or_default();
            if let Some(called) = called.get(message) {
                times.record(u64::try_from(
                    (*called - row.created_at).num_microseconds().unwrap_or(0).max(0),
                )?)?;
            }
        }
        let Some(last) = page.last() else { break };
        filter.cursor = Some(DeliveryCursor::behind(last));
    }
    ensure!(
        times.len() == u64::try_from(received.len())?,
        "{} of {} calls found",
        times.len(),
        received.len()
    );
    Ok(times)
}

fn settings(database: &str, wechat: &str) -> Result<Settings> {
    let settings = [
        ("SERVER__LISTEN", "127.0.0.1:0"),
        ("DATABASE__URL", database),
        ("AUTH__JWT_SECRET", "the-secret-of-a-bench-that-is-long-enough"),
        ("WECHAT_SUBSCRIBE__APPID", DEMO_APPID),
        ("WECHAT_SUBSCRIBE__SECRET", DEMO_SECRET),
        ("WECHAT_SUBSCRIBE__TEMPLATE", DEMO_TEMPLATE),
        ("WECHAT_SUBSCRIBE__BASE_URL", wechat),
        ("WECHAT_SUBSCRIBE__REQUEST_TIMEOUT_MS", CALL_TIMEOUT_MS),
    ];
    let environment: BTreeMap<String, String> =
        settings.map(|(name, value)| (format!("LEADWIRE_{name}"), value.to_owned())).into();
    Ok(Settings::load(&Sources { file: None, environment })?)
}

/// A manager at work, with leads and people to give them to.
struct Office {
    desk: Desk,
    employees: Vec<StaffId>,
    leads: Vec<CustomerId>,
    /// Assignments so far: the next one gives the next lead to the next person.
    assigned: usize,
    assigned_in_last_part: usize,
}

/// What every request needs.
#[derive(Clone)]
struct Desk {
    client: Client,
    base_url: Arc<str>,
    token: Arc<str>,
}

impl Office {
    async fn open(service: &Running, wechat: &SimulatorHandle, length: Duration) -> Result<Self> {
        let app = service.app();
        let manager = people::register(app, "manager", Role::Manager).await?;
        let mut employees = Vec::new();
        for number in 0..EMPLOYEES {
            let id = people::register(app, &format!("employee{number}"), Role::Employee).await?;
            let openid = format!("o-bench-{number}");
            people::bind_wechat(app, id, &openid, CREDITS.into()).await?;
            wechat.grant_credits(&openid, CREDITS)?;
            employees.push(id);
        }
        let address = service.local_addr().context("the service has no address")?;
        let token = people::token(app, manager, "manager", Role::Manager)?;
        let base_url = format!("http://{address}").into();
        let desk = Desk { client: http_client()?, base_url, token: token.into() };
        let leads = create_leads(&desk, leads_of(length)?).await?;
        Ok(Self { desk, employees, leads, assigned: 0, assigned_in_last_part: 0 })
    }

    /// Assigns leads at the rate of the bench; the times of the answers in microseconds.
    async fn assign_for(&mut self, length: Duration) -> Result<Histogram<u64>> {
        let mut times = Histogram::<u64>::new(3)?;
        let first = self.assigned;
        let started = Instant::now();
        let mut due = interval(Duration::from_secs(1) / RATE);
        due.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut running = JoinSet::new();
        while started.elapsed() < length {
            let at = due.tick().await;
            let (path, body) = self.next_assignment();
            let desk = self.desk.clone();
            running.spawn(async move {
                desk.ask(Method::PATCH, &path, &body).await?;
                anyhow::Ok((at, at.elapsed()))
            });
        }
        while let Some(ended) = running.join_next().await {
            let (at, took) = ended??;
            if at - started >= WARM_UP {
                times.record(u64::try_from(took.as_micros())?)?;
            }
        }
        self.assigned_in_last_part = self.assigned - first;
        Ok(times)
    }

    /// The next lead, to the person after its owner.
    fn next_assignment(&mut self) -> (String, Value) {
        let (round, lead) = (self.assigned / self.leads.len(), self.assigned % self.leads.len());
        self.assigned += 1;
        let to = self.employees[(lead + round) % EMPLOYEES];
        (format!("/api/customers/{}/assign", self.leads[lead]), json!({ "assignedTo": to }))
    }
}

/// So many that no lead moves twice in a part: what waits for a lead that has moved on is taken back.
fn leads_of(length: Duration) -> Result<usize> {
    Ok(usize::try_from(u64::from(RATE) * length.as_secs())? + SPARE)
}

async fn create_leads(desk: &Desk, leads_wanted: usize) -> Result<Vec<CustomerId>> {
    let mut leads = Vec::new();
    let mut running = JoinSet::new();
    for number in 0..leads_wanted {
        if running.len() >= CREATED_AT_ONCE
            && let Some(created) = running.join_next().await
        {
            leads.push(created??);
        }
        let desk = desk.clone();
        running.spawn(async move { create_lead(&desk, number).await });
    }
    while let Some(created) = running.join_next().await {
        leads.push(created??);
    }
    Ok(leads)
}

async fn create_lead(desk: &Desk, number: usize) -> Result<CustomerId> {
    let body = json!({
        "name": format!("客户{number:05}"),
        "phone": format!("138{number:08}"),
        "leadSource": "抖音",
        "contractStatus": "待定",
        "leadLevel": "A类",
    });
    let created = desk.ask(Method::POST, "/api/customers", &body).await?;
    Ok(created["_id"].as_str().context("a customer without _id")?.parse()?)
}

impl Desk {
    async fn ask(&self, method: Method, path: &str, body: &Value) -> Result<Value> {
        let request = self.client.request(method.clone(), format!("{}{path}", self.base_url));
        let answer = request.bearer_auth(&self.token).json(body).send().await?;
        let status = answer.status();
        let mut envelope: Value = answer.json().await?;
        ensure!(status.is_success(), "{method} {path} was answered with {status}: {envelope}");
        Ok(envelope["data"].take())
    }
}
