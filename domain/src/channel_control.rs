//! An operator's hold on a channel 渠道开关: while it is paused nothing leaves through it, and no attempt is used up.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::Aggregate;
use crate::envelope::Actor;
use crate::notification::Channel;
use crate::stored_events;

/// Most characters of a reason.
pub const REASON_CHARS_MAX: usize = 500;

stored_events! {
    /// A fact about one channel.
    ChannelControlEvent {
        /// Nothing leaves any more.
        Paused(ChannelPaused) = 1,
        /// Messages leave again.
        Resumed(ChannelResumed) = 1,
    }
}

/// A channel was paused 渠道暂停.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChannelPaused {
    /// The channel.
    pub channel: Channel,
    /// Who decided.
    pub by: Actor,
    /// Why.
    pub reason: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// A channel was resumed 渠道恢复.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChannelResumed {
    /// The channel.
    pub channel: Channel,
    /// Who decided.
    pub by: Actor,
    /// When.
    pub at: DateTime<Utc>,
}

/// A channel as its events left it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ChannelControl {
    /// Whether nothing may leave.
    pub paused: bool,
}

/// What may be asked of a channel.
#[derive(Debug, Clone, PartialEq)]
pub enum ChannelControlCommand {
    /// Let nothing leave.
    Pause(ChannelPaused),
    /// Let messages leave again.
    Resume(ChannelResumed),
}

/// Why a channel refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChannelControlError {
    /// The inbox is a person's own record; it cannot be held back.
    #[error("站内信渠道不能暂停")]
    InApp,
    /// Blank or too long.
    #[error("原因须为1到{REASON_CHARS_MAX}个字符")]
    InvalidReason,
}

impl Aggregate for ChannelControl {
    const TYPE: &'static str = "channel";
    type Command = ChannelControlCommand;
    type Event = ChannelControlEvent;
    type Error = ChannelControlError;

    fn decide(
        &self,
        command: ChannelControlCommand,
    ) -> Result<Vec<ChannelControlEvent>, ChannelControlError> {
        match command {
            ChannelControlCommand::Pause(pause) if pause.channel == Channel::InApp => {
                Err(ChannelControlError::InApp)
            }
            ChannelControlCommand::Pause(pause)
                if pause.reason.trim().is_empty() || pause.reason.chars().count() > REASON_CHARS_MAX =>
            {
                Err(ChannelControlError::InvalidReason)
            }
            ChannelControlCommand::Pause(_) if self.paused => Ok(vec![]),
            ChannelControlCommand::Pause(pause) => Ok(vec![pause.into()]),
            ChannelControlCommand::Resume(resume) if resume.channel == Channel::InApp => {
                Err(ChannelControlError::InApp)
            }
            ChannelControlCommand::Resume(_) if !self.paused => Ok(vec![]),
            ChannelControlCommand::Resume(resume) => Ok(vec![resume.into()]),
        }
    }

    fn evolve(&mut self, event: &ChannelControlEvent) {
        self.paused = matches!(event, ChannelControlEvent::Paused(_));
    }
}

crate::adapt_to_cqrs_es!(ChannelControl);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{at, boss, given};

    fn paused() -> ChannelPaused {
        ChannelPaused { channel: Channel::WecomApp, by: boss(), reason: "维护".to_owned(), at: at(1) }
    }

    fn resumed() -> ChannelResumed {
        ChannelResumed { channel: Channel::WecomApp, by: boss(), at: at(2) }
    }

    #[test]
    fn a_channel_is_paused_once_and_resumed_once() {
        let pause = || ChannelControlCommand::Pause(paused());
        let resume = || ChannelControlCommand::Resume(resumed());
        given::<ChannelControl>(vec![]).when(pause()).then_expect_events(vec![paused().into()]);
        given::<ChannelControl>(vec![paused().into()]).when(pause()).then_expect_events(vec![]);
        given::<ChannelControl>(vec![paused().into()])
            .when(resume())
            .then_expect_events(vec![resumed().into()]);
        given::<ChannelControl>(vec![paused().into(), resumed().into()])
            .when(resume())
            .then_expect_events(vec![]);
    }

    #[test]
    fn the_inbox_cannot_be_paused_and_a_reason_is_needed() {
        let inbox = ChannelPaused { channel: Channel::InApp, ..paused() };
        given::<ChannelControl>(vec![])
            .when(ChannelControlCommand::Pause(inbox))
            .then_expect_error(ChannelControlError::InApp);
        for reason in [" ".to_owned(), "长".repeat(REASON_CHARS_MAX + 1)] {
            given::<ChannelControl>(vec![])
                .when(ChannelControlCommand::Pause(ChannelPaused { reason, ..paused() }))
                .then_expect_error(ChannelControlError::InvalidReason);
        }
    }
}
