//! Every external channel, alone and behind another one: an assigned lead reaches its owner once, with the right words,
//! under whatever nobody knows of the providers; and whoever was not told through a channel can be told why
//! (notifications.md section 3, wechat-apis.md section 0).

mod busy;
mod settings;
mod waiting;
mod ways;

use chrono::TimeDelta;
use domain::notification::DeliveryState::{
    self, Accepted, Cancelled, Held, Rejected, Retry, Suppressed, Unknown,
};
use domain::notification::{Channel, Settlement};
use domain::staff::StaffCommand;
use domain::{Actor, StaffId};
use projections::queries::deliveries::DeliveryRow;
use rstest::rstest;
use serde_json::json;
use tests::kit::{Person, Setup, TestApp};
use tests::scratch::Backend::{self, Postgres, Sqlite};
use wechat_simulator::{DEMO_CORP, Endpoint, Fault, FaultRule, Received};

pub(crate) use ways::{Way, Weather, accepted, sending};

/// The route of notifications.md section 3.
const ROUTE: [Channel; 4] =
    [Channel::WecomApp, Channel::WechatSubscribe, Channel::WechatOfficial, Channel::WechatCloud];

/// The time for a proof is over.
const AFTER_GRACE: TimeDelta = TimeDelta::seconds(121);

/// The time of a channel is over, and the next one speaks.
const AFTER_FALLBACK: TimeDelta = TimeDelta::seconds(301);

/// How many messages came to a person, by channel of the route.
fn received(app: &TestApp, person: &Person) -> [usize; 4] {
    ROUTE.map(|channel| app.received(person, channel).len())
}

/// Where the deliveries to a person stand, by channel of the route, and why.
async fn standing(app: &TestApp, person: &Person) -> [(DeliveryState, Option<String>); 4] {
    let rows = app.deliveries(person, None).await;
    ROUTE.map(|channel| {
        let found: Vec<_> =
            rows.iter().filter(|row| row.channel == channel && is_about_a_lead(row)).collect();
        assert_eq!(found.len(), 1, "{channel}: {found:?}");
        (found[0].state, found[0].reason.clone())
    })
}

fn is_about_a_lead(row: &DeliveryRow) -> bool {
    row.scene == "CUSTOMER_ASSIGNED"
}

fn told_by(channel: Channel) -> (DeliveryState, Option<String>) {
    (Cancelled, Some(format!("told_by_{channel}")))
}

