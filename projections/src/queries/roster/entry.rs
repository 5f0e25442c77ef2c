//! One lead of the roster.

use chrono::{DateTime, Utc};
use domain::customer::{ContractStatus, FollowUpStatus, LeadLevel, LeadSource, ServiceCategory};
use domain::{Position, Sequence};
use infrastructure::db::DbError;
use sqlx::FromRow;
use uuid::Uuid;

use super::order::head;
use crate::queries::corrupt;
use crate::read_models::customer_list::FIELD_END;

/// What is looked at of a lead. The rest is read from the table for the rows of a page.
pub(in crate::queries) struct Entry {
    pub(in crate::queries) id: Uuid,
    pub(in crate::queries) position: Position,
    pub(in crate::queries) lead_source: Option<LeadSource>,
    pub(in crate::queries) service_category: Option<ServiceCategory>,
    pub(in crate::queries) contract_status: Option<ContractStatus>,
    pub(in crate::queries) lead_level: Option<LeadLevel>,
    pub(in crate::queries) follow_up_status: Option<FollowUpStatus>,
    pub(in crate::queries) in_pool: bool,
    pub(in crate::queries) transfer_count: i64,
    pub(in crate::queries) last_transferred_at: Option<DateTime<Utc>>,
    /// Whether rules must leave it alone.
    pub(in crate::queries) opted_out: bool,
    pub(in crate::queries) frozen: bool,
    pub(in crate::queries) owner: Option<Uuid>,
    pub(in crate::queries) created_by: Option<Uuid>,
    pub(in crate::queries) created_at: DateTime<Utc>,
    pub(in crate::queries) updated_at: DateTime<Utc>,
    pub(in crate::queries) assigned_at: Option<DateTime<Utc>>,
    pub(in crate::queries) pooled_at: Option<DateTime<Utc>>,
    pub(in crate::queries) signed_at: Option<DateTime<Utc>>,
    pub(in crate::queries) last_follow_up_at: Option<DateTime<Utc>>,
    pub(in crate::queries) last_activity_at: Option<DateTime<Utc>>,
    /// Sequence of its last event.
    pub(in crate::queries) version: Sequence,
    /// Yuan a month.
    pub(in crate::queries) salary_budget: Option<i64>,
    /// Hundredths of a yuan.
    pub(in crate::queries) deal_amount_fen: Option<i64>,
    pub(in crate::queries) name: Box<str>,
    /// The beginning of the name, beside the other numbers: most comparisons end here.
    pub(in crate::queries) name_head: u128,
    /// The whole phone: it has 16 digits at most. Zero when there is none.
    pub(in crate::queries) phone_head: u128,
    /// Name, phone and WeChat id as they are searched in.
    pub(in crate::queries) search: Box<str>,
}

impl Entry {
    /// The name as it is searched in.
    pub(in crate::queries) fn searched_name(&self) -> &str {
        self.search.split(FIELD_END).next().unwrap_or_default()
    }

    /// Whether it ever went from one owner to another.
    pub(in crate::queries) fn transferred(&self) -> bool {
        self.transfer_count > 0
    }

    /// The phone; empty when there is none.
    pub(in crate::queries) fn phone(&self) -> &str {
        self.search.split(FIELD_END).nth(1).unwrap_or_default()
    }
}

/// The same as the table has it.
#[derive(FromRow)]
#[expect(clippy::struct_excessive_bools, reason = "the columns of a table")]
pub(super) struct Row {
    pub(super) id: Uuid,
    search: String,
    name: String,
    lead_source: Option<String>,
    service_category: Option<String>,
    contract_status: Option<String>,
    lead_level: Option<String>,
    follow_up_status: Option<String>,
    salary_budget: Option<i64>,
    deal_amount_fen: Option<i64>,
    signed_at: Option<DateTime<Utc>>,
    owner: Option<Uuid>,
    created_by: Option<Uuid>,
    assigned_at: Option<DateTime<Utc>>,
    transfer_count: i64,
    last_transferred_at: Option<DateTime<Utc>>,
    auto_transfer_off: bool,
    frozen: bool,
    in_pool: bool,
    pooled_at: Option<DateTime<Utc>>,
    pub(super) deleted: bool,
    last_follow_up_at: Option<DateTime<Utc>>,
    last_activity_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    version: i64,
    pub(super) position: i64,
}

impl Row {
    pub(super) fn read(self) -> Result<Entry, DbError> {
        macro_rules! code {
            ($column:ident) => {
                self.$column.as_deref().map(str::parse).transpose().map_err(|_| {
                    corrupt("customer_list", self.id, concat!("unknown code in ", stringify!($column)))
                })?
            };
        }
        let mut entry = Entry {
            id: self.id,
            position: self.position,
            lead_source: code!(lead_source),
            service_category: code!(service_category),
            contract_status: code!(contract_status),
            lead_level: code!(lead_level),
            follow_up_status: code!(follow_up_status),
            in_pool: self.in_pool,
            transfer_count: self.transfer_count,
            last_transferred_at: self.last_transferred_at,
            opted_out: self.auto_transfer_off,
            frozen: self.frozen,
            owner: self.owner,
            created_by: self.created_by,
            created_at: self.created_at,
            updated_at: self.updated_at,
            assigned_at: self.assigned_at,
            pooled_at: self.pooled_at,
            signed_at: self.signed_at,
            last_follow_up_at: self.last_follow_up_at,
            last_activity_at: self.last_activity_at,
            version: self.version,
            salary_budget: self.salary_budget,
            deal_amount_fen: self.deal_amount_fen,
            name_head: head(&self.name),
            phone_head: 0,
            name: self.name.into_boxed_str(),
            search: self.search.into_boxed_str(),
        };
        entry.phone_head = head(entry.phone());
        Ok(entry)
    }
}
