//! What the delivery engine costs beside the plain calls it makes.
//!
//! `cargo bench -p infrastructure --bench deliver [-- --quick]`. A provider answers every call after 50 ms.
//!
//! 1. **Throughput**: 10 000 deliveries, each durable before and after its call, beside a bare loop that makes the same
//!    calls with the same client and as many at a time. In turns on the same machine; the ratio is what counts
//!    (design/performance.md: at least 0.85).
//! 2. **Fresh behind a backlog**: 50 000 retries are due and the provider is busy with them; how long a fresh delivery
//!    waits from its commit to its call (at most 1 s).
//!
//! PostgreSQL comes from `LEADWIRE_TEST_POSTGRES`; SQLite is a file in the temporary folder.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use application::bus::{Draft, StreamAppend};
use application::ports::{Clock, Ids};
use axum::routing::{get, post};
use axum::{Json, Router};
use domain::notification::{
    Channel, Decision, Message, NotificationEvent, NotificationRequested, PlannedDelivery, Priority,
};
use domain::{Actor, CommandId, DeliveryId, EventId, Metadata, NotificationId, StaffId};
use hdrhistogram::Histogram;
use infrastructure::bus::Bus;
use infrastructure::clock::SystemClock;
use infrastructure::db::{Db, DbOptions};
use infrastructure::dispatcher::{Dispatcher, Observer, Options, Ports};
use infrastructure::event_log::EventLog;
use infrastructure::ids::TimeOrderedIds;
use infrastructure::outbox::{NewWork, OutboxInsert, recipient_key};
use infrastructure::provider_http::Timeouts;
use infrastructure::provider_tokens::TokenStore;
use infrastructure::randomness::SystemRandomness;
use infrastructure::upcasters::Upcasters;
use infrastructure::wecom::{WecomApp, WecomSettings};
use infrastructure::with_tx;
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Deliveries of the throughput measurement.
const DELIVERIES: usize = 10_000;
const QUICK_DELIVERIES: usize = 2_000;
/// Retries that are due.
const BACKLOG: usize = 50_000;
const QUICK_BACKLOG: usize = 10_000;
/// Fresh deliveries behind them, and the pause between two.
const FRESH: usize = 100;
const FRESH_PAUSE: Duration = Duration::from_millis(100);
/// What the provider takes for a call.
const LATENCY: Duration = Duration::from_millis(50);
/// Notices of one commit while the work is laid out.
const PAGE: usize = 500;
const APP: &str = "corp:1";

#[tokio::main]
async fn main() -> Result<()> {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let (deliveries, backlog) = if quick { (QUICK_DELIVERIES, QUICK_BACKLOG) } else { (DELIVERIES, BACKLOG) };
    let provider = provider().await?;
    row(["database", "deliveries/s", "bare calls/s", "ratio", "fresh p50 ms", "p99 ms", "max ms"]);
    for database in ["sqlite", "postgres"] {
        let place = Place::new(database).await?;
        let bare = bare(&provider, deliveries).await?;
        let engine = throughput(&place, &provider, deliveries).await?;
        let waits = fresh_behind_a_backlog(&place, &provider, backlog).await?;
        let ms = |quantile| format!("{:.0}", millis(waits.value_at_quantile(quantile)));
        row([
            database,
            &format!("{engine:.0}"),
            &format!("{bare:.0}"),
            &format!("{:.2}", engine / bare),
            &ms(0.5),
            &ms(0.99),
            &ms(1.0),
        ]);
        place.end().await?;
    }
    Ok(())
}

/// A provider that takes its time.
async fn provider() -> Result<String> {
    async fn token() -> Json<Value> {
        Json(json!({"errcode": 0, "errmsg": "ok", "access_token": "T", "expires_in": 7200}))
    }
    async fn send() -> Json<Value> {
        tokio::time::sleep(LATENCY).await;
        Json(json!({"errcode": 0, "errmsg": "ok", "msgid": "m"}))
    }
    let router =
        Router::new().route("/cgi-bin/gettoken", get(token)).route("/cgi-bin/message/send", post(send));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let base_url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(base_url)
}

/// The calls alone, as many at a time as the engine makes.
async fn bare(provider: &str, calls: usize) -> Result<f64> {
    let client = infrastructure::provider_http::client(Timeouts::default())?;
    let url = format!("{provider}/cgi-bin/message/send?access_token=T");
    let next = Arc::new(AtomicUsize::new(0));
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..Options::default().concurrency {
        let (client, url, next) = (client.clone(), url.clone(), Arc::clone(&next));
        tasks.spawn(async move {
            while next.fetch_add(1, Ordering::Relaxed) < calls {
                client.post(&url).body(body("li")).send().await?.bytes().await?;
            }
            anyhow::Ok(())
        });
    }
    for done in tasks.join_all().await {
        done?;
    }
    Ok(per_second(calls, begun))
}

