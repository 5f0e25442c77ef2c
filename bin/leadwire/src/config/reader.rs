//! Reads settings from their sources and collects mistakes instead of stopping at the first one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use figment::Figment;
use figment::providers::{Format as _, Toml};
use figment::value::{Dict, Value};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::keys::{self, Kind};
use super::{ConfigError, DEFAULT_FILE, DEFAULTS, Problem};

/// Where settings come from.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The file named on the command line; it must exist.
    pub file: Option<PathBuf>,
    /// The environment.
    pub environment: BTreeMap<String, String>,
}

impl Sources {
    /// The environment of this process, and the file named on the command line if there is one.
    pub fn of_process(file: Option<PathBuf>) -> Self {
        // A variable that is not Unicode cannot be one of ours.
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self { file, environment: std::env::vars_os().filter_map(text).collect() }
    }
}

/// The merged sources, and the mistakes found so far.
pub(super) struct Reader {
    figment: Figment,
    secrets: BTreeMap<&'static str, SecretString>,
    /// What a variable of system A's set, and none of ours.
    named_by_a: BTreeSet<&'static str>,
    problems: Vec<Problem>,
}

impl Reader {
    /// Merges the sources.
    pub(super) fn new(sources: &Sources) -> Self {
        let figment = Figment::from(Toml::string(DEFAULTS));
        let mut reader =
            Self { figment, secrets: BTreeMap::new(), named_by_a: BTreeSet::new(), problems: Vec::new() };
        reader.merge_file(sources.file.as_deref());
        reader.merge_environment(&sources.environment);
        reader
    }

    /// What was read, unless there is any mistake.
    pub(super) fn finish<T>(self, read: Option<T>) -> Result<T, ConfigError> {
        match read {
            Some(read) if self.problems.is_empty() => Ok(read),
            _ => Err(ConfigError(self.problems)),
        }
    }

