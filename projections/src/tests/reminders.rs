//! Whose follow-up the job of each minute finds.

use application::recycling::{Leads as _, Reminder};
use chrono::{DateTime, TimeDelta, Utc};
use domain::FollowUpId;
use domain::customer::{CustomerEvent, FollowUpDue, FollowUpKind, FollowUpRecorded};
use rstest::rstest;
use uuid::Uuid;

use super::kit::{Backend, World, assigned, by, created, customer, dawn, profile, staff};
use crate::queries::recycling::RecyclingLeads;

fn hour(n: i64) -> DateTime<Utc> {
    dawn() + TimeDelta::hours(n)
}

/// The owner calls, and says when to call next.
fn called(id: u128, at: DateTime<Utc>, next: DateTime<Utc>) -> CustomerEvent {
    FollowUpRecorded {
        id: FollowUpId(Uuid::from_u128(id)),
        kind: FollowUpKind::Phone,
        content: "客户下周回复".to_owned(),
        next_follow_up_at: Some(next),
        by: by(2),
        at,
    }
    .into()
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn a_moment_that_was_over_when_it_was_named_takes_nobody_s_turn(#[case] backend: Backend) {
    let world = World::new(backend).await;
    for n in 1..=4 {
        world.append(customer(n), &[created(n, profile("客户"), dawn()), assigned(2, dawn())]).await;
    }
    let reminded: CustomerEvent = FollowUpDue { to: staff(2), due: hour(2), at: hour(2) }.into();
    world.append(customer(1), &[called(1, hour(4), hour(3))]).await;
    world.append(customer(2), &[called(2, hour(3), hour(3))]).await;
    // A form that was filled with the last date, after the reminder.
    world.append(customer(3), &[called(3, hour(1), hour(2)), reminded, called(4, hour(4), hour(2))]).await;
    world.append(customer(4), &[called(5, hour(1), hour(5))]).await;
    world.settle().await;
    let port = RecyclingLeads(world.projections.clone());
    let found = port.reminders(dawn(), hour(6), 1).await.unwrap();
    assert_eq!(found, [Reminder { customer: customer(4), due: hour(5) }], "the only one that is to be told");
}
