//! An operator pauses or resumes a channel. The row that every dispatcher looks at commits with the event, so there is no
//! moment at which the log says one thing and the dispatchers do another.

use application::bus::{
    AppendError, Appended, CONFLICT_RETRIES_MAX, CommandBus, CommandContext, Draft, ExecuteError, Executed,
    StreamAppend,
};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::channel_control::{
    ChannelControl, ChannelControlCommand, ChannelControlError, ChannelControlEvent, ChannelPaused,
    ChannelResumed,
};
use domain::notification::Channel;
use domain::{Aggregate, StreamId};

use crate::bus::Bus;
use crate::db::{DbError, Tx};
use crate::event_log::{Attachment, RecordedRaw, Verdict};
use crate::with_tx;

const PAUSE: &str = "
INSERT INTO channel_pauses (channel, reason, paused_at) VALUES ($1, $2, $3)
ON CONFLICT (channel) DO UPDATE SET reason = excluded.reason, paused_at = excluded.paused_at";

const RESUME: &str = "DELETE FROM channel_pauses WHERE channel = $1";

/// Every statement of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[PAUSE, RESUME];

/// Why a channel was neither paused nor resumed.
pub type ControlError = ExecuteError<ChannelControlError>;

/// Lets nothing leave through `channel` until it is resumed. A channel that is paused stays as it is.
pub async fn pause(
    bus: &Bus,
    channel: Channel,
    reason: String,
    context: &CommandContext,
) -> Result<Executed<()>, ControlError> {
    let by = context.metadata.actor.clone();
    let pause = ChannelPaused { channel, by, reason, at: context.at };
    carry_out(bus, channel, ChannelControlCommand::Pause(pause), context).await
}

/// Lets messages leave again. A channel that works stays as it is.
pub async fn resume(
    bus: &Bus,
    channel: Channel,
    context: &CommandContext,
) -> Result<Executed<()>, ControlError> {
    let by = context.metadata.actor.clone();
    let resume = ChannelResumed { channel, by, at: context.at };
    carry_out(bus, channel, ChannelControlCommand::Resume(resume), context).await
}

async fn carry_out(
    bus: &Bus,
    channel: Channel,
    command: ChannelControlCommand,
    context: &CommandContext,
) -> Result<Executed<()>, ControlError> {
    let stream = StreamId::channel(channel.as_str());
    for _ in 0..CONFLICT_RETRIES_MAX {
        if let Some(first) = first_answer(bus, context).await? {
            return Ok(first);
        }
        let control = bus.load::<ChannelControl>(&stream).await?;
        let events = control.state.decide(command.clone()).map_err(ExecuteError::Refused)?;
        let streams = match events.as_slice() {
            [] => vec![],
            events => vec![StreamAppend::of(stream.clone(), control.sequence, events)?],
        };
        let draft = Draft {
            metadata: context.metadata.clone(),
            recorded_at: context.at,
            streams,
            guards: vec![],
            receipt: context.fingerprint.clone().map(|fingerprint| (fingerprint, serde_json::Value::Null)),
        };
        let rows = events.into_iter().map(|event| Box::new(PauseRow(event)) as Box<dyn Attachment>);
        match bus.append_with(draft, rows.collect()).await {
            Ok(Appended::Committed { last }) => {
                return Ok(Executed { result: (), position: last, replayed: false });
            }
            Ok(Appended::Replayed(receipt)) => {
                return Ok(Executed { result: (), position: receipt.position, replayed: true });
            }
            Err(AppendError::Conflict { .. }) => {}
            Err(error) => return Err(ExecuteError::Append(error)),
        }
    }
    Err(ExecuteError::Append(AppendError::Busy))
}

async fn first_answer(bus: &Bus, context: &CommandContext) -> Result<Option<Executed<()>>, ControlError> {
    let Some(fingerprint) = &context.fingerprint else { return Ok(None) };
    let Some(receipt) = bus.receipt(context.metadata.command).await? else { return Ok(None) };
    if receipt.fingerprint != *fingerprint {
        return Err(ExecuteError::Append(AppendError::KeyReused));
    }
    Ok(Some(Executed { result: (), position: receipt.position, replayed: true }))
}

/// The row that says a channel is paused.
#[derive(Debug)]
struct PauseRow(ChannelControlEvent);

#[async_trait]
impl Attachment for PauseRow {
    async fn fence(&mut self, _: &mut Tx<'_>) -> Result<Verdict, DbError> {
        Ok(Verdict::Apply)
    }

    async fn write(&mut self, tx: &mut Tx<'_>, _: &[RecordedRaw]) -> Result<(), DbError> {
        match &self.0 {
            ChannelControlEvent::Paused(e) => paused(tx, e.channel, &e.reason, e.at).await,
            ChannelControlEvent::Resumed(e) => resumed(tx, e.channel).await,
        }
    }
}

async fn paused(tx: &mut Tx<'_>, channel: Channel, reason: &str, at: DateTime<Utc>) -> Result<(), DbError> {
    with_tx!(tx, conn => sqlx::query(PAUSE)
        .bind(channel.as_str())
        .bind(reason)
        .bind(at)
        .execute(conn)
        .await
        .map(drop))?;
    Ok(())
}

async fn resumed(tx: &mut Tx<'_>, channel: Channel) -> Result<(), DbError> {
    with_tx!(tx, conn => sqlx::query(RESUME).bind(channel.as_str()).execute(conn).await.map(drop))?;
    Ok(())
}
