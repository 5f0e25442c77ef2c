//! A customer as system A's clients read it, with what the reader may see and nothing else.
//!
//! Masking happens here, on the way out, for lists, details and the answers of commands alike
//! ([`application::access::field_view`]).

use application::access::{Caller, FieldView, field_view};
use domain::customer::{ContractStatus, Customer, FollowUpStatus, LeadLevel, Profile};
use domain::{Actor, CustomerId, StaffId};
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::http::people::{People, PersonName};
use crate::http::schemas::ProfileSchema;
use crate::http::time::{Millis, iso};

/// Instants among the descriptive fields; they are written like every other instant.
const PROFILE_INSTANTS: [&str; 2] = ["expectedStartDate", "expectedDeliveryDate"];

/// What stands before the name of a part of the system that acted, as in system A's `系统-官网`.
const SYSTEM_PREFIX: &str = "系统-";

/// A customer document. Fields the reader may not see are left out.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CustomerDocument {
    /// Id in every address.
    #[serde(rename = "_id")]
    #[schema(value_type = uuid::Uuid)]
    pub id: CustomerId,
    /// Number people quote: `CUS` and 11 digits.
    pub customer_id: String,
    /// The descriptive fields.
    #[serde(flatten)]
    #[schema(value_type = ProfileSchema)]
    pub profile: Map<String, Value>,
    /// How far the contract is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contract_status: Option<&'static str>,
    /// How promising it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lead_level: Option<&'static str>,
    /// The owner.
    pub assigned_to: Option<Owner>,
    /// The owner's name.
    pub assigned_to_user: Option<PersonName>,
    /// How often it went from one owner to another.
    pub transfer_count: i64,
    /// When it last did.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<DateTime<Utc>>)]
    pub last_transferred_at: Option<Millis>,
    /// When anything last happened to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<DateTime<Utc>>)]
    pub last_activity_at: Option<Millis>,
    /// Whether rules may hand it on.
    pub auto_transfer_enabled: bool,
    /// When it was created.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<DateTime<Utc>>)]
    pub created_at: Option<Millis>,
    /// When it last changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<DateTime<Utc>>)]
    pub updated_at: Option<Millis>,
    /// Rows of lists: 新客未跟进, 流转未跟进, or `null` for a signed customer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub follow_up_status: Option<Option<&'static str>>,
    /// What only people who see every field get.
    #[serde(flatten)]
    pub full: Option<FullFields>,
}

/// What stands beside the base fields for people who see every field.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FullFields {
    /// Who gave it to the owner.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assigned_by: Option<String>,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<DateTime<Utc>>)]
    pub assigned_at: Option<Millis>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assignment_reason: Option<String>,
    /// Who created it: an id, or `系统-` and the part of the system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    /// Who last changed a field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_updated_by: Option<String>,
    /// Whether it is in the public pool 公海.
    pub in_public_pool: bool,
    /// Whether it is frozen 冻结.
    pub is_frozen: bool,
}

/// The owner, as lists and as details show it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum Owner {
    /// Details: the id.
    #[schema(value_type = uuid::Uuid)]
    Id(StaffId),
    /// Lists: id and name.
    Person {
        /// The id.
        #[serde(rename = "_id")]
        #[schema(value_type = uuid::Uuid)]
        id: StaffId,
        /// Name on screens.
        name: String,
        /// Login name.
        username: String,
    },
}

impl CustomerDocument {
    /// The customer as one reader sees it by its id.
    pub fn detail(reader: &Caller, id: CustomerId, customer: &Customer, people: &People) -> Self {
        let owner = customer.owner();
        let created = customer.created.as_ref();
        let view = field_view(reader, customer);
        Self {
            id,
            customer_id: created.map(|created| created.number.as_str().to_owned()).unwrap_or_default(),
            profile: profile(&customer.profile, view),
            contract_status: customer.contract_status.map(ContractStatus::as_str),
            lead_level: customer.lead_level.map(LeadLevel::as_str),
            assigned_to: owner.map(Owner::Id),
            assigned_to_user: people.name(owner),
            transfer_count: customer.transfer_count,
            last_transferred_at: customer.last_transferred_at.map(Millis),
            last_activity_at: customer.last_activity_at.map(Millis),
            auto_transfer_enabled: true, // nothing can switch it off yet
            created_at: created.map(|created| Millis(created.at)),
            updated_at: customer.updated_at.map(Millis),
            follow_up_status: None,
            full: (view == FieldView::Full).then(|| full(customer)),
        }
    }

    /// The customer as a row of a list: the owner comes with the name.
    pub fn row(reader: &Caller, id: CustomerId, customer: &Customer, people: &People) -> Self {
        let mut row = Self::detail(reader, id, customer, people);
        row.follow_up_status = Some(customer.follow_up_status().map(FollowUpStatus::as_str));
        if let (Some(id), Some(person)) = (customer.owner(), row.assigned_to_user.clone()) {
            row.assigned_to = Some(Owner::Person { id, name: person.name, username: person.username });
        }
        row
    }
}

fn full(customer: &Customer) -> FullFields {
    FullFields {
        assigned_by: customer.assigned_by.as_ref().map(actor),
        assigned_at: customer.assigned_at().map(Millis),
        assignment_reason: customer.assignment_reason.clone(),
        created_by: customer.created.as_ref().map(|created| actor(&created.by)),
        last_updated_by: customer.last_updated_by.as_ref().map(actor),
        in_public_pool: false, // there is no pool yet
        is_frozen: false,      // nothing can freeze it yet
    }
}

/// A person's id, or the part of the system.
fn actor(actor: &Actor) -> String {
    match actor {
        Actor::Staff(id) => id.to_string(),
        Actor::System(part) => format!("{SYSTEM_PREFIX}{part}"),
    }
}

fn profile(profile: &Profile, view: FieldView) -> Map<String, Value> {
    match view {
        FieldView::Full => {
            // A profile is an object of plain values: writing it cannot fail.
            let Ok(Value::Object(mut fields)) = serde_json::to_value(profile) else { return Map::new() };
            let instants = [profile.expected_start_date, profile.expected_delivery_date];
            for (name, at) in PROFILE_INSTANTS.iter().zip(instants) {
                if let Some(at) = at {
                    fields.insert((*name).to_owned(), json!(iso(at)));
                }
            }
            fields.retain(|_, value| !value.is_null());
            fields
        }
        FieldView::Base => {
            let phone = profile.phone.as_ref().map(|phone| json!(phone.masked()));
            let fields = [
                ("name", Some(json!(profile.name))),
                ("leadSource", profile.lead_source.map(|code| json!(code.as_str()))),
                ("serviceCategory", profile.service_category.map(|code| json!(code.as_str()))),
                ("phone", phone),
            ];
            let present = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
            present.collect()
        }
    }
}

#[cfg(test)]
#[path = "document_tests.rs"]
mod tests;
