//! An application's messages and a robot's.

use application::channels::{wechat_official, wecom_app};
use domain::notification::Channel;
use domain::notification::FailureClass::{Config, Quota, Recipient};
use rstest::rstest;
use wechat_simulator::{
    DEMO_CORP, DuplicateAnswer, Endpoint, Fault, RobotState, Switches, Times, TokenEnd, TokenFamily,
    WecomLicence, WecomUserOrder,
};

use crate::database::Backend;
use crate::kit::{Ended, PERSON, ROBOT, World, body, body_as};

#[rstest]
#[tokio::test]
async fn every_kind_of_message_arrives_whole(
    #[values(false, true)] counts_bytes: bool,
    #[values(wecom_app::Kind::Text, wecom_app::Kind::Textcard, wecom_app::Kind::Markdown)]
    kind: wecom_app::Kind,
) {
    let world = World::new(Backend::Sqlite).await;
    let switches = Switches { wecom_card_counts_bytes: counts_bytes, ..Switches::default() };
    world.simulator().set_switches(switches);
    let app = world.wecom_app();
    let body = body_as(Channel::WecomApp, PERSON, 1, wechat_official::Kind::Template, kind);
    assert_eq!(world.send(&app, &body).await, Ended::Accepted);
    let received = world.simulator().received_by(PERSON);
    assert_eq!(received.len(), 1);
    let shown = received[0].data.values().cloned().collect::<Vec<_>>().join("\n");
    // Nothing was cut behind our back: the end of what we wrote is there.
    assert!(shown.contains('…') && shown.contains("#00000001"), "{shown}");
}

#[rstest]
#[case(DuplicateAnswer::SameMsgid)]
#[case(DuplicateAnswer::NewMsgid)]
#[case(DuplicateAnswer::NoMsgid)]
#[tokio::test]
async fn the_same_bytes_reach_the_person_once_and_two_notices_twice(
    #[values(false, true)] by_bytes: bool,
    #[case] answer: DuplicateAnswer,
) {
    let world = World::new(Backend::Sqlite).await;
    let switches = Switches {
        wecom_duplicate_answer: answer,
        wecom_duplicates_by_bytes: by_bytes,
        ..Switches::default()
    };
    world.simulator().set_switches(switches);
    let app = world.wecom_app();
    let one = body(Channel::WecomApp, PERSON, 1);
    world.fault(Endpoint::WecomSend, Fault::ResetAfter {}, Times::Count(1));
    assert_eq!(world.send(&app, &one).await, Ended::Unknown);
    world.advance(3 * 3600);
    assert_eq!(world.send(&app, &one).await, Ended::Accepted);
    assert_eq!(world.simulator().received_by(PERSON).len(), 1);
    assert_eq!(world.send(&app, &body(Channel::WecomApp, PERSON, 2)).await, Ended::Accepted);
    assert_eq!(world.simulator().received_by(PERSON).len(), 2);
}

#[tokio::test]
async fn a_member_who_is_passed_over_is_a_refusal() {
    let world = World::new(Backend::Sqlite).await;
    let app = world.wecom_app();
    let order = WecomUserOrder {
        corp_id: Some(DEMO_CORP.to_owned()),
        userid: "poor".to_owned(),
        licence: WecomLicence::Unlicensed,
        parties: vec![],
        tags: vec![],
    };
    world.simulator().wecom_user(&order).unwrap();
    for (receiver, code) in [("poor", 0), ("nobody", 81013)] {
        let ended = world.send(&app, &body(Channel::WecomApp, receiver, 1)).await;
        assert_eq!(ended, Ended::Rejected(Recipient, Some(code)), "{receiver}");
    }
    assert!(world.simulator().ledger().is_empty());
}

#[rstest]
#[case(TokenEnd::Superseded)]
#[case(TokenEnd::Expired)]
#[tokio::test]
async fn a_token_that_wecom_ended_early_is_fetched_anew(#[case] how: TokenEnd) {
    let world = World::new(Backend::Sqlite).await;
    let app = world.wecom_app();
    assert_eq!(world.send(&app, &body(Channel::WecomApp, PERSON, 1)).await, Ended::Accepted);
    world.simulator().end_tokens(Some(TokenFamily::Wecom), how);
    assert_eq!(world.send(&app, &body(Channel::WecomApp, PERSON, 2)).await, Ended::Accepted);
    assert_eq!((world.calls(Endpoint::GetToken), world.calls(Endpoint::WecomSend)), (2, 3));
    assert_eq!(world.simulator().received_by(PERSON).len(), 2);
}

#[rstest]
#[case(Fault::ResetAfter {}, Ended::Unknown, 1)]
#[case(Fault::ResetBefore {}, Ended::Unknown, 0)]
#[case(Fault::Http502Html { process: true }, Ended::Unknown, 1)]
#[case(Fault::TruncatedJson { process: true }, Ended::Unknown, 1)]
#[case(Fault::Http4xx { status: 413, process: false }, Ended::Again(domain::notification::FailureClass::Unreachable, None), 0)]
#[tokio::test]
async fn what_leaves_the_arrival_open_is_unknown(
    #[values(Endpoint::WecomSend, Endpoint::RobotSend)] endpoint: Endpoint,
    #[case] fault: Fault,
    #[case] expected: Ended,
    #[case] received: usize,
) {
    let world = World::new(Backend::Sqlite).await;
    world.fault(endpoint, fault, Times::Count(1));
    let ended = match endpoint {
        Endpoint::WecomSend => world.send(&world.wecom_app(), &body(Channel::WecomApp, PERSON, 1)).await,
        _ => world.send(&world.robot(ROBOT), &body(Channel::WecomRobot, PERSON, 1)).await,
    };
    assert_eq!(ended, expected);
    assert_eq!(world.simulator().ledger().len(), received);
}

#[tokio::test]
async fn a_robot_speaks_until_its_limit_and_says_why_not() {
    let world = World::new(Backend::Sqlite).await;
    let robot = world.robot(ROBOT);
    for n in 0..20 {
        assert_eq!(world.send(&robot, &body(Channel::WecomRobot, PERSON, n)).await, Ended::Accepted);
    }
    let one_more = world.send(&robot, &body(Channel::WecomRobot, PERSON, 20)).await;
    assert_eq!(one_more, Ended::Again(Quota, Some(45009)));
    assert_eq!(world.simulator().ledger().len(), 20);
    world.advance(65);
    assert_eq!(world.send(&robot, &body(Channel::WecomRobot, "", 21)).await, Ended::Accepted);
    for (state, code) in [(RobotState::Disabled, 93004), (RobotState::NotInGroup, 93008)] {
        world.simulator().set_robot(ROBOT, state);
        let ended = world.send(&robot, &body(Channel::WecomRobot, PERSON, 22)).await;
        assert_eq!(ended, Ended::Rejected(Config, Some(code)));
    }
    let stranger = world.robot("00000000-0000-4000-8000-000000000000");
    let ended = world.send(&stranger, &body(Channel::WecomRobot, PERSON, 23)).await;
    assert_eq!(ended, Ended::Rejected(Config, Some(93000)));
}
