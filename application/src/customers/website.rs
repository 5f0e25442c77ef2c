//! A lead that came by itself, through the public form: nobody is logged in, and whether the phone was known before
//! is nobody's business (fault A-15).

use domain::contact::Phone;
use domain::customer::{ContractStatus, LeadLevel, LeadSource, Placement, Profile, ServiceCategory};
use domain::{CustomerId, StaffId};

use super::create::New;
use super::{CustomerReceipt, Refusal, assignable_staff, taken_as_refusal};
use crate::bus::{CommandBus, CommandContext, ExecuteError, Plan, execute};
use crate::ports::CustomerNumbers;

/// The part of the system that such leads are created by; shown as `系统-官网`.
pub const WEBSITE: &str = "官网";

/// Why such a lead begins in the public pool, or with whom.
const REASON: &str = "官网提交";

/// What the form says.
#[derive(Debug, Clone)]
pub struct WebsiteLead {
    /// Id of the new customer.
    pub id: CustomerId,
    /// Who asks.
    pub name: String,
    /// Where to call.
    pub phone: Phone,
    /// What is asked for.
    pub service_category: Option<ServiceCategory>,
    /// What else was written.
    pub remarks: Option<String>,
}

/// What became of a form.
#[derive(Debug, Clone, PartialEq)]
pub enum Submitted {
    /// It is a lead now, or the form was answered before.
    Lead(domain::Position),
    /// The phone is known; nothing was changed.
    Known,
}

/// Makes a lead of a form: with the configured owner if that person may own leads at this moment, else in the public
/// pool. A phone that is known changes nothing, and the caller cannot tell.
pub async fn website_lead<B: CommandBus>(
    bus: &B,
    numbers: &dyn CustomerNumbers,
    context: &CommandContext,
    default_owner: Option<StaffId>,
    form: WebsiteLead,
) -> Result<Submitted, ExecuteError<Refusal>> {
    let created = execute::<_, CustomerReceipt, Refusal, _, _>(bus, context, async || {
        let placement = match default_owner {
            Some(owner) => match assignable_staff(bus, owner).await {
                Ok(_) => Placement::Owner(owner, REASON.to_owned()),
                Err(ExecuteError::Refused(_)) => Placement::Pool(REASON.to_owned()),
                Err(error) => return Err(error),
            },
            None => Placement::Pool(REASON.to_owned()),
        };
        let new = New {
            id: form.id,
            profile: Profile {
                name: form.name.clone(),
                lead_source: Some(LeadSource::Website),
                phone: Some(form.phone.clone()),
                service_category: form.service_category,
                remarks: form.remarks.clone(),
                ..Profile::default()
            },
            contract_status: ContractStatus::Pending,
            lead_level: LeadLevel::O,
        };
        new.plan(numbers, context, placement, None).await
    });
    match created.await.map_err(taken_as_refusal) {
        Ok(executed) => Ok(Submitted::Lead(executed.position)),
        Err(ExecuteError::Refused(Refusal::DuplicatePhone)) => known(bus, context, form.id).await,
        Err(error) => Err(error),
    }
}

/// Remembers that the form was answered, as it is remembered of a form that became a lead: whoever uses the key again
/// for another form must not learn from the answer which of the two it was.
async fn known<B: CommandBus>(
    bus: &B,
    context: &CommandContext,
    id: CustomerId,
) -> Result<Submitted, ExecuteError<Refusal>> {
    let result = CustomerReceipt { customer: id, sequence: 0, changed: false };
    let plan = || async { Ok(Plan { streams: vec![], guards: vec![], result: result.clone() }) };
    execute(bus, context, plan).await.map(|_| Submitted::Known)
}
