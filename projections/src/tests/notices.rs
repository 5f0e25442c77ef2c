//! The inbox and the deliveries.

use domain::notification::{
    Channel, Decision, DeliveryAccepted, DeliveryDied, DeliveryRequeued, DeliveryRetryScheduled,
    DeliveryStarted, DeliveryState, Failure, FailureClass, NotificationEvent,
};
use rstest::rstest;

use super::kit::{Backend, World, by, notice, requested, second, staff, wechat};
use crate::ReadModel;
use crate::queries::PageRequest;
use crate::queries::deliveries::{self, DeliveryCursor, DeliveryFilter};
use crate::queries::inbox::{self, NoticeFilter, NoticeStatus, PAGE_NOTICES_MAX, ToRead};

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn every_reader_has_numbers_without_a_gap(#[case] backend: Backend) {
    let world = World::new(backend).await;
    for n in 1..=9 {
        world.notify(n, 1 + n % 2).await;
        // Some now, some later: the page in which a notice arrives must not matter.
        if n % 3 == 0 {
            world.settle().await;
        }
    }
    for (reader, expected) in [(1, [2, 4, 6, 8].as_slice()), (2, &[1, 3, 5, 7, 9])] {
        let notices = inbox::after(&world.db, staff(reader), 0, 100).await.unwrap();
        let seqs: Vec<i64> = notices.iter().map(|notice| notice.seq).collect();
        assert_eq!(seqs, (1..=i64::try_from(expected.len()).unwrap()).collect::<Vec<_>>());
        let ids: Vec<_> = notices.iter().map(|notice| notice.id).collect();
        assert_eq!(ids, expected.iter().map(|n| notice(*n, reader)).collect::<Vec<_>>());
        assert_eq!(inbox::last_seq(&world.db, staff(reader)).await.unwrap(), *seqs.last().unwrap());
    }
    let rest = inbox::after(&world.db, staff(2), 3, 1).await.unwrap();
    assert_eq!(rest.iter().map(|notice| notice.seq).collect::<Vec<_>>(), [4], "bounded, after the cursor");
    assert_eq!(inbox::last_seq(&world.db, staff(9)).await.unwrap(), 0);
    let first = inbox::by_id(&world.db, staff(2), notice(1, 2)).await.unwrap().unwrap();
    assert_eq!((first.scene.as_str(), first.data["n"].as_str()), ("CUSTOMER_ASSIGNED", Some("1")));
    assert_eq!(inbox::by_id(&world.db, staff(1), notice(1, 2)).await.unwrap(), None, "somebody else's");
}

/// Reads in every order and page; afterwards the count equals a recount and the first reading counts.
#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn a_notice_is_read_once_and_the_first_time_counts(
    #[case] backend: Backend,
    #[values(false, true)] one_page: bool,
) {
    let world = World::new(backend).await;
    let settle = async || {
        if !one_page {
            world.settle().await;
        }
    };
    for n in 1..=6 {
        world.notify(n, 1).await;
    }
    world.notify(7, 2).await;
    settle().await;
    world.read(1, &[2, 7], second(100)).await; // 7 is somebody else's
    settle().await;
    world.read_all(1, 3, second(200)).await;
    settle().await;
    world.read(1, &[3, 5], second(300)).await;
    world.settle().await;

    let read_at = async |n| inbox::by_id(&world.db, staff(1), notice(n, 1)).await.unwrap().unwrap().read_at;
    assert_eq!(read_at(1).await, Some(second(200)));
    assert_eq!(read_at(2).await, Some(second(100)), "the later mark-all left it");
    assert_eq!(read_at(3).await, Some(second(200)), "the later mark left it");
    assert_eq!(read_at(4).await, None);
    assert_eq!(read_at(5).await, Some(second(300)));
    assert_eq!(inbox::unread_count(&world.db, staff(1), second(900)).await.unwrap(), 2);
    assert_eq!(inbox::unread_count(&world.db, staff(2), second(900)).await.unwrap(), 1);

    let some = [notice(6, 1), notice(1, 1), notice(4, 1), notice(7, 2)];
    let news = async |at| inbox::to_read(&world.db, staff(1), &some, second(at)).await.unwrap();
    let unread = vec![notice(4, 1), notice(6, 1)];
    assert_eq!(news(900).await, ToRead { notices: unread, unread: 2 });
    // What was read a moment ago may be taken back: reading it again must outlive that.
    let lately = vec![notice(1, 1), notice(4, 1), notice(6, 1)];
    assert_eq!(news(210).await, ToRead { notices: lately, unread: 2 });
    let page = PageRequest::new(1, 2, PAGE_NOTICES_MAX);
    let filter = NoticeFilter { status: Some(NoticeStatus::Read), ..NoticeFilter::default() };
    let read = inbox::list(&world.db, staff(1), &filter, page, second(900)).await.unwrap();
    let seqs: Vec<_> = read.items.iter().map(|notice| notice.seq).collect();
    assert_eq!((read.total, seqs), (4, vec![5, 3]));
    let since = NoticeFilter { from: Some(second(5)), to: Some(second(5)), ..NoticeFilter::default() };
    let found = inbox::list(&world.db, staff(1), &since, page, second(900)).await.unwrap();
    assert_eq!(found.total, 1);
}

