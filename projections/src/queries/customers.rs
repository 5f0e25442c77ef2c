//! Customers: the list with its filters, the search, the statistics, and one of them.
//!
//! Which rows, in which order and how many is answered by the [`Roster`]; the rows of the page come from the table.
//! Deleted leads are nowhere, and leads in the public pool only in [`pool`](super::pool).

mod cursor;
mod filter;
mod one;
mod statistics;

use application::access::RowScope;
use domain::customer::Customer;
use domain::{CustomerId, Position, Sequence, StaffId};
use infrastructure::db::DbError;
use serde::Serialize;

pub use cursor::{CustomerCursor, InvalidCustomerCursor};
pub use filter::{CustomerFilter, LeadStatus, SortBy, SortOrder};
pub use one::{address_by_phone, by_id, by_number, by_phone, stream_of_number};
pub use statistics::{CustomerStatistics, MiniProgramStatistics, mini_program_statistics, statistics};

pub(super) use filter::{holds, is_named, sees_contact};
pub(super) use one::{Picked, Place, rows_by_id, rows_of};

#[cfg(test)]
pub(crate) use one::{STATEMENTS, among};

use super::roster::order::{Column, First, RowOrder};
use super::roster::{Entry, Leads, Roster};
use super::{Page, PageRequest};
use filter::Test;

/// Most customers of one page (http-api.md section 2).
pub const PAGE_CUSTOMERS_MAX: u32 = 200;

/// Rows of one page when the caller does not say.
pub const PAGE_CUSTOMERS: u32 = 10;

/// A customer as the read model has it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CustomerRow {
    /// The customer.
    pub id: CustomerId,
    /// Sequence of its last event: the version for `ETag` and `If-Match`.
    pub version: Sequence,
    /// Position of its last event.
    pub position: Position,
    /// All that is known.
    pub customer: Customer,
}

/// One page of customers, and how many there are.
pub async fn list(
    roster: &Roster,
    filter: &CustomerFilter,
    scope: RowScope,
    page: PageRequest,
) -> Result<Page<CustomerRow>, DbError> {
    let test = Test::of_list(filter, scope);
    let order = filter.order().read_by(scope);
    let picked = rows_of(roster, scope, |leads| pick(leads, &test, order, page.place())).await?;
    Ok(page.holds(picked.rows, picked.total).continued(picked.next))
}

/// At most `limit` customers behind a place in the list, and how many there are before and behind it. The order is the
/// cursor's; whether the caller asked for another one is [`CustomerCursor::fits`].
pub async fn list_behind(
    roster: &Roster,
    filter: &CustomerFilter,
    scope: RowScope,
    cursor: &CustomerCursor,
    limit: u32,
) -> Result<Page<CustomerRow>, DbError> {
    let page = PageRequest::new(1, limit, PAGE_CUSTOMERS_MAX);
    let place = Place { offset: 0, limit: page.limit, behind: Some(cursor) };
    let test = Test::of_list(filter, scope);
    let order = cursor.order().read_by(scope);
    let picked = rows_of(roster, scope, |leads| pick(leads, &test, order, place)).await?;
    Ok(page.holds(picked.rows, picked.total).continued(picked.next))
}

/// The newest customers whose name, phone or WeChat id holds the text literally, whatever the case; lost ones too. A
/// blank text finds everybody.
pub async fn search(
    roster: &Roster,
    text: &str,
    limit: u32,
    scope: RowScope,
) -> Result<Vec<CustomerRow>, DbError> {
    let filter = CustomerFilter { search: Some(text.to_owned()), ..CustomerFilter::default() };
    let place = PageRequest::new(1, limit, PAGE_CUSTOMERS_MAX).place();
    let asked = Test::of_everybody(&filter, scope);
    Ok(rows_of(roster, scope, |leads| pick(leads, &asked, filter.order(), place)).await?.rows)
}

/// How many leads a person owns. Every owned lead counts, however it came.
pub async fn holding_count(roster: &Roster, owner: StaffId) -> Result<i64, DbError> {
    let leads = roster.read().await?;
    Ok(amount(leads.all().iter().filter(|lead| lead.owner == Some(owner.0)).count()))
}

fn pick(leads: &Leads, test: &Test<'_>, order: RowOrder, place: Place<'_>) -> Picked {
    picked(leads.all().iter().filter(|lead| !lead.in_pool && test.passes(lead)), order, place)
}

/// The rows of a page out of those that match. They are gone through from the newest, because most lists begin there.
pub(super) fn picked<'e>(
    matching: impl DoubleEndedIterator<Item = &'e Entry>,
    order: RowOrder,
    place: Place<'_>,
) -> Picked {
    let behind = place.behind.map(CustomerCursor::key);
    let wanted = usize::try_from(place.offset).unwrap_or(usize::MAX).saturating_add(place.limit as usize);
    let (mut total, mut ahead) = (0, 0);
    let mut first = First::new(order, wanted);
    for lead in matching.rev() {
        total += 1;
        if behind.is_none_or(|behind| order.compare(&order.key(lead), &behind).is_gt()) {
            ahead += 1;
            first.offer(lead);
        }
    }
    let page: Vec<_> = first.sorted().into_iter().skip(wanted - place.limit as usize).collect();
    let next = match (order.column, page.last()) {
        (Column::Of(sort_by), Some(last)) if ahead > wanted => {
            Some(CustomerCursor::behind(sort_by, order, last))
        }
        _ => None,
    };
    Picked {
        rows: page.iter().map(|lead| (lead.id, lead.position)).collect(),
        total: amount(total),
        next: next.map(|cursor| cursor.to_string()),
    }
}

/// A number of rows as it is answered.
pub(super) fn amount(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}
