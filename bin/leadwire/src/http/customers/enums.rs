//! The code tables of a customer, for the choices on forms. Public, and the same for everybody.

use domain::customer::{ContractStatus, Education, LeadLevel, LeadSource, RestSchedule, ServiceCategory};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::answer::Answer;
use crate::http::problem::Problem;
use crate::http::schemas::Enveloped;
use crate::http::text::Text;

const LISTED: Text = Text::new("获取枚举成功", "Here are the code tables");

/// One choice.
#[derive(Debug, Serialize, ToSchema)]
pub struct Choice {
    /// What is stored.
    value: &'static str,
    /// What is shown.
    label: &'static str,
}

/// The code tables.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Enums {
    /// Where a lead came from.
    lead_source: Vec<Choice>,
    /// What is asked for.
    service_category: Vec<Choice>,
    /// How far the contract is.
    contract_status: Vec<Choice>,
    /// How promising a lead is.
    lead_level: Vec<Choice>,
    /// Days off.
    rest_schedule: Vec<Choice>,
    /// Education asked for.
    education_requirement: Vec<Choice>,
}

/// The code tables of a customer.
#[utoipa::path(
    get, path = "/api/customers/enums", operation_id = "list_customer_enums", tag = "customers", security(()),
    responses((status = 200, description = "The code tables", body = Enveloped<Enums>))
)]
pub async fn enums() -> Result<Answer, Problem> {
    macro_rules! choices {
        ($table:ty) => {
            <$table>::ALL.iter().map(|code| Choice { value: code.as_str(), label: code.as_str() }).collect()
        };
    }
    let enums = Enums {
        lead_source: choices!(LeadSource),
        service_category: choices!(ServiceCategory),
        contract_status: choices!(ContractStatus),
        lead_level: choices!(LeadLevel),
        rest_schedule: choices!(RestSchedule),
        education_requirement: choices!(Education),
    };
    Answer::ok(LISTED, &enums)
}
