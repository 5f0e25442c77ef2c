//! Who sets how the staff hears of members, and asks for a test. Administrators only.

use chrono::{DateTime, Utc};
use domain::contact::WecomUserId;
use domain::member_notices::{
    MemberNoticeTested, MemberNotices, MemberNoticesCommand, MemberNoticesError, MemberNoticesSet,
    MemberNoticesText, WecomSecretSet,
};
use domain::{Actor, Aggregate, Sequence, StreamId};

use super::{OwnWordsFault, own_words_fault};
use crate::access::{Action, Caller, allows};
use crate::bus::{CommandBus, CommandContext, ExecuteError, Executed, Plan, StreamAppend, execute};
use crate::preferences::SettingReceipt;

/// How a command on the settings ends.
pub type MemberNoticesResult = Result<Executed<SettingReceipt>, ExecuteError<MemberNoticesRefusal>>;

/// Why a command on the settings is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MemberNoticesRefusal {
    /// The settings refuse.
    #[error(transparent)]
    Rule(#[from] MemberNoticesError),
    /// The words of one's own cannot be used.
    #[error("消息模板不符合要求")]
    OwnWords(OwnWordsFault),
    /// The role may not do this.
    #[error("只有管理员可以设置会员通知")]
    Forbidden,
    /// The caller's version is old.
    #[error("会员通知设置已被其他人修改，请刷新后重试")]
    Stale {
        /// The version now.
        sequence: Sequence,
    },
}

/// Changes the settings, and the application's secret when `sealed` has another one. `expected` is the version the caller
/// saw, when it said one. Words that were saved when more could be named hinder nobody who changes something else.
pub async fn set_member_notices<B: CommandBus>(
    bus: &B,
    caller: &Caller,
    context: &CommandContext,
    (change, sealed): (impl Fn(&MemberNoticesText) -> MemberNoticesText, Option<&str>),
    expected: Option<Sequence>,
) -> MemberNoticesResult {
    decided(bus, caller, context, expected, |now, by, at| {
        let text = change(&now.text);
        let typed = text.template.as_deref().filter(|_| text.template != now.text.template);
        if let Some(fault) = typed.and_then(own_words_fault) {
            return Err(MemberNoticesRefusal::OwnWords(fault));
        }
        let secret = sealed.map(|sealed| {
            let sealed = sealed.to_owned();
            MemberNoticesCommand::SetSecret(WecomSecretSet { sealed, by: by.clone(), at })
        });
        let set = MemberNoticesCommand::Set(MemberNoticesSet { text, by, at });
        Ok(std::iter::once(set).chain(secret).collect())
    })
    .await
}

/// Has one message sent to one person of the corporation, in the form and the words that are set.
pub async fn test_member_notice<B: CommandBus>(
    bus: &B,
    caller: &Caller,
    context: &CommandContext,
    to: &WecomUserId,
) -> MemberNoticesResult {
    let test = |_: &MemberNotices, by, at| {
        Ok(vec![MemberNoticesCommand::Test(MemberNoticeTested { to: to.clone(), by, at })])
    };
    decided(bus, caller, context, None, test).await
}

type Asked = Result<Vec<MemberNoticesCommand>, MemberNoticesRefusal>;

async fn decided<B: CommandBus>(
    bus: &B,
    caller: &Caller,
    context: &CommandContext,
    expected: Option<Sequence>,
    asked: impl Fn(&MemberNotices, Actor, DateTime<Utc>) -> Asked,
) -> MemberNoticesResult {
    execute(bus, context, async || {
        if !allows(caller.role, Action::SetNotices) {
            return Err(ExecuteError::Refused(MemberNoticesRefusal::Forbidden));
        }
        let stream = StreamId::member_notices();
        let found = bus.load::<MemberNotices>(&stream).await?;
        if expected.is_some_and(|expected| expected != found.sequence) {
            return Err(ExecuteError::Refused(MemberNoticesRefusal::Stale { sequence: found.sequence }));
        }
        let commands =
            asked(&found.state, context.metadata.actor.clone(), context.at).map_err(ExecuteError::Refused)?;
        let mut events = Vec::new();
        for command in commands {
            let decided = found.state.decide(command);
            events.extend(decided.map_err(|refused| ExecuteError::Refused(refused.into()))?);
        }
        let sequence = found.sequence + i64::try_from(events.len()).unwrap_or_default();
        Ok(Plan {
            streams: vec![StreamAppend::of(stream, found.sequence, &events)?],
            guards: vec![],
            result: SettingReceipt { sequence },
        })
    })
    .await
}
