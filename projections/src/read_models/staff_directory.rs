//! The staff 员工: who may log in, who may be given leads, and where notices reach them.
//!
//! `doc` is the aggregate's state, openids included; the other columns are what is searched and sorted by.

use domain::staff::Staff;
use infrastructure::db::Tx;
use infrastructure::event_log::Filter;

use super::Fact;
use super::folded::{Folded, fold, poison};
use crate::consumer::HandleError;
use crate::schema::FIRST_REVISION;
use crate::table::{Cell, Kind, Table, Target, index, may, must, upsert};

pub(crate) const REVISION: i64 = FIRST_REVISION;

pub(crate) const FILTER: Filter<'static> = Filter::StreamType("staff");

pub(crate) const TABLE: Table = Table {
    name: "staff_directory",
    columns: &[
        must("id", Kind::Uuid),
        must("username", Kind::Text),
        must("name", Kind::Text),
        must("role", Kind::Text),
        may("department", Kind::Text),
        may("phone", Kind::Text),
        may("email", Kind::Text),
        must("active", Kind::Bool),
        must("created_at", Kind::Time),
        must("updated_at", Kind::Time),
        must("version", Kind::Int),
        must("position", Kind::Int),
        must("doc", Kind::Text),
    ],
    key: &["id"],
    indexes: &[index("by_username", "username"), index("by_name", "name, id")],
};

fn row(folded: &Folded<Staff>) -> Result<Vec<Cell>, HandleError> {
    let staff = &folded.state;
    let account = staff
        .account
        .as_ref()
        .ok_or_else(|| poison(folded.position, "a member of staff does not begin with the account"))?;
    Ok(vec![
        folded.id.into(),
        Cell::text(&account.username),
        Cell::text(&account.name),
        Cell::text(account.role.as_str()),
        Cell::text_or_null(account.department.as_deref()),
        Cell::text_or_null(account.phone.as_ref().map(domain::contact::Phone::as_str)),
        Cell::text_or_null(account.email.as_deref()),
        staff.is_active().into(),
        account.created_at.into(),
        staff.updated_at.unwrap_or(account.created_at).into(),
        folded.version.into(),
        folded.position.into(),
        Cell::text(&folded.doc()?),
    ])
}

pub(crate) async fn apply(tx: &mut Tx<'_>, target: Target, page: &[Fact]) -> Result<(), HandleError> {
    let events = page.iter().filter_map(|fact| match fact {
        Fact::Staff(event) => Some(&**event),
        _ => None,
    });
    let changed = fold::<Staff>(tx, &TABLE, target, events).await?;
    let rows = changed.iter().map(row).collect::<Result<Vec<_>, _>>()?;
    upsert(tx, &TABLE, target, &rows).await?;
    Ok(())
}
