//! `templates …`: the words of notices. They change the events that the API changes, with the same checks.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow};
use application::bus::{CommandBus as _, ExecuteError};
use application::forms::{DraftTemplate, FieldError, PreviewTemplate, PreviewVersion, text_error};
use application::texts::{self, CATALOGUE, Edit, Template, TemplateRefusal};
use domain::StreamId;
use domain::template::NoticeTemplate;

use super::arguments::{TemplatesCommand, TemplatesDraft, TemplatesPreview};
use super::open::{self, Opened};
use super::say;
use super::staff::context;
use crate::http::templates::{NotShown, PreviewView, TemplateView, shown};

/// Runs one of them.
pub(crate) async fn run(config: Option<PathBuf>, command: TemplatesCommand) -> Result<ExitCode> {
    match command {
        TemplatesCommand::List(arguments) => list(config, arguments.output.json).await?,
        TemplatesCommand::Show(arguments) => show(config, &arguments.key, arguments.output.json).await?,
        TemplatesCommand::Preview(arguments) => preview(config, arguments).await?,
        TemplatesCommand::Draft(TemplatesDraft { key, file, output }) => {
            let wording = read(&file)?;
            change(config, &key, Edit::Draft(wording.wording), output.json).await?;
        }
        TemplatesCommand::Publish(arguments) => {
            change(config, &arguments.key, Edit::Publish, arguments.output.json).await?;
        }
        TemplatesCommand::RollBack(arguments) => {
            let wanted = Edit::RollBack(arguments.version);
            change(config, &arguments.key, wanted, arguments.output.json).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(config: Option<PathBuf>, json: bool) -> Result<()> {
    let opened = open::for_reading(config).await?;
    let mut views = Vec::with_capacity(CATALOGUE.len());
    for template in CATALOGUE {
        views.push(TemplateView::of(template, &load(&opened, template).await?));
    }
    if json {
        return say::json(&views.iter().map(TemplateView::summary).collect::<Vec<_>>());
    }
    let rows: Vec<[String; 5]> = CATALOGUE
        .iter()
        .zip(&views)
        .map(|(template, view)| {
            let draft = if view.has_draft() { "yes" } else { "" };
            let words = if view.is_built_in() { "the code's" } else { "published" };
            [
                template.key.to_owned(),
                template.kind.to_owned(),
                view.version().to_string(),
                words.to_owned(),
                draft.to_owned(),
            ]
        })
        .collect();
    say::table(["KEY", "TYPE", "VERSION", "WORDS", "DRAFT"], &rows)
}

async fn show(config: Option<PathBuf>, key: &str, json: bool) -> Result<()> {
    let template = find(key)?;
    let opened = open::for_reading(config).await?;
    let view = TemplateView::of(template, &load(&opened, template).await?);
    tell(&view, json)
}

async fn preview(config: Option<PathBuf>, arguments: TemplatesPreview) -> Result<()> {
    let TemplatesPreview { key, locale, version, event, output } = arguments;
    let template = find(&key)?;
    let opened = open::for_reading(config).await?;
    let version = version.map_or(PreviewVersion::Latest, PreviewVersion::Numbered);
    let form = PreviewTemplate { locale, version, event, variables: std::collections::BTreeMap::new() };
    let state = load(&opened, template).await?;
    let view = shown(&opened.store.bus, &state, template, &form).await.map_err(|error| explained(&error))?;
    if output.json {
        return say::json(&view);
    }
    let PreviewView { title, content, action_text, action_url, .. } = &view;
    say::line(title)?;
    say::line(content)?;
    say::line(format_args!("[{action_text}] {action_url}"))
}

/// Reads words out of a file, with the rules of the API.
fn read(file: &Path) -> Result<DraftTemplate> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let body = serde_json::from_str(&text).with_context(|| format!("{} is no JSON", file.display()))?;
    DraftTemplate::parse(body).map_err(|errors| listed(&errors))
}

async fn change(config: Option<PathBuf>, key: &str, wanted: Edit, json: bool) -> Result<()> {
    let template = find(key)?;
    let opened = open::for_writing(config).await?;
    let done = carry_out(&opened, template, &wanted).await;
    opened.store.close().await;
    tell(&done?, json)
}

async fn carry_out(opened: &Opened, template: &'static Template, wanted: &Edit) -> Result<TemplateView> {
    let edited = texts::edit(&opened.store.bus, &context(opened), template, wanted, None).await;
    edited.map_err(|error| refused(template, error))?;
    Ok(TemplateView::of(template, &load(opened, template).await?))
}

fn tell(view: &TemplateView, json: bool) -> Result<()> {
    if json {
        return say::json(view);
    }
    let line = |name: &str, text: &str| say::line(format_args!("{name:<12}{text}"));
    line("version", &view.version().to_string())?;
    for (name, words) in view.readings() {
        line(name, &words.title)?;
        for text in words.content.lines().chain([words.action_text.as_str()]) {
            line("", text)?;
        }
    }
    for problem in view.draft_problems() {
        line("problem", problem)?;
    }
    let published = view.published_versions();
    line("published", if published.is_empty() { "never" } else { &published })
}

fn find(key: &str) -> Result<&'static Template> {
    texts::template(key).ok_or_else(|| anyhow!("there is no template {key}; `leadwire templates list`"))
}

async fn load(opened: &Opened, template: &Template) -> Result<NoticeTemplate> {
    let found = opened.store.bus.load::<NoticeTemplate>(&StreamId::template(template.key)).await;
    Ok(found.context("the template cannot be read")?.state)
}

fn refused(template: &Template, error: ExecuteError<TemplateRefusal>) -> anyhow::Error {
    match error {
        ExecuteError::Refused(TemplateRefusal::Unfit(faults)) => {
            let errors: Vec<FieldError> = faults.iter().map(|fault| text_error(template, fault)).collect();
            listed(&errors)
        }
        other => anyhow::Error::new(other).context("the template is not changed"),
    }
}

fn explained(error: &NotShown) -> anyhow::Error {
    match error {
        NotShown::Unfit(errors) => listed(errors),
        other => anyhow!("{other}"),
    }
}

/// Every violation on a line of its own.
fn listed(errors: &[FieldError]) -> anyhow::Error {
    let lines: Vec<&str> = errors.iter().map(|error| error.message_en.as_str()).collect();
    anyhow!("{}", lines.join("\n"))
}
