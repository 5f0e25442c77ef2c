//! The hourly job over any number of processes: each lead moves once, each run ends once, everybody is told once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use application::access::Caller;
use application::bus::{
    AppendError, Appended, CommandBus, CommandContext, CountKind, Draft, LoadError, NewEvent, Receipt,
    StreamAppend, Versioned,
};
use application::customers::Limits;
use application::ports::Ids as _;
use application::schedules::{Grid, Period};
use application::transfers::{Occasion, Stores, continue_run, start_run};
use chrono::{DateTime, TimeDelta, Utc};
use domain::customer::CustomerEvent;
use domain::pool_rules::{PoolRulesEvent, PoolRulesSet, PoolRulesText};
use domain::staff::Role;
use domain::transfer_rule::run::TransferRunEvent;
use domain::transfer_rule::{RuleText, TransferRuleEvent};
use domain::{Aggregate, CommandId, Metadata, Sequence, StoredEvent, StreamId, TransferRunId};
use infrastructure::bus::Bus;
use infrastructure::event_log::{Filter, RecordedRaw};
use infrastructure::ids::TimeOrderedIds;
use infrastructure::scheduler::{JobError, LOOKS_MAX, Runner, ScheduledJob as _, Turn};
use infrastructure::upcasters::Upcasters;
use rstest::rstest;
use tokio_util::sync::CancellationToken;

use super::super::kit::{Backend, by, customer, dawn, rule, rule_text, rule_written, second, staff};
use super::kit::{ADMIN, LI, MANAGER, Office, ZHANG, assigned, created};
use crate::Projections;
use crate::lead_transfer::{self, LeadTransfer, LeftRuns};
use crate::queries::transfers::{self, LeadCandidates};

pub(super) const LEADS: u128 = 6;

/// The moment of the grid that the stories are about.
pub(super) fn period() -> DateTime<Utc> {
    dawn() + TimeDelta::days(3)
}

/// 张三's leads go to 李四 and the manager.
fn text(name: &str) -> RuleText {
    RuleText {
        sources: vec![staff(ZHANG)],
        targets: vec![staff(LI), staff(MANAGER)],
        conditions: domain::transfer_rule::Conditions {
            contract_statuses: vec![domain::customer::ContractStatus::Pending],
            ..rule_text(name).conditions
        },
        ..rule_text(name)
    }
}

/// Leads that lie about since the beginning, and a rule for them; a minute past the period.
pub(super) async fn open(backend: Backend) -> Office {
    let office = Office::open(backend).await;
    for n in 1..=LEADS {
        let given = assigned(ZHANG, ADMIN, domain::customer::AssignmentSource::Manual);
        office.world.append(customer(n), &[created(n, ADMIN), given]).await;
    }
    office.world.append(rule(1), &[rule_written(text("闲置流转"), second(1))]).await;
    office.world.settle().await;
    office.world.clock.set(period() - TimeDelta::minutes(1));
    office
}

pub(super) fn work(office: &Office, projections: &Projections) -> LeadTransfer {
    let bus = Bus::new(office.world.log.clone(), Arc::new(Upcasters::none()));
    LeadTransfer::new(bus, projections.clone(), Limits::default(), office.world.clock.clone())
}

/// A process of its own, which knows the job and has nothing to make up for.
async fn process(office: &Office) -> Runner {
    let work = Arc::new(work(office, &office.world.another_process()));
    let job = lead_transfer::job(Grid::parse("0 * * * *", Limits::default().zone).unwrap());
    let clock = office.world.clock.clone();
    let runner = Runner::new(office.world.db.clone(), clock, TimeOrderedIds.next(), job, work);
    runner.register().await.unwrap();
    runner
}

pub(super) async fn events<E: StoredEvent>(office: &Office, kind: &str) -> Vec<(RecordedRaw, E)> {
    let page = office.world.log.page(0, 4096, Filter::StreamType(kind)).await.unwrap();
    let decoded = page.into_iter().map(|raw| {
        let event = Upcasters::none().decode::<E>(raw.clone()).unwrap();
        (raw, event.payload)
    });
    decoded.collect()
}

