//! A lead moves on before its message left (docs/adr/0010-recall.md).

use application::bus::{AppendError, StreamAppend};
use application::policies::POLICY;
use domain::customer::AssignmentSource::Manual;
use domain::customer::{CustomerDeleted, CustomerEvent, CustomerReleased};
use domain::notification::DeliveryState::{Accepted, Cancelled as Gone, InFlight, Pending, Retry, Unknown};
use domain::{DeliveryId, NotificationId, StreamId};
use infrastructure::upcasters::Upcasters;
use rstest::rstest;

use super::super::kit::{Backend, by, customer, dawn, staff};
use super::dispatch::{Cancelled, row};
use super::kit::{ADMIN, LI, Office, ZHANG, assigned, transferred, wechat};
use crate::consumer::{ConsumerState, HandleError, Handler};
use crate::policy_runner::{Retried, retry_parked};
use crate::queries::deliveries;

const ASSIGNED: &str = "CUSTOMER_ASSIGNED";
const OUT: &str = "CUSTOMER_TRANSFERRED_OUT";

fn deleted(from: u128) -> CustomerEvent {
    CustomerDeleted { from: Some(staff(from)), by: by(ADMIN), at: dawn() }.into()
}

fn released(from: u128) -> CustomerEvent {
    let (from, reason) = (staff(from), "长期未跟进".to_owned());
    CustomerReleased { from, by: by(ADMIN), reason, batch: None, at: dawn() }.into()
}

/// Zhang has lead 1, and the message about it waits.
async fn given(backend: Backend) -> Office {
    let office = Office::open(backend).await;
    office.create(1, ADMIN, Some(ZHANG)).await;
    office
}

/// How often somebody was told something.
async fn told(office: &Office, who: u128, scene: &str) -> usize {
    let notices = office.seen().await.notices;
    notices.iter().filter(|(recipient, kind, _)| *recipient == staff(who).0 && kind == scene).count()
}

#[rstest]
#[tokio::test]
async fn a_message_that_has_not_left_is_taken_back(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(true, false)] answered_between: bool,
) {
    let office = given(backend).await;
    if answered_between {
        office.answer().await;
    }
    let gained = office.cause_of("CustomerAssigned").await;
    office.happen(1, transferred(ZHANG, LI, ADMIN, Manual)).await;
    office.answer().await;
    assert_eq!(office.outbox().await, [row(ZHANG, Gone), row(LI, Pending)]);
    let expected = Cancelled {
        notice: StreamId::from(NotificationId::of(gained, staff(ZHANG), ASSIGNED)),
        because: Some(office.cause_of("CustomerTransferred").await),
        reason: "lead_transferred".to_owned(),
    };
    let delivery = DeliveryId::of(NotificationId::of(gained, staff(ZHANG), ASSIGNED), "wechat_subscribe");
    assert_eq!(office.cancelled().await, [expected]);
    office.world.settle().await;
    let shown = deliveries::by_id(&office.world.db, delivery).await.unwrap().unwrap();
    let state = (shown.delivery.state, shown.delivery.reason.as_deref(), shown.tries.len());
    assert_eq!(state, (Gone, Some("lead_transferred"), 0), "the list of deliveries says why");
    let leased = office.lease().await;
    assert_eq!(leased.len(), 1, "only the new owner's message is ever sent");
    assert_eq!(told(&office, LI, "CUSTOMER_TRANSFERRED").await, 1);
    assert_eq!(told(&office, ZHANG, OUT).await, 1);
    assert!(office.reconciled().await.is_clean());
}

#[rstest]
#[tokio::test]
async fn a_message_on_its_way_is_left_alone_and_corrected_once(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(InFlight, Accepted)] state: domain::notification::DeliveryState,
) {
    let office = given(backend).await;
    office.answer().await;
    let leased = office.lease().await;
    office.start(&leased[0]).await.unwrap();
    if state == Accepted {
        office.accept(&leased[0]).await;
    }
    office.happen(1, transferred(ZHANG, LI, ADMIN, Manual)).await;
    office.answer().await;
    assert_eq!(office.outbox().await, [row(ZHANG, state), row(LI, Pending)]);
    assert!(office.cancelled().await.is_empty());
    assert_eq!(told(&office, ZHANG, OUT).await, 1);
    assert!(office.reconciled().await.is_clean());
}

