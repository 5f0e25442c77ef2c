//! Apps and their message templates: what a fresh simulator knows about a mini program.

use std::str::FromStr;

use crate::field::FieldKind;

/// WeChat templates have two to five keywords.
const FIELDS: std::ops::RangeInclusive<usize> = 2..=5;

/// Appid of the demo app.
pub const DEMO_APPID: &str = "wx0000000000demo01";
/// Secret of the demo app.
pub const DEMO_SECRET: &str = "demo-app-secret";
/// Template of the demo app: a lead was assigned.
pub const DEMO_TEMPLATE: &str = "demo-template-lead-assigned";
/// The fields of [`DEMO_TEMPLATE`]: customer, phone, reason, time.
pub const DEMO_TEMPLATE_FIELDS: [&str; 4] = ["thing1", "phone_number2", "thing3", "time4"];

/// Appid of the demo official account.
pub const DEMO_OFFICIAL_APPID: &str = "wx0000000000demo02";
/// Secret of the demo official account.
pub const DEMO_OFFICIAL_SECRET: &str = "demo-official-secret";
/// Template of the demo official account, for `template/send` and `subscribe/bizsend`.
pub const DEMO_OFFICIAL_TEMPLATE: &str = "demo-official-template-lead-assigned";
/// The fields of [`DEMO_OFFICIAL_TEMPLATE`]: customer, time, assigner.
pub const DEMO_OFFICIAL_TEMPLATE_FIELDS: [&str; 3] = ["thing1", "time3", "thing4"];

/// A mini program or an official account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct App {
    /// Its public id.
    pub appid: String,
    /// Its AppSecret.
    pub secret: String,
    /// The private templates it may send.
    pub templates: Vec<Template>,
}

impl App {
    /// The app a simulator has when nobody configures one.
    pub fn demo() -> Self {
        let fields = DEMO_TEMPLATE_FIELDS.iter().filter_map(|text| text.parse().ok()).collect();
        Self {
            appid: DEMO_APPID.to_owned(),
            secret: DEMO_SECRET.to_owned(),
            templates: vec![Template { id: DEMO_TEMPLATE.to_owned(), fields }],
        }
    }

    /// The official account a simulator has when nobody configures one.
    pub fn demo_official() -> Self {
        let fields = DEMO_OFFICIAL_TEMPLATE_FIELDS.iter().filter_map(|text| text.parse().ok()).collect();
        Self {
            appid: DEMO_OFFICIAL_APPID.to_owned(),
            secret: DEMO_OFFICIAL_SECRET.to_owned(),
            templates: vec![Template { id: DEMO_OFFICIAL_TEMPLATE.to_owned(), fields }],
        }
    }

    pub(crate) fn template(&self, id: &str) -> Option<&Template> {
        self.templates.iter().find(|template| template.id == id)
    }
}

/// A private template: its id and its two to five fields.
///
/// Text form, as the command line takes it: `ID=thing1,time2,enum3:待跟进|已签约`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    id: String,
    fields: Vec<TemplateField>,
}

impl Template {
    /// A template with the fields named by their keys, such as `thing1` or `enum3:待跟进|已签约`.
    pub fn new(id: &str, fields: &[&str]) -> Result<Self, TemplateError> {
        let fields: Vec<TemplateField> = fields.iter().map(|text| text.parse()).collect::<Result<_, _>>()?;
        let mut keys: Vec<&str> = fields.iter().map(|field| field.key.as_str()).collect();
        keys.sort_unstable();
        keys.dedup();
        if id.is_empty() || !FIELDS.contains(&fields.len()) || keys.len() != fields.len() {
            return Err(TemplateError(format!(
                "template `{id}`: an id and two to five different fields are needed"
            )));
        }
        Ok(Self { id: id.to_owned(), fields })
    }

    /// The id senders name.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The fields, in order.
    pub fn fields(&self) -> &[TemplateField] {
        &self.fields
    }
}

impl FromStr for Template {
    type Err = TemplateError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (id, fields) =
            text.split_once('=').ok_or_else(|| TemplateError(format!("`{text}` is not ID=key,key,...")))?;
        Self::new(id, &fields.split(',').collect::<Vec<_>>())
    }
}

/// One field of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateField {
    key: String,
    kind: FieldKind,
    choices: Vec<String>,
}

impl TemplateField {
    /// Its key, such as `thing1`.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Its kind, which the key prefix names.
    pub fn kind(&self) -> FieldKind {
        self.kind
    }

    /// The values an `enum` field may take; empty for the others.
    pub fn choices(&self) -> &[String] {
        &self.choices
    }
}

impl FromStr for TemplateField {
    type Err = TemplateError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (key, choices) = match text.split_once(':') {
            Some((key, choices)) => (key, choices.split('|').map(str::to_owned).collect()),
            None => (text, Vec::new()),
        };
        let prefix = key.trim_end_matches(|c: char| c.is_ascii_digit());
        let kind = FieldKind::from_prefix(prefix).filter(|_| prefix.len() < key.len());
        match kind {
            Some(kind) if (kind == FieldKind::Enum) != choices.is_empty() => {
                Ok(Self { key: key.to_owned(), kind, choices })
            }
            _ => Err(TemplateError(format!("`{text}` is not a field such as thing1, time2 or enum3:a|b"))),
        }
    }
}

/// A template that cannot be; says why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateError(String);

impl std::fmt::Display for TemplateError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for TemplateError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demo_template_is_one_that_new_accepts() {
        let expected = Template::new(DEMO_TEMPLATE, &DEMO_TEMPLATE_FIELDS).unwrap();
        assert_eq!(App::demo().templates, [expected]);
        let expected = Template::new(DEMO_OFFICIAL_TEMPLATE, &DEMO_OFFICIAL_TEMPLATE_FIELDS).unwrap();
        assert_eq!(App::demo_official().templates, [expected]);
    }

    #[test]
    fn text_forms() {
        for (text, ok) in [
            ("T=thing1,time2", true),
            ("T=character_string13,enum5:甲|乙", true),
            ("T=thing1", false),
            ("T=thing1,thing1", false),
            ("T=thing1,time2,time3,time4,time5,time6", false),
            ("T=thing,time2", false),
            ("T=banana1,time2", false),
            ("T=enum1,time2", false),
            ("T=const1:a|b,time2", true),
            ("T=const1,time2", false),
            ("T=thing1:a|b,time2", false),
            ("=thing1,time2", false),
            ("T", false),
        ] {
            assert_eq!(text.parse::<Template>().is_ok(), ok, "{text}");
        }
    }
}