/// How often each lead changed hands.
async fn moves(office: &Office) -> BTreeMap<String, usize> {
    let mut moves = BTreeMap::new();
    for (raw, event) in events::<CustomerEvent>(office, "customer").await {
        if matches!(event, CustomerEvent::Transferred(_)) {
            *moves.entry(raw.stream.to_string()).or_default() += 1;
        }
    }
    moves
}

/// What each end says: how many moved, how many stayed.
async fn ends(office: &Office) -> Vec<(usize, usize)> {
    let runs = events::<TransferRunEvent>(office, "transfer_run").await.into_iter();
    runs.filter_map(|(_, event)| match event {
        TransferRunEvent::Completed(e) => Some((e.moved.len(), e.skipped.len())),
        _ => None,
    })
    .collect()
}

/// Each lead moved once, one run ended, and one summary for each of the three it concerns.
async fn assert_all_once(office: &Office) {
    let moves = moves(office).await;
    assert_eq!(moves.len(), usize::try_from(LEADS).unwrap());
    assert!(moves.values().all(|times| *times == 1), "{moves:?}");
    assert_eq!(ends(office).await, [(moves.len(), 0)]);

    office.answer().await;
    let told = office.seen().await.notices;
    let summaries: Vec<_> = told.iter().filter(|(_, scene, _)| scene.contains("AUTO_TRANSFER")).collect();
    let people: BTreeSet<_> = summaries.iter().map(|(recipient, ..)| *recipient).collect();
    assert_eq!((summaries.len(), people.len()), (3, 3), "{told:?}");
    office.rewind().await;
    office.answer().await;
    assert_eq!(office.seen().await.notices, told, "however often it is answered");

    office.world.settle().await;
    let counted = transfers::statistics(&office.world.db, &transfers::RecordFilter::default()).await.unwrap();
    assert_eq!((counted.success, counted.failed, counted.planned), (i64::try_from(LEADS).unwrap(), 0, 0));
    let quota = transfers::user_statistics(&office.world.db, staff(ZHANG)).await.unwrap();
    assert_eq!(quota.transferred_out, i64::try_from(LEADS).unwrap());
}

#[rstest]
#[tokio::test]
async fn of_two_schedulers_one_runs_the_period(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let office = open(backend).await;
    let (one, other) = (process(&office).await, process(&office).await);
    let stop = CancellationToken::new();
    assert_eq!(one.turn(&stop).await.unwrap(), Turn::Nothing, "before its time");
    office.world.clock.set(period() + TimeDelta::minutes(1));
    let (first, second) = tokio::join!(one.turn(&stop), other.turn(&stop));
    let turns = [first.unwrap(), second.unwrap()];
    let done = Turn::Done(Period(period()), "6 leads moved by 1 rules".to_owned());
    assert!(turns.contains(&done) && turns.contains(&Turn::Nothing), "{turns:?}");
    for process in [&one, &other] {
        assert_eq!(process.turn(&stop).await.unwrap(), Turn::Nothing, "the period is over");
    }
    assert_all_once(&office).await;
}

#[rstest]
#[tokio::test]
async fn two_processes_at_the_same_period_move_each_lead_once(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let office = open(backend).await;
    office.world.clock.set(period() + TimeDelta::minutes(1));
    // Two that both believe the period is theirs, whatever fences say.
    let (one, other) =
        (work(&office, &office.world.another_process()), work(&office, &office.world.another_process()));
    let stop = CancellationToken::new;
    let (first, second) =
        tokio::join!(one.run(Period(period()), stop()), other.run(Period(period()), stop()));
    assert_eq!(first.unwrap(), second.unwrap(), "each tells of the one end");
    assert_all_once(&office).await;
}

/// A bus of a process that dies after so many appends.
struct Mortal {
    bus: Bus,
    left: AtomicUsize,
}

impl CommandBus for Mortal {
    async fn load<A: Aggregate>(&self, stream: &StreamId) -> Result<Versioned<A>, LoadError> {
        self.bus.load(stream).await
    }

    async fn load_many<A: Aggregate>(&self, streams: &[StreamId]) -> Result<Vec<Versioned<A>>, LoadError> {
        self.bus.load_many(streams).await
    }

    async fn load_at<A: Aggregate>(
        &self,
        stream: &StreamId,
        sequence: Sequence,
    ) -> Result<Versioned<A>, LoadError> {
        self.bus.load_at(stream, sequence).await
    }

