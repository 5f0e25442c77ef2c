//! The forms that move customers in and out of the public pool, and those that say one thing about one customer.

use chrono::{DateTime, Utc};
use domain::batch::BATCH_CUSTOMERS_MAX;
use domain::contact::Phone;
use domain::customer::{FOLLOW_UP_CHARS_MAX, FollowUpKind, ServiceCategory};
use domain::{CustomerId, StaffId};
use serde_json::Value;

use super::fields::{Fields, Null};
use super::scalars::{boolean, code, date, id, line, paragraphs, phone};
use super::{FREE_TEXT_CHARS_MAX, FieldError, NAME_CHARS_MAX, REASON_CHARS_MAX, Rule};

/// `POST /api/customers/public-pool/claim`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Which, in the order given, each once; at least one.
    pub customer_ids: Vec<CustomerId>,
}

/// `POST /api/customers/public-pool/assign`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolAssign {
    /// Which, in the order given, each once; at least one.
    pub customer_ids: Vec<CustomerId>,
    /// The new owner.
    pub assigned_to: StaffId,
    /// Why.
    pub reason: Option<String>,
}

/// `POST /api/customers/:id/release-to-pool`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// Why.
    pub reason: String,
}

/// `POST /api/customers/batch-release-to-pool`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchRelease {
    /// Which, in the order given, each once; at least one.
    pub customer_ids: Vec<CustomerId>,
    /// Why.
    pub reason: String,
}

/// `PATCH /api/customers/:id/freeze` and `/unfreeze`; system A sends no body when there is no reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Freeze {
    /// Why.
    pub reason: Option<String>,
}

/// `PATCH /api/customers/:id/auto-transfer`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AutoTransfer {
    /// Whether rules may hand the customer on.
    pub enabled: bool,
}

/// `POST /api/customers/:id/follow-ups`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FollowUp {
    /// How.
    pub kind: FollowUpKind,
    /// What came of it.
    pub content: String,
    /// When to follow up next.
    pub next_at: Option<DateTime<Utc>>,
}

/// `POST /api/customers/website-lead`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebsiteLead {
    /// Who asks.
    pub name: String,
    /// Where to call.
    pub phone: Phone,
    /// What is asked for.
    pub service_category: Option<ServiceCategory>,
    /// What else was written.
    pub remarks: Option<String>,
}

fn customer_ids(fields: &mut Fields) -> Option<Vec<CustomerId>> {
    let ids = fields.list("customerIds", BATCH_CUSTOMERS_MAX, id);
    if ids.as_ref().is_some_and(Vec::is_empty) {
        fields.violated("customerIds", Rule::Required);
    }
    ids
}

impl Claim {
    /// Reads the body.
    pub fn parse(body: Value) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::of(body, Null::Absent)?;
        let customer_ids = customer_ids(&mut fields);
        fields.finish(customer_ids.map(|customer_ids| Self { customer_ids }))
    }
}

impl PoolAssign {
    /// Reads the body.
    pub fn parse(body: Value) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::of(body, Null::Absent)?;
        let customer_ids = customer_ids(&mut fields);
        let assigned_to = fields.required("assignedTo", id);
        let reason = fields.optional("reason", paragraphs(REASON_CHARS_MAX));
        let form = customer_ids.zip(assigned_to);
        fields.finish(form.map(|(customer_ids, assigned_to)| Self { customer_ids, assigned_to, reason }))
    }
}

impl Release {
    /// Reads the body.
    pub fn parse(body: Value) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::of(body, Null::Absent)?;
        let reason = fields.required("reason", paragraphs(REASON_CHARS_MAX));
        fields.finish(reason.map(|reason| Self { reason }))
    }
}

impl BatchRelease {
    /// Reads the body.
    pub fn parse(body: Value) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::of(body, Null::Absent)?;
        let customer_ids = customer_ids(&mut fields);
        let reason = fields.required("reason", paragraphs(REASON_CHARS_MAX));
        let form = customer_ids.zip(reason);
        fields.finish(form.map(|(customer_ids, reason)| Self { customer_ids, reason }))
    }
}

impl Freeze {
    /// Reads the body; none at all is a body without a reason.
    pub fn parse(body: Value) -> Result<Self, Vec<FieldError>> {
        if body.is_null() {
            return Ok(Self { reason: None });
        }
        let mut fields = Fields::of(body, Null::Absent)?;
        let reason = fields.optional("reason", paragraphs(REASON_CHARS_MAX));
        fields.finish(Some(Self { reason }))
    }
}

impl AutoTransfer {
    /// Reads the body.
    pub fn parse(body: Value) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::of(body, Null::Absent)?;
        let enabled = fields.required("enabled", boolean);
        fields.finish(enabled.map(|enabled| Self { enabled }))
    }
}

impl FollowUp {
    /// Reads the body.
    pub fn parse(body: Value) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::of(body, Null::Absent)?;
        let kind = fields.required("type", code(FollowUpKind::ALL));
        let content = fields.required("content", paragraphs(FOLLOW_UP_CHARS_MAX));
        let next_at = fields.optional("nextFollowUpDate", date);
        let form = kind.zip(content);
        fields.finish(form.map(|(kind, content)| Self { kind, content, next_at }))
    }
}

impl WebsiteLead {
    /// Reads the body.
    pub fn parse(body: Value) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::of(body, Null::Absent)?;
        let name = fields.required("name", line(NAME_CHARS_MAX));
        let phone = fields.required("phone", phone);
        let service_category = fields.optional("serviceCategory", code(ServiceCategory::ALL));
        let remarks = fields.optional("remarks", paragraphs(FREE_TEXT_CHARS_MAX));
        let form = name.zip(phone);
        fields.finish(form.map(|(name, phone)| Self { name, phone, service_category, remarks }))
    }
}
