//! Imports that nobody carries on.

use chrono::TimeDelta;
use rstest::rstest;

use super::kit::{Backend, World, batch, second};
use crate::queries::imports::abandoned;

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn an_import_is_abandoned_when_it_is_not_over_and_stored_nothing_for_a_while(#[case] backend: Backend) {
    let world = World::new(backend).await;
    for n in 1..=6 {
        world.import(n, second(i64::try_from(n).unwrap() * 10)).await;
    }
    world.settle().await;
    // The second row of import n is stored a second after it began.
    let since = async |at: i64| abandoned(&world.db, second(at)).await.unwrap();
    assert_eq!(since(21).await, []);
    assert_eq!(since(22).await, [batch(2)]);
    assert_eq!(since(1000).await, [2, 4, 6].map(batch), "oldest first; the others are over");

    let over = domain::batch::ImportCompleted {
        created: vec![],
        by: super::kit::by(1),
        at: second(2000) + TimeDelta::seconds(1),
    };
    world.append(batch(4), &[domain::batch::BatchEvent::from(over)]).await;
    world.settle().await;
    assert_eq!(since(9999).await, [2, 6].map(batch));
}