    async fn receipt(&self, command: CommandId) -> Result<Option<Receipt>, LoadError> {
        self.bus.receipt(command).await
    }

    async fn count(&self, kind: CountKind, key: &str) -> Result<i64, LoadError> {
        self.bus.count(kind, key).await
    }

    async fn append(&self, draft: Draft) -> Result<Appended, AppendError> {
        let lives = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        match lives {
            Ok(_) => self.bus.append(draft).await,
            Err(_) => Err(AppendError::Unavailable("the process died".to_owned())),
        }
    }
}

/// Begins the run of an occasion in a process that dies after so many appends.
async fn dies_after(office: &Office, appends: usize, occasion: &Occasion) -> TransferRunId {
    let bus = Bus::new(office.world.log.clone(), Arc::new(Upcasters::none()));
    let bus = Mortal { bus, left: AtomicUsize::new(appends) };
    let candidates = LeadCandidates::new(office.world.roster().clone());
    let (limits, clock) = (Limits::default(), office.world.clock.clone());
    let stores = Stores { bus: &bus, candidates: &candidates, limits: &limits, clock: clock.as_ref() };
    let begun = start_run(stores, rule(1), occasion).await.unwrap();
    continue_run(stores, begun.run).await.unwrap_err();
    begun.run
}

#[rstest]
#[tokio::test]
async fn a_killed_process_leaves_a_run_that_another_one_ends(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(1, 4)] appends: usize,
) {
    let office = open(backend).await;
    let (one, other) = (process(&office).await, process(&office).await);
    office.world.clock.set(period() + TimeDelta::minutes(1));
    let claimed = one.claim().await.unwrap().expect("the period is due");
    assert_eq!(claimed.period, Period(period()));
    dies_after(&office, appends, &Occasion::Period(period())).await;
    assert_eq!(moves(&office).await.len(), appends - 1, "the plan, then one append for each lead");
    assert_eq!(ends(&office).await, []);

    // Its sign of life stands still: the other one goes on with that very plan.
    let stop = CancellationToken::new();
    for _ in 0..LOOKS_MAX {
        assert_eq!(other.turn(&stop).await.unwrap(), Turn::Nothing);
    }
    let done = Turn::Done(Period(period()), "6 leads moved by 1 rules".to_owned());
    assert_eq!(other.turn(&stop).await.unwrap(), done);
    assert_all_once(&office).await;
}

/// Somebody asks for a run at this moment.
fn asked(office: &Office, at: DateTime<Utc>) -> Occasion {
    office.world.clock.set(at);
    let caller =
        Caller { id: staff(ADMIN), username: "user1".to_owned(), name: "甲".to_owned(), role: Role::Admin };
    let metadata = Metadata {
        command: CommandId(TimeOrderedIds.next()),
        correlation: "request-1".to_owned(),
        causation: None,
        actor: by(ADMIN),
    };
    Occasion::Asked { caller, context: CommandContext { metadata, at, fingerprint: None } }
}

#[rstest]
#[tokio::test]
async fn a_run_by_hand_that_nobody_ended_is_carried_on(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let office = open(backend).await;
    let run = dies_after(&office, 3, &asked(&office, period() - TimeDelta::minutes(30))).await;
    office.world.settle().await;

    office.world.clock.set(period() + TimeDelta::minutes(1));
    let work = work(&office, &office.world.projections);
    let told = work.run(Period(period()), CancellationToken::new()).await.unwrap();
    assert_eq!(told, "6 leads moved by 1 rules; 1 unfinished runs carried on");
    office.world.settle().await;
    let found = transfers::run(&office.world.db, run).await.unwrap().unwrap();
    assert_eq!((found.moved, found.skipped, found.started_by), (6, 0, Some(staff(ADMIN))));
    assert!(moves(&office).await.values().all(|times| *times == 1));
}

