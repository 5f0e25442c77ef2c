//! The customers 客户: one row each, for every list and for the detail.
//!
//! `doc` is the aggregate's state; the other columns are what lists, statistics and searches look at. Every process
//! keeps those in memory ([`Roster`](crate::queries::Roster)) and follows them by `position`, so the table needs no
//! index for each filter and each order, and writing it stays cheap. A deleted customer keeps its row, because its
//! stream goes on; nothing shows it.

use domain::contact::{Phone, WechatId};
use domain::customer::{
    ContractStatus, Customer, FollowUpStatus, LeadLevel, LeadSource, Ownership, ServiceCategory,
};
use infrastructure::db::Tx;
use infrastructure::event_log::Filter;

use super::Fact;
use super::folded::{Folded, fold, poison};
use crate::consumer::HandleError;
use crate::table::{Cell, Kind, Table, Target, index, may, must, upsert};

/// 2: a lead that falls no more forgets that its owner was warned.
pub(crate) const REVISION: i64 = 2;

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
        may("follow_up_status", Kind::Text),
        may("salary_budget", Kind::Int),
        may("deal_amount_fen", Kind::Int),
        may("signed_at", Kind::Time),
        may("owner", Kind::Uuid),
        may("created_by", Kind::Uuid),
        may("assigned_at", Kind::Time),
        must("transfer_count", Kind::Int),
        may("last_transferred_at", Kind::Time),
        must("auto_transfer_off", Kind::Bool),
        must("in_pool", Kind::Bool),
        may("pooled_at", Kind::Time),
        may("former_owner", Kind::Uuid),
        must("claim_count", Kind::Int),
        must("frozen", Kind::Bool),
        must("deleted", Kind::Bool),
        may("last_follow_up_at", Kind::Time),
        may("last_follow_up_by", Kind::Uuid),
        may("last_activity_at", Kind::Time),
        must("created_at", Kind::Time),
        must("updated_at", Kind::Time),
        must("version", Kind::Int),
        must("position", Kind::Int),
        must("doc", Kind::Text),
    ],
    key: &["id"],
    indexes: &[index("by_position", "position"), index("by_phone", "phone"), index("by_number", "number")],
};

/// Between the fields that are searched. A search never holds it ([`searchable`]), so none matches across two fields.
pub(crate) const FIELD_END: char = '\u{1f}';

/// Text as it is searched in and for: lower case, and without what the table cannot hold.
pub(crate) fn searchable(text: &str) -> String {
    text.replace([FIELD_END, '\0'], "\u{fffd}").to_lowercase()
}

/// What a search looks through.
fn searched(customer: &Customer) -> String {
    let profile = &customer.profile;
    let phone = profile.phone.as_ref().map_or("", Phone::as_str);
    let wechat = profile.wechat_id.as_ref().map_or("", WechatId::as_str);
    [profile.name.as_str(), phone, wechat].map(searchable).join(&FIELD_END.to_string())
}

/// Yuan as whole fen, so that sums do not depend on their order.
#[expect(
    clippy::cast_possible_truncation,
    reason = "an amount is at most ten million yuan; more than fits saturates"
)]
fn fen(yuan: f64) -> i64 {
    (yuan * 100.0).round() as i64
}

fn row(folded: &Folded<Customer>) -> Result<Vec<Cell>, HandleError> {
    let customer = &folded.state;
    let profile = &customer.profile;
    let created = customer
        .created
        .as_ref()
        .ok_or_else(|| poison(folded.position, "a customer does not begin with its creation"))?;
    let (pooled_at, former_owner) = match &customer.ownership {
        Ownership::InPool { since, former_owner, .. } => (Some(*since), *former_owner),
        Ownership::Unassigned | Ownership::Owned { .. } => (None, None),
    };
    let follow_up = customer.last_follow_up.as_ref();
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
        Cell::text_or_null(customer.follow_up_status().map(FollowUpStatus::as_str)),
        profile.salary_budget.into(),
        profile.deal_amount.map(fen).into(),
        customer.signed_at.into(),
        customer.owner().map(|owner| owner.0).into(),
        created.by.staff().map(|creator| creator.0).into(),
        customer.assigned_at().into(),
        customer.transfer_count.into(),
        customer.last_transferred_at.into(),
        customer.auto_transfer_disabled.into(),
        customer.in_pool().into(),
        pooled_at.into(),
        former_owner.map(|owner| owner.0).into(),
        customer.claim_count.into(),
        customer.is_frozen().into(),
        customer.deleted_at.is_some().into(),
        follow_up.map(|last| last.at).into(),
        follow_up.and_then(|last| last.by.staff()).map(|staff| staff.0).into(),
        customer.last_activity_at.into(),
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
