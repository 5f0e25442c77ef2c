//! The forms that create and change a customer. Both read the same fields by the same rules; they differ in what
//! must be there and in what `null` means.

use domain::StaffId;
use domain::customer::{
    ContractStatus, Education, LeadLevel, LeadSource, Profile, ProfilePatch, RestSchedule, ServiceCategory,
};
use serde_json::Value;

use super::fields::{Change, Fields, Null};
use super::scalars::{code, code_or, date, id, line, paragraphs, phone, wechat_id, whole, yuan};
use super::{
    ADDRESS_CHARS_MAX, FREE_TEXT_CHARS_MAX, FieldError, ID_CARD_CHARS_MAX, NAME_CHARS_MAX, REASON_CHARS_MAX,
    Rule, SHORT_TEXT_CHARS_MAX, fill_from_legacy,
};

/// Most yuan a month of a salary budget.
const SALARY_BUDGET_MAX: i64 = 50_000;
/// Most square metres of a home.
const HOME_AREA_MAX: i64 = 1000;
/// Most people in a family.
const FAMILY_SIZE_MAX: i64 = 20;
/// Most days of a service.
const SERVICE_DAYS_MAX: i64 = 3650;
/// Most yuan of a deal.
const DEAL_AMOUNT_MAX: i32 = 10_000_000;

/// Fields of system A's update form that would change who owns the customer.
const OWNERSHIP_FIELDS: [&str; 4] = ["assignedTo", "assignmentReason", "assignedBy", "assignedAt"];

/// `POST /api/customers`.
#[derive(Debug, Clone, PartialEq)]
pub struct CreateCustomer {
    /// What is known; has a name, a source and a phone or WeChat id.
    pub profile: Profile,
    /// How far the contract is.
    pub contract_status: ContractStatus,
    /// How promising it is.
    pub lead_level: LeadLevel,
    /// The owner, when the creator named one.
    pub assigned_to: Option<StaffId>,
    /// Why.
    pub assignment_reason: Option<String>,
}

/// `PATCH /api/customers/:id`. Absent and blank fields stay as they are, because system A's pages send blanks for
/// fields they were not shown (fault A-33); `null` clears.
#[derive(Debug, Clone, PartialEq)]
pub struct UpdateCustomer {
    /// The fields to change.
    pub changes: ProfilePatch,
    /// The new contract status.
    pub contract_status: Option<ContractStatus>,
    /// The new level.
    pub lead_level: Option<LeadLevel>,
}

impl CreateCustomer {
    /// Reads the body.
    pub fn parse(body: Value) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::of(body, Null::Absent)?;
        let given = profile(&mut fields);
        for (key, missing) in [("name", given.name.is_none()), ("leadSource", given.lead_source.is_none())] {
            if missing && !fields.is_violated(key) {
                fields.violated(key, Rule::Required);
            }
        }
        let unreachable = given.phone.is_none() && given.wechat_id.is_none();
        if unreachable && !fields.is_violated("phone") && !fields.is_violated("wechatId") {
            fields.violated("phone", Rule::MissingContact);
        }
        let mut profile = Profile::default();
        profile.apply(&given);
        fill_from_legacy(&mut profile);

        let contract_status = fields.required("contractStatus", code(ContractStatus::ALL));
        let lead_level = fields.required("leadLevel", code(LeadLevel::ALL));
        let assigned_to = fields.optional("assignedTo", id);
        let assignment_reason = fields.optional("assignmentReason", paragraphs(REASON_CHARS_MAX));
        let form = contract_status.zip(lead_level).map(|(contract_status, lead_level)| Self {
            profile,
            contract_status,
            lead_level,
            assigned_to,
            assignment_reason,
        });
        fields.finish(form)
    }
}

impl UpdateCustomer {
    /// Reads the body.
    pub fn parse(body: Value) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::of(body, Null::Clears)?;
        for key in OWNERSHIP_FIELDS {
            if fields.take(key).is_some() {
                fields.violated(key, Rule::Ownership);
            }
        }
        let changes = profile(&mut fields);
        let contract_status = fields.optional("contractStatus", code(ContractStatus::ALL));
        let lead_level = fields.optional("leadLevel", code(LeadLevel::ALL));
        fields.finish(Some(Self { changes, contract_status, lead_level }))
    }
}

