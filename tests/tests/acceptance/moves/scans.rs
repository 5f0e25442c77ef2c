//! Scans that are late on purpose: they saw a lead before anybody reached for it, so that each try of a rule gets as far
//! as its append.

use std::collections::HashMap;

use application::access::Caller;
use application::bus::LoadError;
use application::recycling::{self, Falling, Leads, Outcome, Reminder, Warning, policy_now, recycle};
use application::transfers::{self, Candidates, Occasion, Refused, complete_run, continue_run, start_run};
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use domain::recycle_rule::RecyclePolicy;
use domain::transfer_rule::Criteria;
use domain::transfer_rule::plan::Candidate;
use domain::{CustomerId, RecycleRuleId, RecycleRunId, StaffId, TransferRuleId, TransferRunId};
use leadwire::lifecycle::recycling::leads;
use projections::queries::transfers::LeadCandidates;
use serde_json::json;
use tests::kit::{Node, Person, Setup, TestApp, Wechat};
use tests::people;
use tests::scratch::Backend;

use super::Start;

/// The 29th of February.
const NEVER: &str = "0 0 29 2 *";

/// How long a token of these stories is good.
const MONTH_SECONDS: &str = "2592000";

/// Longer than both rules let a lead lie.
pub(super) const IDLE: TimeDelta = TimeDelta::hours(25);

/// Why a transfer leaves a lead that somebody else was faster with.
const SKIPPED: [&str; 4] = ["owner_changed", "in_pool", "active", "contended"];

/// A scan of the recycle rules that knows one lead, as it was.
pub(super) struct LateScan {
    rule: RecycleRuleId,
    pub(super) falling: Falling,
}

#[async_trait]
impl Leads for LateScan {
    async fn rules(&self) -> Result<Vec<RecycleRuleId>, LoadError> {
        Ok(vec![self.rule])
    }

    async fn falling(
        &self,
        _: &RecyclePolicy,
        _: Option<RecycleRuleId>,
        _: DateTime<Utc>,
        _: usize,
    ) -> Result<Vec<Falling>, LoadError> {
        Ok(vec![self.falling])
    }

    async fn caught_up(&self) -> Result<(), LoadError> {
        Ok(()) // it stays late, however long one waits
    }

    async fn unfinished(&self) -> Result<Vec<RecycleRunId>, LoadError> {
        Ok(vec![])
    }

    async fn warnings(
        &self,
        _: &RecyclePolicy,
        _: DateTime<Utc>,
        _: usize,
    ) -> Result<Vec<Warning>, LoadError> {
        Ok(vec![])
    }

    async fn reminders(
        &self,
        _: DateTime<Utc>,
        _: DateTime<Utc>,
        _: usize,
    ) -> Result<Vec<Reminder>, LoadError> {
        Ok(vec![])
    }
}

/// The real candidates, but for those the pair is not about.
struct Only(LeadCandidates, CustomerId);

#[async_trait]
impl Candidates for Only {
    async fn eligible(
        &self,
        criteria: &Criteria,
        at: DateTime<Utc>,
        limit: usize,
    ) -> Result<Vec<Candidate>, LoadError> {
        let mut found = self.0.eligible(criteria, at, limit).await?;
        found.retain(|one| one.customer == self.1);
        Ok(found)
    }

    async fn refused(&self, criteria: &Criteria, at: DateTime<Utc>) -> Result<Refused, LoadError> {
        self.0.refused(criteria, at).await
    }

    async fn balances(&self, rule: TransferRuleId) -> Result<HashMap<StaffId, i64>, LoadError> {
        self.0.balances(rule).await
    }
}

/// Both rules, written by people.
#[derive(Clone, Copy)]
pub(super) struct Rules {
    recycle: RecycleRuleId,
    pub(super) transfer: TransferRuleId,
}

/// The lead of a pair, and what the rules saw of it before the grabbing.
pub(super) struct Scanned {
    pub(super) lead: String,
    pub(super) version: i64,
    pub(super) scan: LateScan,
    /// A run of its own for each try of a transfer.
    pub(super) runs: Vec<TransferRunId>,
}

/// A service that the story may keep for days, and in which nobody but the story runs a rule.
pub(super) async fn start(on: Backend) -> TestApp {
    let more = vec![
        ("LEADWIRE_AUTH__TOKEN_SECONDS", MONTH_SECONDS.to_owned()),
        ("LEADWIRE_SCHEDULES__RECYCLE", NEVER.to_owned()),
        ("LEADWIRE_SCHEDULES__LEAD_TRANSFER", NEVER.to_owned()),
    ];
    TestApp::start_with(on, Setup { wechat: Wechat::Unconfigured, more, ..Setup::default() }).await
}

