//! `channels …`: how each does, one message to try it, and an operator's pause.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow, bail};
use application::bus::{CommandBus as _, CommandContext};
use application::channels::{Notice, render};
use application::delivery::Outcome;
use domain::notification::{Channel, Failure};
use domain::staff::Staff;
use domain::{Actor, CommandId, DeliveryId, Metadata, NotificationId, StreamId};
use infrastructure::channel_control;
use projections::queries::deliveries::channels as query;
use serde_json::json;

use super::arguments::{ChannelsCommand, ChannelsList, ChannelsPause, ChannelsResume, ChannelsTest};
use super::open::Opened;
use super::{moment, open, say, staff};
use crate::config::{Settings, Sources};
use crate::wiring::channels::providers;

/// What a test message is about.
const SCENE: &str = "CHANNEL_TEST";
/// Its title.
const TITLE: &str = "渠道测试";
/// Its text.
const CONTENT: &str = "这是一条测试消息，无需处理。This is a test message.";

/// Runs one of them.
pub(crate) async fn run(config: Option<PathBuf>, command: ChannelsCommand) -> Result<ExitCode> {
    match command {
        ChannelsCommand::List(arguments) => list(config, &arguments).await?,
        ChannelsCommand::Test(arguments) => return test(config, &arguments).await,
        ChannelsCommand::Pause(arguments) => pause(config, arguments).await?,
        ChannelsCommand::Resume(arguments) => resume(config, &arguments).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(config: Option<PathBuf>, arguments: &ChannelsList) -> Result<()> {
    let settings = Settings::load(&Sources::of_process(config.clone()))?.channels();
    let opened = open::for_reading(config).await?;
    let (db, now) = (opened.store.db(), opened.ports.clock.now());
    let (depth, pauses) = (query::depth(db).await?, query::pauses(db).await?);
    let health = query::health(db, now).await?;
    let rows: Vec<[String; 6]> = Channel::ALL
        .iter()
        .map(|channel| {
            let waits: i64 = depth.iter().filter(|row| row.channel == *channel).map(|row| row.count).sum();
            let oldest =
                depth.iter().filter(|row| row.channel == *channel).filter_map(|row| row.oldest).min();
            let mine = health.iter().filter(|row| row.channel == channel.as_str());
            let states: Vec<_> = mine.map(|row| row.state.as_str()).collect();
            [
                channel.as_str().to_owned(),
                if settings.is_configured(*channel) { "yes" } else { "no" }.to_owned(),
                pauses.get(channel).map(|pause| pause.reason.clone()).unwrap_or_default(),
                states.join(", "),
                waits.to_string(),
                oldest.map(moment::shown).unwrap_or_default(),
            ]
        })
        .collect();
    if arguments.output.json {
        let channels = rows.iter().map(|[name, configured, paused, health, waits, oldest]| {
            json!({ "name": name, "configured": configured == "yes", "paused": paused, "health": health, "waits": waits, "oldest": oldest })
        });
        return say::json(&channels.collect::<Vec<_>>());
    }
    say::table(["CHANNEL", "CONFIGURED", "PAUSED", "HEALTH", "WAITS", "OLDEST"], &rows)
}

/// One message outside every queue: nothing is recorded, and no credit of ours is counted.
async fn test(config: Option<PathBuf>, arguments: &ChannelsTest) -> Result<ExitCode> {
    let settings = Settings::load(&Sources::of_process(config.clone()))?;
    let opened = open::for_writing(config).await?;
    let tried = send(&opened, &settings, arguments).await;
    opened.store.close().await;
    let outcome = tried?;
    let (word, failure) = match &outcome {
        Outcome::Accepted { .. } => ("accepted", None),
        Outcome::Rejected(failure) => ("rejected", Some(failure)),
        Outcome::Retry { failure, .. } => ("not now", Some(failure)),
        Outcome::Unknown(failure) => ("unknown: it may have arrived", Some(failure)),
    };
    if arguments.output.json {
        say::json(&json!({ "outcome": word, "failure": failure }))?;
    } else {
        say::line(format_args!("{}: {word}", arguments.channel))?;
        if let Some(failure) = failure {
            say::line(told(failure))?;
        }
    }
    Ok(if failure.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn send(opened: &Opened, settings: &Settings, arguments: &ChannelsTest) -> Result<Outcome> {
    let (channel, set) = (arguments.channel, settings.channels());
    if channel == Channel::InApp {
        bail!("the inbox needs no test: it is this database");
    }
    let provider = providers(&opened.store, settings, &opened.ports)?;
    let provider = provider.into_iter().find(|provider| provider.channel() == channel);
    let provider = provider
        .ok_or_else(|| anyhow!("{channel} is not configured; `leadwire config check` shows the settings"))?;
    let recipient = staff::find(opened, &arguments.recipient).await?;
    let person = opened.store.bus.load::<Staff>(&StreamId::from(recipient)).await?.state;
    let receiver = set.receiver(channel, &person).ok_or_else(|| {
        anyhow!("{} is not bound to {channel}; see `leadwire staff --help`", arguments.recipient)
    })?;
    let notification = NotificationId(opened.ports.ids.next());
    let at = opened.ports.clock.now();
    let values = BTreeMap::from([
        ("title", TITLE.into()),
        ("content", CONTENT.into()),
        ("customer_name", TITLE.into()),
    ]);
    let notice = Notice {
        notification,
        delivery: DeliveryId::of(notification, channel.as_str()),
        scene: SCENE,
        title: TITLE,
        content: CONTENT,
        action_text: "查看",
        action_url: "/",
        at,
        recipient,
        receiver,
        customers: &[],
        values: &values,
    };
    let rendered =
        render(&set, channel, &notice).ok_or_else(|| anyhow!("{channel} has no message to send"))?;
    if let Err(rest) = provider.prepare().await {
        bail!("the provider cannot be used before {}: {}", moment::shown(rest.until), told(&rest.failure));
    }
    Ok(provider.send(&rendered.body).await)
}

fn told(failure: &Failure) -> String {
    let code = failure.code.map(|code| format!(" ({code})")).unwrap_or_default();
    format!("{}{code}: {}", failure.class, failure.detail)
}

async fn pause(config: Option<PathBuf>, arguments: ChannelsPause) -> Result<()> {
    let ChannelsPause { channel, reason } = arguments;
    let opened = open::for_writing(config).await?;
    let done = channel_control::pause(&opened.store.bus, channel, reason, &context(&opened)).await;
    opened.store.close().await;
    done.context("the channel is not paused")?;
    say::line(format_args!(
        "{channel} is paused; what waits stays. `leadwire channels resume {channel}` ends it."
    ))
}

async fn resume(config: Option<PathBuf>, arguments: &ChannelsResume) -> Result<()> {
    let opened = open::for_writing(config).await?;
    let done = channel_control::resume(&opened.store.bus, arguments.channel, &context(&opened)).await;
    opened.store.close().await;
    done.context("the channel is not resumed")?;
    say::line(format_args!("{} works again.", arguments.channel))
}

fn context(opened: &Opened) -> CommandContext {
    let metadata = Metadata {
        command: CommandId(opened.ports.ids.next()),
        correlation: "channels".to_owned(),
        causation: None,
        actor: Actor::System(staff::ACTOR.to_owned()),
    };
    CommandContext { metadata, at: opened.ports.clock.now(), fingerprint: None }
}
