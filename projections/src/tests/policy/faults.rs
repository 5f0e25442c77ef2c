//! Repetition, lost leases, two runners, events that cannot be read.

use application::policies::POLICY;
use domain::customer::AssignmentSource::Manual;
use infrastructure::event_log::Filter;
use infrastructure::upcasters::Upcasters;
use rstest::rstest;

use super::super::kit::Backend;
use super::kit::{ADMIN, LI, Office, ZHANG, assigned, transferred, wechat};
use crate::consumer::{ConsumerState, HandleError, Handler};
use crate::policy_runner::{Retried, parked, reconcile, retry_parked, tuned};

/// Everything a policy answers, in one story.
async fn story(office: &Office) {
    office.create(1, ADMIN, Some(ZHANG)).await;
    office.create(2, ADMIN, None).await;
    office.happen(1, transferred(ZHANG, LI, ADMIN, Manual)).await;
    office.batch(&[(2, None)]).await;
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn looking_at_everything_again_tells_nobody_again(#[case] backend: Backend) {
    let office = Office::open(backend).await;
    story(&office).await;
    office.answer().await;
    let once = office.seen().await;
    assert!(!once.notices.is_empty() && once.work > 0);
    // The same page, other pages, and pages that hold something new beside the old.
    for events in [500, 500, 1, 3] {
        office.rewind().await;
        office.answer_by(&office.policy(), events).await;
        assert_eq!(office.seen().await, once, "pages of {events}");
    }
    office.rewind().await;
    office.happen(2, transferred(LI, ZHANG, ADMIN, Manual)).await;
    office.answer().await;
    let more = office.seen().await;
    assert_eq!(more.notices.len(), once.notices.len() + 2);
    assert_eq!(more.work, once.work + 1);
    assert!(office.reconciled().await.is_clean());
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn a_runner_that_lost_its_lease_writes_nothing(#[case] backend: Backend) {
    let office = Office::open(backend).await;
    story(&office).await;
    let consumers = office.world.projections.consumers();
    let lease = consumers.acquire(POLICY).await.unwrap().unwrap();
    let mut handler = office.policy().handler();
    let page = office.world.log.page(office.began, 500, handler.filter()).await.unwrap();
    let head = office.world.log.head().await.unwrap();
    // Somebody else takes over while it thinks.
    consumers.pause(POLICY).await.unwrap();
    consumers.resume(POLICY).await.unwrap();
    let late = handler.handle(&lease, &page, head, ConsumerState::Active).await;
    assert!(matches!(late, Err(HandleError::Fenced)), "{late:?}");
    let nothing = office.seen().await;
    assert!(nothing.notices.is_empty() && nothing.decisions.is_empty());
    assert_eq!((nothing.work, consumers.position(POLICY).await.unwrap()), (0, Some(office.began)));
    // The same runner, once it owns the policy again, forgets nothing and doubles nothing.
    let lease = consumers.acquire(POLICY).await.unwrap().unwrap();
    handler.handle(&lease, &page, head, ConsumerState::Active).await.unwrap();
    assert_eq!(consumers.position(POLICY).await.unwrap(), Some(head));
    assert!(office.reconciled().await.is_clean());
    // Its old lease is worth nothing, although the page is the same.
    let again = handler.handle(&lease, &page, head, ConsumerState::Active).await;
    assert!(matches!(again, Err(HandleError::Fenced)), "{again:?}");
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn of_two_runners_one_works(#[case] backend: Backend) {
    let office = Office::open(backend).await;
    story(&office).await;
    let other = office.world.another_process();
    let mut theirs = office.policy_of(&other, wechat(), Upcasters::none()).handler();
    let lease = office.world.projections.consumers().acquire(POLICY).await.unwrap().unwrap();
    assert_eq!(tuned(other.consumer(POLICY)).catch_up(&mut theirs).await.unwrap(), None);
    assert!(office.requests().await.is_empty());
    office.world.projections.consumers().release(&lease).await.unwrap();
    assert!(tuned(other.consumer(POLICY)).catch_up(&mut theirs).await.unwrap().is_some());
    let once = office.seen().await;
    office.answer().await;
    assert_eq!(office.seen().await, once);
    assert!(office.reconciled().await.is_clean());
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn an_unreadable_event_holds_up_its_own_lead_only(#[case] backend: Backend) {
    const OLD: i32 = 0;
    let office = Office::open(backend).await;
    office.create(1, ADMIN, None).await;
    office.create(2, ADMIN, None).await;
    office.answer().await;
    office.garble(1, OLD).await;
    office.happen(1, transferred(LI, ZHANG, ADMIN, Manual)).await;
    office.happen(2, assigned(LI, ADMIN, Manual)).await;
    office.answer().await;
    let waiting = parked(&office.world.db).await.unwrap();
    let types: Vec<&str> = waiting.iter().map(|event| event.event_type.as_str()).collect();
    assert_eq!(types, ["CustomerAssigned", "CustomerTransferred"]);
    assert!(waiting[0].reason.contains("schema version 0"), "{}", waiting[0].reason);
    let seen = office.seen().await;
    assert!(
        seen.notices.iter().any(|(_, scene, text)| scene == "CUSTOMER_ASSIGNED" && text.contains("客户2"))
    );
    assert!(!seen.notices.iter().any(|(_, scene, _)| scene.starts_with("CUSTOMER_TRANSFERRED")));

    let retried = retry_parked(&office.policy()).await.unwrap();
    assert_eq!(retried, Retried { answered: 0, still_parked: 2 }, "nothing was repaired yet");
    assert_eq!(parked(&office.world.db).await.unwrap()[0].attempts, 2);

    let upcasters = || Upcasters::none().step("CustomerAssigned", OLD, |payload| payload);
    let repaired = office.policy_of(&office.world.projections, wechat(), upcasters());
    assert_eq!(retry_parked(&repaired).await.unwrap(), Retried { answered: 2, still_parked: 0 });
    assert_eq!(office.count("parked").await, 0);
    assert!(reconcile(&repaired, office.began).await.unwrap().is_clean());
    let seen = office.seen().await;
    assert!(seen.notices.iter().any(|(_, _, text)| text == "客户 客户1 已从 李四 转移给您，请及时跟进"));
    // Later events of the lead go their way again.
    office.happen(1, transferred(ZHANG, LI, ADMIN, Manual)).await;
    office.answer_by(&repaired, 500).await;
    assert_eq!(office.count("parked").await, 0);
    assert_eq!(office.seen().await.notices.len(), seen.notices.len() + 2);
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn more_notices_than_one_append_holds_are_cut_between_events(#[case] backend: Backend) {
    const LEADS: u128 = 42;
    const MANAGERS: u128 = 10;
    let office = Office::open(backend).await;
    office.answer().await;
    let (mut streams, mut expected) = (Vec::new(), 0);
    for n in 0..MANAGERS {
        streams.push(super::kit::manager(100 + n));
    }
    for n in 1..=LEADS {
        let events = [super::kit::created(n, ZHANG)];
        let lead = super::super::kit::customer(n);
        streams.push(application::bus::StreamAppend::of(lead, 0, &events).unwrap());
        expected += MANAGERS + 2; // the admin and the manager of the office hear of it, too
    }
    office.command(streams).await;
    office.answer().await;
    let found = office.reconciled().await;
    assert!(found.is_clean(), "{found:?}");
    let channels = u128::try_from(domain::notification::Channel::ALL.len()).unwrap();
    assert_eq!(u128::from(found.expected), expected * channels);
    let log = &office.world.log;
    let requests = log.page(0, 4096, Filter::Types(&["NotificationRequested"])).await.unwrap();
    let commands: std::collections::HashSet<_> =
        requests.iter().map(|event| event.metadata.command).collect();
    // Twelve people hear of each lead, and an append has at most 32 notices.
    assert_eq!((requests.len(), commands.len()), (42 * 12, 21));
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn the_reconciliation_finds_what_is_missing(#[case] backend: Backend) {
    let office = Office::open(backend).await;
    story(&office).await;
    office.answer().await;
    let policy = office.policy();
    let clean = reconcile(&policy, office.began).await.unwrap();
    assert!(clean.is_clean());
    assert_eq!(clean.to, office.world.projections.consumers().position(POLICY).await.unwrap().unwrap());
    office.execute("DELETE FROM decisions WHERE scene = 'CUSTOMER_TRANSFERRED'").await;
    let found = reconcile(&policy, office.began).await.unwrap();
    let channels = u64::try_from(domain::notification::Channel::ALL.len()).unwrap();
    assert_eq!((found.missing, found.unexpected), (channels, 0));
    assert_eq!(found.first_missing[0].scene, "CUSTOMER_TRANSFERRED");
    office.execute("UPDATE decisions SET scene = 'CUSTOMER_LOST' WHERE scene = 'CUSTOMER_ASSIGNED'").await;
    let found = reconcile(&policy, office.began).await.unwrap();
    assert!(found.unexpected > 0 && found.missing > 2);
}
