//! The customers 客户: one row each, for every list and for the detail.
//!
//! `doc` is the aggregate's state; the other columns are what lists filter and sort by.

use domain::contact::{Phone, WechatId};
use domain::customer::{ContractStatus, Customer, LeadLevel, LeadSource, ServiceCategory};
use infrastructure::db::Tx;
use infrastructure::event_log::Filter;

use super::Fact;
use super::folded::{Folded, fold, poison};
use crate::consumer::HandleError;
use crate::table::{Cell, Kind, Table, Target, index, may, must, upsert};

pub(crate) const FILTER: Filter<'static> = Filter::StreamType("customer");

pub(crate) const TABLE: Table = Table {
    name: "customer_list",
    columns: &[
        must("id", Kind::Uuid),
        must("number", Kind::Text),
        must("name", Kind::Text),
        may("phone", Kind::Text),
        may("wechat_id", Kind::Text),
        must("search", Kind::Text),
        may("lead_source", Kind::Text),
        may("service_category", Kind::Text),
        may("contract_status", Kind::Text),
        may("lead_level", Kind::Text),
        may("owner", Kind::Uuid),
        may("created_by", Kind::Uuid),
        may("assigned_at", Kind::Time),
        must("transfer_count", Kind::Int),
        must("created_at", Kind::Time),
        must("updated_at", Kind::Time),
        must("version", Kind::Int),
        must("position", Kind::Int),
        must("doc", Kind::Text),
    ],
    key: &["id"],
    indexes: &[
        index("by_created", "created_at, id"),
        index("by_updated", "updated_at, id"),
        index("by_name", "name, id"),
        index("by_owner", "owner, created_at, id"),
        index("by_creator", "created_by, created_at, id"),
        index("by_status", "contract_status, created_at, id"),
        index("by_phone", "phone"),
        index("by_number", "number"),
    ],
};

/// Between the fields that are searched. A search never holds it ([`searchable`]), so none matches across two fields.
const FIELD_END: char = '\u{1f}';

/// Text as it is searched in and for: lower case, because SQLite's `LIKE` folds the case of ASCII only and
/// PostgreSQL's of nothing.
pub(crate) fn searchable(text: &str) -> String {
    text.replace(FIELD_END, "\u{fffd}").to_lowercase()
}

/// What a search looks through.
fn searched(customer: &Customer) -> String {
    let profile = &customer.profile;
    let phone = profile.phone.as_ref().map_or("", Phone::as_str);
    let wechat = profile.wechat_id.as_ref().map_or("", WechatId::as_str);
    [profile.name.as_str(), phone, wechat].map(searchable).join(&FIELD_END.to_string())
}

fn row(folded: &Folded<Customer>) -> Result<Vec<Cell>, HandleError> {
    let customer = &folded.state;
    let profile = &customer.profile;
    let created = customer
        .created
        .as_ref()
        .ok_or_else(|| poison(folded.position, "a customer does not begin with its creation"))?;
    Ok(vec![
        folded.id.into(),
        Cell::text(created.number.as_str()),
        Cell::text(&profile.name),
        Cell::text_or_null(profile.phone.as_ref().map(Phone::as_str)),
        Cell::text_or_null(profile.wechat_id.as_ref().map(WechatId::as_str)),
        Cell::text(&searched(customer)),
        Cell::text_or_null(profile.lead_source.map(LeadSource::as_str)),
        Cell::text_or_null(profile.service_category.map(ServiceCategory::as_str)),
        Cell::text_or_null(customer.contract_status.map(ContractStatus::as_str)),
        Cell::text_or_null(customer.lead_level.map(LeadLevel::as_str)),
        customer.owner().map(|owner| owner.0).into(),
        created.by.staff().map(|creator| creator.0).into(),
        customer.assigned_at().into(),
        customer.transfer_count.into(),
        created.at.into(),
        customer.updated_at.unwrap_or(created.at).into(),
        folded.version.into(),
        folded.position.into(),
        Cell::text(&folded.doc()?),
    ])
}

pub(crate) async fn apply(tx: &mut Tx<'_>, target: Target, page: &[Fact]) -> Result<(), HandleError> {
    let events = page.iter().filter_map(|fact| match fact {
        Fact::Customer(event) => Some(&**event),
        _ => None,
    });
    let changed = fold::<Customer>(tx, &TABLE, target, events).await?;
    let rows = changed.iter().map(row).collect::<Result<Vec<_>, _>>()?;
    upsert(tx, &TABLE, target, &rows).await?;
    Ok(())
}
