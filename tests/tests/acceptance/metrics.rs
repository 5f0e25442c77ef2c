//! `/metrics`: what is written down about it is what there is, and a story moves it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::TimeDelta;
use domain::notification::Channel::{self, WecomApp, WecomRobot};
use leadwire::lifecycle::self_check;
use leadwire::wiring::{Leadwire, Role};
use rstest::rstest;
use serde_json::json;
use tests::kit::{Setup, TestApp, eventually, http_client};
use tests::scratch::Backend::{self, Postgres, Sqlite};
use wechat_simulator::{Endpoint, Fault, FaultRule};

/// The operators' page that names every metric.
const DOCUMENTED: &str = include_str!("../../../docs/operations.md");

/// What every line of ours begins with.
const PREFIX: &str = "leadwire_";

/// Name and labels of a sample, and its value.
type Samples = BTreeMap<String, f64>;

async fn scrape(url: &str) -> (Samples, BTreeSet<String>) {
    let reply = http_client().get(url).send().await.expect("an answer");
    assert_eq!(reply.status(), 200);
    let kind = reply.headers()["content-type"].to_str().expect("text").to_owned();
    assert!(kind.starts_with("application/openmetrics-text"), "{kind}");
    let text = reply.text().await.expect("text");
    assert!(text.ends_with("# EOF\n"), "{text}");
    let mut samples = Samples::new();
    let (mut names, mut histograms) = (BTreeSet::new(), BTreeSet::new());
    for line in text.lines() {
        if let Some(declared) = line.strip_prefix("# TYPE ") {
            if let Some(name) = declared.strip_suffix(" histogram") {
                histograms.insert(name.to_owned());
            }
            continue;
        }
        if line.starts_with('#') {
            continue;
        }
        let (what, value) = line.rsplit_once(' ').expect("a sample");
        samples.insert(what.to_owned(), value.parse().expect("a number"));
        let name = what.split('{').next().unwrap_or_default();
        let of_histogram = histograms.iter().find(|histogram| {
            name.strip_prefix(histogram.as_str())
                .is_some_and(|rest| ["_bucket", "_sum", "_count"].contains(&rest))
        });
        names.insert(of_histogram.cloned().unwrap_or_else(|| name.to_owned()));
    }
    (samples, names)
}

/// The metrics in the page's table.
fn documented() -> BTreeSet<String> {
    let rows = DOCUMENTED.lines().filter(|line| line.starts_with("| `leadwire_"));
    let first_cells = rows.filter_map(|row| row.split('|').nth(1));
    let names = first_cells.flat_map(|cell| cell.split('`').filter(|word| word.starts_with(PREFIX)));
    names.map(str::to_owned).collect()
}

/// The sum of the samples whose name and labels have all of these in them.
fn sum(samples: &Samples, name: &str, labels: &[&str]) -> f64 {
    let wanted = |what: &&String| {
        what.split('{').next() == Some(name) && labels.iter().all(|label| what.contains(label))
    };
    samples.iter().filter(|(what, _)| wanted(what)).map(|(_, value)| value).sum()
}

/// A sum that is a whole number, as it is written; nothing at all adds up to a negative zero.
fn count(samples: &Samples, name: &str, labels: &[&str]) -> String {
    (sum(samples, name, labels) + 0.0).to_string()
}