/// The descriptive fields.
fn profile(f: &mut Fields) -> ProfilePatch {
    ProfilePatch {
        name: name(f),
        lead_source: lead_source(f),
        phone: f.change("phone", phone),
        wechat_id: f.change("wechatId", wechat_id),
        id_card_number: f.change("idCardNumber", line(ID_CARD_CHARS_MAX)),
        service_category: either(f, "serviceCategory", "serviceType", code(ServiceCategory::ALL)),
        salary_budget: f.change("salaryBudget", whole(0..=SALARY_BUDGET_MAX)),
        expected_start_date: f.change("expectedStartDate", date),
        expected_delivery_date: f.change("expectedDeliveryDate", date),
        home_area: f.change("homeArea", whole(0..=HOME_AREA_MAX)),
        family_size: f.change("familySize", whole(0..=FAMILY_SIZE_MAX)),
        rest_schedule: f.change("restSchedule", code(RestSchedule::ALL)),
        address: f.change("address", line(ADDRESS_CHARS_MAX)),
        area: f.change("area", line(SHORT_TEXT_CHARS_MAX)),
        age_requirement: f.change("ageRequirement", line(SHORT_TEXT_CHARS_MAX)),
        gender_requirement: f.change("genderRequirement", line(SHORT_TEXT_CHARS_MAX)),
        origin_requirement: f.change("originRequirement", line(SHORT_TEXT_CHARS_MAX)),
        education_requirement: f.change("educationRequirement", code(Education::ALL)),
        service_days: f.change("serviceDays", whole(0..=SERVICE_DAYS_MAX)),
        remarks: either(f, "remarks", "notes", paragraphs(FREE_TEXT_CHARS_MAX)),
        deal_amount: f.change("dealAmount", yuan(DEAL_AMOUNT_MAX)),
        need_order_type: f.change("needOrderType", paragraphs(FREE_TEXT_CHARS_MAX)),
        need_working_hours: f.change("needWorkingHours", paragraphs(FREE_TEXT_CHARS_MAX)),
        need_salary: f.change("needSalary", paragraphs(FREE_TEXT_CHARS_MAX)),
        need_rest_time: f.change("needRestTime", paragraphs(FREE_TEXT_CHARS_MAX)),
        need_family_members: f.change("needFamilyMembers", paragraphs(FREE_TEXT_CHARS_MAX)),
        need_service_address: f.change("needServiceAddress", paragraphs(FREE_TEXT_CHARS_MAX)),
        need_house_area: f.change("needHouseArea", paragraphs(FREE_TEXT_CHARS_MAX)),
        need_work_content: f.change("needWorkContent", paragraphs(FREE_TEXT_CHARS_MAX)),
        need_remarks: f.change("needRemarks", paragraphs(FREE_TEXT_CHARS_MAX)),
        need_service_period: f.change("needServicePeriod", paragraphs(FREE_TEXT_CHARS_MAX)),
        need_onboarding_time: f.change("needOnboardingTime", paragraphs(FREE_TEXT_CHARS_MAX)),
    }
}

/// The name: may be left out of an update, but where it stands it is never blank.
fn name(f: &mut Fields) -> Option<String> {
    let value = f.take("name")?;
    let blank = value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty());
    let parse = line(NAME_CHARS_MAX);
    f.read("name", value, |value| if blank { Err(Rule::Required) } else { parse(value) })
}

/// The source: an unknown one becomes 其他 on create, as in system A, and is refused on update, where coercing
/// would overwrite a known one.
fn lead_source(f: &mut Fields) -> Option<LeadSource> {
    match f.null() {
        Null::Absent => f.optional("leadSource", code_or(LeadSource::Other)),
        Null::Clears => f.optional("leadSource", code(LeadSource::ALL)),
    }
}

/// A field that has a second name; the first one counts when both are there, and both must be right.
fn either<T>(f: &mut Fields, key: &str, alias: &str, parse: impl Fn(Value) -> Result<T, Rule>) -> Change<T> {
    let first = f.change(key, &parse);
    let second = f.change(alias, &parse);
    first.or(second)
}
