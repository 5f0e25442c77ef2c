//! The members of a body: taken one by one, violations collected, the rest unknown.

use serde_json::{Map, Value};

use super::{FIELD_ERRORS_MAX, FieldError, Rule};

/// What `null` means in a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Null {
    /// The same as not there.
    Absent,
    /// Clear the field.
    Clears,
}

/// A change to a field as a profile patch has it: absent, cleared or set.
pub(super) type Change<T> = Option<Option<T>>;

/// A member that is there and not blank.
enum Given {
    Null,
    Value(Value),
}

/// The members of a body that were not taken yet, and the violations so far.
pub(super) struct Fields {
    members: Map<String, Value>,
    errors: Vec<FieldError>,
    null: Null,
}

impl Fields {
    /// The members of a JSON object.
    pub(super) fn of(body: Value, null: Null) -> Result<Self, Vec<FieldError>> {
        match body {
            Value::Object(members) => Ok(Self { members, errors: Vec::new(), null }),
            _ => Err(vec![FieldError::new("", Rule::NotAnObject)]),
        }
    }

    /// What `null` means here.
    pub(super) fn null(&self) -> Null {
        self.null
    }

    /// Notes a violation.
    pub(super) fn violated(&mut self, path: impl Into<String>, rule: Rule) {
        // One more than the limit is never useful to a person, and a flood is useful to nobody.
        if self.errors.len() < FIELD_ERRORS_MAX {
            self.errors.push(FieldError::new(path, rule));
        }
    }

    /// Whether a violation of `path` was noted.
    pub(super) fn is_violated(&self, path: &str) -> bool {
        self.errors.iter().any(|error| error.path == path)
    }

    /// Whether a member is there and not `null`.
    pub(super) fn has(&self, key: &str) -> bool {
        self.members.get(key).is_some_and(|value| !value.is_null())
    }

    /// Takes a member as it is, blank or not.
    pub(super) fn take(&mut self, key: &str) -> Option<Value> {
        self.members.remove(key)
    }

    fn given(&mut self, key: &str) -> Option<Given> {
        match self.take(key)? {
            Value::Null if self.null == Null::Absent => None,
            Value::Null => Some(Given::Null),
            Value::String(text) if text.trim().is_empty() => None,
            value => Some(Given::Value(value)),
        }
    }

    /// Reads a taken value, noting what is wrong with it.
    pub(super) fn read<T>(
        &mut self,
        path: &str,
        value: Value,
        parse: impl FnOnce(Value) -> Result<T, Rule>,
    ) -> Option<T> {
        parse(value).map_err(|rule| self.violated(path, rule)).ok()
    }

    /// A field that may be absent, cleared or set.
    pub(super) fn change<T>(&mut self, key: &str, parse: impl FnOnce(Value) -> Result<T, Rule>) -> Change<T> {
        match self.given(key)? {
            Given::Null => Some(None),
            Given::Value(value) => self.read(key, value, parse).map(Some),
        }
    }

    /// A field that may be absent or set, but not cleared.
    pub(super) fn optional<T>(
        &mut self,
        key: &str,
        parse: impl FnOnce(Value) -> Result<T, Rule>,
    ) -> Option<T> {
        match self.given(key)? {
            Given::Null => {
                self.violated(key, Rule::NotClearable);
                None
            }
            Given::Value(value) => self.read(key, value, parse),
        }
    }

    /// A field that must be set.
    pub(super) fn required<T>(
        &mut self,
        key: &str,
        parse: impl FnOnce(Value) -> Result<T, Rule>,
    ) -> Option<T> {
        let Some(Given::Value(value)) = self.given(key) else {
            self.violated(key, Rule::Required);
            return None;
        };
        self.read(key, value, parse)
    }

    /// A list that must be there, with at most `max` entries. Each bad entry is named; entries said twice count once.
    pub(super) fn list<T: PartialEq + Ord + Copy>(
        &mut self,
        key: &str,
        max: usize,
        parse: impl Fn(Value) -> Result<T, Rule>,
    ) -> Option<Vec<T>> {
        let entries = self.required(key, |value| match value {
            Value::Array(entries) if entries.len() > max => Err(Rule::TooMany { max }),
            Value::Array(entries) => Ok(entries),
            _ => Err(Rule::NotAList),
        })?;
        let given = entries.len();
        let mut seen = std::collections::BTreeSet::new();
        let mut valid = 0;
        let mut distinct = Vec::with_capacity(given);
        for (n, entry) in entries.into_iter().enumerate() {
            if let Some(entry) = self.read(&format!("{key}[{n}]"), entry, &parse) {
                valid += 1;
                if seen.insert(entry) {
                    distinct.push(entry);
                }
            }
        }
        (valid == given).then_some(distinct)
    }

    /// Notes the violations of something inside the member `prefix`.
    pub(super) fn inside<T>(&mut self, prefix: &str, read: Result<T, Vec<FieldError>>) -> Option<T> {
        let errors = match read {
            Ok(value) => return Some(value),
            Err(errors) => errors,
        };
        for FieldError { path, rule, .. } in errors {
            let (path, rule) = match rule {
                Rule::NotAnObject => (prefix.to_owned(), Rule::NotAMap),
                rule if path.is_empty() => (prefix.to_owned(), rule),
                rule => (format!("{prefix}.{path}"), rule),
            };
            self.violated(path, rule);
        }
        None
    }

    /// Refuses what is left, and gives the form when nothing was wrong.
    pub(super) fn finish<T>(mut self, form: Option<T>) -> Result<T, Vec<FieldError>> {
        for key in std::mem::take(&mut self.members).into_iter().map(|(key, _)| key) {
            self.violated(key, Rule::UnknownField);
        }
        match form {
            Some(form) if self.errors.is_empty() => Ok(form),
            _ => Err(self.errors),
        }
    }
}