    /// Notes a mistake.
    pub(super) fn problem(&mut self, setting: &str, rule: impl Into<String>) {
        let problem = Problem { setting: setting.to_owned(), rule: rule.into() };
        // Two channels may read the same setting; its mistake is one.
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    /// A setting that has a default, read and checked; a mistake is noted and gives `None`.
    pub(super) fn checked<T, U>(
        &mut self,
        path: &str,
        check: impl FnOnce(T) -> Result<U, String>,
    ) -> Option<U>
    where
        T: for<'de> Deserialize<'de>,
    {
        match self.optional(path).map(check) {
            Some(Ok(value)) => Some(value),
            Some(Err(rule)) => {
                self.problem(path, rule);
                None
            }
            None => None,
        }
    }

    /// A setting that may be absent; one of the wrong type is noted.
    pub(super) fn optional<T: for<'de> Deserialize<'de>>(&mut self, path: &str) -> Option<T> {
        if !self.figment.contains(path) {
            return None;
        }
        match self.figment.extract_inner(path) {
            Ok(value) => Some(value),
            Err(error) => {
                self.problem(path, error.kind.to_string());
                None
            }
        }
    }

    /// A text that may be absent; a blank one counts as absent, as in a variable that is set to nothing.
    pub(super) fn text(&mut self, path: &str) -> Option<String> {
        self.optional::<String>(path).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    /// A secret, from its variable or from the file that `file_path` names.
    pub(super) fn secret(&mut self, path: &str, file_path: &str) -> Option<SecretString> {
        let direct = self.secrets.get(path).cloned();
        let Some(file) = self.text(file_path) else { return direct };
        if direct.is_some() {
            let variable = keys::variable(path);
            self.problem(file_path, format!("set either this or {variable}, not both"));
            return None;
        }
        self.secret_file(file_path, Path::new(&file))
    }

    /// The whole text of a file without the line end behind it.
    pub(super) fn secret_file(&mut self, setting: &str, file: &Path) -> Option<SecretString> {
        match std::fs::read_to_string(file) {
            Ok(text) => Some(SecretString::from(text.trim_end_matches(['\r', '\n']))),
            Err(error) => {
                self.problem(setting, format!("{} cannot be read: {error}", file.display()));
                None
            }
        }
    }

    /// Whether the environment or a file sets this secret, for printing.
    pub(super) fn has_secret(&self, path: &str) -> bool {
        self.secrets.get(path).is_some_and(|secret| !secret.expose_secret().is_empty())
    }

    /// Whether a setting has the value that a variable of system A's gave it.
    pub(super) fn is_named_by_a(&self, path: &str) -> bool {
        self.named_by_a.contains(path)
    }

    /// Whether a setting has another value than its default.
    pub(super) fn is_changed(&self, path: &str) -> bool {
        let default = Figment::from(Toml::string(DEFAULTS)).find_value(path).ok();
        self.value(path) != default
    }

    /// The merged value of a setting, for printing.
    pub(super) fn value(&self, path: &str) -> Option<Value> {
        self.figment.find_value(path).ok()
    }

    /// The names of the sources of members that anything is set about.
    pub(super) fn intake_sources(&self) -> Vec<String> {
        match self.value("intake") {
            Some(Value::Dict(_, sources)) => sources.into_keys().collect(),
            _ => Vec::new(),
        }
    }

    fn merge_file(&mut self, named: Option<&Path>) {
        let file = match named {
            Some(file) if !file.is_file() => {
                return self.problem(&file.display().to_string(), "there is no such file");
            }
            Some(file) => file.to_owned(),
            None if Path::new(DEFAULT_FILE).is_file() => PathBuf::from(DEFAULT_FILE),
            None => return,
        };
        let name = file.display().to_string();
        let read = Figment::from(Toml::file_exact(&file));
        match read.extract::<Dict>() {
            Err(error) => self.problem(&name, error.to_string()),
            Ok(dict) => {
                self.check_file("", &dict, &name);
                self.figment = std::mem::take(&mut self.figment).merge(read);
            }
        }
    }

    fn check_file(&mut self, above: &str, dict: &Dict, file: &str) {
        for (key, value) in dict {
            let path = if above.is_empty() { key.clone() } else { format!("{above}.{key}") };
            match (keys::kind(&path), value) {
                (Some(Kind::Secret), _) => {
                    let variable = keys::variable(&path);
                    let rule = format!("a secret must not stand in {file}: set {variable} or {path}_file");
                    self.problem(&path, rule);
                }
                (Some(Kind::Address), Value::String(_, address)) if has_password(address) => {
                    let variable = keys::variable(&path);
                    let rule = format!("a password must not stand in {file}: set {variable} or {path}_file");
                    self.problem(&path, rule);
                }
                (Some(_), _) => {}
                (None, Value::Dict(_, inner)) => self.check_file(&path, inner, file),
                (None, _) => self.problem(&path, unknown(&path)),
            }
        }
    }

    fn merge_environment(&mut self, environment: &BTreeMap<String, String>) {
        for (name, path) in keys::NAMES_OF_A {
            if let Some(value) = environment.get(name).filter(|value| !value.is_empty()) {
                self.named_by_a.insert(path);
                self.merge_variable(name, path, value);
            }
        }
        for (name, value) in environment {
            let Some(path) = keys::path(name) else { continue };
            // A variable's path has lost its capitals, which the types of notices are written in.
            match keys::all().find(|(known, _)| known.eq_ignore_ascii_case(&path)) {
                Some((known, _)) => {
                    self.named_by_a.remove(known);
                    self.merge_variable(name, known, value);
                }
                None => match keys::source_kind(&path) {
                    Some(kind) => self.merge_value(name, &path, kind, value),
                    None => self.problem(name, unknown(&path)),
                },
            }
        }
    }

    fn merge_variable(&mut self, name: &str, path: &'static str, text: &str) {
        let Some(kind) = keys::kind(path) else { return };
        if kind == Kind::Secret {
            self.secrets.insert(path, SecretString::from(text));
            return;
        }
        self.merge_value(name, path, kind, text);
    }

    fn merge_value(&mut self, name: &str, path: &str, kind: Kind, text: &str) {
        match parse(kind, text) {
            Ok(value) => self.figment = std::mem::take(&mut self.figment).merge((path, value)),
            Err(rule) => self.problem(name, rule),
        }
    }
}

fn has_password(address: &str) -> bool {
    url::Url::parse(address)
        .is_ok_and(|url| url.password().is_some() || url.query_pairs().any(|(name, _)| name == "password"))
}

/// Reads a variable as the kind of its setting: guessing would take a password of digits for a number.
fn parse(kind: Kind, text: &str) -> Result<Value, String> {
    let items = || text.split(',').map(str::trim).filter(|item| !item.is_empty());
    let number = |text: &str| {
        text.trim().parse::<i64>().map(Value::from).map_err(|_| "is not a whole number".to_owned())
    };
    match kind {
        Kind::Text | Kind::Secret | Kind::Address => Ok(Value::from(text)),
        Kind::Number => number(text),
        Kind::Texts => Ok(Value::from(items().map(Value::from).collect::<Vec<_>>())),
        Kind::Numbers => items().map(number).collect::<Result<Vec<_>, _>>().map(Value::from),
        Kind::Table => items()
            .map(|item| item.split_once('=').ok_or_else(|| format!("`{item}` is not name=text")))
            .map(|pair| pair.map(|(name, text)| (name.trim().to_owned(), Value::from(text.trim()))))
            .collect::<Result<Dict, _>>()
            .map(Value::from),
    }
}

/// The rule an unknown key breaks, with the key that may have been meant.
fn unknown(path: &str) -> String {
    let wanted = path.rsplit('.').next().unwrap_or(path);
    let close = keys::all().map(|(known, _)| known).find(|known| {
        let name = known.rsplit('.').next().unwrap_or(known);
        name == wanted || distance(known, path) <= TYPING_ERRORS_MAX
    });
    match close {
        Some(known) => format!("there is no such setting; is {known} meant?"),
        None => "there is no such setting; `leadwire config check` prints all of them".to_owned(),
    }
}

/// A key that differs in more letters is another word.
const TYPING_ERRORS_MAX: usize = 2;

/// How many letters must be added, removed or changed to get from one word to the other.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let changed = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