async fn throughput(place: &Place, provider: &str, deliveries: usize) -> Result<f64> {
    for page in (0..deliveries).collect::<Vec<_>>().chunks(PAGE) {
        place.request(page.iter().map(|n| format!("person-{n}"))).await?;
    }
    let dispatcher = place.dispatcher(provider, Arc::new(infrastructure::dispatcher::Unwatched))?;
    let begun = Instant::now();
    dispatcher.drain_once().await?;
    Ok(per_second(deliveries, begun))
}

/// Notes when each body left. The body names the moment it was requested, in microseconds.
struct Waits(std::sync::Mutex<Histogram<u64>>);

impl Observer for Waits {
    fn started(&self, _: Channel, waited: Duration) {
        // Only what was never tried is fresh; a retry of the backlog has waited since it was laid out.
        let waited = u64::try_from(waited.as_micros()).unwrap_or(u64::MAX);
        if waited < 60_000_000 {
            let mut histogram = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let _ = histogram.record(waited);
        }
    }
}

async fn fresh_behind_a_backlog(place: &Place, provider: &str, backlog: usize) -> Result<Histogram<u64>> {
    for page in (0..backlog).collect::<Vec<_>>().chunks(PAGE) {
        place.request(page.iter().map(|n| format!("waiting-{n}"))).await?;
    }
    place.execute("UPDATE outbox SET state = 'retry' WHERE state = 'pending'").await?;
    // Long due, so that the two kinds can be told apart.
    let long_ago = match &place.db {
        Db::Postgres(_) => "UPDATE outbox SET due_at = due_at - interval '1 hour' WHERE state = 'retry'",
        Db::Sqlite(_) => "UPDATE outbox SET due_at = '2026-01-01T00:00:00+00:00' WHERE state = 'retry'",
    };
    place.execute(long_ago).await?;
    let waits = Arc::new(Waits(std::sync::Mutex::new(Histogram::new(3)?)));
    let dispatcher = Arc::new(place.dispatcher(provider, Arc::clone(&waits) as Arc<dyn Observer>)?);
    let stop = CancellationToken::new();
    let running = tokio::spawn({
        let stop = stop.clone();
        async move { dispatcher.run(stop).await }
    });
    for n in 0..FRESH {
        tokio::time::sleep(FRESH_PAUSE).await;
        place.request([format!("fresh-{n}")].into_iter()).await?;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    stop.cancel();
    running.await?;
    let waits = waits.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
    anyhow::ensure!(usize::try_from(waits.len())? == FRESH, "{} of {FRESH} fresh ones left", waits.len());
    Ok(waits)
}

/// A database and a log of its own.
struct Place {
    db: Db,
    bus: Bus,
    folder: Option<tempfile::TempDir>,
    postgres: Option<(String, String)>,
}

impl Place {
    async fn new(database: &str) -> Result<Self> {
        let (url, folder, postgres) = if database == "sqlite" {
            let folder = tempfile::tempdir()?;
            (format!("sqlite:{}", folder.path().join("bench.db").display()), Some(folder), None)
        } else {
            let admin = postgres()?;
            let name = format!("leadwire_bench_{}", TimeOrderedIds.next().simple());
            administer(&admin, format!("CREATE DATABASE {name}")).await?;
            let mut url = url::Url::parse(&admin)?;
            url.set_path(&name);
            (url.to_string(), None, Some((admin, name)))
        };
        let db = Db::connect(&url, DbOptions::default()).await?;
        db.migrate().await?;
        let bus = Bus::new(EventLog::start(db.clone()), Arc::new(Upcasters::none()));
        Ok(Self { db, bus, folder, postgres })
    }

    async fn end(self) -> Result<()> {
        self.bus.log().close().await;
        self.db.close().await;
        if let Some((admin, name)) = self.postgres {
            administer(&admin, format!("DROP DATABASE {name} WITH (FORCE)")).await?;
        }
        drop(self.folder);
        Ok(())
    }

    async fn execute(&self, sql: &'static str) -> Result<()> {
        let mut tx = self.db.begin_write().await?;
        with_tx!(&mut tx, conn => sqlx::query(sql).execute(conn).await.map(drop))?;
        tx.commit().await?;
        Ok(())
    }

    fn dispatcher(&self, provider: &str, observer: Arc<dyn Observer>) -> Result<Dispatcher> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let settings = WecomSettings {
            base_url: provider.parse()?,
            corp: "corp".to_owned(),
            app: APP.to_owned(),
            secret: "secret".to_owned().into(),
            timeouts: Timeouts::default(),
        };
        let tokens =
            TokenStore::of_wecom(self.db.clone(), settings.clone(), Arc::clone(&clock), &TimeOrderedIds)?;
        let sender = WecomApp::new(settings, Arc::new(tokens), Arc::clone(&clock))?;
        let ports = Ports { clock, ids: Arc::new(TimeOrderedIds), randomness: Arc::new(SystemRandomness) };
        let options = Options { observer, ..Options::default() };
        Ok(Dispatcher::new(self.bus.clone(), Arc::new(sender), ports, options))
    }

    /// Notices for these people, with their work, in one commit.
    async fn request(&self, people: impl Iterator<Item = String>) -> Result<()> {
        let at = SystemClock.now();
        let mut streams = Vec::new();
        let mut work = Vec::new();
        for person in people {
            let notification = NotificationId(TimeOrderedIds.next());
            let delivery = DeliveryId::of(notification, Channel::WecomApp.as_str());
            let requested: NotificationEvent = notice(notification, delivery, at).into();
            streams.push(StreamAppend::of(notification, 0, &[requested])?);
            work.push(NewWork {
                delivery,
                notification,
                channel: Channel::WecomApp,
                app: APP.to_owned(),
                recipient: StaffId(notification.0),
                recipient_key: recipient_key(APP, &person),
                ledger: None,
                request_body: body(&person),
                due_at: at,
                created_at: at,
                gained: None,
                held_for: None,
                subject: None,
                fallback: None,
            });
        }
        let metadata = Metadata {
            command: CommandId(TimeOrderedIds.next()),
            correlation: "bench".to_owned(),
            causation: None,
            actor: Actor::System("bench".to_owned()),
        };
        let draft = Draft { metadata, recorded_at: at, streams, guards: vec![], receipt: None };
        self.bus.append_with(draft, vec![Box::new(OutboxInsert(work))]).await?;
        Ok(())
    }
}

