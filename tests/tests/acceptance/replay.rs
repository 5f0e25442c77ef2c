//! The log is the truth: any moment can be seen again, and every read model can be made again from it (product.md G1,
//! G13, G14).

use chrono::{DateTime, Utc};
use domain::customer::Customer;
use futures_util::future::join_all;
use infrastructure::event_log::Until;
use projections::ReadModel;
use projections::rebuild::{RebuildOptions, dump, rebuild};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};
use tests::kit::{Person, TestApp, lead, log, phone};
use tests::scratch::Backend::{self, Postgres, Sqlite};
use tokio_util::sync::CancellationToken;

/// Fixes what happens; printed when a story fails, because it stands here.
const SEED: u64 = 20_260_301;
/// Commands of the workload.
const STEPS: usize = 60;
/// Leads that are written while read models are made again.
const LEADS_MEANWHILE: usize = 60;

/// A lead as it was after a command.
struct Snapshot {
    lead: String,
    sequence: i64,
    position: i64,
    at: DateTime<Utc>,
    state: Customer,
}

/// Commands of every kind by everybody who may, one after the other.
struct Workload<'a> {
    app: &'a TestApp,
    dice: StdRng,
    leads: Vec<String>,
    snapshots: Vec<Snapshot>,
}

impl Workload<'_> {
    async fn run(&mut self) {
        let team = self.app.team.clone();
        for n in 0..5 {
            self.create(&team.manager, n).await;
        }
        for n in 5..STEPS {
            let people = team.everybody();
            let to = (*people.choose(&mut self.dice).unwrap_or(&&team.admin)).clone();
            let lead = self.leads.choose(&mut self.dice).cloned().unwrap_or_default();
            match self.dice.random_range(0..10) {
                0 | 1 => self.create(&to, n).await,
                2..=4 => self.assign(&lead, &to).await,
                5 | 6 => self.update(&lead, n).await,
                7 => self.batch(&to).await,
                8 => {
                    let path = "/api/notifications/mark-all-read";
                    assert_eq!(self.app.put(path, &json!({})).by(&to).send().await.status, 200);
                }
                _ => {
                    self.app.suspend(&team.dispatch).await;
                    self.app.activate(&team.dispatch).await;
                }
            }
        }
        self.rest_of_a_life().await;
        self.app.settle().await;
    }

    /// Into the pool and out of it, followed up, frozen; and one that is deleted.
    async fn rest_of_a_life(&mut self) {
        let team = self.app.team.clone();
        let (id, gone) = (self.leads[0].clone(), self.leads[1].clone());
        self.assign(&id, &team.employee).await;
        let note = json!({ "type": "visit", "content": "看了两位阿姨" });
        let steps = [
            (Method::POST, "release-to-pool", json!({ "reason": "客户找到了" }), &team.employee),
            (Method::PATCH, "assign", json!({ "assignedTo": team.colleague.id }), &team.manager),
            (Method::POST, "follow-ups", note, &team.colleague),
            (Method::PATCH, "freeze", json!({ "reason": "核实中" }), &team.admin),
            (Method::PATCH, "auto-transfer", json!({ "enabled": false }), &team.manager),
        ];
        for (method, what, body, by) in steps {
            let reply =
                self.app.call(method, &format!("/api/customers/{id}/{what}")).json(&body).by(by).send().await;
            assert!(reply.status < 300, "{what}: {reply:?}");
            self.snap(&id, reply.position()).await;
        }
        let accept = json!({ "action": "accept" });
        let consent = self.app.post("/api/wechat/subscribe/confirm", &accept).by(&team.employee);
        assert_eq!(consent.send().await.status, 200);
        let deleted = self.app.call(Method::DELETE, &format!("/api/customers/{gone}")).by(&team.admin);
        assert_eq!(deleted.send().await.status, 204);
    }

    async fn create(&mut self, by: &Person, n: usize) {
        let reply =
            self.app.post("/api/customers", &lead(&format!("客户{n}"), &phone(n))).by(by).send().await;
        let id = reply.id();
        self.snap(&id, reply.position()).await;
        self.leads.push(id);
    }

    async fn assign(&mut self, id: &str, to: &Person) {
        let reply = self.app.assign(id, to).by(&self.app.team.operator).send().await;
        assert_eq!(reply.status, 200, "{reply:?}");
        self.snap(id, reply.position()).await;
    }

    async fn update(&mut self, id: &str, n: usize) {
        let status = if self.dice.random_bool(0.5) { "匹配中" } else { "签约中" };
        let body =
            json!({ "remarks": format!("第{n}步"), "contractStatus": status, "salaryBudget": n * 100 });
        let reply =
            self.app.patch(&format!("/api/customers/{id}"), &body).by(&self.app.team.admin).send().await;
        assert_eq!(reply.status, 200, "{reply:?}");
        self.snap(id, reply.position()).await;
    }

    async fn batch(&mut self, to: &Person) {
        let ids: Vec<_> = self.leads.iter().take(4).collect();
        let body = json!({ "customerIds": ids, "assignedTo": to.id });
        let reply =
            self.app.post("/api/customers/batch-assign", &body).by(&self.app.team.manager).send().await;
        assert_eq!(reply.status, 200, "{reply:?}");
    }

    async fn snap(&mut self, id: &str, position: i64) {
        let stream = log::customer(id);
        let found = self.app.app().bus.load_until::<Customer>(&stream, Until::Now).await.expect("the lead");
        let (lead, at) = (id.to_owned(), self.app.now());
        self.snapshots.push(Snapshot { lead, sequence: found.sequence, position, at, state: found.state });
    }
}