fn of(channel: Channel) -> String {
    format!("channel=\"{channel}\"")
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_story_moves_every_metric_that_is_documented(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start_with(on, Setup::through(&[WecomApp, WecomRobot])).await;
    let team = app.team.clone();
    let url = app.url("/metrics");
    let lead = async |n: usize| {
        app.lead_of(&team.manager, &team.employee, n).await;
        app.settle().await;
    };
    let (wecom, robot) = (of(WecomApp), of(WecomRobot));

    lead(1).await;
    let (sent, at_first) = scrape(&url).await;
    let attempts = "leadwire_delivery_attempts_total";
    assert_eq!(count(&sent, attempts, &[&wecom, "outcome=\"accepted\""]), "1");
    assert_eq!(count(&sent, "leadwire_provider_call_seconds_count", &[&wecom]), "1");
    assert_eq!(count(&sent, "leadwire_channel_sent_today", &[&wecom]), "1");
    assert_eq!(count(&sent, "leadwire_channel_sent_today", &[&robot]), "0");
    let busiest = |window| [wecom.as_str(), "scope=\"receiver\"", window];
    assert_eq!(count(&sent, "leadwire_channel_window_sends", &busiest("window_seconds=\"60\"")), "1");
    assert_eq!(count(&sent, "leadwire_channel_window_limit", &busiest("window_seconds=\"60\"")), "30");
    assert_eq!(count(&sent, "leadwire_channel_window_limit", &busiest("window_seconds=\"3600\"")), "1000");
    assert_eq!(count(&sent, "leadwire_channel_window_limit", &[&robot, "scope=\"app\""]), "18");
    let tokens = sum(&sent, "leadwire_token_refreshes_total", &["provider=\"wecom\""]);
    assert!(tokens >= 1.0, "{sent:?}");
    assert_eq!(count(&sent, "leadwire_channel_processes", &[&wecom, "state=\"open\""]), "1");
    assert_eq!(count(&sent, "leadwire_outbox_depth", &[&wecom]), "0");

    // A refusal, and a provider that is busy: the message waits and grows old.
    let says = |errcode| Fault::Errcode { errcode, errmsg: None, process: false };
    app.wechat().add_fault(FaultRule::once(Endpoint::WecomSend, says(81013))).expect("a rule");
    lead(2).await;
    app.wechat().clear_faults();
    app.wechat().add_fault(FaultRule::forever(Endpoint::WecomSend, says(-1))).expect("a rule");
    lead(3).await;
    app.advance(TimeDelta::seconds(1));
    let (waits, while_it_waits) = scrape(&url).await;
    assert_eq!(count(&waits, attempts, &[&wecom, "outcome=\"rejected\""]), "1");
    assert!(sum(&waits, attempts, &[&wecom, "outcome=\"retry\""]) >= 1.0, "{waits:?}");
    assert_eq!(count(&waits, "leadwire_outbox_depth", &[&wecom]), "1");
    assert!(sum(&waits, "leadwire_outbox_oldest_age_seconds", &[&wecom]) >= 1.0);

    // The provider refuses the secret: the channel rests, and works again by itself.
    app.wechat().clear_faults();
    app.wechat().add_fault(FaultRule::forever(Endpoint::WecomSend, says(40001))).expect("a rule");
    app.advance(TimeDelta::seconds(2));
    eventually("the channel rests", async || {
        let (samples, _) = scrape(&url).await;
        (sum(&samples, "leadwire_channel_rests_total", &[&wecom]) > 0.0).then_some(())
    })
    .await;
    app.wechat().clear_faults();
    // The one that waits may have been given up meanwhile: somebody has to try, and a commit wakes who sends.
    let next = AtomicUsize::new(10);
    eventually("the channel works again", async || {
        app.advance(TimeDelta::minutes(1));
        app.lead_of(&team.manager, &team.employee, next.fetch_add(1, Ordering::Relaxed)).await;
        let (samples, _) = scrape(&url).await;
        (sum(&samples, "leadwire_channel_recoveries_total", &[&wecom]) > 0.0).then_some(())
    })
    .await;
    app.settle().await;

    // What an operator paused, and the night's check.
    let pause = json!({ "reason": "维护" });
    let paused = app.post("/api/deliveries/channels/wecom_robot/pause", &pause).by(&team.admin).send().await;
    assert_eq!(paused.status, 200);
    app.lead_of(&team.manager, &team.employee, 4).await;
    app.settle().await;
    self_check::check(app.app(), app.now().date_naive()).await.expect("a check");
    let (last, names) = scrape(&url).await;
    assert_eq!(count(&last, "leadwire_channel_paused", &[&robot]), "1");
    assert!(last.contains_key("leadwire_self_check_clean"), "{last:?}");
    let seen: BTreeSet<String> = [at_first, while_it_waits, names.clone()].into_iter().flatten().collect();
    let missing: Vec<_> = documented().difference(&seen).cloned().collect();
    // No job has run, and neither a callback nor a source is configured: their own stories look at these.
    let elsewhere = |name: &str| {
        ["leadwire_job_", "leadwire_intake_"].iter().any(|prefix| name.starts_with(prefix))
            || name == "leadwire_callbacks_refused_total"
    };
    assert!(missing.iter().all(|name| elsewhere(name)), "documented, but not there: {missing:?}");
    let unknown: Vec<_> = names.difference(&documented()).cloned().collect();
    assert!(unknown.is_empty(), "there, but not documented: {unknown:?}");
    let resumed =
        app.post("/api/deliveries/channels/wecom_robot/resume", &json!({})).by(&team.admin).send().await;
    assert_eq!(resumed.status, 200);
    // The clock was moved while messages were on their way: one of them may have its next attempt ahead of it.
    app.outlast_retries(TimeDelta::minutes(1)).await;
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_tells_its_own_counters_where_it_is_told_to(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start(on).await;
    let database = tests::scratch::ScratchDatabase::create(on).await.expect("a database");
    let mut settings = app.settings();
    settings.server.metrics_listen = Some("127.0.0.1:0".parse().expect("an address"));
    settings.database.url = database.url().to_owned().into();
    let worker = Leadwire::start(settings, &[Role::Worker]).await.expect("a worker");
    assert_eq!(worker.local_addr(), None, "it answers no people");
    let address = worker.probes_addr().expect("an address for probes");
    let (samples, _) = scrape(&format!("http://{address}/metrics")).await;
    assert!(samples.keys().any(|name| name.starts_with("leadwire_consumer_lag_events")), "{samples:?}");
    for (path, status) in [("/health/live", 200), ("/api/customers", 404), ("/api/auth/login", 404)] {
        let reply = http_client().get(format!("http://{address}{path}")).send().await.expect("an answer");
        assert_eq!(reply.status(), status, "{path}");
    }
    assert!(worker.stop().await);
    app.finish().await;
}