fn notice(
    notification: NotificationId,
    delivery: DeliveryId,
    at: chrono::DateTime<chrono::Utc>,
) -> NotificationRequested {
    let text = |text: &str| text.to_owned();
    NotificationRequested {
        notification,
        cause: EventId(TimeOrderedIds.next()),
        recipient: StaffId(notification.0),
        scene: text("CUSTOMER_ASSIGNED"),
        priority: Priority::High,
        message: Message {
            title: text("客户分配通知"),
            content: text("您有新的客户，请及时跟进！"),
            icon: text("BellOutlined"),
            color: text("#ff4d4f"),
            action_url: text("/customers"),
            action_text: text("立即跟进"),
            data: serde_json::Map::new(),
        },
        customers: vec![],
        deliveries: vec![PlannedDelivery {
            delivery,
            channel: Channel::WecomApp,
            decision: Decision::Deliver,
        }],
        template_version: 1,
        template: text("ASSIGNED"),
        rendered_hash: String::new(),
        digest_of: vec![],
        at,
    }
}

fn body(person: &str) -> String {
    json!({
        "touser": person, "msgtype": "textcard", "agentid": 1,
        "textcard": {"title": "客户分配通知", "description": "您有新的客户，请及时跟进！", "url": "https://example.com"},
        "enable_duplicate_check": 1, "duplicate_check_interval": 14400,
    })
    .to_string()
}

#[expect(clippy::disallowed_methods, reason = "the bench's own setting, not the program's")]
fn postgres() -> Result<String> {
    std::env::var("LEADWIRE_TEST_POSTGRES").context("LEADWIRE_TEST_POSTGRES names the cluster to measure on")
}

async fn administer(admin: &str, statement: String) -> Result<()> {
    let mut connection = PgConnection::connect(admin).await?;
    sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut connection).await?;
    Ok(())
}

fn per_second(count: usize, begun: Instant) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / begun.elapsed().as_secs_f64()
}

fn millis(micros: u64) -> f64 {
    Duration::from_micros(micros).as_secs_f64() * 1000.0
}

#[expect(clippy::print_stdout, reason = "the bench's answer")]
fn row(cells: [&str; 7]) {
    println!("{}", cells.map(|cell| format!("{cell:>14}")).join(""));
}
