//! Accounts, made through the same use cases as those of the command line, without the price of a password.

use anyhow::{Context as _, Result};
use application::bus::CommandContext;
use application::staff;
use domain::contact::{OpenId, WecomUserId};
use domain::staff::{Role, StaffCommand};
use domain::subscription::{GRANT_MAX, GrantSource};
use domain::{Actor, CommandId, Metadata, StaffId};
use leadwire::app::App;

/// A command of nobody in particular, now.
pub fn context(app: &App) -> CommandContext {
    let command = CommandId(app.ids.next());
    let actor = Actor::System("test".to_owned());
    let metadata = Metadata { command, correlation: command.to_string(), causation: None, actor };
    CommandContext { metadata, at: app.clock.now(), fingerprint: None }
}

/// Makes an account.
pub async fn register(app: &App, username: &str, role: Role) -> Result<StaffId> {
    let id = StaffId(app.ids.next());
    let context = context(app);
    let register = StaffCommand::Register {
        username: username.to_owned(),
        name: username.to_owned(),
        role,
        department: None,
        phone: None,
        email: None,
        by: context.metadata.actor.clone(),
        at: context.at,
    };
    staff::command(&app.bus, &context, id, register).await?;
    Ok(id)
}

/// Lets the configured mini program reach somebody, who has agreed to so many messages.
pub async fn bind_wechat(app: &App, id: StaffId, openid: &str, credits: i64) -> Result<()> {
    let settings = app.settings.wechat_subscribe.as_ref().context("WeChat is not configured")?;
    let (appid, template) = (&settings.channel.app, &settings.channel.template);
    bind_openid(app, id, appid, openid).await?;
    grant(app, id, appid, template, credits).await
}

/// Says who somebody is to one of WeChat's apps.
pub async fn bind_openid(app: &App, id: StaffId, appid: &str, openid: &str) -> Result<()> {
    let context = context(app);
    let bind = StaffCommand::BindWechat {
        app: appid.to_owned(),
        openid: OpenId::parse(openid)?,
        by: context.metadata.actor.clone(),
        at: context.at,
    };
    staff::command(&app.bus, &context, id, bind).await?;
    Ok(())
}

/// Says which member of a `WeCom` corporation somebody is.
pub async fn bind_wecom(app: &App, id: StaffId, corp: &str, user: &str) -> Result<()> {
    let context = context(app);
    let bind = StaffCommand::BindWecom {
        corp: corp.to_owned(),
        user: WecomUserId::parse(user)?,
        by: context.metadata.actor.clone(),
        at: context.at,
    };
    staff::command(&app.bus, &context, id, bind).await?;
    Ok(())
}

/// Somebody agrees to so many messages.
pub async fn grant(app: &App, id: StaffId, appid: &str, template: &str, credits: i64) -> Result<()> {
    let mut left = credits;
    while left > 0 {
        let now = left.min(GRANT_MAX);
        staff::grant_credits(&app.bus, &context(app), id, appid, template, now, GrantSource::Operator)
            .await?;
        left -= now;
    }
    Ok(())
}

/// What somebody sends as `Authorization: Bearer` after logging in.
pub fn token(app: &App, id: StaffId, username: &str, role: Role) -> Result<String> {
    Ok(app.auth.tokens.issue(id, username, role, app.clock.now())?)
}