/// It does not wait for the hour: somebody may sit there and look.
#[rstest]
#[tokio::test]
async fn within_minutes_and_not_before_its_process_can_be_thought_dead(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let office = open(backend).await;
    let at = period() + TimeDelta::minutes(7);
    let run = dies_after(&office, 3, &asked(&office, at)).await;
    office.world.settle().await;
    let left = LeftRuns(work(&office, &office.world.projections));
    for (minutes, told) in [(2, 0), (3, 1), (4, 0)] {
        let period = Period(at + TimeDelta::minutes(minutes));
        let told = format!("{told} unfinished runs carried on");
        assert_eq!(left.run(period, CancellationToken::new()).await.unwrap(), told);
        office.world.settle().await;
    }
    let found = transfers::run(&office.world.db, run).await.unwrap().unwrap();
    assert_eq!((found.moved, found.skipped), (6, 0));
    assert_all_once(&office).await;
}

#[rstest]
#[tokio::test]
async fn a_rule_that_fails_keeps_no_other_from_running(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let office = open(backend).await;
    let older = rule_written(text("坏规则"), dawn());
    office.world.append(rule(2), &[older]).await;
    office.world.settle().await;
    // What is in its stream now, no program of ours wrote.
    let broken: StreamAppend = StreamAppend {
        events: vec![NewEvent { schema_version: 99, ..broken_event() }],
        ..StreamAppend::of::<TransferRuleEvent>(rule(2), 1, &[]).unwrap()
    };
    office.command(vec![broken]).await;

    office.world.clock.set(period() + TimeDelta::minutes(1));
    let work = work(&office, &office.world.projections);
    let failed = work.run(Period(period()), CancellationToken::new()).await.unwrap_err();
    assert!(matches!(failed, JobError::Failed(_)), "{failed:?}");
    assert_eq!(failed.to_string(), "6 leads moved by 1 rules; 1 failed");
    assert_eq!(ends(&office).await, [(6, 0)]);
    // The period is begun again; what was done is done.
    let again = work.run(Period(period()), CancellationToken::new()).await.unwrap_err();
    assert_eq!(again.to_string(), "6 leads moved by 1 rules; 1 failed");
    assert_eq!(ends(&office).await, [(6, 0)]);
}

fn broken_event() -> NewEvent {
    NewEvent::of(&rule_written(text("坏规则"), dawn())).unwrap()
}

#[rstest]
#[tokio::test]
async fn the_oldest_rule_has_the_first_word_and_one_that_is_off_has_none(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let office = open(backend).await;
    office.world.append(rule(2), &[rule_written(text("后来的规则"), second(2))]).await;
    office.world.append(rule(3), &[rule_written(text("停用的规则"), dawn())]).await;
    let off = domain::transfer_rule::TransferRuleDisabled { by: by(ADMIN), at: dawn() };
    office.world.append(rule(3), &[TransferRuleEvent::from(off)]).await;
    office.world.settle().await;
    office.world.clock.set(period() + TimeDelta::minutes(1));
    let work = work(&office, &office.world.projections);
    let told = work.run(Period(period()), CancellationToken::new()).await.unwrap();
    assert_eq!(told, "6 leads moved by 2 rules");
    // Read models may be late: the later rule planned the same leads and found them moved.
    assert_eq!(ends(&office).await, [(6, 0), (0, 6)]);
    assert!(moves(&office).await.values().all(|times| *times == 1));
}

#[rstest]
#[tokio::test]
async fn a_job_that_is_stopped_says_so(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let office = open(backend).await;
    let stop = CancellationToken::new();
    stop.cancel();
    let work = work(&office, &office.world.projections);
    let stopped = work.run(Period(period()), stop).await.unwrap_err();
    assert!(matches!(stopped, JobError::Stopped), "{stopped:?}");
}

#[rstest]
#[tokio::test]
async fn the_rules_of_the_pool_hold_the_targets_to_their_cap(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let office = open(backend).await;
    let text = PoolRulesText { holding_cap: Some(2), ..PoolRulesText::default() };
    let set: PoolRulesEvent = PoolRulesSet { text, by: by(ADMIN), at: second(1) }.into();
    office.world.append(StreamId::pool_rules(), &[set]).await;
    office.world.clock.set(period() + TimeDelta::minutes(1));
    let work = work(&office, &office.world.projections);
    let told = work.run(Period(period()), CancellationToken::new()).await.unwrap();
    assert_eq!(told, "4 leads moved by 1 rules", "two for each of the two");
}
