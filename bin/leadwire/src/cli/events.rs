//! `events …`: the log as it was written.

mod replay;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result};
use domain::{Actor, Position};
use infrastructure::event_log::{EventLog, Filter, PAGE_MAX, RecordedRaw, Until};
use serde_json::Value;

use super::arguments::{EventsCommand, EventsExport, EventsShow, EventsTail, Output, Personal};
use super::{moment, open, personal, say, stream};

/// How often `tail --follow` looks for events of other processes.
const FOLLOW_PERIOD: Duration = Duration::from_millis(300);

/// Runs one of them.
pub(crate) async fn run(config: Option<PathBuf>, command: EventsCommand) -> Result<ExitCode> {
    let opened = open::for_reading(config).await?;
    let bus = &opened.store.bus;
    match command {
        EventsCommand::Tail(arguments) => tail(bus.log(), &arguments).await?,
        EventsCommand::Show(arguments) => show(bus.log(), &arguments).await?,
        EventsCommand::Replay(arguments) => replay::replay(bus, &arguments).await?,
        EventsCommand::Export(arguments) => export(bus.log(), &arguments).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn tail(log: &EventLog, arguments: &EventsTail) -> Result<()> {
    let mut position = (log.head().await? - i64::from(arguments.lines)).max(0);
    loop {
        let page = log.page(position, PAGE_MAX, Filter::All).await?;
        for event in &page {
            print(event, arguments.personal, arguments.output)?;
        }
        position = page.last().map_or(position, |event| event.position);
        if page.len() == PAGE_MAX {
            continue;
        }
        if !arguments.follow {
            return Ok(());
        }
        tokio::time::sleep(FOLLOW_PERIOD).await;
    }
}

async fn show(log: &EventLog, arguments: &EventsShow) -> Result<()> {
    let stream = stream::find(log, &arguments.stream).await?;
    let events = log.stream_until(&stream, 0, Until::Now).await?;
    events.iter().try_for_each(|event| print(event, arguments.personal, arguments.output))
}

async fn export(log: &EventLog, arguments: &EventsExport) -> Result<()> {
    let last = match arguments.to {
        Some(last) => last,
        None => log.head().await?,
    };
    let mut out: Box<dyn Write> = match &arguments.out {
        Some(path) => {
            let file = File::create(path).with_context(|| format!("{} cannot be written", path.display()))?;
            Box::new(BufWriter::new(file))
        }
        None => Box::new(BufWriter::new(std::io::stdout())),
    };
    let mut written = 0_u64;
    let mut after: Position = (arguments.from - 1).max(0);
    while after < last {
        let page = log.page(after, PAGE_MAX, Filter::All).await?;
        let Some(end) = page.last().map(|event| event.position) else { break };
        for event in page.iter().filter(|event| event.position <= last) {
            serde_json::to_writer(&mut out, &printable(event, arguments.personal)?)?;
            out.write_all(b"\n")?;
            written += 1;
        }
        after = end;
    }
    out.flush()?;
    say::remark(format_args!("{written} events written."));
    Ok(())
}

fn print(event: &RecordedRaw, shown: Personal, output: Output) -> Result<()> {
    let value = printable(event, shown)?;
    if output.json {
        return say::json_line(&value);
    }
    say::line(format_args!("{} {}", heading(event), value["payload"]))
}

/// One line about an event without its payload.
fn heading(event: &RecordedRaw) -> String {
    format!(
        "{} {} {}#{} {} v{} by {}",
        event.position,
        moment::shown(event.recorded_at),
        event.stream,
        event.sequence,
        event.event_type,
        event.schema_version,
        actor(&event.metadata.actor),
    )
}

fn actor(actor: &Actor) -> String {
    match actor {
        Actor::Staff(id) => format!("staff {id}"),
        Actor::System(part) => part.clone(),
    }
}

/// The event as JSON, with personal data hidden unless it is asked for.
fn printable(event: &RecordedRaw, shown: Personal) -> Result<Value> {
    let mut value = serde_json::to_value(event)?;
    if !shown.show_personal_data {
        personal::hide(&mut value);
    }
    Ok(value)
}
