//! A customer as system A's clients read it, with what the reader may see and nothing else.
//!
//! Masking happens here, on the way out, for lists, details and the answers of commands alike
//! ([`application::access::field_view`]).

use application::access::{Caller, FieldView, field_view, free_text};
use application::history::{SYSTEM_PREFIX, part};
use domain::customer::{ContractStatus, Customer, FollowUpStatus, LeadLevel, Ownership, Profile};
use domain::recycle_rule::{DueFacts, RecyclePolicy};
use domain::{Actor, CustomerId, StaffId};
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::http::people::{People, Person, PersonName};
use crate::http::schemas::ProfileSchema;
use crate::http::time::{Millis, iso};

/// Instants among the descriptive fields; they are written like every other instant.
const PROFILE_INSTANTS: [&str; 2] = ["expectedStartDate", "expectedDeliveryDate"];

/// What may be known of a lead in the public pool before it is claimed: nothing to reach the person by, and no long
/// text. A phone in one of [`POOL_TYPED`] is masked.
const POOL_FIELDS: [&str; 15] = [
    "name",
    "leadSource",
    "serviceCategory",
    "salaryBudget",
    "expectedStartDate",
    "expectedDeliveryDate",
    "homeArea",
    "familySize",
    "restSchedule",
    "area",
    "ageRequirement",
    "genderRequirement",
    "originRequirement",
    "educationRequirement",
    "serviceDays",
];

/// Those among them that people type.
const POOL_TYPED: [&str; 5] = ["name", "area", "ageRequirement", "genderRequirement", "originRequirement"];

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
    /// How promising it is. Rows of the public pool: 流失, as system A labels them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lead_level: Option<&'static str>,
    /// Rows of the public pool: the level that the label hides, which survives the pool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub original_lead_level: Option<&'static str>,
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
    /// When it goes back into the public pool, as things stand; left out when it never does, or the reader may not see
    /// the owner's circumstances.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<DateTime<Utc>>)]
    pub pool_due_at: Option<Millis>,
    /// Name of the recycle rule that says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pool_due_rule: Option<String>,
    /// Rows of lists: 新客未跟进, 流转未跟进, or `null` for a signed customer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub follow_up_status: Option<Option<&'static str>>,
    /// What stands beside the base fields for people who see more than those.
    #[serde(flatten)]
    pub circumstances: Option<Circumstances>,
}

/// Who gave it to whom, whether it waits in the pool or is frozen, who did what last.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Circumstances {
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
    /// Since when.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<DateTime<Utc>>)]
    pub public_pool_entry_time: Option<Millis>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_pool_entry_reason: Option<String>,
    /// How often it left the pool.
    pub claim_count: i64,
    /// When somebody last followed up.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<DateTime<Utc>>)]
    pub last_follow_up_time: Option<Millis>,
    /// Who did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_follow_up_by: Option<FollowUpAuthor>,
    /// When to follow up next.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<DateTime<Utc>>)]
    pub next_follow_up_date: Option<Millis>,
    /// Whether it is frozen 冻结.
    pub is_frozen: bool,
    /// Since when.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<DateTime<Utc>>)]
    pub frozen_at: Option<Millis>,
    /// Who froze it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frozen_by: Option<String>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frozen_reason: Option<String>,
}

