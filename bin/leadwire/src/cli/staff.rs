//! `staff …`: accounts, passwords, bindings to WeChat and WeCom, and how many leads everybody has.

mod recount;

use std::io::{self, BufRead as _, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow, bail};
use application::bus::{CommandBus as _, CommandContext};
use application::staff::{self, StaffResult};
use domain::contact::{OpenId, Phone, WecomUserId};
use domain::staff::{Staff, StaffCommand as Request, StaffPatch, normalise_username};
use domain::subscription::GrantSource;
use domain::{Actor, CommandId, Metadata, StaffId, StreamId};
use infrastructure::credentials::{Credentials, PASSWORD_CHARS_MIN};
use infrastructure::sessions::Sessions;
use projections::{ReadModel, queries};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

use super::arguments::{
    StaffBindWechat, StaffBindWecom, StaffCommand, StaffCreate, StaffList, StaffOne, StaffSetPassword,
    StaffUnbindWecom, StaffUpdate,
};
use super::open::{self, Opened};
use super::say;

/// Who the log says did it.
pub(crate) const ACTOR: &str = "cli";

/// Runs one of them.
pub(crate) async fn run(config: Option<PathBuf>, command: StaffCommand) -> Result<ExitCode> {
    match &command {
        StaffCommand::List(arguments) => return list(config, arguments).await,
        StaffCommand::Recount(arguments) => return recount::run(config, arguments).await,
        _ => {}
    }
    let database = open::for_writing(config).await?;
    let done = match command {
        StaffCommand::Create(arguments) => create(&database, arguments).await,
        StaffCommand::SetPassword(arguments) => set_password(&database, &arguments).await,
        StaffCommand::BindWechat(arguments) => bind_wechat(&database, &arguments).await,
        StaffCommand::BindWecom(arguments) => bind_wecom(&database, &arguments).await,
        StaffCommand::UnbindWecom(arguments) => unbind_wecom(&database, arguments).await,
        StaffCommand::Update(arguments) => update(&database, arguments).await,
        StaffCommand::LogOut(arguments) => log_out(&database, &arguments).await,
        StaffCommand::Suspend(arguments) => set_active(&database, &arguments, Active::No).await,
        StaffCommand::Activate(arguments) => set_active(&database, &arguments, Active::Yes).await,
        StaffCommand::List(_) | StaffCommand::Recount(_) => Ok(()),
    };
    // So that `staff list` shows it although no service runs.
    let shown = database.store.projections.catch_up(ReadModel::StaffDirectory).await;
    database.store.close().await;
    done?;
    shown.context("the staff directory is behind; the service will bring it up to date")?;
    Ok(ExitCode::SUCCESS)
}

/// A fresh command of the command line.
pub(crate) fn context(opened: &Opened) -> CommandContext {
    let command = CommandId(opened.ports.ids.next());
    CommandContext {
        metadata: Metadata {
            command,
            correlation: format!("{ACTOR}-{command}"),
            causation: None,
            actor: Actor::System(ACTOR.to_owned()),
        },
        at: opened.ports.clock.now(),
        fingerprint: None,
    }
}

async fn create(opened: &Opened, arguments: StaffCreate) -> Result<()> {
    let phone = arguments.phone.as_deref().map(Phone::parse).transpose().context("--phone")?;
    // Everything that can be wrong is found before a password is asked for.
    let username = normalise_username(&arguments.username).context("--username")?;
    let credentials = Credentials::new(opened.store.db().clone());
    if credentials.staff_named(&username).await?.is_some() {
        bail!("there is an account named {username} already; `leadwire staff list` shows it");
    }
    let password = password(arguments.password.password_file.as_deref())?;
    let id = StaffId(opened.ports.ids.next());
    let context = context(opened);
    let request = Request::Register {
        username: username.clone(),
        name: arguments.name,
        role: arguments.role,
        department: arguments.department,
        phone,
        email: arguments.email,
        by: context.metadata.actor.clone(),
        at: context.at,
    };
    staff::command(&opened.store.bus, &context, id, request).await?;
    credentials
        .set_password(id, &password, context.at)
        .await
        .context("the account was made, but its password was not set; run `leadwire staff set-password`")?;
    if arguments.output.json {
        return say::json(&json!({ "id": id, "username": username, "role": arguments.role }));
    }
    say::line(format_args!("Made {username} ({}), id {id}.", arguments.role.as_str()))
}

