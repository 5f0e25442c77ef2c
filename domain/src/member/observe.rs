//! What a row, seen again, says has happened to the member.
//!
//! A source is the truth about its own row, the staff about what it typed here since. So a column counts as changed
//! when the row says something else than the *last time* it was seen, and something else than what is known; an edit
//! made here stays until the source changes that very column. What the row says anew and is known already is written
//! down without being told ([`MemberRowSeen`]): the next look compares with the row as it is, never with an older one.

use chrono::{DateTime, Utc};

use super::codes::{Code, MemberKind, MemberStatus};
use super::command::Observation;
use super::events::{
    MemberActivated, MemberDeleted, MemberEvent, MemberRegistered, MemberRevoked, MemberRowSeen,
    MemberUpdated, MemberUpgraded,
};
use super::fields::{FieldChange, MemberField};
use super::source::{MemberSource, RowFingerprint};
use super::value::FieldValue;
use super::{Member, SeenRow};
use crate::envelope::Actor;

/// The row, who saw it and when: what all events of one look have in common.
struct Look<'a> {
    row: RowFingerprint,
    by: &'a Actor,
    at: DateTime<Utc>,
}

impl Member {
    /// The events that bring the member to what the row says, from the least to the most important: whoever reads
    /// them in order meets a changed column before the news.
    pub(super) fn observed(&self, row: Observation, by: &Actor, at: DateTime<Utc>) -> Vec<MemberEvent> {
        let seen = match &self.row {
            Some(seen) => seen,
            // Registered by another way; whoever asks does not mean this row.
            None if self.registered.is_some() => return vec![],
            None if row.deleted => return vec![],
            None => return vec![registered(row, by, at)],
        };
        if self.deleted_at.is_some() {
            // Deleted by the source and there again: a registration like any other. What the staff deleted stays so.
            let back = seen.deleted && !row.deleted;
            return if back { vec![registered(row, by, at)] } else { vec![] };
        }
        let look = Look { row: row.fingerprint.clone(), by, at };
        if row.deleted {
            return vec![MemberDeleted { row: Some(look.row), by: by.clone(), at }.into()];
        }
        let (changes, agreed) = self.row_changes(seen, &row);
        let known = (!agreed.is_empty())
            .then(|| MemberRowSeen { agreed, row: look.row.clone(), by: by.clone(), at }.into());
        known.into_iter().chain(self.moved(&look, changes)).collect()
    }

    /// The columns that the row changed since it was last seen: as changes of what is known, and those that are known
    /// already.
    fn row_changes(&self, seen: &SeenRow, row: &Observation) -> (Vec<FieldChange>, Vec<FieldChange>) {
        let mut news = seen.fields.changes_to(&row.fields);
        news.retain(|news| !row.silent.contains(&news.field));
        let (changes, agreed): (Vec<_>, Vec<_>) =
            news.into_iter().partition(|news| self.fields.get(news.field) != news.new);
        let of_known = |news: FieldChange| FieldChange { old: self.fields.get(news.field), ..news };
        (changes.into_iter().map(of_known).collect(), agreed)
    }

    /// Changes as events: what has a name of its own is told by that name, the rest as changed columns.
    fn moved(&self, look: &Look<'_>, mut changes: Vec<FieldChange>) -> Vec<MemberEvent> {
        let upgraded = self.upgraded(look, &mut changes);
        let status = self.status_moved(look, &mut changes);
        let updated = (!changes.is_empty()).then(|| {
            let (row, by) = (Some(look.row.clone()), look.by.clone());
            MemberUpdated { changed: changes, row, by, at: look.at }.into()
        });
        updated.into_iter().chain(upgraded).chain(status).collect()
    }

    /// A higher type is an upgrade, with the matches that came with it; a lower one is a correction.
    fn upgraded(&self, look: &Look<'_>, changes: &mut Vec<FieldChange>) -> Option<MemberEvent> {
        let change = changes.iter().find(|change| change.field == MemberField::Kind)?;
        let Some(FieldValue::Text(text)) = &change.new else { return None };
        let to = Code::<MemberKind>::read(text).known().filter(|to| to.rank() > self.rank())?;
        let matches = changes.iter().find(|change| change.field == MemberField::RemainingMatches);
        let remaining_matches = matches.and_then(|change| match change.new {
            Some(FieldValue::Number(number)) => Some(number),
            _ => None,
        });
        changes.retain(|change| {
            let told = change.field == MemberField::RemainingMatches && remaining_matches.is_some();
            change.field != MemberField::Kind && !told
        });
        let upgraded = MemberUpgraded {
            from: self.fields.kind.clone(),
            to,
            remaining_matches,
            paid_at: None,
            expires_at: None,
            notes: None,
            row: Some(look.row.clone()),
            by: look.by.clone(),
            at: look.at,
        };
        Some(upgraded.into())
    }

    /// Becoming active and being revoked are news; any other status is a changed column.
    fn status_moved(&self, look: &Look<'_>, changes: &mut Vec<FieldChange>) -> Option<MemberEvent> {
        let place = changes.iter().position(|change| change.field == MemberField::Status)?;
        let Some(FieldValue::Text(text)) = &changes[place].new else { return None };
        let (from, row) = (self.fields.status.clone(), Some(look.row.clone()));
        let (by, at) = (look.by.clone(), look.at);
        let event = match Code::<MemberStatus>::read(text).known()? {
            MemberStatus::Active => MemberActivated { from, row, by, at }.into(),
            MemberStatus::Revoked => MemberRevoked { from, reason: None, row, by, at }.into(),
            MemberStatus::Pending | MemberStatus::Inactive | MemberStatus::Success => return None,
        };
        changes.remove(place);
        Some(event)
    }
}

/// A row that was not there before, or not any more. Whoever comes from a source that tells no status takes part.
fn registered(row: Observation, by: &Actor, at: DateTime<Utc>) -> MemberEvent {
    let Observation { key, mut fields, silent, fingerprint, registered_at, .. } = row;
    if silent.contains(&MemberField::Status) {
        fields.status.get_or_insert_with(|| MemberStatus::Active.into());
    }
    let fields = Box::new(fields);
    let (source, row, by) = (MemberSource::Row(key), Some(fingerprint), by.clone());
    MemberRegistered { source, fields, row, registered_at, by, at }.into()
}
