//! The sample staff: accounts, one password, openids and credits. Made once; a second run finds them.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use application::bus::{CommandBus as _, CommandContext};
use application::staff;
use domain::contact::OpenId;
use domain::staff::{Role, StaffCommand};
use domain::subscription::{GrantSource, SubscriptionLedger};
use domain::{Actor, CommandId, Metadata, StaffId, StreamId};
use futures_util::future::try_join_all;
use infrastructure::credentials::Credentials;
use secrecy::SecretString;
use wechat_simulator::{DEMO_APPID, DEMO_TEMPLATE, SimulatorHandle};

use crate::app::App;

/// Everybody's password.
pub(super) const PASSWORD: &str = "leadwire-demo";

/// Messages each person accepts before the scenario begins: more than it sends to anybody.
const CREDITS: i64 = 20;

/// Who the log says made them.
const ACTOR: &str = "demo";

/// Login name, name, role.
const STAFF: [(&str, &str, Role); 10] = [
    ("admin", "系统管理员", Role::Admin),
    ("manager", "陈经理", Role::Manager),
    ("operator", "林运营", Role::Operator),
    ("dispatch", "周派单", Role::Dispatch),
    ("employee1", "张一", Role::Employee),
    ("employee2", "李二", Role::Employee),
    ("employee3", "王三", Role::Employee),
    ("employee4", "赵四", Role::Employee),
    ("employee5", "钱五", Role::Employee),
    ("admissions", "孙招生", Role::Admissions),
];

/// The sample staff by login name.
#[derive(Debug)]
pub(super) struct People(BTreeMap<&'static str, StaffId>);

impl People {
    /// Makes whoever is missing, and tops up everybody's credits here and at the simulator.
    pub(super) async fn settle_in(app: &App, wechat: &SimulatorHandle) -> Result<Self> {
        // A few at a time: hashing passwords is most of the work, and has limits of its own.
        let people = try_join_all(STAFF.map(|(username, name, role)| async move {
            let id = account(app, username, name, role).await?;
            consent(app, wechat, username, id).await?;
            Ok::<_, anyhow::Error>((username, id))
        }));
        Ok(Self(people.await?.into_iter().collect()))
    }

    /// The person with this login name.
    pub(super) fn id(&self, username: &str) -> Result<StaffId> {
        self.0.get(username).copied().with_context(|| format!("{username} is no sample account"))
    }

    /// The login name of a person; the id of a stranger.
    pub(super) fn username(&self, id: StaffId) -> String {
        let found = self.0.iter().find(|(_, known)| **known == id);
        found.map_or_else(|| id.to_string(), |(username, _)| (*username).to_owned())
    }

    /// Everybody's login name.
    pub(super) fn usernames(&self) -> impl Iterator<Item = &'static str> {
        self.0.keys().copied()
    }
}

/// Who a person is to the mini program.
pub(super) fn openid(username: &str) -> String {
    format!("o-leadwire-demo-{username}")
}

async fn account(app: &App, username: &str, name: &str, role: Role) -> Result<StaffId> {
    let credentials: &Credentials = &app.auth.credentials;
    let known = credentials.staff_named(username).await?;
    let id = known.unwrap_or_else(|| StaffId(app.ids.next()));
    if known.is_none() {
        let context = context(app);
        let request = StaffCommand::Register {
            username: username.to_owned(),
            name: name.to_owned(),
            role,
            department: None,
            phone: None,
            email: None,
            by: context.metadata.actor.clone(),
            at: context.at,
        };
        staff::command(&app.bus, &context, id, request).await?;
    }
    let password = SecretString::from(PASSWORD);
    if known.is_none() || !credentials.verify(known, &password).await? {
        credentials.set_password(id, &password, app.clock.now()).await?;
    }
    Ok(id)
}

async fn consent(app: &App, wechat: &SimulatorHandle, username: &str, id: StaffId) -> Result<()> {
    let text = openid(username);
    let openid = OpenId::parse(&text)?;
    let bind = context(app);
    let (by, at) = (bind.metadata.actor.clone(), bind.at);
    let request = StaffCommand::BindWechat { app: DEMO_APPID.to_owned(), openid, by, at };
    staff::command(&app.bus, &bind, id, request).await?;
    let ledger = StreamId::subscription(DEMO_APPID, &text, DEMO_TEMPLATE);
    let left = app.bus.load::<SubscriptionLedger>(&ledger).await?.state.available;
    if left < CREDITS {
        let (count, source) = (CREDITS - left, GrantSource::Operator);
        staff::grant_credits(&app.bus, &context(app), id, DEMO_APPID, DEMO_TEMPLATE, count, source).await?;
    }
    wechat.grant_credits(&text, u32::try_from(left.max(CREDITS))?)?;
    Ok(())
}

fn context(app: &App) -> CommandContext {
    let command = CommandId(app.ids.next());
    CommandContext {
        metadata: Metadata {
            command,
            correlation: format!("{ACTOR}-{command}"),
            causation: None,
            actor: Actor::System(ACTOR.to_owned()),
        },
        at: app.clock.now(),
        fingerprint: None,
    }
}
