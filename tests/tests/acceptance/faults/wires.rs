//! Lines that break in every way (F7): reset before and after, a proxy's page, half an answer, an answer too late.

use chrono::TimeDelta;
use domain::notification::DeliveryState::Unknown;
use domain::notification::FailureClass::Uncertain;
use rstest::rstest;
use tests::kit::{Setup, TestApp, eventually};
use tests::scratch::Backend::{self, Postgres, Sqlite};
use wechat_simulator::{Fault, FaultRule, Limits};

use super::super::channels::{Way, Weather};
use super::is_listed_as_unknown;

/// How long a call may take: what is not hindered takes far less on the busiest machine, and only a fault that is too late
/// is waited for.
const SHORT_TIMEOUT_MS: u64 = 1_000;

/// How long the cloud waits for its function, and a function that takes longer.
const CLOUD_PATIENCE_MS: u64 = 20;
const TOO_LATE_MS: u64 = 60;

/// After the first waits of the schedule.
const NEXT_ATTEMPT: TimeDelta = TimeDelta::seconds(2);

/// What goes wrong, and whether the message arrives all the same.
fn faults(way: Way) -> Vec<(Fault, bool)> {
    let too_late = match way {
        // The cloud itself gives the function up and says so; the function goes on.
        Way::Cloud => (Fault::Slow { ms: TOO_LATE_MS }, true),
        _ => (Fault::TimeoutAfterProcessing { ms: None }, true),
    };
    vec![
        (Fault::ResetBefore {}, false),
        (Fault::ResetAfter {}, true),
        (Fault::Http502Html { process: false }, false),
        (Fault::Http502Html { process: true }, true),
        (Fault::TruncatedJson { process: true }, true),
        (Fault::TruncatedJson { process: false }, false),
        too_late,
    ]
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_that_breaks_loses_nothing_and_doubles_nothing(
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
    #[values(Weather::Likely, Weather::Other)] weather: Weather,
) {
    let setup = Setup { provider_timeout_ms: SHORT_TIMEOUT_MS, switches: weather.switches(), ..way.alone() };
    let app = TestApp::start_with(on, setup).await;
    app.wechat().set_limits(Limits { cloud_timeout_ms: CLOUD_PATIENCE_MS, ..Limits::default() });
    let (team, channel) = (app.team.clone(), way.channel());
    for (n, (fault, arrives)) in faults(way).into_iter().enumerate() {
        let before = app.received(&team.employee, channel).len();
        app.wechat().add_fault(FaultRule::once(way.endpoint(), fault.clone())).expect("a rule");
        app.lead_of(&team.manager, &team.employee, n).await;
        app.settle().await;
        if way.recognises() {
            app.leap(NEXT_ATTEMPT);
            eventually("the message is accepted", async || {
                let rows = app.sendings_through(&team.employee, channel).await;
                (rows.len() == n + 1 && rows[0].accepted_at.is_some()).then_some(())
            })
            .await;
            app.settle().await;
            let row = app.sendings_through(&team.employee, channel).await.remove(0);
            assert_eq!(row.attempts, 2, "{fault:?}: {row:?}");
            eventually("what the function still did is in the ledger", async || {
                (app.received(&team.employee, channel).len() > before).then_some(())
            })
            .await;
            assert_eq!(app.received(&team.employee, channel).len(), before + 1, "{fault:?}");
            continue;
        }
        let row = app.sendings_through(&team.employee, channel).await.remove(0);
        assert_eq!((row.state, row.attempts), (Unknown, 1), "{fault:?}: {row:?}");
        assert_eq!(row.failure.map(|failure| failure.class), Some(Uncertain), "{fault:?}");
        assert_eq!(app.received(&team.employee, channel).len(), before + usize::from(arrives), "{fault:?}");
    }
    app.wechat().clear_faults();
    let received = app.received(&team.employee, channel).len();
    app.advance(TimeDelta::hours(5));
    app.settle().await;
    assert_eq!(app.received(&team.employee, channel).len(), received, "time alone sends nothing");
    app.is_reconciled().await;
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_message_is_listed(
    #[values(Sqlite, Postgres)] on: Backend,
    #[values(Way::WecomRobot, Way::Subscribe, Way::OfficialSubscribe)] way: Way,
) {
    let app = TestApp::start_with(on, way.alone()).await;
    let team = app.team.clone();
    app.wechat().add_fault(FaultRule::once(way.endpoint(), Fault::ResetAfter {})).expect("a rule");
    app.lead_of(&team.manager, &team.employee, 1).await;
    app.settle().await;
    is_listed_as_unknown(&app, &team.employee, way).await;
    app.finish().await;
}
