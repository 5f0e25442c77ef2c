//! A read model as a consumer: page, checkpoint and rows in one transaction.

use std::sync::Arc;

use async_trait::async_trait;
use domain::Position;
use infrastructure::event_log::{EventLog, Filter, RecordedRaw};
use infrastructure::upcasters::Upcasters;

use super::{ReadModel, decode_page};
use crate::consumer::{ConsumerState, Consumers, HandleError, Handler, Lease};
use crate::table::Target;

/// Keeps one read model up to date.
#[derive(Debug)]
pub(crate) struct Projector {
    model: ReadModel,
    log: EventLog,
    consumers: Consumers,
    upcasters: Arc<Upcasters>,
}

impl Projector {
    pub(crate) fn new(
        model: ReadModel,
        log: EventLog,
        consumers: Consumers,
        upcasters: Arc<Upcasters>,
    ) -> Self {
        Self { model, log, consumers, upcasters }
    }
}

#[async_trait]
impl Handler for Projector {
    fn filter(&self) -> Filter<'static> {
        self.model.filter()
    }

    async fn handle(
        &mut self,
        lease: &Lease,
        page: &[RecordedRaw],
        to: Position,
        state: ConsumerState,
    ) -> Result<(), HandleError> {
        // Outside the transaction: on SQLite it keeps every writer waiting.
        let facts = decode_page(&self.log, &self.upcasters, page).await?;
        // After a power cut rows and checkpoint are both of the same earlier moment, so the commit waits for no disk.
        let mut tx = self.consumers.db().begin_derived().await?;
        if !self.consumers.advance(&mut tx, lease, to, state).await? {
            tx.rollback().await?;
            return Err(HandleError::Fenced);
        }
        self.model.apply(&mut tx, Target::Live, &facts).await?;
        tx.commit().await?;
        Ok(())
    }
}
