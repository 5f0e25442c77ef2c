//! `tokens …`: service tokens of machine callers.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use application::forms::NewServiceToken;
use domain::Actor;
use infrastructure::service_tokens::{ServiceToken, ServiceTokens};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::arguments::{TokensCommand, TokensCreate, TokensList, TokensRevoke};
use super::open::{self, Opened};
use super::say;
use super::staff::ACTOR;

/// Runs one of them.
pub(crate) async fn run(config: Option<PathBuf>, command: TokensCommand) -> Result<ExitCode> {
    if let TokensCommand::List(arguments) = &command {
        list(&open::for_reading(config).await?, arguments).await?;
        return Ok(ExitCode::SUCCESS);
    }
    let opened = open::for_writing(config).await?;
    let done = match command {
        TokensCommand::Create(arguments) => create(&opened, arguments).await,
        TokensCommand::Revoke(arguments) => revoke(&opened, &arguments).await,
        TokensCommand::List(_) => Ok(()),
    };
    opened.store.close().await;
    done?;
    Ok(ExitCode::SUCCESS)
}

async fn create(opened: &Opened, arguments: TokensCreate) -> Result<()> {
    let TokensCreate { name, scopes, expires_at, output } = arguments;
    let name = name.trim().to_owned();
    if name.is_empty() {
        bail!("--name must not be empty");
    }
    let tokens = ServiceTokens::new(opened.store.db().clone());
    let (id, now) = (opened.ports.ids.next(), opened.ports.clock.now());
    let new = NewServiceToken { name, scopes, expires_at };
    let (made, secret) = tokens.create(id, new, &Actor::System(ACTOR.to_owned()), now).await?;
    if output.json {
        let mut document = document(&made);
        document["token"] = json!(secret.expose_secret());
        return say::json(&document);
    }
    say::remark(format_args!("Made the service token {id}. Keep it: it is shown only now."));
    say::line(secret.expose_secret())
}

async fn list(opened: &Opened, arguments: &TokensList) -> Result<()> {
    let all = ServiceTokens::new(opened.store.db().clone()).all().await?;
    if arguments.output.json {
        return say::json(&all.iter().map(document).collect::<Vec<_>>());
    }
    let now = opened.ports.clock.now();
    let row = |token: &ServiceToken| {
        let state = match (token.is_good(now), token.revoked_at) {
            (true, _) => "good",
            (false, Some(_)) => "taken back",
            (false, None) => "ended",
        };
        let ends = token.expires_at.map_or_else(|| "never".to_owned(), |end| end.to_rfc3339());
        [token.name.clone(), scopes(token), state.to_owned(), ends, token.id.to_string()]
    };
    let rows: Vec<[String; 5]> = all.iter().map(row).collect();
    say::table(["NAME", "SCOPES", "STATE", "ENDS", "ID"], &rows)
}

async fn revoke(opened: &Opened, arguments: &TokensRevoke) -> Result<()> {
    let tokens = ServiceTokens::new(opened.store.db().clone());
    match tokens.revoke(arguments.id, opened.ports.clock.now()).await? {
        Some(token) => say::line(format_args!("{} is refused from now on.", token.name)),
        None => bail!("there is no such service token; `leadwire tokens list` shows all"),
    }
}

fn scopes(token: &ServiceToken) -> String {
    token.scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(",")
}

fn document(token: &ServiceToken) -> Value {
    json!({
        "id": token.id,
        "name": token.name,
        "scopes": token.scopes,
        "createdBy": token.created_by,
        "createdAt": token.created_at,
        "expiresAt": token.expires_at,
        "revokedAt": token.revoked_at,
    })
}
