//! The forms that give customers to somebody.

use domain::batch::BATCH_CUSTOMERS_MAX;
use domain::{CustomerId, StaffId};
use serde_json::Value;

use super::fields::{Fields, Null};
use super::scalars::{id, paragraphs};
use super::{FieldError, REASON_CHARS_MAX, Rule};

/// `PATCH /api/customers/:id/assign`, web and mini program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assign {
    /// The new owner.
    pub assigned_to: StaffId,
    /// Why.
    pub assignment_reason: Option<String>,
}

/// `POST /api/customers/batch-assign`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchAssign {
    /// Which, in the order given; at least one. One named twice stands here once: selecting it twice means it once.
    pub customer_ids: Vec<CustomerId>,
    /// The new owner.
    pub assigned_to: StaffId,
    /// Why.
    pub assignment_reason: Option<String>,
}

impl Assign {
    /// Reads the body.
    pub fn parse(body: Value) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::of(body, Null::Absent)?;
        let assigned_to = fields.required("assignedTo", id);
        let assignment_reason = fields.optional("assignmentReason", paragraphs(REASON_CHARS_MAX));
        fields.finish(assigned_to.map(|assigned_to| Self { assigned_to, assignment_reason }))
    }
}

impl BatchAssign {
    /// Reads the body.
    pub fn parse(body: Value) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::of(body, Null::Absent)?;
        let customer_ids = fields.list("customerIds", BATCH_CUSTOMERS_MAX, id);
        if customer_ids.as_ref().is_some_and(Vec::is_empty) {
            fields.violated("customerIds", Rule::Required);
        }
        let assigned_to = fields.required("assignedTo", id);
        let assignment_reason = fields.optional("assignmentReason", paragraphs(REASON_CHARS_MAX));
        let form = customer_ids.zip(assigned_to);
        fields.finish(form.map(|(customer_ids, assigned_to)| Self {
            customer_ids,
            assigned_to,
            assignment_reason,
        }))
    }
}
