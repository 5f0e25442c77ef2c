//! The use cases of an administrator: draft words, publish them, go back to earlier ones.

use domain::template::{NoticeTemplate, TemplateCommand, TemplateError, Wording};
use domain::{Aggregate, Sequence, StreamId};

use super::{Template, TextFault, check};
use crate::bus::{CommandBus, CommandContext, ExecuteError, Executed, Plan, StreamAppend, execute};
use crate::preferences::SettingReceipt;

/// What an administrator does with a template.
#[derive(Debug, Clone, PartialEq)]
pub enum Edit {
    /// Write new words.
    Draft(Wording),
    /// Let people read the draft.
    Publish,
    /// Let people read the words of this version again; the catalogue's version means the words of the code.
    RollBack(i64),
}

/// Why a template is not changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateRefusal {
    /// The aggregate refuses.
    #[error(transparent)]
    Rule(#[from] TemplateError),
    /// The draft would fail or be cut when it is sent; every place is named.
    #[error("草稿有{}处不符合规则，不能发布", .0.len())]
    Unfit(Vec<TextFault>),
    /// Somebody else has changed it since the caller saw it.
    #[error("模板已被其他人修改，请刷新后重试")]
    Stale {
        /// Where it is now.
        sequence: Sequence,
    },
}

/// Carries out one edit. `expected` is the version of the stream that the caller saw, when it said one.
pub async fn edit<B: CommandBus>(
    bus: &B,
    context: &CommandContext,
    template: &Template,
    edit: &Edit,
    expected: Option<Sequence>,
) -> Result<Executed<SettingReceipt>, ExecuteError<TemplateRefusal>> {
    execute(bus, context, async || {
        let stream = StreamId::template(template.key);
        let found = bus.load::<NoticeTemplate>(&stream).await?;
        if expected.is_some_and(|expected| expected != found.sequence) {
            return Err(ExecuteError::Refused(TemplateRefusal::Stale { sequence: found.sequence }));
        }
        let unfit = unfit(template, edit, &found.state);
        if !unfit.is_empty() {
            return Err(ExecuteError::Refused(TemplateRefusal::Unfit(unfit)));
        }
        let command = command(template, edit, context);
        let events = found.state.decide(command).map_err(|error| ExecuteError::Refused(error.into()))?;
        let sequence = found.sequence + i64::try_from(events.len()).unwrap_or_default();
        Ok(Plan {
            streams: vec![StreamAppend::of(stream, found.sequence, &events)?],
            guards: vec![],
            result: SettingReceipt { sequence },
        })
    })
    .await
}

/// What keeps a draft from publication, and words that the code has outgrown from coming back: a variable may have
/// gone since they were published.
fn unfit(template: &Template, edit: &Edit, state: &NoticeTemplate) -> Vec<TextFault> {
    let words = match edit {
        Edit::Draft(_) => None,
        Edit::Publish => state.draft.as_ref(),
        Edit::RollBack(version) => state.versions.get(version),
    };
    words.map(|signed| check(template, &signed.wording)).unwrap_or_default()
}

fn command(template: &Template, edit: &Edit, context: &CommandContext) -> TemplateCommand {
    let (key, by, at) = (template.key.to_owned(), context.metadata.actor.clone(), context.at);
    match edit {
        Edit::Draft(wording) => TemplateCommand::Draft { key, wording: wording.clone(), by, at },
        Edit::Publish => TemplateCommand::Publish { key, by, at },
        Edit::RollBack(version) => {
            let to = (*version != template.version).then_some(*version);
            TemplateCommand::RollBack { key, to, by, at }
        }
    }
}
