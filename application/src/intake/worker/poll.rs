//! A table on which no trigger may be made, page by page in the order (`updated_at`, key).

use futures_util::future::join_all;

use super::look::{Judged, Met};
use super::{AT_ONCE, Desk, Outage, Tally, failed};
use crate::bus::CommandBus;
use crate::intake::row::{MalformedRow, SourceRow};

/// Works on the next page. Whether the sweep goes on.
///
/// # Errors
///
/// The source or our own database cannot be used; the page comes again.
pub async fn polled<B: CommandBus>(desk: &Desk<'_, B>) -> Result<(Tally, bool), Outage> {
    let before = desk.ledger.sweep().await?;
    let page = desk.source.poll(before.from().as_ref(), desk.rules.batch).await?;
    let tally = desk.page(&page.rows, Met::Poll { settled: before.is_settled() }).await?;
    let mut after = before.clone();
    let more = after.advance(&page);
    if after == before {
        return Ok((tally, more));
    }
    // Somebody else is further: what was read here was read twice, which means nothing.
    let kept = desk.ledger.keep_sweep(&before, &after).await?;
    Ok((tally, more && kept))
}

impl<B: CommandBus> Desk<'_, B> {
    /// Looks at those rows of a page that are not as they were last seen. What can be read is no longer put aside.
    pub(super) async fn page(
        &self,
        rows: &[Result<SourceRow, MalformedRow>],
        met: Met,
    ) -> Result<Tally, Outage> {
        let mut tally = Tally::default();
        if rows.is_empty() {
            return Ok(tally);
        }
        let keys: Vec<&str> =
            rows.iter().filter_map(|row| row.as_ref().ok()).map(|row| row.key.as_str()).collect();
        let aside = self.ledger.aside(&keys).await?;
        for some in rows.chunks(AT_ONCE) {
            for (row, one) in some.iter().zip(join_all(some.iter().map(|row| self.row(row, met))).await) {
                let (one, readable) = one?;
                if let Ok(row) = row
                    && readable
                    && aside.contains(&row.key)
                {
                    self.ledger.cleared(&row.key).await?;
                }
                tally = tally.and(one);
            }
        }
        Ok(tally)
    }

    /// What came of a row, and whether nothing in it needs somebody to look.
    async fn row(&self, row: &Result<SourceRow, MalformedRow>, met: Met) -> Result<(Tally, bool), Outage> {
        let row = match row {
            Ok(row) => row,
            Err(malformed) => {
                self.ledger.set_aside(&malformed.key, &malformed.to_string()).await?;
                return Ok((Tally { seen: 1, parked: 1, ..Tally::default() }, false));
            }
        };
        let read = self.read(row);
        let tally = match self.judge(row, &read, met).await {
            // One member whose events cannot be read keeps nobody else from being heard of.
            Err(error) => return Ok((self.settled(&row.key, failed(&error.into())).await?, false)),
            Ok(Judged::Known) => Tally { seen: 1, known: 1, ..Tally::default() },
            Ok(Judged::Older) => Tally { seen: 1, older: 1, ..Tally::default() },
            Ok(Judged::News) => {
                let tally = super::looked(self, &row.key).await?;
                return Ok((tally, tally.parked == 0 && tally.noted() > 0));
            }
        };
        Ok((tally, read.reason().is_none()))
    }
}
