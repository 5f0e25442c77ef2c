//! Which statements make a table captured, and which take that back. Pure: from what is there and what should be there.

use application::intake::{Operation, SourceError};

use super::database::Database;
use super::names;
use super::shape::Fitted;
use super::table::text;
use super::talk::{Row, Value};

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
    /// The account it runs as; empty where an engine has none.
    pub(super) account: String,
}

impl Present {
    /// Whether it writes into the capture table. A function that is left of a table that is gone does not.
    fn is_used(&self) -> bool {
        self.body.contains(names::MARK) && !self.table.is_empty()
    }

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
    /// Triggers of ours that are there although this user may not see them.
    pub(super) hidden: Vec<String>,
}

impl Installed {
    /// What is there of a table's.
    pub(super) async fn look(database: &dyn Database, table: &str) -> Result<Self, SourceError> {
        let sql = database.statements();
        let capture = database.rows(sql.columns, &[Value::Text(names::CAPTURE)]).await?;
        let present = |row: &Row| {
            Ok(Present {
                name: text(row, 0)?,
                table: text(row, 1)?,
                body: text(row, 2)?,
                enabled: text(row, 3)? == "true",
                account: text(row, 4)?,
            })
        };
        let triggers = database.rows(sql.triggers, &[]).await?;
        let triggers: Vec<Present> = triggers.iter().map(present).collect::<Result<_, SourceError>>()?;
        let unseen: Vec<String> = names(table)
            .into_iter()
            .filter(|name| triggers.iter().all(|present| present.name != *name))
            .collect();
        Ok(Self {
            capture: capture.iter().map(|row| text(row, 0)).collect::<Result<_, _>>()?,
            triggers,
            hidden: database.hidden(&unseen).await?,
        })
    }

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
        if let Some(hidden) = self.hidden.first() {
            return Err(SourceError::Denied(format!(
                "`{hidden}` is there, and without the privilege TRIGGER on `{table}` nobody sees it"
            )));
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

/// What taking an installation back takes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Removal {
    /// First the triggers: after them no row comes any more.
    pub(super) triggers: Vec<String>,
    /// Then the capture table, or the table's rows in it.
    pub(super) capture: Vec<String>,
    /// Whether no other table uses the capture table.
    pub(super) alone: bool,
}

impl Removal {
    pub(super) fn statements(&self) -> Vec<String> {
        [self.triggers.as_slice(), self.capture.as_slice()].concat()
    }
}

/// Our triggers of this table, and the capture table with the last of them. The table itself need not exist any more.
pub(super) fn uninstall(
    database: &dyn Database,
    table: &str,
    installed: &Installed,
) -> Result<Removal, SourceError> {
    installed.judge(table)?;
    let ours = names(table);
    let triggers = ours
        .iter()
        .filter(|name| installed.trigger(name).is_some())
        .flat_map(|name| database.drop_trigger(name, table))
        .collect();
    let alone = !others(table, installed);
    let capture = match (installed.has_capture(), alone) {
        (false, _) => Vec::new(),
        (true, true) => database.drop_capture(),
        (true, false) => vec![database.forget(table)],
    };
    Ok(Removal { triggers, capture, alone })
}

/// Whether another table's triggers write into the capture table.
fn others(table: &str, installed: &Installed) -> bool {
    let ours = names(table);
    installed.triggers.iter().any(|present| !ours.contains(&present.name) && present.is_used())
}