async fn worked(app: &TestApp) -> Workload<'_> {
    let dice = StdRng::seed_from_u64(SEED);
    let mut workload = Workload { app, dice, leads: Vec::new(), snapshots: Vec::new() };
    workload.run().await;
    workload
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_moment_can_be_seen_again(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start(on).await;
    let workload = worked(&app).await;
    assert!(workload.snapshots.len() > STEPS / 2);
    for snapshot in &workload.snapshots {
        let stream = log::customer(&snapshot.lead);
        for until in
            [Until::Sequence(snapshot.sequence), Until::Position(snapshot.position), Until::Time(snapshot.at)]
        {
            let state = app.state::<Customer>(&stream, until).await;
            assert_eq!(state, snapshot.state, "{until:?} of {}", snapshot.lead);
        }
        let before = app.state::<Customer>(&stream, Until::Sequence(snapshot.sequence - 1)).await;
        assert_ne!(before, snapshot.state, "the event before shows another state");
    }
    let nobody = app.state::<Customer>(&log::customer(&workload.leads[0]), Until::Position(0)).await;
    assert_eq!(nobody, Customer::default());
    drop(workload);
    app.finish().await;
}

/// What the workload leaves nothing in: no import is open once it is through, and nobody writes a rule.
const EMPTY: [ReadModel; 7] = [
    ReadModel::OpenImports,
    ReadModel::OpenRecycleRuns,
    ReadModel::RecycleRules,
    ReadModel::TransferRules,
    ReadModel::TransferRecords,
    ReadModel::TransferQuotas,
    ReadModel::Members,
];

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_read_model_made_again_is_the_live_one(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start(on).await;
    drop(worked(&app).await);
    let mut before = Vec::new();
    for model in ReadModel::ALL {
        before.push(dump(&app.app().db, *model).await.expect("a read model"));
    }
    for (model, before) in ReadModel::ALL.iter().zip(&before) {
        let rows: usize = before.iter().map(|(_, rows)| rows.len()).sum();
        assert!(rows > 0 || EMPTY.contains(model), "{model} is empty");
        let rebuilt = make_again(&app, *model).await;
        assert_eq!(rebuilt.differences, [], "{model}");
        app.settle().await;
        let after = dump(&app.app().db, *model).await.expect("a read model");
        assert_eq!(&after, before, "{model}, byte for byte");
    }
    let list = app.get("/api/customers?limit=200").by(&app.team.admin).send().await;
    assert!(list.data()["total"].as_i64() >= Some(5), "and it serves");
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_model_is_made_again_while_everybody_works(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start(on).await;
    let team = app.team.clone();
    drop(worked(&app).await);
    let write = async {
        let mut created = Vec::new();
        for n in 0..LEADS_MEANWHILE {
            let id = app.lead_of(&team.manager, &team.employee, 1000 + n).await;
            let read = app.get(&format!("/api/customers/{id}")).by(&team.manager).send().await;
            assert_eq!(read.status, 200, "whoever wrote it reads it");
            created.push(id);
        }
        created
    };
    let make_all_again = async {
        for model in ReadModel::ALL {
            assert_eq!(make_again(&app, *model).await.differences, [], "{model}");
        }
    };
    let (created, ()) = tokio::join!(write, make_all_again);
    app.settle().await;
    let told = app.inbox(&team.employee).await;
    let told: Vec<&Value> = told.iter().map(|notice| &notice["data"]["customerId"]).collect();
    for id in &created {
        assert_eq!(told.iter().filter(|told| ***told == json!(id)).count(), 1, "told once of {id}");
    }
    for model in ReadModel::ALL {
        let live = dump(&app.app().db, *model).await.expect("a read model");
        make_again(&app, *model).await;
        app.settle().await;
        assert_eq!(dump(&app.app().db, *model).await.expect("a read model"), live, "{model}");
    }
    let reads = join_all((0..10).map(|_| app.get("/api/customers?limit=1").by(&team.admin).send())).await;
    assert!(reads.iter().all(|read| read.status == 200));
    app.finish().await;
}

async fn make_again(app: &TestApp, model: ReadModel) -> projections::rebuild::Rebuilt {
    let (projections, cancel) = (&app.app().projections, CancellationToken::new());
    let rebuilt = rebuild(projections, model, RebuildOptions::default(), &cancel, |_| {}).await;
    rebuilt.unwrap_or_else(|error| panic!("{model}: {error}"))
}
