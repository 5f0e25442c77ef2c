//! `notificationData`: what system A's pages hand to the mini program after an assignment
//! (existing-systems.md section 3), with the corrections of http-api.md section 2: the phone is masked, and
//! only what really changed hands is named. A command that changed nothing tells nobody, so its answer has
//! none.

use application::access::{Caller, FieldView, free_text};
use application::customers::{BatchReceipt, SOURCE_BY_HAND};
use domain::customer::{Customer, LeadSource, ServiceCategory};
use domain::{CustomerId, StaffId};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::time::Millis;

/// One customer was given to somebody.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AssignNotice {
    /// The new owner.
    #[schema(value_type = uuid::Uuid)]
    assigned_to_id: Option<StaffId>,
    /// The customer's name.
    customer_name: String,
    /// The masked phone.
    customer_phone: Option<String>,
    /// Why.
    source: String,
    /// Who decided.
    assigner_name: String,
    /// The customer.
    #[schema(value_type = uuid::Uuid)]
    customer_id: CustomerId,
    /// When.
    #[schema(value_type = Option<DateTime<Utc>>)]
    assign_time: Option<Millis>,
    /// What is asked for.
    service_category: Option<&'static str>,
    /// Where it came from.
    lead_source: Option<&'static str>,
}

impl AssignNotice {
    /// Of the customer as it was right after the assignment.
    pub fn of(assigner: &Caller, id: CustomerId, customer: &Customer) -> Self {
        let profile = &customer.profile;
        Self {
            assigned_to_id: customer.owner(),
            customer_name: free_text(FieldView::Base, &profile.name),
            customer_phone: profile.phone.as_ref().map(domain::contact::Phone::masked),
            source: free_text(
                FieldView::Base,
                customer.assignment_reason.as_deref().unwrap_or(SOURCE_BY_HAND),
            ),
            assigner_name: assigner.name.clone(),
            customer_id: id,
            assign_time: customer.assigned_at().map(Millis),
            service_category: profile.service_category.map(ServiceCategory::as_str),
            lead_source: profile.lead_source.map(LeadSource::as_str),
        }
    }
}

/// Several customers were given to somebody.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BatchNotice {
    /// The new owner.
    #[schema(value_type = uuid::Uuid)]
    assigned_to_id: StaffId,
    /// How many changed hands.
    customer_count: usize,
    /// Which.
    #[schema(value_type = Vec<uuid::Uuid>)]
    customer_ids: Vec<CustomerId>,
    /// Why.
    source: String,
    /// Who decided.
    assigner_name: String,
    /// When.
    #[schema(value_type = DateTime<Utc>)]
    assign_time: Millis,
    /// `true` for a batch out of the public pool; else absent.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    from_public_pool: bool,
}

impl BatchNotice {
    /// Of a batch that moved something.
    pub fn of(assigner: &Caller, to: StaffId, receipt: &BatchReceipt, source: &str) -> Self {
        Self {
            assigned_to_id: to,
            customer_count: receipt.moved.len(),
            customer_ids: receipt.moved.clone(),
            source: free_text(FieldView::Base, source),
            assigner_name: assigner.name.clone(),
            assign_time: Millis(receipt.at),
            from_public_pool: false,
        }
    }

    /// The same for a batch out of the public pool.
    #[must_use]
    pub fn out_of_pool(self) -> Self {
        Self { from_public_pool: true, ..self }
    }
}
