//! Which statements make a table captured, and which take that back. Pure: from what is there and what should be there.

use application::intake::{Operation, SourceError};

use super::database::Database;
use super::names;
use super::shape::Fitted;

/// The columns of the capture table. Another table of that name is not ours.
pub(super) const CAPTURE_COLUMNS: [&str; 13] = [
    "id",
    "table_name",
    "row_key",
    "operation",
    "changed",
    "captured_at",
    "state",
    "attempts",
    "lease",
    "leased_until",
    "not_before",
    "reason",
    "ended_at",
];

/// A trigger as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trigger {
    pub(super) name: String,
    /// The comment that stands in it.
    pub(super) mark: String,
    pub(super) create: Vec<String>,
}

/// A trigger as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Present {
    pub(super) name: String,
    pub(super) table: String,
    pub(super) body: String,
    pub(super) enabled: bool,
}

impl Present {
    /// Whether we made it for this table. What is left of a table that is gone has none.
    fn is_ours(&self, table: &str) -> bool {
        self.body.contains(names::MARK) && (self.table.is_empty() || self.table == table)
    }
}

/// What is there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Installed {
    /// The columns of the capture table; empty without one.
    pub(super) capture: Vec<String>,
    /// Every trigger whose name begins like ours.
    pub(super) triggers: Vec<Present>,
}

impl Installed {
    pub(super) fn has_capture(&self) -> bool {
        !self.capture.is_empty()
    }

    pub(super) fn trigger(&self, name: &str) -> Option<&Present> {
        self.triggers.iter().find(|trigger| trigger.name == name)
    }

    /// Fails when something that is called like ours is not ours.
    fn judge(&self, table: &str) -> Result<(), SourceError> {
        if self.has_capture() && self.capture != CAPTURE_COLUMNS {
            return Err(SourceError::Foreign(format!("a table `{}`", names::CAPTURE)));
        }
        let ours = names(table);
        let foreign =
            self.triggers.iter().find(|present| ours.contains(&present.name) && !present.is_ours(table));
        foreign.map_or(Ok(()), |present| Err(SourceError::Foreign(format!("a trigger `{}`", present.name))))
    }
}

/// Every name that a trigger of this table may have.
fn names(table: &str) -> [String; 3] {
    [Operation::Insert, Operation::Update, Operation::Delete]
        .map(|operation| names::trigger(table, operation))
}

/// What is missing, and what is there in another version or too much.
pub(super) fn install(
    database: &dyn Database,
    fitted: &Fitted,
    installed: &Installed,
) -> Result<Vec<String>, SourceError> {
    let table = &fitted.mapping.table;
    installed.judge(table)?;
    let mut statements = if installed.has_capture() { Vec::new() } else { database.create_capture() };
    let wanted = database.triggers(&fitted.mapping, &fitted.shape);
    for name in names(table) {
        let wanted = wanted.iter().find(|trigger| trigger.name == name);
        let present = installed.trigger(&name);
        let right = match (wanted, present) {
            (Some(wanted), Some(present)) => present.enabled && present.body.contains(&wanted.mark),
            (wanted, present) => wanted.is_none() && present.is_none(),
        };
        if right {
            continue;
        }
        if present.is_some() {
            statements.extend(database.drop_trigger(&name, table));
        }
        statements.extend(wanted.into_iter().flat_map(|trigger| trigger.create.clone()));
    }
    Ok(statements)
}

/// Our triggers of this table, and the capture table with the last of them. The table itself need not exist any more.
pub(super) fn uninstall(
    database: &dyn Database,
    table: &str,
    installed: &Installed,
) -> Result<Vec<String>, SourceError> {
    installed.judge(table)?;
    let ours = names(table);
    let mut statements: Vec<String> = ours
        .iter()
        .filter(|name| installed.trigger(name).is_some())
        .flat_map(|name| database.drop_trigger(name, table))
        .collect();
    if installed.has_capture() && !others(table, installed) {
        statements.extend(database.drop_capture());
    }
    Ok(statements)
}

/// Whether another table's triggers write into the capture table.
pub(super) fn others(table: &str, installed: &Installed) -> bool {
    let ours = names(table);
    installed
        .triggers
        .iter()
        .any(|present| !ours.contains(&present.name) && present.body.contains(names::MARK))
}
