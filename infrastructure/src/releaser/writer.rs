//! Digests in the words that are published, in the language the person reads.

use std::sync::Arc;

use application::bus::{CommandBus, LoadError};
use application::channels::ChannelSettings;
use application::delivery::digest::{self, Collected, DigestWriter, WriteError, Written};
use application::member_notices::audience;
use application::preferences::language;
use application::texts::{DIGEST, TemplateBook};
use async_trait::async_trait;
use domain::StreamId;
use domain::member_notices::MemberNotices;
use domain::staff::Staff;
use domain::template::NoticeTemplate;

use crate::bus::Bus;
use crate::wishes::Wishes;

/// Writes digests from what the log says of people and words at this moment.
pub struct StoredDigestWriter {
    bus: Bus,
    channels: Arc<ChannelSettings>,
}

impl std::fmt::Debug for StoredDigestWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoredDigestWriter").finish_non_exhaustive()
    }
}

impl StoredDigestWriter {
    /// A writer for these channels.
    pub fn new(bus: Bus, channels: Arc<ChannelSettings>) -> Self {
        Self { bus, channels }
    }

    async fn book(&self) -> Result<TemplateBook, LoadError> {
        let mut book = TemplateBook::default();
        let state = self.bus.load::<NoticeTemplate>(&StreamId::template(DIGEST.key)).await?;
        book.insert(DIGEST.key, state.state);
        Ok(book)
    }
}

#[async_trait]
impl DigestWriter for StoredDigestWriter {
    async fn digest(&self, collected: &Collected) -> Result<Option<Written>, WriteError> {
        let unavailable = |error: LoadError| WriteError::Unavailable(error.to_string());
        let recipient = collected.recipient;
        if recipient == audience() {
            let notices = self.bus.load::<MemberNotices>(&StreamId::member_notices()).await;
            let text = notices.map_err(unavailable)?.state.text;
            return Ok(digest::write_of_members(collected, &self.channels, &text));
        }
        let staff = self.bus.load::<Staff>(&StreamId::from(recipient)).await.map_err(unavailable)?.state;
        let wishes = Wishes::of(&self.bus, recipient, &staff).await.map_err(unavailable)?;
        let language = language(&wishes.own, &wishes.role);
        let book = self.book().await.map_err(unavailable)?;
        let reader = (&staff, language);
        match digest::write(collected, &self.channels, &book, reader) {
            // Words that cannot be filled are refused when they are published. If some came through, people are told in
            // the program's own.
            Err(error) => {
                tracing::error!(%error, "the published words of a digest cannot be filled");
                Ok(digest::write(collected, &self.channels, &TemplateBook::default(), reader)?)
            }
            written => Ok(written?),
        }
    }
}
