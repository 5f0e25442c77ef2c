//! The arguments of `leadwire templates`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use domain::EventId;
use domain::preferences::Language;

use super::{Output, one_of};

/// The words of notices.
#[derive(Debug, Subcommand)]
pub(crate) enum TemplatesCommand {
    /// Show every template and which words people read
    #[command(after_help = "Example:
  leadwire templates list --json")]
    List(TemplatesList),
    /// Show one template: its words, its draft and what keeps that from publication, its versions
    #[command(after_help = "Example:
  leadwire templates show ASSIGNED")]
    Show(TemplatesShow),
    /// Write new words, which nobody reads before they are published
    #[command(after_help = "Example:
  leadwire templates draft ASSIGNED --file words.json

words.json:
  {\"zh-CN\": {\"title\": \"…\", \"content\": \"… {{customerName}} …\", \"actionText\": \"…\"},
   \"en\": {\"title\": \"…\", \"content\": \"… {{customerName}} …\", \"actionText\": \"…\"}}")]
    Draft(TemplatesDraft),
    /// Show what somebody would read
    #[command(after_help = "Example:
  leadwire templates preview ASSIGNED --locale en
  leadwire templates preview ASSIGNED --event ad2df9f7-fa96-53ed-ba5e-5bf09df22a5c")]
    Preview(TemplatesPreview),
    /// Let people read the draft
    #[command(after_help = "Example:
  leadwire templates publish ASSIGNED")]
    Publish(TemplatesPublish),
    /// Let people read earlier words again
    #[command(after_help = "Example:
  leadwire templates roll-back ASSIGNED 1001")]
    RollBack(TemplatesRollBack),
}

/// Flags of `templates list`.
#[derive(Debug, Args)]
pub(crate) struct TemplatesList {
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Flags of `templates show`.
#[derive(Debug, Args)]
pub(crate) struct TemplatesShow {
    /// Name of the template, as `templates list` shows it
    pub(crate) key: String,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Flags of `templates draft`.
#[derive(Debug, Args)]
pub(crate) struct TemplatesDraft {
    /// Name of the template
    pub(crate) key: String,
    /// The words in both languages, as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Flags of `templates preview`.
#[derive(Debug, Args)]
pub(crate) struct TemplatesPreview {
    /// Name of the template
    pub(crate) key: String,
    /// zh-CN or en
    #[arg(long, default_value_t, value_parser = one_of(Language::ALL))]
    pub(crate) locale: Language,
    /// Number of the words; the draft without it, or what is read now when there is none
    #[arg(long, value_name = "NUMBER")]
    pub(crate) version: Option<i64>,
    /// Show the data of this event, as it was when it happened, instead of samples
    #[arg(long, value_name = "EVENT")]
    pub(crate) event: Option<EventId>,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Flags of `templates publish`.
#[derive(Debug, Args)]
pub(crate) struct TemplatesPublish {
    /// Name of the template
    pub(crate) key: String,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Flags of `templates roll-back`.
#[derive(Debug, Args)]
pub(crate) struct TemplatesRollBack {
    /// Name of the template
    pub(crate) key: String,
    /// A version that was published, or that of the code
    pub(crate) version: i64,
    #[command(flatten)]
    pub(crate) output: Output,
}