fn failed(code: i64) -> Failure {
    Failure { class: FailureClass::Busy, code: Some(code), detail: "system busy".to_owned() }
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn a_delivery_shows_every_attempt(#[case] backend: Backend) {
    let world = World::new(backend).await;
    world.notify(1, 1).await;
    let delivery = wechat(1, 1);
    let (at, due_at) = (second(10), second(60));
    let provider_message_id = Some("m1".to_owned());
    let story: [NotificationEvent; 7] = [
        DeliveryStarted { delivery, attempt: 1, at: second(10) }.into(),
        DeliveryRetryScheduled { delivery, attempt: 1, failure: failed(-1), due_at, counted: true, at }
            .into(),
        DeliveryStarted { delivery, attempt: 2, at: second(60) }.into(),
        DeliveryDied { delivery, attempt: 2, failure: failed(45009), at: second(61) }.into(),
        DeliveryRequeued { delivery, by: by(9), reason: "again".to_owned(), at: second(70) }.into(),
        DeliveryStarted { delivery, attempt: 3, at: second(80) }.into(),
        DeliveryAccepted { delivery, attempt: 3, provider_message_id, at: second(81) }.into(),
    ];
    let expected = [
        (DeliveryState::InFlight, None),
        (DeliveryState::Retry, Some(due_at)),
        (DeliveryState::InFlight, None),
        (DeliveryState::Dead, None),
        (DeliveryState::Pending, None),
        (DeliveryState::InFlight, None),
        (DeliveryState::Accepted, None),
    ];
    for (event, (state, due)) in story.into_iter().zip(expected) {
        world.append(notice(1, 1), &[event]).await;
        world.settle().await;
        let row = deliveries::by_id(&world.db, delivery).await.unwrap().unwrap().delivery;
        assert_eq!((row.state, row.due_at), (state, due));
    }
    let detail = deliveries::by_id(&world.db, delivery).await.unwrap().unwrap();
    let tries: Vec<_> =
        detail.tries.iter().map(|one| (one.number, one.outcome.as_deref(), one.code)).collect();
    assert_eq!(
        tries,
        [(1, Some("retry"), Some(-1)), (2, Some("dead"), Some(45009)), (3, Some("accepted"), None)]
    );
    let row = detail.delivery;
    assert_eq!((row.attempts, row.counted, row.accepted_at), (3, 1, Some(second(81))));
    assert_eq!(row.provider_message_id.as_deref(), Some("m1"));
    assert_eq!(row.failure.map(|failure| failure.code), Some(Some(45009)), "the last failure stays visible");

    let ways = deliveries::of_notification(&world.db, notice(1, 1)).await.unwrap();
    let states: Vec<_> = ways.iter().map(|row| (row.channel, row.state)).collect();
    assert_eq!(
        states,
        [(Channel::InApp, DeliveryState::Delivered), (Channel::WechatSubscribe, DeliveryState::Accepted)]
    );
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn the_delivery_list_narrows_and_goes_on_behind_a_cursor(#[case] backend: Backend) {
    let world = World::new(backend).await;
    for n in 1..=5 {
        let decision = if n == 3 {
            Decision::Suppress { reason: "channel_not_configured".to_owned() }
        } else {
            Decision::Deliver
        };
        world.append(notice(n, 1 + n % 2), &[requested(n, 1 + n % 2, decision)]).await;
    }
    world.settle().await;
    let list =
        async |filter: DeliveryFilter, limit| deliveries::list(&world.db, &filter, limit).await.unwrap();
    let none = DeliveryFilter::default;
    assert_eq!(list(none(), 100).await.len(), 10);
    let suppressed = list(DeliveryFilter { state: Some(DeliveryState::Suppressed), ..none() }, 100).await;
    assert_eq!(suppressed.len(), 1);
    assert_eq!(suppressed[0].reason.as_deref(), Some("channel_not_configured"));
    let to_first = DeliveryFilter { recipient: Some(staff(1)), channel: Some(Channel::InApp), ..none() };
    assert_eq!(list(to_first, 100).await.len(), 2);
    let window = DeliveryFilter { from: Some(second(2)), to: Some(second(3)), ..none() };
    assert_eq!(list(window, 100).await.len(), 4);
    let elsewhere = DeliveryFilter { scene: Some("OTHER".to_owned()), ..none() };
    assert!(list(elsewhere, 100).await.is_empty());

    let whole: Vec<_> = list(none(), 100).await.into_iter().map(|row| row.id).collect();
    let (mut paged, mut cursor) = (Vec::new(), None);
    loop {
        let page = list(DeliveryFilter { cursor, ..none() }, 3).await;
        let Some(last) = page.last() else { break };
        // Over the wire and back.
        cursor = Some(DeliveryCursor::behind(last).to_string().parse().unwrap());
        paged.extend(page.into_iter().map(|row| row.id));
    }
    assert_eq!(paged, whole);
    for wrong in ["", "x", "MTIz", "!!!"] {
        assert!(wrong.parse::<DeliveryCursor>().is_err(), "{wrong}");
    }
    let counts = deliveries::counts(&world.db).await.unwrap();
    assert!(counts.contains(&(Channel::InApp, DeliveryState::Delivered, 5)), "{counts:?}");
    assert_eq!(world.dump(ReadModel::Deliveries).await[0].1.len(), 10);
}
