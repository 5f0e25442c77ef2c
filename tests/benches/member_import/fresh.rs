//! Fresh leads: created for somebody, some in each second, and told to that person through `WeCom`.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use chrono::TimeDelta;
use domain::staff::Role;
use domain::{Position, StaffId};
use hdrhistogram::Histogram;
use infrastructure::event_log::{Filter, PAGE_MAX};
use leadwire::wiring::Running;
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tests::crash::client::http_client;
use tests::kit::customers_of;
use tests::people;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use wechat_simulator::{DEMO_CORP, Received, SimulatorHandle};

use super::Moment;

/// Fresh leads a second.
pub(crate) const RATE: u32 = 5;
/// People who get them: so many that nobody has more than `WeCom` brings in a minute.
const EMPLOYEES: usize = 64;

/// Whoever creates leads, and whoever gets them.
pub(crate) struct Office {
    pub(crate) desk: Desk,
    employees: Arc<[StaffId]>,
    /// Leads so far, over all times of work.
    created: Arc<std::sync::atomic::AtomicUsize>,
}

/// An administrator at a screen.
#[derive(Clone)]
pub(crate) struct Desk {
    client: Client,
    base_url: Arc<str>,
    token: Arc<str>,
}

impl Office {
    pub(crate) async fn open(service: &Running, wechat: &SimulatorHandle) -> Result<Self> {
        let app = service.app();
        let admin = people::register(app, "admin", Role::Admin).await?;
        let mut employees = Vec::new();
        for number in 0..EMPLOYEES {
            let id = people::register(app, &format!("employee{number}"), Role::Employee).await?;
            let user = format!("Employee{number}");
            wechat.add_wecom_user(DEMO_CORP, &user);
            people::bind_wecom(app, id, DEMO_CORP, &user).await?;
            employees.push(id);
        }
        let address = service.local_addr().context("the service has no address")?;
        let token = people::token(app, admin, "admin", Role::Admin)?.into();
        let base_url = format!("http://{address}").into();
        let desk = Desk { client: http_client()?, base_url, token };
        Ok(Self { desk, employees: employees.into(), created: Arc::default() })
    }

    /// Lets leads come until told to stop.
    pub(crate) fn work(&self) -> Working {
        let stop = CancellationToken::new();
        let (desk, employees) = (self.desk.clone(), Arc::clone(&self.employees));
        let (created, told) = (Arc::clone(&self.created), stop.clone());
        let task = tokio::spawn(async move {
            let mut due = interval(Duration::from_secs(1) / RATE);
            due.set_missed_tick_behavior(MissedTickBehavior::Burst);
            let mut running = JoinSet::new();
            while !told.is_cancelled() {
                due.tick().await;
                let n = created.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                let (desk, to) = (desk.clone(), employees[n % employees.len()]);
                running.spawn(async move { desk.create(n, to).await });
                while let Some(ended) = running.try_join_next() {
                    ended??;
                }
            }
            while let Some(ended) = running.join_next().await {
                ended??;
            }
            Ok(())
        });
        Working { stop, task }
    }

    /// How long each lead of after a position took from its commit to its call. Every one of them must have been told.
    pub(crate) async fn delays(
        &self,
        service: &Running,
        after: Position,
        ledger: &[Received],
    ) -> Result<Leads> {
        let mut called: HashMap<Uuid, Moment> = HashMap::new();
        for received in ledger {
            for customer in customers_of(received) {
                called.entry(customer).or_insert(received.time);
            }
        }
        let (mut last, mut leads) = (after, Vec::new());
        loop {
            let page =
                service.app().bus.log().page(last, PAGE_MAX, Filter::Types(&["CustomerCreated"])).await?;
            let Some(event) = page.last() else { break };
            last = event.position;
            for event in page {
                let id = event.stream.uuid().context("a lead without id")?;
                let called = called.get(&id).with_context(|| format!("nobody was told of {id}"))?;
                leads.push((event.recorded_at, *called - event.recorded_at));
            }
        }
        Ok(Leads(leads))
    }
}

impl Desk {
    async fn create(&self, n: usize, to: StaffId) -> Result<()> {
        let body = json!({
            "name": format!("客户{n:05}"),
            "phone": format!("138{n:08}"),
            "leadSource": "抖音",
            "contractStatus": "待定",
            "leadLevel": "A类",
            "assignedTo": to,
        });
        self.ask(Method::POST, "/api/customers", &body).await
    }

    /// Changes a setting.
    pub(crate) async fn set(&self, path: &str, body: &Value) -> Result<()> {
        self.ask(Method::PUT, path, body).await
    }

    async fn ask(&self, method: Method, path: &str, body: &Value) -> Result<()> {
        let request = self.client.request(method.clone(), format!("{}{path}", self.base_url));
        let answer = request.bearer_auth(&self.token).json(body).send().await?;
        let status = answer.status();
        let told = answer.text().await?;
        ensure!(status.is_success(), "{method} {path} was answered with {status}: {told}");
        Ok(())
    }
}

/// Somebody at work.
pub(crate) struct Working {
    stop: CancellationToken,
    task: JoinHandle<Result<()>>,
}

impl Working {
    pub(crate) async fn stop(self) -> Result<()> {
        self.stop.cancel();
        self.task.await?
    }
}

/// Of each lead the moment of its commit, and how long after that its call was.
pub(crate) struct Leads(Vec<(Moment, TimeDelta)>);

impl Leads {
    /// Those that were committed in between.
    pub(crate) fn within(&self, from: Moment, to: Moment) -> Result<Delays> {
        let mut delays = Histogram::new(3)?;
        for (_, delay) in self.0.iter().filter(|(at, _)| (from..to).contains(at)) {
            delays.record(u64::try_from(delay.num_microseconds().unwrap_or(i64::MAX).max(0))?)?;
        }
        Ok(Delays(delays))
    }
}

/// Delays in microseconds.
pub(crate) struct Delays(Histogram<u64>);

impl Delays {
    pub(crate) fn len(&self) -> u64 {
        self.0.len()
    }

    pub(crate) fn quantile(&self, quantile: f64) -> TimeDelta {
        TimeDelta::microseconds(i64::try_from(self.0.value_at_quantile(quantile)).unwrap_or(i64::MAX))
    }
}