async fn list(config: Option<PathBuf>, arguments: &StaffList) -> Result<ExitCode> {
    let opened = open::for_reading(config).await?;
    let everybody = queries::staff::all(opened.store.db()).await?;
    if arguments.output.json {
        let rows: Vec<_> = everybody
            .iter()
            .map(|row| {
                json!({
                    "id": row.id,
                    "username": row.username(),
                    "name": row.name(),
                    "role": row.staff.account.as_ref().map(|account| account.role),
                    "active": row.staff.is_active(),
                    "wechatApps": row.staff.openids.keys().collect::<Vec<_>>(),
                    "wecomCorps": row.staff.wecom.keys().collect::<Vec<_>>(),
                })
            })
            .collect();
        say::json(&rows)?;
    } else {
        let rows: Vec<[String; 7]> = everybody
            .iter()
            .map(|row| {
                let role = row.staff.account.as_ref().map_or("", |account| account.role.as_str());
                let active = if row.staff.is_active() { "active" } else { "suspended" };
                // Where the person is bound, and not as whom.
                let apps = row.staff.openids.keys().cloned().collect::<Vec<_>>().join(",");
                let corps = row.staff.wecom.keys().cloned().collect::<Vec<_>>().join(",");
                let id = row.id.to_string();
                [row.username(), row.name(), role, active, &apps, &corps, &id].map(str::to_owned)
            })
            .collect();
        say::table(["USERNAME", "NAME", "ROLE", "STATE", "WECHAT APPS", "WECOM CORPS", "ID"], &rows)?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn set_password(opened: &Opened, arguments: &StaffSetPassword) -> Result<()> {
    let id = find(opened, &arguments.staff).await?;
    let password = password(arguments.password.password_file.as_deref())?;
    let credentials = Credentials::new(opened.store.db().clone());
    credentials.set_password(id, &password, opened.ports.clock.now()).await?;
    say::line(format_args!("The password of {} is set.", arguments.staff))
}

async fn bind_wechat(database: &Opened, arguments: &StaffBindWechat) -> Result<()> {
    let id = find(database, &arguments.staff).await?;
    let app = configured(
        arguments.app.as_ref(),
        database.settings.wechat_app.as_ref(),
        "--app",
        "wechat_subscribe.appid",
    )?;
    let openid = OpenId::parse(&arguments.openid).context("--openid")?;
    let bind = context(database);
    let (by, at) = (bind.metadata.actor.clone(), bind.at);
    let request = Request::BindWechat { app: app.clone(), openid, by, at };
    let bound = staff::command(&database.store.bus, &bind, id, request).await?;
    let words = if bound.result.changed { "is bound now" } else { "was bound already" };
    say::line(format_args!("{} {words} in {app}.", arguments.staff))?;
    let Some(count) = arguments.credits else { return Ok(()) };
    let configured_template = database.settings.wechat_template.as_ref();
    let template = configured(
        arguments.template.as_ref(),
        configured_template,
        "--template",
        "wechat_subscribe.template",
    )?;
    let grant = context(database);
    let source = GrantSource::Operator;
    let granted: StaffResult =
        staff::grant_credits(&database.store.bus, &grant, id, &app, &template, count, source).await;
    granted.context("the openid is bound, but no credit was granted")?;
    say::line(format_args!("Granted {count} messages of template {template}."))
}

async fn bind_wecom(database: &Opened, arguments: &StaffBindWecom) -> Result<()> {
    let id = find(database, &arguments.staff).await?;
    let corp = corp(database, arguments.corp.as_ref())?;
    let user = WecomUserId::parse(&arguments.user).context("--user")?;
    let bind = context(database);
    let (by, at) = (bind.metadata.actor.clone(), bind.at);
    let request = Request::BindWecom { corp: corp.clone(), user, by, at };
    let bound = staff::command(&database.store.bus, &bind, id, request).await?;
    let words = if bound.result.changed { "is bound now" } else { "was bound already" };
    say::line(format_args!("{} {words} in {corp}.", arguments.staff))
}

async fn unbind_wecom(database: &Opened, arguments: StaffUnbindWecom) -> Result<()> {
    let id = find(database, &arguments.staff).await?;
    let corp = corp(database, arguments.corp.as_ref())?;
    let unbind = context(database);
    let (by, at) = (unbind.metadata.actor.clone(), unbind.at);
    let request = Request::UnbindWecom { corp: corp.clone(), reason: arguments.reason, by, at };
    let unbound = staff::command(&database.store.bus, &unbind, id, request).await?;
    let words = if unbound.result.changed { "is not bound any more" } else { "was not bound" };
    say::line(format_args!("{} {words} in {corp}.", arguments.staff))
}

fn corp(database: &Opened, given: Option<&String>) -> Result<String> {
    configured(given, database.settings.wecom_corp.as_ref(), "--corp", "wecom_app.corpid")
}

async fn update(opened: &Opened, arguments: StaffUpdate) -> Result<()> {
    let id = find(opened, &arguments.staff).await?;
    let cleared = |text: String| (!text.trim().is_empty()).then(|| text.trim().to_owned());
    let phone = arguments.phone.map(|text| cleared(text).map(|text| Phone::parse(&text)).transpose());
    let changes = StaffPatch {
        name: arguments.name,
        department: arguments.department.map(cleared),
        phone: phone.transpose().context("--phone")?,
        email: arguments.email.map(cleared),
        monthly_task: arguments.monthly_task.map(Some),
    };
    let context = context(opened);
    let (by, at) = (context.metadata.actor.clone(), context.at);
    let mut requests = vec![Request::Update { changes, by: by.clone(), at }];
    requests.extend(arguments.role.map(|role| Request::ChangeRole { role, by, at }));
    let done = staff::commands(&opened.store.bus, &context, id, &requests).await?;
    let words = if done.result.changed { "is changed" } else { "was like that already" };
    say::line(format_args!("{} {words}.", arguments.staff))
}

/// A running service hears of it within a second.
async fn log_out(opened: &Opened, arguments: &StaffOne) -> Result<()> {
    let id = find(opened, &arguments.staff).await?;
    end_sessions(opened, id).await?;
    say::line(format_args!("Every session of {} has ended.", arguments.staff))
}

async fn end_sessions(opened: &Opened, id: StaffId) -> Result<()> {
    let sessions = Sessions::new(opened.store.db().clone(), opened.ports.clock.clone());
    Ok(sessions.end_all(id).await?)
}

/// Whether an account works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Active {
    Yes,
    No,
}

async fn set_active(opened: &Opened, arguments: &StaffOne, active: Active) -> Result<()> {
    let id = find(opened, &arguments.staff).await?;
    let staff = opened.store.bus.load::<Staff>(&StreamId::from(id)).await?.state;
    if active == Active::Yes && staff.suspended {
        // Before the account works again: what was cut off stays cut off.
        end_sessions(opened, id).await?;
    }
    let context = context(opened);
    let (by, at) = (context.metadata.actor.clone(), context.at);
    let (request, word) = match active {
        Active::Yes => (Request::Activate { by, at }, "active"),
        Active::No => (Request::Suspend { by, at }, "suspended"),
    };
    let done = staff::command(&opened.store.bus, &context, id, request).await?;
    let when = if done.result.changed { "is now" } else { "was already" };
    say::line(format_args!("{} {when} {word}.", arguments.staff))
}

/// The account with this login name or id. Asks the guards of the log, which are never behind.
pub(crate) async fn find(opened: &Opened, text: &str) -> Result<StaffId> {
    if let Ok(id) = text.parse::<StaffId>() {
        return Ok(id);
    }
    let username = normalise_username(text)?;
    let found = Credentials::new(opened.store.db().clone()).staff_named(&username).await?;
    found.ok_or_else(|| anyhow!("there is no account named {username}; `leadwire staff list` shows all"))
}

fn configured(given: Option<&String>, set: Option<&String>, flag: &str, key: &str) -> Result<String> {
    let found = given.or(set).cloned();
    found.ok_or_else(|| anyhow!("name it with {flag}: {key} is not configured"))
}

/// The password from a file, from a prompt, or from standard input.
fn password(file: Option<&Path>) -> Result<SecretString> {
    let password = match file {
        Some(file) => {
            let text = std::fs::read_to_string(file);
            let text = text.with_context(|| format!("{} cannot be read", file.display()))?;
            SecretString::from(text.lines().next().unwrap_or_default())
        }
        None if io::stdin().is_terminal() => prompt()?,
        None => {
            let mut line = String::new();
            io::stdin().lock().read_line(&mut line).context("no password on standard input")?;
            SecretString::from(line.trim_end_matches(['\r', '\n']))
        }
    };
    if password.expose_secret().chars().count() < PASSWORD_CHARS_MIN {
        bail!("a password has at least {PASSWORD_CHARS_MIN} characters");
    }
    Ok(password)
}

/// Asks twice, without showing what is typed.
fn prompt() -> Result<SecretString> {
    let ask = |question: &str| -> Result<SecretString> {
        say::ask(question);
        Ok(SecretString::from(console::Term::stderr().read_secure_line()?))
    };
    let first = ask("Password: ")?;
    let again = ask("Again: ")?;
    if first.expose_secret() != again.expose_secret() {
        bail!("the two passwords differ");
    }
    Ok(first)
}