pub(super) async fn write_rules(app: &TestApp) -> Rules {
    let team = &app.team;
    let body = json!({ "name": "一天未跟进", "kind": "no_follow_up", "days": 1, "warnBeforeHours": [] });
    let recycle = app.post("/api/recycle-rules", &body).by(&team.admin).send().await;
    assert_eq!(recycle.status, 201, "{recycle:?}");
    let body = json!({
        "ruleName": "闲置线索", "enabled": true, "targetModule": "customer",
        "triggerConditions": {
            "inactiveHours": 1, "transferCooldownHours": 0, "maxTransferCount": 0, "contractStatuses": ["待定"],
        },
        "executionWindow": { "enabled": false },
        "sourceUserIds": [team.employee.id], "targetUserIds": [team.colleague.id],
        "distributionConfig": { "strategy": "round-robin" },
    });
    let transfer = app.post("/api/lead-transfer/rules", &body).by(&team.manager).send().await;
    assert_eq!(transfer.status, 201, "{transfer:?}");
    Rules {
        recycle: recycle.id().parse().expect("the id of a rule"),
        transfer: transfer.id().parse().expect("the id of a rule"),
    }
}

/// Works with the real stores of a process, but knows one lead alone.
macro_rules! transfer_stores {
    ($node:expr, $lead:expr, $stores:ident) => {
        let app = $node.app();
        let only = Only(LeadCandidates::new(app.projections.roster().clone()), $lead);
        let limits = app.limits_in_force().await.expect("limits");
        let $stores = transfers::Stores {
            bus: &app.bus,
            candidates: &only,
            limits: &limits,
            clock: app.clock.as_ref(),
        };
    };
}

impl Scanned {
    /// What the rules see of an idle lead, with so many runs of the transfer rule that want it.
    pub(super) async fn of(app: &TestApp, rules: Rules, lead: String, runs: usize) -> Self {
        let id: CustomerId = lead.parse().expect("the id of a lead");
        let scan = late_scan(app, rules, id).await;
        transfer_stores!(app, id, stores);
        let mut begun = Vec::new();
        for _ in 0..runs {
            let (context, caller) = (people::context(app.app()), caller(&app.team.manager));
            let run = start_run(stores, rules.transfer, &Occasion::Asked { caller, context }).await;
            let run = run.expect("a run");
            assert_eq!(run.planned, 1, "the rule wants it");
            begun.push(run.run);
        }
        Self { lead, version: 0, scan, runs: begun }
    }

    /// The lead is where a pair begins: still owned, or released after the scan.
    pub(super) async fn at(self, app: &TestApp, start: Start) -> Self {
        let lead = &self.lead;
        if start == Start::Pool {
            let path = format!("/api/customers/{lead}/release-to-pool");
            let body = json!({ "reason": "客户不需要了" });
            let reply = app.post(&path, &body).by(&app.team.employee).send().await;
            assert_eq!(reply.status, 200, "{reply:?}");
        }
        let version = app.history(lead).await.last().expect("it was created").sequence;
        Self { version, ..self }
    }
}

fn caller(person: &Person) -> Caller {
    let Person { id, username, name, role, .. } = person.clone();
    Caller { id, username, name, role }
}

/// What a scan of the recycle rules says of a lead at this moment.
pub(super) async fn late_scan(app: &TestApp, rules: Rules, lead: CustomerId) -> LateScan {
    let found = leads(app.app());
    let stores = recycling::Stores { bus: &app.app().bus, leads: &found, clock: app.app().clock.as_ref() };
    let terms = policy_now(stores).await.expect("the rules");
    let falling = found.falling(&terms, None, app.now(), 1000).await.expect("a scan");
    let falling = falling.into_iter().find(|one| one.customer == lead).expect("the rule wants it");
    LateScan { rule: rules.recycle, falling }
}

/// One try of a recycle rule: whether it put the lead into the pool. Each is for an hour of its own.
pub(super) async fn fall(node: &Node, scan: &LateScan, n: usize) -> bool {
    let app = node.app();
    let stores = recycling::Stores { bus: &app.bus, leads: scan, clock: app.clock.as_ref() };
    let period = app.clock.now() + TimeDelta::hours(i64::try_from(n).expect("a small number"));
    let Outcome { recycled, touched, gone, contended, .. } = recycle(stores, period).await.expect("a run");
    assert_eq!(recycled + touched + gone + contended, 1, "it fell, or somebody was faster");
    recycled == 1
}

/// One try of a transfer rule: whether it handed the lead on.
pub(super) async fn hand_on(node: &Node, scanned: &Scanned, run: TransferRunId) -> bool {
    transfer_stores!(node, scanned.scan.falling.customer, stores);
    let outcome = continue_run(stores, run).await.expect("a run");
    assert_eq!(outcome.moved.len() + outcome.skipped.len(), 1);
    for one in &outcome.skipped {
        assert!(SKIPPED.contains(&one.reason.as_str()), "{one:?}");
    }
    let moved = outcome.moved.len() == 1;
    complete_run(stores, run, outcome).await.expect("its end");
    moved
}