/// Who followed up last, as details and as the pool's list show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum FollowUpAuthor {
    /// Details: an id, or `系统-` and the part of the system.
    Id(String),
    /// The pool's list: id and name.
    Person(Person),
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
            original_lead_level: None,
            assigned_to: owner.map(Owner::Id),
            assigned_to_user: people.name(owner),
            transfer_count: customer.transfer_count,
            last_transferred_at: customer.last_transferred_at.map(Millis),
            last_activity_at: customer.last_activity_at.map(Millis),
            auto_transfer_enabled: !customer.auto_transfer_disabled,
            created_at: created.map(|created| Millis(created.at)),
            updated_at: customer.updated_at.map(Millis),
            pool_due_at: None,
            pool_due_rule: None,
            follow_up_status: None,
            circumstances: (view != FieldView::Base).then(|| circumstances(customer, view)),
        }
    }

    /// With the moment at which these rules put it into the public pool: asked now, never stored.
    #[must_use]
    pub fn due_by(mut self, policy: &RecyclePolicy, customer: &Customer) -> Self {
        let due = policy.pool_due(&DueFacts::from(customer)).filter(|_| self.circumstances.is_some());
        self.pool_due_at = due.map(|due| Millis(due.at));
        self.pool_due_rule = due.and_then(|due| policy.text(due.rule)).map(|text| text.name.clone());
        self
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

    /// The customer as a row of the public pool: labelled 流失 as in system A, and with the name of whoever followed up
    /// last.
    pub fn pool_row(reader: &Caller, id: CustomerId, customer: &Customer, people: &People) -> Self {
        let mut row = Self::row(reader, id, customer, people);
        row.original_lead_level = row.lead_level.replace(LeadLevel::Lost.as_str());
        let author = customer.last_follow_up.as_ref().and_then(|last| last.by.staff());
        if let (Some(circumstances), Some(person)) = (&mut row.circumstances, people.person(author)) {
            circumstances.last_follow_up_by = Some(FollowUpAuthor::Person(person));
        }
        row
    }
}

fn circumstances(customer: &Customer, view: FieldView) -> Circumstances {
    let typed = |text: &String| free_text(view, text);
    let (pooled_at, pool_reason) = match &customer.ownership {
        Ownership::InPool { since, reason, .. } => (Some(Millis(*since)), Some(typed(reason))),
        Ownership::Unassigned | Ownership::Owned { .. } => (None, None),
    };
    let (freeze, last) = (customer.freeze.as_ref(), customer.last_follow_up.as_ref());
    Circumstances {
        assigned_by: customer.assigned_by.as_ref().map(actor),
        assigned_at: customer.assigned_at().map(Millis),
        assignment_reason: customer.assignment_reason.as_ref().map(typed),
        created_by: customer.created.as_ref().map(|created| actor(&created.by)),
        last_updated_by: customer.last_updated_by.as_ref().map(actor),
        in_public_pool: customer.in_pool(),
        public_pool_entry_time: pooled_at,
        public_pool_entry_reason: pool_reason,
        claim_count: customer.claim_count,
        last_follow_up_time: last.map(|last| Millis(last.at)),
        last_follow_up_by: last.map(|last| FollowUpAuthor::Id(actor(&last.by))),
        next_follow_up_date: customer.next_follow_up_at.map(Millis),
        is_frozen: customer.is_frozen(),
        frozen_at: freeze.map(|freeze| Millis(freeze.at)),
        frozen_by: freeze.map(|freeze| actor(&freeze.by)),
        frozen_reason: freeze.and_then(|freeze| freeze.reason.as_ref()).map(typed),
    }
}

/// A person's id, or the part of the system.
pub(super) fn actor(actor: &Actor) -> String {
    match actor {
        Actor::Staff(id) => id.to_string(),
        Actor::System(name) => format!("{SYSTEM_PREFIX}{}", part(name)),
    }
}

fn profile(profile: &Profile, view: FieldView) -> Map<String, Value> {
    let masked = || profile.phone.as_ref().map(|phone| json!(phone.masked()));
    match view {
        FieldView::Full => every_field(profile),
        FieldView::Pool => {
            let mut fields = every_field(profile);
            fields.retain(|name, _| POOL_FIELDS.contains(&name.as_str()));
            fields.extend(masked().map(|phone| ("phone".to_owned(), phone)));
            for field in POOL_TYPED {
                if let Some(Value::String(text)) = fields.get_mut(field) {
                    *text = free_text(view, text);
                }
            }
            fields
        }
        FieldView::Base => {
            let fields = [
                ("name", Some(json!(free_text(view, &profile.name)))),
                ("leadSource", profile.lead_source.map(|code| json!(code.as_str()))),
                ("serviceCategory", profile.service_category.map(|code| json!(code.as_str()))),
                ("phone", masked()),
            ];
            let present = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
            present.collect()
        }
    }
}

fn every_field(profile: &Profile) -> Map<String, Value> {
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

#[cfg(test)]
#[path = "document_tests.rs"]
mod tests;
