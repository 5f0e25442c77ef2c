//! Source and store, compared: what nobody captured is taken note of now.

use std::collections::HashSet;

use domain::MemberId;

use super::look::Met;
use super::{Desk, Outage, Tally};
use crate::bus::CommandBus;

/// Compares the whole table with what is known. `told` hears of every page.
///
/// # Errors
///
/// The source or our own database cannot be used; what was found by then stays.
pub async fn reconciled<B: CommandBus>(
    desk: &Desk<'_, B>,
    told: &(dyn Fn(&Tally) + Sync),
) -> Result<Tally, Outage> {
    let (tally, there) = desk.rows_that_are_there(told).await?;
    let gone = desk.members_that_are_gone(&there).await?;
    let tally = tally.and(gone);
    told(&tally);
    Ok(tally)
}

impl<B: CommandBus> Desk<'_, B> {
    async fn rows_that_are_there(
        &self,
        told: &(dyn Fn(&Tally) + Sync),
    ) -> Result<(Tally, HashSet<MemberId>), Outage> {
        let (mut tally, mut there, mut after) = (Tally::default(), HashSet::new(), None::<String>);
        loop {
            let rows = self.source.list(after.as_deref(), self.rules.batch).await?;
            let mut keys = rows.iter().map(|row| match row {
                Ok(row) => &row.key,
                Err(malformed) => &malformed.key,
            });
            there.extend(keys.clone().map(|key| MemberId::of_row(&self.key(key))));
            let Some(last) = keys.next_back().cloned() else { return Ok((tally, there)) };
            tally = tally.and(self.page(&rows, Met::Comparison).await?);
            told(&tally);
            after = Some(last);
        }
    }

    /// Members whose row was not among the rows: each is looked at once more before it is called gone.
    async fn members_that_are_gone(&self, there: &HashSet<MemberId>) -> Result<Tally, Outage> {
        let (mut tally, mut after) = (Tally::default(), None);
        loop {
            let known = self.ledger.known(after).await?;
            let Some((last, _)) = known.last() else { return Ok(tally) };
            after = Some(*last);
            // One source may have had several tables.
            let gone = known.iter().filter(|(id, key)| key.table == self.table && !there.contains(id));
            for (_, key) in gone {
                tally = tally.and(super::looked(self, &key.key).await?);
            }
        }
    }
}