#[rstest]
#[tokio::test]
async fn a_message_between_two_attempts_is_taken_back_with_its_credit(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let office = given(backend).await;
    office.grant(ZHANG).await;
    office.answer().await;
    let leased = office.lease().await;
    office.start(&leased[0]).await.unwrap();
    office.fail(&leased[0]).await;
    assert_eq!(office.outbox().await, [row(ZHANG, Retry)]);
    assert_eq!(office.credits(ZHANG).await, (0, 1));
    office.happen(1, released(ZHANG)).await;
    office.answer().await;
    assert_eq!(office.outbox().await, [row(ZHANG, Gone)]);
    assert_eq!(office.cancelled().await[0].reason, "lead_released");
    assert_eq!(office.credits(ZHANG).await, (1, 0));
}

#[rstest]
#[tokio::test]
async fn a_message_that_may_have_arrived_ends_as_unknown_and_keeps_its_credit(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let office = given(backend).await;
    office.grant(ZHANG).await;
    office.answer().await;
    let leased = office.lease().await;
    office.start(&leased[0]).await.unwrap();
    office.doubt(&leased[0]).await;
    office.happen(1, released(ZHANG)).await;
    office.answer().await;
    assert_eq!(office.outbox().await, [row(ZHANG, Unknown)], "its text stays for an operator");
    assert!(office.cancelled().await.is_empty(), "nothing is said to be taken back");
    assert_eq!(office.credits(ZHANG).await, (0, 1));
    assert_eq!(told(&office, ZHANG, "CUSTOMER_RECLAIMED").await, 1, "one correction");
    office.answer().await;
    assert_eq!(office.outbox().await, [row(ZHANG, Unknown)]);
}

#[rstest]
#[tokio::test]
async fn a_standby_that_may_still_be_called_is_taken_back(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let office = given(backend).await;
    office.answer_chained().await;
    let leased = office.lease().await;
    office.start(&leased[0]).await.unwrap();
    office.accept(&leased[0]).await;
    office.execute("UPDATE outbox SET state = 'cancelled' WHERE state = 'held'").await;
    office.happen(1, released(ZHANG)).await;
    office.answer_chained().await;
    let texts = office.outbox().await.into_iter().filter(|(_, state, text)| state == "cancelled" && *text);
    assert_eq!(texts.count(), 0, "nobody can call them");
    let reasons: Vec<String> = office.cancelled().await.into_iter().map(|one| one.reason).collect();
    let of = |reason: &str| reasons.iter().filter(|known| *known == reason).count();
    assert_eq!((of("told_by_wechat_subscribe"), of("lead_released")), (2, 2));
}

#[rstest]
#[tokio::test]
async fn who_leased_a_message_that_is_taken_back_cannot_start_it(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let office = given(backend).await;
    office.answer().await;
    let leased = office.lease().await;
    office.happen(1, deleted(ZHANG)).await;
    office.answer().await;
    assert_eq!(office.outbox().await, [row(ZHANG, Gone)]);
    assert_eq!(office.cancelled().await[0].reason, "lead_deleted");
    assert_eq!(office.start(&leased[0]).await, Err(AppendError::Fenced));
}

#[rstest]
#[tokio::test]
async fn a_batch_takes_back_too_but_no_summary_of_several(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let office = given(backend).await;
    office.create(2, ADMIN, None).await;
    office.create(3, ADMIN, None).await;
    office.create(4, ADMIN, None).await;
    office.answer().await;
    office.batch(&[(1, Some(ZHANG)), (2, None)]).await;
    office.batch(&[(3, None)]).await;
    office.answer().await;
    // The summary of two tells of no one lead; the batch of one does.
    let summary = (uuid::Uuid::nil(), Pending.as_str().to_owned(), true);
    let mut rows = office.outbox().await;
    rows.sort_by_key(|(who, ..)| *who);
    assert_eq!(rows, [summary.clone(), row(ZHANG, Gone), row(LI, Pending)]);
    office.happen(1, transferred(LI, ZHANG, ADMIN, Manual)).await;
    office.happen(3, transferred(LI, ZHANG, ADMIN, Manual)).await;
    office.answer().await;
    let mut rows = office.outbox().await;
    rows.sort_by(|one, other| (one.0, &one.1).cmp(&(other.0, &other.1)));
    assert_eq!(rows, [summary, row(ZHANG, Gone), row(ZHANG, Pending), row(ZHANG, Pending), row(LI, Gone)]);
    assert!(office.reconciled().await.is_clean());
}

#[rstest]
#[tokio::test]
async fn looking_again_takes_nothing_more_back(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let office = given(backend).await;
    office.happen(1, transferred(ZHANG, LI, ADMIN, Manual)).await;
    office.happen(1, transferred(LI, ZHANG, ADMIN, Manual)).await;
    office.answer().await;
    let (seen, rows, cancelled) = (office.seen().await, office.outbox().await, office.cancelled().await);
    // What Zhang gained later is not touched by what Zhang lost before.
    assert_eq!(rows, [row(ZHANG, Gone), row(LI, Gone), row(ZHANG, Pending)]);
    for events in [1, 2, 3, 500] {
        office.rewind().await;
        office.answer_by(&office.policy(), events).await;
        assert_eq!(office.seen().await, seen, "pages of {events}");
        assert_eq!(office.outbox().await, rows);
        assert_eq!(office.cancelled().await, cancelled);
    }
}

