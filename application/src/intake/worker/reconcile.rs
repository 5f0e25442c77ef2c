//! Source and store, compared: what nobody captured is taken note of now.

use std::collections::HashSet;

use domain::MemberId;
use domain::member::SourceKey;
use serde::Serialize;

use super::look::Met;
use super::{Desk, Outage, Tally};
use crate::bus::CommandBus;

/// Members of one comparison whose rows may be gone without anybody having said so, however few members there are.
pub const GONE_ALWAYS_MAX: u64 = 50;

/// Percent of the known members above which more than [`GONE_ALWAYS_MAX`] are held: the table is emptied for a moment, or
/// half of it is loaded, more often than so many people leave in a day.
pub const GONE_PERCENT_MAX: u64 = 20;

/// What becomes of members whose rows are gone, when they are very many.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Deletions {
    /// They stay until somebody has looked.
    #[default]
    Held,
    /// Somebody has looked.
    Accepted,
}

/// A comparison found so many rows gone that it deleted nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, thiserror::Error)]
#[error(
    "{gone} of {known} known members have no row in the table any more, and nobody was deleted; if that is a mistake, \
     repair the table and compare again, else `leadwire intake reconcile --accept-deletions` deletes them"
)]
pub struct Held {
    /// Members whose rows are gone.
    pub gone: u64,
    /// Members of the table that are known, these included.
    pub known: u64,
}

impl Held {
    /// Whether so many are too many to be gone unasked.
    fn of(gone: u64, known: u64) -> Option<Self> {
        let many =
            gone > GONE_ALWAYS_MAX && gone.saturating_mul(100) > known.saturating_mul(GONE_PERCENT_MAX);
        many.then_some(Self { gone, known })
    }
}

/// Compares the whole table with what is known, and adds what was done to `tally`. `told` hears of every page. Who was
/// held: all rows that are there were compared then, and no member was called gone.
///
/// # Errors
///
/// The source or our own database cannot be used; what was found by then stays.
pub async fn reconciled<B: CommandBus>(
    desk: &Desk<'_, B>,
    deletions: Deletions,
    tally: &mut Tally,
    told: &(dyn Fn(&Tally) + Sync),
) -> Result<Option<Held>, Outage> {
    let there = desk.rows_that_are_there(tally, told).await?;
    let (gone, known) = desk.members_without_a_row(&there).await?;
    if deletions == Deletions::Held
        && let Some(held) = Held::of(count(gone.len()), known)
    {
        return Ok(Some(held));
    }
    for key in gone {
        // Each is looked at once more before it is called gone.
        *tally = tally.and(super::looked(desk, &key.key).await?);
    }
    told(tally);
    Ok(None)
}

fn count(members: usize) -> u64 {
    u64::try_from(members).unwrap_or(u64::MAX)
}

impl<B: CommandBus> Desk<'_, B> {
    async fn rows_that_are_there(
        &self,
        tally: &mut Tally,
        told: &(dyn Fn(&Tally) + Sync),
    ) -> Result<HashSet<MemberId>, Outage> {
        let (mut there, mut after) = (HashSet::new(), None::<String>);
        loop {
            let rows = self.source.list(after.as_deref(), self.rules.batch).await?;
            let mut keys = rows.iter().map(|row| match row {
                Ok(row) => &row.key,
                Err(malformed) => &malformed.key,
            });
            there.extend(keys.clone().map(|key| MemberId::of_row(&self.key(key))));
            let Some(last) = keys.next_back().cloned() else { return Ok(there) };
            *tally = tally.and(self.page(&rows, Met::Comparison).await?);
            told(tally);
            after = Some(last);
        }
    }

    /// Members whose row was not among the rows, and how many of the table are known.
    async fn members_without_a_row(
        &self,
        there: &HashSet<MemberId>,
    ) -> Result<(Vec<SourceKey>, u64), Outage> {
        let (mut gone, mut known, mut after) = (Vec::new(), 0, None);
        loop {
            let page = self.ledger.known(after).await?;
            let Some((last, _)) = page.last() else { return Ok((gone, known)) };
            after = Some(*last);
            // One source may have had several tables.
            for (id, key) in page.into_iter().filter(|(_, key)| key.table == self.table) {
                known += 1;
                if !there.contains(&id) {
                    gone.push(key);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_are_held_and_few_are_not_however_small_the_table_is() {
        for (gone, known, held) in [
            (0, 0, false),
            (50, 50, false),
            (51, 51, true),
            (51, 254, true),
            (51, 255, false),
            (200, 1000, false),
            (201, 1000, true),
        ] {
            assert_eq!(Held::of(gone, known), held.then_some(Held { gone, known }), "{gone} of {known}");
        }
    }
}
