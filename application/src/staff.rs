//! Use cases of staff accounts: register, suspend, activate, bind a WeChat openid, grant subscribe credits.

use domain::contact::OpenId;
use domain::staff::{Staff, StaffCommand, StaffError, normalise_username};
use domain::subscription::{
    CreditsGranted, GrantSource, SubscriptionCommand, SubscriptionError, SubscriptionLedger,
};
use domain::{Aggregate, StaffId, StreamId};
use serde::{Deserialize, Serialize};

use crate::bus::{
    AppendError, CommandBus, CommandContext, ExecuteError, Executed, GuardChange, GuardKind, Plan,
    StreamAppend, execute,
};

/// What is remembered of a staff command.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StaffReceipt {
    /// The account.
    pub staff: StaffId,
    /// Whether anything changed.
    pub changed: bool,
}

/// Why a staff command is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StaffRefusal {
    /// The aggregate refuses.
    #[error(transparent)]
    Rule(#[from] StaffError),
    /// The ledger refuses.
    #[error(transparent)]
    Credits(#[from] SubscriptionError),
    /// Another account has the user name.
    #[error("用户名已存在")]
    DuplicateUsername,
    /// Another account has the openid: a person's notices would go to somebody else (fault A-11).
    #[error("该微信已绑定其他账号")]
    OpenidTaken,
    /// The account has no openid for the app.
    #[error("该账号未绑定微信")]
    NotBound,
}

/// How a staff command ends.
pub type StaffResult = Result<Executed<StaffReceipt>, ExecuteError<StaffRefusal>>;

/// Carries out one command on one account: registering takes the user name, binding takes the openid.
pub async fn command<B: CommandBus>(
    bus: &B,
    context: &CommandContext,
    id: StaffId,
    request: StaffCommand,
) -> StaffResult {
    execute(bus, context, async || {
        let stream = StreamId::from(id);
        let found = bus.load::<Staff>(&stream).await?;
        let guards = guards(&stream, &found.state, &request).map_err(refused)?;
        let events = found.state.decide(request.clone()).map_err(refused)?;
        let changed = !events.is_empty();
        Ok(Plan {
            streams: vec![StreamAppend::of(stream, found.sequence, &events)?],
            guards: if changed { guards } else { vec![] },
            result: StaffReceipt { staff: id, changed },
        })
    })
    .await
    .map_err(taken_as_refusal)
}

/// Grants subscribe credits for the openid that the account has bound in `app`.
pub async fn grant_credits<B: CommandBus>(
    bus: &B,
    context: &CommandContext,
    id: StaffId,
    app: &str,
    template: &str,
    count: i64,
    source: GrantSource,
) -> StaffResult {
    execute(bus, context, async || {
        let staff = bus.load::<Staff>(&StreamId::from(id)).await?.state;
        let openid = staff.openids.get(app).ok_or_else(|| refused(StaffRefusal::NotBound))?;
        let stream = StreamId::subscription(app, openid.as_str(), template);
        let found = bus.load::<SubscriptionLedger>(&stream).await?;
        let grant = CreditsGranted {
            app: app.to_owned(),
            openid: openid.clone(),
            template: template.to_owned(),
            count,
            source,
            at: context.at,
        };
        let events = found.state.decide(SubscriptionCommand::Grant(grant)).map_err(refused)?;
        Ok(Plan {
            streams: vec![StreamAppend::of(stream, found.sequence, &events)?],
            guards: vec![],
            result: StaffReceipt { staff: id, changed: true },
        })
    })
    .await
}

fn refused(refusal: impl Into<StaffRefusal>) -> ExecuteError<StaffRefusal> {
    ExecuteError::Refused(refusal.into())
}

fn guards(stream: &StreamId, before: &Staff, request: &StaffCommand) -> Result<Vec<GuardChange>, StaffError> {
    let claim = |kind, key| GuardChange::Claim { kind, key, holder: stream.clone() };
    let release = |app: &str, openid: &OpenId| GuardChange::Release {
        kind: GuardKind::StaffOpenid,
        key: openid_key(app, openid),
        holder: stream.clone(),
    };
    Ok(match request {
        StaffCommand::Register { username, .. } => {
            vec![claim(GuardKind::StaffUsername, normalise_username(username)?)]
        }
        StaffCommand::BindWechat { app, openid, .. } => {
            let old = before.openids.get(app).map(|old| release(app, old));
            old.into_iter().chain([claim(GuardKind::StaffOpenid, openid_key(app, openid))]).collect()
        }
        StaffCommand::UnbindWechat { app, .. } => {
            before.openids.get(app).map(|old| release(app, old)).into_iter().collect()
        }
        StaffCommand::Suspend { .. } | StaffCommand::Activate { .. } => vec![],
    })
}

fn openid_key(app: &str, openid: &OpenId) -> String {
    format!("{app}:{}", openid.as_str())
}

fn taken_as_refusal(error: ExecuteError<StaffRefusal>) -> ExecuteError<StaffRefusal> {
    match error {
        ExecuteError::Append(AppendError::Taken { kind: GuardKind::StaffUsername, .. }) => {
            refused(StaffRefusal::DuplicateUsername)
        }
        ExecuteError::Append(AppendError::Taken { kind: GuardKind::StaffOpenid, .. }) => {
            refused(StaffRefusal::OpenidTaken)
        }
        other => other,
    }
}
