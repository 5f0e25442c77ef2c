//! Rows that are an aggregate's state: the aggregate's own `evolve` folds them, so no rule has a second copy.

use std::collections::HashMap;

use domain::{Aggregate, Position, Recorded, Sequence};
use infrastructure::db::Tx;
use uuid::Uuid;

use crate::consumer::HandleError;
use crate::table::{Dialect, Table, Target, fetch_in};

/// A state, and where it stands.
pub(crate) struct Folded<A> {
    pub(crate) id: Uuid,
    pub(crate) state: A,
    /// Sequence of the last event folded in.
    pub(crate) version: Sequence,
    /// Position of the last event folded in.
    pub(crate) position: Position,
    changed: bool,
}

impl<A: serde::Serialize> Folded<A> {
    /// The state as it is kept.
    pub(crate) fn doc(&self) -> Result<String, HandleError> {
        serde_json::to_string(&self.state).map_err(|error| poison(self.position, &error.to_string()))
    }
}

pub(crate) fn poison(position: Position, reason: &str) -> HandleError {
    HandleError::Poison { position, reason: reason.to_owned() }
}

/// Loads the rows of a page's streams, folds the page in, and returns those that changed, in the order of their
/// first event. The table has the columns `id`, `version`, `position` and `doc`.
pub(crate) async fn fold<'e, A: Aggregate>(
    tx: &mut Tx<'_>,
    table: &Table,
    target: Target,
    events: impl Iterator<Item = &'e Recorded<A::Event>> + Clone + Send,
) -> Result<Vec<Folded<A>>, HandleError>
where
    A::Event: 'e,
{
    let ids: Vec<Uuid> = events.clone().filter_map(|event| event.stream.uuid()).collect();
    let mut rows = load::<A>(tx, table, target, ids).await?;
    let mut order = Vec::new();
    for event in events {
        let Some(id) = event.stream.uuid() else { continue };
        let row = rows.entry(id).or_insert_with(|| Folded {
            id,
            state: A::default(),
            version: 0,
            position: 0,
            changed: false,
        });
        if event.sequence <= row.version {
            continue; // already in
        }
        if event.sequence != row.version + 1 {
            let reason = format!("{} goes from {} to {}", event.stream, row.version, event.sequence);
            return Err(poison(event.position, &reason));
        }
        row.state.evolve(&event.payload);
        row.version = event.sequence;
        row.position = event.position;
        if !std::mem::replace(&mut row.changed, true) {
            order.push(id);
        }
    }
    Ok(order.into_iter().filter_map(|id| rows.remove(&id)).collect())
}

async fn load<A: Aggregate>(
    tx: &mut Tx<'_>,
    table: &Table,
    target: Target,
    mut ids: Vec<Uuid>,
) -> Result<HashMap<Uuid, Folded<A>>, HandleError> {
    ids.sort_unstable();
    ids.dedup();
    let sql = table.select_where_in(Dialect::of_tx(tx), target, "id, version, position, doc", "id");
    let found: Vec<(Uuid, i64, i64, String)> = fetch_in(tx, sql, &ids).await?;
    found
        .into_iter()
        .map(|(id, version, position, doc)| {
            let state = serde_json::from_str(&doc)
                .map_err(|_| poison(position, &format!("the row {id} of {} cannot be read", table.name)))?;
            Ok((id, Folded { id, state, version, position, changed: false }))
        })
        .collect()
}
