//! A page is taken in by parts that are worth a transaction each.

use async_trait::async_trait;
use domain::Position;
use infrastructure::event_log::{Filter, RecordedRaw};
use rstest::rstest;

use super::kit::{Backend, World, dawn, profile};
use crate::ReadModel;
use crate::consumer::{ConsumerState, Consumers, HandleError, Handler, Lease};

const MODEL: ReadModel = ReadModel::CustomerList;

/// Writes checkpoints, and down what it was given. Fails once before the part that reaches `trouble`.
struct Scribe {
    consumers: Consumers,
    parts: Vec<(Vec<Position>, Position)>,
    trouble: Option<Position>,
}

#[async_trait]
impl Handler for Scribe {
    fn filter(&self) -> Filter<'static> {
        MODEL.filter()
    }

    async fn handle(
        &mut self,
        lease: &Lease,
        page: &[RecordedRaw],
        to: Position,
        state: ConsumerState,
    ) -> Result<(), HandleError> {
        if self.trouble.take_if(|trouble| *trouble == to).is_some() {
            return Err(HandleError::Fenced);
        }
        let mut tx = self.consumers.db().begin_derived().await?;
        assert!(
            self.consumers.advance(&mut tx, lease, to, state).await?,
            "a part begins where the last one ended"
        );
        tx.commit().await?;
        self.parts.push((page.iter().map(|event| event.position).collect(), to));
        Ok(())
    }
}

#[rstest]
#[tokio::test]
async fn each_part_of_a_page_has_its_own_checkpoint(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    for n in 1..=4 {
        world.create(n, profile("张三"), dawn()).await;
    }
    let bytes: Vec<usize> = world
        .log
        .page(0, 100, MODEL.filter())
        .await
        .unwrap()
        .iter()
        .map(|event| event.payload.get().len())
        .collect();
    let consumer = |part: usize| world.projections.consumer(MODEL.name()).with_parts(part);
    let mut scribe =
        Scribe { consumers: world.projections.consumers().clone(), parts: Vec::new(), trouble: Some(3) };

    // A part that fails leaves those before it.
    let failed = consumer(1).catch_up(&mut scribe).await;
    assert!(matches!(failed, Err(HandleError::Fenced)), "{failed:?}");
    assert_eq!(scribe.parts, [(vec![1], 1), (vec![2], 2)], "one event is taken in whatever it weighs");

    scribe.parts.clear();
    assert_eq!(consumer(bytes[2] + bytes[3]).catch_up(&mut scribe).await.unwrap(), Some(4));
    assert_eq!(scribe.parts, [(vec![3, 4], 4)], "what weighs no more is one part");
}
