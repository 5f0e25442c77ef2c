//! "Busy" may hide a message that was sent: who may repeat it, and who may not.

use chrono::TimeDelta;
use domain::notification::DeliveryState::Unknown;
use domain::notification::Settlement;
use rstest::rstest;
use tests::kit::{Setup, TestApp};
use tests::scratch::Backend::{self, Postgres, Sqlite};
use wechat_simulator::FaultRule;

use super::{AFTER_GRACE, Way, Weather, accepted, code, sending};

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_answer_with_a_hidden_effect_is_repeated_only_where_the_provider_notices(
    #[values(Sqlite, Postgres)] on: Backend,
    #[values(Way::WecomApp, Way::Cloud, Way::OfficialTemplate)] way: Way,
    #[values(Weather::Likely, Weather::Other)] weather: Weather,
) {
    let app = TestApp::start_with(on, Setup { switches: weather.switches(), ..way.alone() }).await;
    let team = app.team.clone();
    app.wechat().add_fault(FaultRule::once(way.endpoint(), code(-1))).expect("a rule");
    app.lead_of(&team.manager, &team.employee, 1).await;
    app.settle().await;
    app.leap(TimeDelta::seconds(40));
    let row = accepted(&app, &team.employee, way.channel()).await;
    assert_eq!(row.attempts, 2);
    assert_eq!(app.received(&team.employee, way.channel()).len(), 1);
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_answer_is_not_repeated_where_nobody_would_notice_the_repetition(
    #[values(Sqlite, Postgres)] on: Backend,
    #[values(Way::Subscribe, Way::OfficialSubscribe)] way: Way,
    #[values(Weather::Likely, Weather::Other)] weather: Weather,
) {
    let app = TestApp::start_with(on, Setup { switches: weather.switches(), ..way.alone() }).await;
    let team = app.team.clone();
    app.wechat().add_fault(FaultRule::once(way.endpoint(), code(-1))).expect("a rule");
    app.lead_of(&team.manager, &team.employee, 1).await;
    app.settle().await;
    app.advance(AFTER_GRACE);
    app.settle().await;
    let row = sending(&app, &team.employee, way.channel()).await;
    assert_eq!((row.state, row.attempts, row.settlement), (Unknown, 1, Some(Settlement::Closed)));
    let arrived = usize::from(weather == Weather::Other);
    assert_eq!(app.received(&team.employee, way.channel()).len(), arrived);
    app.finish().await;
}
