//! Use cases of staff accounts: register, update, change the role, suspend, activate, bind a WeChat openid or a WeCom userid, grant
//! subscribe credits.

use domain::contact::{OpenId, WecomUserId};
use domain::staff::{Staff, StaffCommand, StaffError, normalise_username};
use domain::subscription::{
    CreditsGranted, GrantSource, SubscriptionCommand, SubscriptionError, SubscriptionLedger,
};
use domain::{Actor, Aggregate, StaffId, StreamId};
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
    /// Another account has the WeCom userid.
    #[error("该企业微信账号已绑定其他账号")]
    WecomTaken,
    /// Nobody cuts off or demotes the own account: the last administrator would lock everybody out.
    #[error("不能停用自己的账号或修改自己的角色")]
    OwnAccount,
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
    commands(bus, context, id, &[request]).await
}

/// Carries out several commands on one account, all of them or none, in this order.
pub async fn commands<B: CommandBus>(
    bus: &B,
    context: &CommandContext,
    id: StaffId,
    requests: &[StaffCommand],
) -> StaffResult {
    execute(bus, context, async || {
        let stream = StreamId::from(id);
        let found = bus.load::<Staff>(&stream).await?;
        let mut staff = found.state;
        let (mut events, mut guards) = (vec![], vec![]);
        for request in requests {
            let own = context.metadata.actor == Actor::Staff(id);
            let taken = guards_of(&stream, &staff, request).map_err(refused)?;
            let decided = staff.decide(request.clone()).map_err(refused)?;
            if own && !decided.is_empty() && locks_out(request) {
                return Err(refused(StaffRefusal::OwnAccount));
            }
            for event in &decided {
                staff.evolve(event);
            }
            guards.extend(if decided.is_empty() { vec![] } else { taken });
            events.extend(decided);
        }
        let changed = !events.is_empty();
        Ok(Plan {
            streams: vec![StreamAppend::of(stream, found.sequence, &events)?],
            guards,
            result: StaffReceipt { staff: id, changed },
        })
    })
    .await
    .map_err(taken_as_refusal)
}

/// What a person may not do to the own account.
fn locks_out(request: &StaffCommand) -> bool {
    matches!(request, StaffCommand::Suspend { .. } | StaffCommand::ChangeRole { .. })
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

fn guards_of(
    stream: &StreamId,
    before: &Staff,
    request: &StaffCommand,
) -> Result<Vec<GuardChange>, StaffError> {
    let claim = |kind, key| GuardChange::Claim { kind, key, holder: stream.clone() };
    let release = |app: &str, openid: &OpenId| GuardChange::Release {
        kind: GuardKind::StaffOpenid,
        key: openid_key(app, openid),
        holder: stream.clone(),
    };
    let release_wecom = |corp: &str, user: &WecomUserId| GuardChange::Release {
        kind: GuardKind::StaffWecom,
        key: wecom_key(corp, user),
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
        StaffCommand::Update { .. }
        | StaffCommand::ChangeRole { .. }
        | StaffCommand::Suspend { .. }
        | StaffCommand::Activate { .. } => vec![],
        StaffCommand::BindWecom { corp, user, .. } => {
            let old = before.wecom.get(corp).filter(|old| !old.is_same_person(user));
            let old = old.map(|old| release_wecom(corp, old));
            old.into_iter().chain([claim(GuardKind::StaffWecom, wecom_key(corp, user))]).collect()
        }
        StaffCommand::UnbindWecom { corp, .. } => {
            before.wecom.get(corp).map(|old| release_wecom(corp, old)).into_iter().collect()
        }
    })
}

/// The key under which the guard of openids knows a person of an app.
pub fn openid_key(app: &str, openid: &OpenId) -> String {
    format!("{app}:{}", openid.as_str())
}

/// The key under which the guard of WeCom userids knows a member of a corporation.
pub fn wecom_key(corp: &str, user: &WecomUserId) -> String {
    format!("{corp}:{}", user.as_str().to_ascii_lowercase())
}

fn taken_as_refusal(error: ExecuteError<StaffRefusal>) -> ExecuteError<StaffRefusal> {
    match error {
        ExecuteError::Append(AppendError::Taken { kind: GuardKind::StaffUsername, .. }) => {
            refused(StaffRefusal::DuplicateUsername)
        }
        ExecuteError::Append(AppendError::Taken { kind: GuardKind::StaffOpenid, .. }) => {
            refused(StaffRefusal::OpenidTaken)
        }
        ExecuteError::Append(AppendError::Taken { kind: GuardKind::StaffWecom, .. }) => {
            refused(StaffRefusal::WecomTaken)
        }
        other => other,
    }
}