fn says(received: &Received, words: &str) -> bool {
    received.data.values().any(|value| value.contains(words))
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_assigned_lead_goes_through_each_channel_alone_once_with_the_right_words(
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
    let app = TestApp::start_with(on, Setup { switches: weather.switches(), ..way.alone() }).await;
    let (team, channel) = (app.team.clone(), way.channel());
    app.lead_of(&team.manager, &team.employee, 1).await;
    app.settle().await;

    let row = sending(&app, &team.employee, channel).await;
    assert_eq!((row.state, row.attempts), (Accepted, 1), "{row:?}");
    let received = app.received(&team.employee, channel);
    assert_eq!(received.len(), 1);
    assert!(says(&received[0], "客户1"), "{received:?}");
    assert!(!says(&received[0], "13800000001"), "nobody reads a whole number on a locked screen");
    assert_eq!(app.wechat().ledger().len(), 1, "and nothing else arrived anywhere");
    assert_eq!(app.told(&team.employee).await.len(), 1, "the inbox has it too");

    let rows = app.deliveries(&team.employee, None).await;
    for other in Channel::EXTERNAL.iter().filter(|other| **other != channel) {
        let found: Vec<_> = rows.iter().filter(|row| row.channel == *other && is_about_a_lead(row)).collect();
        assert_eq!(found.len(), 1, "one decision for {other}");
        assert_eq!((found[0].state, found[0].reason.as_deref()), (Suppressed, Some("not_routed")));
    }

    // The next lead is another message, also where equal ones count as one.
    app.lead_of(&team.manager, &team.employee, 2).await;
    app.settle().await;
    let received = app.received(&team.employee, channel);
    assert_eq!(received.len(), 2);
    assert!(says(&received[1], "客户2"), "{received:?}");
    app.is_reconciled().await;
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_channel_of_a_route_tells_and_the_others_say_that_it_did(
    #[values(Sqlite, Postgres)] on: Backend,
    #[values(Weather::Likely, Weather::Other)] weather: Weather,
) {
    let app = TestApp::start_with(on, Setup { switches: weather.switches(), ..Setup::through(&ROUTE) }).await;
    let team = app.team.clone();
    app.lead_of(&team.manager, &team.employee, 1).await;
    app.settle().await;
    assert_eq!(received(&app, &team.employee), [1, 0, 0, 0]);
    let by_wecom = || told_by(Channel::WecomApp);
    let expected = [(Accepted, None), by_wecom(), by_wecom(), by_wecom()];
    assert_eq!(standing(&app, &team.employee).await, expected);
    assert_eq!(app.credits(&team.employee).await, (app.setup_credits(), 0), "nobody spent a credit");
    app.is_reconciled().await;
    app.finish().await;
}

/// What is wrong with the channels before the last one that is used.
#[derive(Debug, Clone, Copy)]
enum Trouble {
    /// The member has left the corporation: `invaliduser`.
    LeftWecom,
    /// WeCom says that nobody of the receivers can be reached.
    WecomSays81013,
    /// The same, and nobody agreed to the mini program's messages.
    AndNoConsent,
    /// The same, and the service account is not followed any more.
    AndNotFollowing,
}

fn code(errcode: i64) -> Fault {
    Fault::Errcode { errcode, errmsg: None, process: false }
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_cannot_be_reached_through_one_channel_is_told_by_the_next_at_once(
    #[values(Sqlite, Postgres)] on: Backend,
    #[values(Trouble::LeftWecom, Trouble::WecomSays81013, Trouble::AndNoConsent, Trouble::AndNotFollowing)]
    trouble: Trouble,
    #[values(Weather::Likely, Weather::Other)] weather: Weather,
) {
    let app = TestApp::start_with(on, Setup { switches: weather.switches(), ..Setup::through(&ROUTE) }).await;
    let (team, wechat) = (app.team.clone(), app.wechat());
    let user = team.employee.wecom_user();
    let refuse = |endpoint, errcode, receiver: &str| {
        wechat.add_fault(FaultRule::once(endpoint, code(errcode)).to(receiver)).expect("a rule");
    };
    let teller = match trouble {
        Trouble::LeftWecom => {
            wechat.remove_wecom_user(DEMO_CORP, &user);
            1
        }
        Trouble::WecomSays81013 => {
            refuse(Endpoint::WecomSend, 81013, &user);
            1
        }
        Trouble::AndNoConsent => {
            refuse(Endpoint::WecomSend, 81013, &user);
            refuse(Endpoint::SubscribeSend, 43101, &team.employee.openid);
            2
        }
        Trouble::AndNotFollowing => {
            refuse(Endpoint::WecomSend, 81013, &user);
            refuse(Endpoint::SubscribeSend, 43101, &team.employee.openid);
            refuse(Endpoint::TemplateSend, 43004, &team.employee.official_openid());
            3
        }
    };
    app.lead_of(&team.manager, &team.employee, 1).await;
    app.settle().await;
    let standing = standing(&app, &team.employee).await;
    for (n, (state, reason)) in standing.iter().enumerate() {
        match n {
            n if n < teller => assert_eq!(*state, Rejected, "{standing:?}"),
            n if n == teller => assert_eq!(*state, Accepted, "{standing:?}"),
            _ => assert_eq!((*state, reason.clone()), told_by(ROUTE[teller])),
        }
    }
    let mut expected = [0; 4];
    expected[teller] = 1;
    assert_eq!(received(&app, &team.employee), expected);
    let told = sending(&app, &team.employee, ROUTE[teller]).await;
    assert!(!told.possibly_repeated, "nothing of the channels before can have arrived");
    assert_eq!(told.after, Some(ROUTE[teller - 1]));
    app.is_reconciled().await;
    app.finish().await;
}

/// Takes a person's membership of the corporation back.
async fn unbind_wecom(app: &TestApp, person: &Person) {
    unbind(app, person).await;
    app.settle().await;
}

pub(crate) async fn unbind(app: &TestApp, person: &Person) {
    let (by, at) = (Actor::System("test".to_owned()), app.now());
    let (corp, reason) = (DEMO_CORP.to_owned(), "离职".to_owned());
    app.staff_command(person, StaffCommand::UnbindWecom { corp, reason, by, at }).await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_that_does_not_know_the_person_is_left_out(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start_with(on, Setup::through(&ROUTE)).await;
    let team = app.team.clone();
    unbind_wecom(&app, &team.employee).await;
    app.lead_of(&team.manager, &team.employee, 1).await;
    app.settle().await;
    let by_subscribe = || told_by(Channel::WechatSubscribe);
    let expected =
        [(Suppressed, Some("no_binding".to_owned())), (Accepted, None), by_subscribe(), by_subscribe()];
    assert_eq!(standing(&app, &team.employee).await, expected);
    assert_eq!(received(&app, &team.employee), [0, 1, 0, 0]);
    app.is_reconciled().await;
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_nothing_configured_the_inbox_is_told_and_every_decision_says_why(
    #[values(Sqlite, Postgres)] on: Backend,
) {
    let app = TestApp::start_with(on, Setup::through(&[])).await;
    let team = app.team.clone();
    let lead = app.lead_of(&team.manager, &team.employee, 1).await;
    app.settle().await;
    let nobody = || (Suppressed, Some("channel_not_configured".to_owned()));
    assert_eq!(standing(&app, &team.employee).await, [nobody(), nobody(), nobody(), nobody()]);
    assert_eq!(app.told(&team.employee).await.len(), 1);
    assert_eq!(app.wechat().ledger(), []);

    let history = app.history(&lead).await;
    let assigned = history.iter().find(|event| event.event_type == "CustomerAssigned").expect("assigned");
    let decided = app.decisions().await;
    let of_owner: Vec<_> = decided
        .iter()
        .filter(|one| one.cause == assigned.event_id && one.recipient == team.employee.id)
        .map(|one| (one.channel.as_str(), one.decision.as_str()))
        .collect();
    let expected = Channel::ALL
        .iter()
        .map(|channel| (channel.as_str(), if *channel == Channel::InApp { "deliver" } else { "suppress" }));
    let (mut of_owner, mut expected) = (of_owner, expected.collect::<Vec<_>>());
    of_owner.sort_unstable();
    expected.sort_unstable();
    assert_eq!(of_owner, expected, "one decision for each channel");
    app.is_reconciled().await;
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_nobody_knows_of_is_told_again_by_the_next_channel_and_marked(
    #[values(Sqlite, Postgres)] on: Backend,
    #[values(Fault::ResetBefore {}, Fault::ResetAfter {})] fault: Fault,
) {
    let app =
        TestApp::start_with(on, Setup::through(&[Channel::WechatSubscribe, Channel::WechatOfficial])).await;
    let team = app.team.clone();
    let arrived = usize::from(fault == Fault::ResetAfter {});
    app.wechat().add_fault(FaultRule::once(Endpoint::SubscribeSend, fault)).expect("a rule");
    app.lead_of(&team.manager, &team.employee, 1).await;
    app.settle().await;
    assert_eq!(sending(&app, &team.employee, Channel::WechatSubscribe).await.state, Unknown);
    assert_eq!(sending(&app, &team.employee, Channel::WechatOfficial).await.state, Held);
    assert_eq!(app.received(&team.employee, Channel::WechatOfficial), []);

    app.advance(AFTER_GRACE);
    let told = accepted(&app, &team.employee, Channel::WechatOfficial).await;
    app.settle().await;
    assert!(told.possibly_repeated);
    let unknown = sending(&app, &team.employee, Channel::WechatSubscribe).await;
    assert_eq!((unknown.state, unknown.attempts), (Unknown, 1), "it stays visible");
    assert_eq!(unknown.settlement, Some(Settlement::Escalated));
    assert_eq!(app.received(&team.employee, Channel::WechatSubscribe).len(), arrived);
    let marked = app.received(&team.employee, Channel::WechatOfficial);
    assert_eq!(marked.len(), 1);
    assert!(says(&marked[0], "（可能重复）"), "{marked:?}");
    app.is_reconciled().await;
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_that_does_not_get_through_in_time_gives_way(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start_with(on, Setup::through(&[Channel::WecomApp, Channel::WechatOfficial])).await;
    let team = app.team.clone();
    let gateway = Fault::Http4xx { status: 403, process: false };
    app.wechat().add_fault(FaultRule::forever(Endpoint::WecomSend, gateway)).expect("a rule");
    app.lead_of(&team.manager, &team.employee, 1).await;
    app.settle().await;
    assert_eq!(sending(&app, &team.employee, Channel::WecomApp).await.state, Retry);
    assert_eq!(sending(&app, &team.employee, Channel::WechatOfficial).await.state, Held);

    app.leap(AFTER_FALLBACK);
    let told = accepted(&app, &team.employee, Channel::WechatOfficial).await;
    assert!(!told.possibly_repeated, "a gateway's refusal reached nobody");
    assert_eq!(sending(&app, &team.employee, Channel::WecomApp).await.state, DeliveryState::Dead);
    app.wechat().clear_faults();
    app.advance(TimeDelta::hours(1));
    app.settle().await;
    assert_eq!(
        app.received(&team.employee, Channel::WecomApp),
        [],
        "it never speaks behind the other's back"
    );
    assert_eq!(app.received(&team.employee, Channel::WechatOfficial).len(), 1);
    app.is_reconciled().await;
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_is_one_summary_through_each_channel(
    #[values(Sqlite, Postgres)] on: Backend,
    #[values(Way::WecomApp, Way::WecomRobot, Way::Subscribe, Way::Cloud, Way::OfficialTemplate)] way: Way,
) {
    let app = TestApp::start_with(on, way.alone()).await;
    let (team, channel) = (app.team.clone(), way.channel());
    let mut leads = Vec::new();
    for n in 1..=3 {
        leads.push(app.own_lead(&team.manager, n).await);
    }
    app.settle().await;
    let batch = json!({ "customerIds": leads, "assignedTo": team.employee.id });
    assert_eq!(app.post("/api/customers/batch-assign", &batch).by(&team.admin).send().await.status, 200);
    app.settle().await;
    let received = app.received(&team.employee, channel);
    assert_eq!(received.len(), 1, "{received:?}");
    assert!(says(&received[0], "3个客户") || says(&received[0], "3 个"), "{received:?}");
    app.is_reconciled().await;
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_robot_speaks_to_the_group_and_names_whom_it_means(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start_with(on, Way::WecomRobot.alone()).await;
    let team = app.team.clone();
    let owners: [(&Person, StaffId); 2] =
        [(&team.employee, team.employee.id), (&team.colleague, team.colleague.id)];
    for (n, (owner, _)) in owners.iter().enumerate() {
        app.lead_of(&team.manager, owner, n).await;
    }
    app.settle().await;
    for (n, (owner, id)) in owners.into_iter().enumerate() {
        assert_eq!(sending(&app, owner, Channel::WecomRobot).await.recipient, id);
        let named = app.received(owner, Channel::WecomRobot);
        assert_eq!(named.len(), 1);
        assert!(says(&named[0], &format!("客户{n}")), "{named:?}");
    }
    app.finish().await;
}
