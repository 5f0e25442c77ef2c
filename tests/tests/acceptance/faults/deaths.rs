//! The process dies, or stands still, while a message is on its way (F3 to F6).

use chrono::TimeDelta;
use domain::notification::DeliveryState::{Accepted, Unknown};
use leadwire::wiring::Role;
use rstest::rstest;
use sqlx::{Connection as _, PgConnection};
use tests::kit::{DoomedNode, Frozen, Setup, TestApp, eventually};
use tests::scratch::Backend::{self, Postgres, Sqlite};
use wechat_simulator::{Fault, FaultRule};

use super::super::channels::{Way, accepted, sending};
use super::is_listed_as_unknown;

/// Longer than the leases of deliveries and consumers, shorter than every window in which a repetition is recognised.
const LONGER_THAN_LEASES: TimeDelta = TimeDelta::minutes(1);

/// Nothing happens by itself any more after this time.
const MUCH_LATER: TimeDelta = TimeDelta::hours(5);

/// When the process dies, seen from the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Death {
    /// F3: the attempt is on disk, the provider has done nothing.
    BeforeItWasProcessed,
    /// F4: the message is on the phone, the answer is not on disk.
    AfterItWasProcessed,
}

impl Death {
    fn fault(self) -> Fault {
        match self {
            Self::BeforeItWasProcessed => Fault::Hang { process: false },
            Self::AfterItWasProcessed => Fault::TimeoutAfterProcessing { ms: None },
        }
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_dies_while_it_sends_neither_loses_nor_doubles_a_message(
    #[values(Sqlite, Postgres)] on: Backend,
    #[values(
        Way::WecomApp,
        Way::WecomRobot,
        Way::Subscribe,
        Way::Cloud,
        Way::OfficialTemplate,
        Way::OfficialSubscribe
    )]
    way: Way,
    #[values(Death::BeforeItWasProcessed, Death::AfterItWasProcessed)] death: Death,
) {
    let mut app = TestApp::start_with(on, Setup { mortal: true, ..way.alone() }).await;
    let (team, channel) = (app.team.clone(), way.channel());
    app.wechat().add_fault(FaultRule::once(way.endpoint(), death.fault())).expect("a rule");
    app.lead_of(&team.manager, &team.employee, 1).await;
    app.wechat().until_waiting(1).await;
    app.kill();
    app.wechat().until_none_waiting().await;
    app.wechat().clear_faults();
    let arrived = app.received(&team.employee, channel).len();
    assert_eq!(arrived, usize::from(death == Death::AfterItWasProcessed));

    app.revive().await;
    app.leap(LONGER_THAN_LEASES);
    if way.recognises() {
        let row = accepted(&app, &team.employee, channel).await;
        assert_eq!(row.attempts, 2);
        assert_eq!(app.received(&team.employee, channel).len(), 1);
    } else {
        let unknown = eventually("the message shows as unknown", async || {
            let row = sending(&app, &team.employee, channel).await;
            (row.state == Unknown).then_some(row)
        });
        assert_eq!(unknown.await.attempts, 1);
        is_listed_as_unknown(&app, &team.employee, way).await;
    }
    // Neither time nor another notice makes it go out again.
    app.advance(MUCH_LATER);
    app.lead_of(&team.manager, &team.employee, 2).await;
    app.settle().await;
    let first = if way.recognises() { 1 } else { arrived };
    assert_eq!(app.received(&team.employee, channel).len(), first + 1);
    assert_eq!(app.told(&team.employee).await.len(), 2, "the inbox has both");
    app.is_reconciled().await;
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_recorded_as_sent_is_not_sent_again(
    #[values(Sqlite, Postgres)] on: Backend,
    #[values(Way::WecomApp, Way::WecomRobot, Way::Subscribe, Way::Cloud, Way::OfficialTemplate)] way: Way,
) {
    let mut app = TestApp::start_with(on, Setup { mortal: true, ..way.alone() }).await;
    let (team, channel) = (app.team.clone(), way.channel());
    let calls = |app: &TestApp| app.wechat().calls().of(way.endpoint()).calls;
    app.lead_of(&team.manager, &team.employee, 1).await;
    // F5: as soon as the result is in the log; whether the row was given back or not, nobody waited for it.
    eventually("the result is stored", async || {
        let history = app.read_log().await;
        history.in_state(Accepted).next()
    })
    .await;
    app.kill();
    app.revive().await;
    app.advance(MUCH_LATER);
    app.settle().await;
    let row = sending(&app, &team.employee, channel).await;
    assert_eq!((row.state, row.attempts), (Accepted, 1));
    assert_eq!(app.received(&team.employee, channel).len(), 1);
    assert_eq!(calls(&app), 1, "the provider was asked once");
    app.is_reconciled().await;
    app.finish().await;
}

/// Transactions that somebody has begun and not ended.
const OPEN: &str = "SELECT count(*) FROM pg_stat_activity
 WHERE datname = current_database() AND xact_start IS NOT NULL AND pid <> pg_backend_pid()";

/// Looks for open transactions before the process is let go on for a moment.
const LOOKS: usize = 20;

/// A process that stands still within a transaction would hold up everybody else; that is another story (F8).
async fn freeze_between_transactions(app: &TestApp, process: &DoomedNode) -> Frozen {
    let mut database = PgConnection::connect(app.database_url()).await.expect("the database answers");
    loop {
        let frozen = process.freeze().await;
        for _ in 0..LOOKS {
            let open: i64 = sqlx::query_scalar(OPEN).fetch_one(&mut database).await.expect("a count");
            if open == 0 {
                return frozen;
            }
        }
        frozen.thaw();
    }
}

/// F6. The first process stands still as a whole (as under `kill -STOP`, or a paused machine): its heartbeat, too.
#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_wakes_after_a_second_worker_took_over_can_conclude_nothing(
    #[values(Way::WecomApp, Way::WecomRobot, Way::Subscribe, Way::Cloud, Way::OfficialTemplate)] way: Way,
) {
    let app = TestApp::start_with(Postgres, Setup { roles: vec![Role::Api], ..way.alone() }).await;
    let (team, channel) = (app.team.clone(), way.channel());
    let first = app.doomed().await;
    let answer_when_woken = Fault::TimeoutAfterProcessing { ms: None };
    app.wechat().add_fault(FaultRule::once(way.endpoint(), answer_when_woken)).expect("a rule");
    app.lead_of(&team.manager, &team.employee, 1).await;
    app.wechat().until_waiting(1).await;
    let frozen = freeze_between_transactions(&app, &first).await;

    let second = app.second().await;
    app.advance(LONGER_THAN_LEASES);
    let expected = if way.recognises() { Accepted } else { Unknown };
    let taken_over = eventually("the second worker concludes", async || {
        let rows = app.sendings_through(&team.employee, channel).await;
        rows.into_iter().find(|row| row.state == expected)
    });
    let taken_over = taken_over.await;
    assert_eq!(app.received(&team.employee, channel).len(), 1);

    app.wechat().wake();
    frozen.thaw();
    first.stop().await; // it ends what it was doing
    app.settle().await;
    let row = sending(&app, &team.employee, channel).await;
    assert_eq!((row.state, row.attempts), (taken_over.state, taken_over.attempts), "its yes was refused");
    let ends = app.events_named("DeliveryAccepted", 0).await.len();
    assert_eq!(ends, usize::from(way.recognises()), "nobody recorded a second end");
    assert_eq!(app.received(&team.employee, channel).len(), 1);
    second.stop().await;
    app.finish().await;
}
