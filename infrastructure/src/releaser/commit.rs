//! What the releaser writes: a release, a digest with what it tells of, and the rest of a digest of very many.

use application::bus::{Draft, StreamAppend};
use application::delivery::digest::{Collected, Written};
use chrono::{DateTime, Utc};
use domain::notification::{Notification, NotificationCommand, NotificationError};
use domain::{Actor, Aggregate, CommandId, DeliveryId, Metadata, NotificationId, StreamId};

use super::plan::{Merges, Noted, Plan, merge};
use super::{Inner, RELEASER, TRIES_MAX, Trouble};
use crate::event_log::Attachment;
use crate::outbox::decide::{DecideError, decide};
use crate::outbox::hold::{Held, MergeRows, TakeRows};
use crate::outbox::{NewWork, OutboxInsert, STANDBY, recipient_key};

impl Inner {
    /// Lets one message leave as it is. Nothing is done to one that is not held any more.
    pub(super) async fn release(&self, row: &Held, at: DateTime<Utc>) -> Result<usize, Trouble> {
        let metadata = Metadata {
            command: CommandId::from_key(RELEASER, &format!("release:{}", row.delivery)),
            correlation: row.correlation.clone(),
            causation: row.causation,
            actor: actor(),
        };
        let command = NotificationCommand::Release { delivery: row.delivery, at };
        match decide(&self.bus, row.delivery, command, metadata, at).await {
            Ok(position) => Ok(usize::from(position.is_some())),
            Err(DecideError::Refused(NotificationError::NotHeld(_)) | DecideError::NotFound) => Ok(0),
            Err(error) => Err(Trouble::Decide(error)),
        }
    }

    /// Requests the digest, marks every row it tells of and merges the first of them, all in one commit.
    pub(super) async fn request(
        &self,
        plan: Plan,
        written: &Written,
        at: DateTime<Utc>,
    ) -> Result<usize, Trouble> {
        let Plan { collected, told, since, merges } = plan;
        let digest = collected.notification;
        let request = Box::new(collected.request(written));
        let requested = Notification::default()
            .decide(NotificationCommand::Request(request))
            .map_err(|error| Trouble::Decide(error.into()))?;
        let members: Vec<DeliveryId> = told.iter().map(|row| row.delivery).collect();
        let merged = merges.members.len();
        let command = named(digest, &members);
        let mut streams = vec![StreamAppend::of(digest, 0, &requested)?];
        streams.extend(merges.streams);
        let attachments: Vec<Box<dyn Attachment>> = vec![
            Box::new(OutboxInsert(self.work(&collected, written, (since, at)))),
            Box::new(TakeRows { digest, members }),
            Box::new(MergeRows { digest, merged: merges.rows, at }),
        ];
        self.bus.append_with(draft(command, digest, streams, at), attachments).await?;
        tracing::info!(notification.id = %digest, channel = %collected.channel, members = told.len(),
            "digest {digest} tells of {} messages", told.len());
        Ok(merged)
    }

    /// The row of each channel of the digest: the first is due, the others stand by.
    fn work(
        &self,
        collected: &Collected,
        written: &Written,
        (created_at, due_at): (DateTime<Utc>, DateTime<Utc>),
    ) -> Vec<NewWork> {
        let first = (collected.channel, &written.rendered);
        let behind = written.standbys.iter().map(|(channel, rendered)| (*channel, rendered));
        let route = std::iter::once(first).chain(behind).enumerate();
        let work = route.map(|(place, (channel, rendered))| NewWork {
            delivery: collected.delivery(channel),
            notification: collected.notification,
            channel,
            app: rendered.app.clone(),
            recipient: collected.recipient,
            recipient_key: recipient_key(&rendered.app, &rendered.receiver),
            ledger: rendered
                .template
                .as_ref()
                .map(|template| StreamId::subscription(&rendered.app, &rendered.receiver, template)),
            request_body: rendered.body.clone(),
            due_at,
            created_at,
            gained: None,
            held_for: (place > 0).then(|| STANDBY.to_owned()),
            subject: None,
            fallback: (place < written.standbys.len()).then_some(self.fallback_after),
        });
        work.collect()
    }

    /// Merges rows whose digest is in the log already; how many.
    pub(super) async fn merge_into_told(&self, rows: &[Held]) -> usize {
        let Some(digest) = rows.first().and_then(|row| row.digest) else { return 0 };
        for _ in 0..TRIES_MAX {
            match self.try_merge(digest, rows).await {
                Ok(merged) => return merged,
                Err(Trouble::Moved) => {}
                Err(trouble) => {
                    tracing::error!(error = %trouble, notification.id = %digest,
                        "messages that digest {digest} tells of could not be merged into it");
                    return 0;
                }
            }
        }
        0
    }

    async fn try_merge(&self, digest: NotificationId, rows: &[Held]) -> Result<usize, Trouble> {
        let at = self.clock.now();
        let mut merges = Merges::default();
        for (row, noted) in rows.iter().zip(self.notices(rows).await?) {
            let Some(Noted { state, .. }) = noted else { continue };
            if let Some(events) = merge(row, &state, digest, at) {
                merges.add(row, &state, &events)?;
            }
        }
        let count = merges.members.len();
        if count == 0 {
            return Ok(0);
        }
        let command = named(digest, &merges.members);
        let rows = MergeRows { digest, merged: merges.rows, at };
        self.bus.append_with(draft(command, digest, merges.streams, at), vec![Box::new(rows)]).await?;
        Ok(count)
    }
}

/// The same messages give the same command, so that a repetition meets its own events.
fn named(digest: NotificationId, members: &[DeliveryId]) -> CommandId {
    let ids: Vec<String> = members.iter().map(ToString::to_string).collect();
    CommandId::from_key(RELEASER, &format!("{digest}:{}", ids.join(",")))
}

fn draft(command: CommandId, digest: NotificationId, streams: Vec<StreamAppend>, at: DateTime<Utc>) -> Draft {
    // What is merged carries on its own correlation; the digest begins one.
    let correlation = format!("digest-{digest}");
    let metadata = Metadata { command, correlation, causation: None, actor: actor() };
    Draft { metadata, recorded_at: at, streams, guards: vec![], receipt: None }
}

fn actor() -> Actor {
    Actor::System(RELEASER.to_owned())
}
