//! What words must be like before people read them. Checked at publication, because a fault that shows itself when a
//! message is sent has already cost somebody the message (notifications.md section 2).

use domain::notification::Channel;
use domain::preferences::Language;
use domain::template::{Part, Wording, WordsFault};
use serde_json::Map;

use super::render::has_loose_braces;
use super::samples::longest;
use super::{Template, Variables, Worded, placeholders, render, samples};

/// Something wrong with the words of one part in one language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextFault {
    /// In which language.
    pub language: Language,
    /// In which part.
    pub part: Part,
    /// What.
    pub rule: TextRule,
}

/// The rules of words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TextRule {
    /// The words cannot be kept at all.
    Words(WordsFault),
    /// No such variable is given to this template.
    UnknownVariable(String),
    /// Braces that belong to no placeholder would be read as they are.
    LooseBraces,
    /// A provider cuts or refuses the text once it is filled.
    TooLongFor {
        /// Which channel.
        channel: Channel,
        /// The most.
        max: usize,
        /// Of what.
        unit: Unit,
    },
}

/// What a provider counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Characters.
    Chars,
    /// Bytes of UTF-8.
    Bytes,
}

/// What a provider takes of one part.
struct ProviderLimit {
    channel: Channel,
    part: Part,
    max: usize,
    unit: Unit,
}

/// The limits of the providers that take a notice's own words (wechat-apis.md sections 5.2 and 6). The fields of WeChat
/// templates are not words of ours: they are cut by the rules of each field.
const PROVIDER_LIMITS: &[ProviderLimit] = &[
    ProviderLimit { channel: Channel::WecomApp, part: Part::Title, max: 128, unit: Unit::Chars },
    ProviderLimit { channel: Channel::WecomApp, part: Part::Content, max: 512, unit: Unit::Chars },
    ProviderLimit { channel: Channel::WecomRobot, part: Part::Content, max: 2048, unit: Unit::Bytes },
];

/// Most bytes of each part in the inbox, whatever the variables hold: the notices of one event travel together, and an
/// order names 200 people.
const INBOX_LIMITS: &[ProviderLimit] = &[
    ProviderLimit { channel: Channel::InApp, part: Part::Title, max: 4 * 1024, unit: Unit::Bytes },
    ProviderLimit { channel: Channel::InApp, part: Part::Content, max: 12 * 1024, unit: Unit::Bytes },
    ProviderLimit { channel: Channel::InApp, part: Part::ActionText, max: 2 * 1024, unit: Unit::Bytes },
];

/// Most bytes of all three.
#[cfg(test)]
pub(crate) fn inbox_bytes_max() -> usize {
    INBOX_LIMITS.iter().map(|limit| limit.max).sum()
}

/// Everything that is wrong with `wording` as the words of `template`; nothing when it can be published.
pub fn check(template: &Template, wording: &Wording) -> Vec<TextFault> {
    let mut found: Vec<TextFault> = wording
        .faults()
        .into_iter()
        .map(|(language, part, fault)| TextFault { language, part, rule: TextRule::Words(fault) })
        .collect();
    for language in Language::ALL.iter().copied() {
        let words = wording.words(language);
        let parts = [
            (Part::Title, &words.title),
            (Part::Content, &words.content),
            (Part::ActionText, &words.action_text),
        ];
        for (part, text) in parts {
            found.extend(braces(template, text).map(|rule| TextFault { language, part, rule }));
        }
    }
    if found.is_empty() {
        let (usual, longest) = (samples(template), longest(template));
        for language in Language::ALL.iter().copied() {
            found.extend(filled(template, wording, language, (&usual, PROVIDER_LIMITS)));
            found.extend(filled(template, wording, language, (&longest, INBOX_LIMITS)));
        }
    }
    found
}

fn braces<'t>(template: &'t Template, text: &'t str) -> impl Iterator<Item = TextRule> + 't {
    let mut unknown: Vec<&str> =
        placeholders(text).into_iter().filter(|name| !template.variables.contains(name)).collect();
    unknown.sort_unstable();
    unknown.dedup();
    let loose = has_loose_braces(text).then_some(TextRule::LooseBraces);
    unknown.into_iter().map(|name| TextRule::UnknownVariable(name.to_owned())).chain(loose)
}

/// What no longer fits once the variables have these values.
fn filled(
    template: &Template,
    wording: &Wording,
    language: Language,
    (variables, limits): (&Variables<'_>, &[ProviderLimit]),
) -> Vec<TextFault> {
    let worded = Worded { template, version: 0, published: Some(wording) };
    // Every variable was found to be known, and every known one has a value.
    let Ok(message) = render(worded, language, variables, Map::new()) else { return Vec::new() };
    let too_long = |limit: &&ProviderLimit| {
        let text = match limit.part {
            Part::Title => &message.title,
            Part::Content => &message.content,
            Part::ActionText => &message.action_text,
        };
        let size = match limit.unit {
            Unit::Chars => text.chars().count(),
            Unit::Bytes => text.len(),
        };
        size > limit.max
    };
    let fault = |limit: &ProviderLimit| {
        let ProviderLimit { channel, part, max, unit } = *limit;
        TextFault { language, part, rule: TextRule::TooLongFor { channel, max, unit } }
    };
    limits.iter().filter(too_long).map(fault).collect()
}