#[rstest]
#[tokio::test]
async fn twenty_reassignments_leave_one_message_and_the_notices_of_the_table(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(1, 7, 500)] page: usize,
) {
    const MOVES: usize = 20;
    let office = given(backend).await;
    for n in 0..MOVES {
        let (from, to) = if n % 2 == 0 { (ZHANG, LI) } else { (LI, ZHANG) };
        office.happen(1, transferred(from, to, ADMIN, Manual)).await;
    }
    office.answer_by(&office.policy(), page).await;
    let rows = office.outbox().await;
    assert_eq!(rows.len(), MOVES + 1);
    assert_eq!(rows.last(), Some(&row(ZHANG, Pending)));
    assert!(rows[..MOVES].iter().all(|(_, state, text)| state == Gone.as_str() && !text), "{rows:?}");
    assert_eq!(office.cancelled().await.len(), MOVES);
    for (who, scene, times) in [
        (ZHANG, ASSIGNED, 1),
        (ZHANG, "CUSTOMER_TRANSFERRED", MOVES / 2),
        (LI, "CUSTOMER_TRANSFERRED", MOVES / 2),
        (ZHANG, OUT, MOVES / 2),
        (LI, OUT, MOVES / 2),
    ] {
        assert_eq!(told(&office, who, scene).await, times, "{scene}");
    }
    assert!(office.reconciled().await.is_clean());
}

#[rstest]
#[tokio::test]
async fn a_runner_without_its_lease_takes_nothing_back(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let office = given(backend).await;
    office.answer().await;
    office.happen(1, transferred(ZHANG, LI, ADMIN, Manual)).await;
    let consumers = office.world.projections.consumers();
    let lease = consumers.acquire(POLICY).await.unwrap().unwrap();
    let mut handler = office.policy().handler();
    let page = office.world.log.page(lease.position, 500, handler.filter()).await.unwrap();
    let head = office.world.log.head().await.unwrap();
    consumers.pause(POLICY).await.unwrap();
    consumers.resume(POLICY).await.unwrap();
    let late = handler.handle(&lease, &page, head, ConsumerState::Active).await;
    assert!(matches!(late, Err(HandleError::Fenced)), "{late:?}");
    assert_eq!(office.outbox().await, [row(ZHANG, Pending)]);
    assert!(office.cancelled().await.is_empty());
    office.answer().await;
    assert_eq!(office.outbox().await, [row(ZHANG, Gone), row(LI, Pending)]);
}

#[rstest]
#[tokio::test]
async fn a_loss_behind_a_parked_event_waits_for_it(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    const OLD: i32 = 0;
    let office = given(backend).await;
    office.answer().await;
    office.garble(1, OLD).await;
    office.happen(1, deleted(ZHANG)).await;
    office.answer().await;
    assert_eq!(office.outbox().await, [row(ZHANG, Pending)]);
    assert_eq!(office.count("parked").await, 2);
    let upcasters = Upcasters::none().step("CustomerAssigned", OLD, |payload| payload);
    let repaired = office.policy_of(&office.world.projections, wechat(), upcasters);
    assert_eq!(retry_parked(&repaired).await.unwrap(), Retried { answered: 2, still_parked: 0 });
    assert_eq!(office.outbox().await[0], row(ZHANG, Gone));
}

#[rstest]
#[tokio::test]
async fn many_losses_of_one_page_are_taken_back_together(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    const LEADS: u128 = 120;
    let office = Office::open(backend).await;
    let lead = |n: u128| [super::kit::created(n, ADMIN), assigned(ZHANG, ADMIN, Manual)];
    let streams = |events: &dyn Fn(u128) -> Vec<CustomerEvent>, expected| -> Vec<StreamAppend> {
        (1..=LEADS).map(|n| StreamAppend::of(customer(n), expected, &events(n)).unwrap()).collect()
    };
    office.command(streams(&|n| lead(n).to_vec(), 0)).await;
    office.answer().await;
    office.command(streams(&|_| vec![transferred(ZHANG, LI, ADMIN, Manual)], 2)).await;
    office.answer().await;
    let rows = office.outbox().await;
    let gone = rows.iter().filter(|one| **one == row(ZHANG, Gone)).count();
    let waiting = rows.iter().filter(|one| **one == row(LI, Pending)).count();
    assert_eq!((gone, waiting), (120, 120));
    assert!(office.reconciled().await.is_clean());
}
