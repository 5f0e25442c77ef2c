//! Bodies of requests, and the descriptive fields of a customer.

use chrono::{DateTime, Utc};
use utoipa::ToSchema;
use uuid::Uuid;

/// User name and password.
#[derive(ToSchema)]
pub struct LoginBody {
    /// Login name, whatever the case.
    pub username: String,
    /// The password.
    pub password: String,
    /// Accepted for system A's clients and ignored.
    pub openid: Option<String>,
}

/// The code that `wx.login` gave.
#[derive(ToSchema)]
pub struct WechatCodeBody {
    /// Good once, for five minutes.
    #[schema(max_length = 128)]
    pub code: String,
    /// Accepted for system A's clients and ignored.
    pub phone: Option<String>,
}

/// Who a member of staff is to the configured WeCom corporation.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WecomBindingBody {
    /// The member's userid.
    #[schema(max_length = 64, pattern = "^[A-Za-z0-9][A-Za-z0-9_@.-]*$")]
    pub user_id: String,
}

/// A new account.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CreateUserBody {
    /// Login name, kept in lower case.
    #[schema(max_length = 64)]
    pub username: String,
    /// The first password.
    #[schema(min_length = 8, max_length = 128)]
    pub password: String,
    /// Name on screens.
    #[schema(max_length = 50)]
    pub name: String,
    /// `admin`, `manager`, `operator`, `dispatch`, `employee`, `admissions`, or a Chinese name of it.
    pub role: String,
    /// Phone.
    pub phone: Option<String>,
    /// E-mail.
    #[schema(max_length = 254)]
    pub email: Option<String>,
    /// Department.
    #[schema(max_length = 100)]
    pub department: Option<String>,
    /// Yuan a month the person is to bring in.
    #[schema(minimum = 0, maximum = 10000)]
    pub monthly_task: Option<u32>,
}

/// What is to change of an account; `null` clears.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpdateUserBody {
    /// Name on screens.
    #[schema(max_length = 50)]
    pub name: Option<String>,
    /// The role from now on.
    pub role: Option<String>,
    /// Phone.
    pub phone: Option<String>,
    /// E-mail.
    #[schema(max_length = 254)]
    pub email: Option<String>,
    /// Department.
    #[schema(max_length = 100)]
    pub department: Option<String>,
    /// Yuan a month the person is to bring in.
    #[schema(minimum = 0, maximum = 10000)]
    pub monthly_task: Option<u32>,
    /// Whether the account works.
    pub active: Option<bool>,
    /// The opposite of `active`.
    pub suspended: Option<bool>,
    /// A new password; ends every session of the person.
    #[schema(min_length = 8, max_length = 128)]
    pub password: Option<String>,
}

/// A new password.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChangePasswordBody {
    /// The one so far; needed for one's own account.
    pub old_password: Option<String>,
    /// The new one.
    #[schema(min_length = 8, max_length = 128)]
    pub new_password: String,
}

/// A new service token.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceTokenBody {
    /// Who is to use it.
    #[schema(max_length = 100)]
    pub name: String,
    /// `intake:write`, `notifications:request`, `queue:process`, `customers:read`.
    #[schema(min_items = 1, max_items = 4)]
    pub scopes: Vec<String>,
    /// When it ends; never when missing.
    pub expires_at: Option<DateTime<Utc>>,
}

/// Who gets the customer, and why.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AssignBody {
    /// The new owner.
    pub assigned_to: Uuid,
    /// Why.
    #[schema(max_length = 200)]
    pub assignment_reason: Option<String>,
}

/// Who gets the customers, and why.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BatchAssignBody {
    /// Which.
    #[schema(min_items = 1, max_items = 1000)]
    pub customer_ids: Vec<Uuid>,
    /// The new owner.
    pub assigned_to: Uuid,
    /// Why.
    #[schema(max_length = 200)]
    pub assignment_reason: Option<String>,
}

/// Which customers.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClaimBody {
    /// Which.
    #[schema(min_items = 1, max_items = 1000)]
    pub customer_ids: Vec<Uuid>,
}

/// Which customers out of the public pool, for whom and why.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PoolAssignBody {
    /// Which.
    #[schema(min_items = 1, max_items = 1000)]
    pub customer_ids: Vec<Uuid>,
    /// The new owner.
    pub assigned_to: Uuid,
    /// Why.
    #[schema(max_length = 200)]
    pub reason: Option<String>,
}

/// Which customers go into the public pool, and why.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BatchReleaseBody {
    /// Which.
    #[schema(min_items = 1, max_items = 1000)]
    pub customer_ids: Vec<Uuid>,
    /// Why.
    #[schema(min_length = 1, max_length = 200)]
    pub reason: String,
}

/// Why.
#[derive(ToSchema)]
pub struct ReleaseBody {
    /// Why.
    #[schema(min_length = 1, max_length = 200)]
    pub reason: String,
}

/// Why, if there is anything to say.
#[derive(ToSchema)]
pub struct FreezeBody {
    /// Why.
    #[schema(max_length = 200)]
    pub reason: Option<String>,
}

/// Whether rules may hand the customer on.
#[derive(ToSchema)]
pub struct AutoTransferBody {
    /// Whether they may.
    pub enabled: bool,
}

/// A follow-up.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FollowUpBody {
    /// phone, wechat, visit or other.
    #[serde(rename = "type")]
    pub kind: String,
    /// What came of it.
    #[schema(min_length = 1, max_length = 1000)]
    pub content: String,
    /// When to follow up next.
    pub next_follow_up_date: Option<String>,
}

/// What the public form sends.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WebsiteLeadBody {
    /// Who asks.
    #[schema(min_length = 1, max_length = 50)]
    pub name: String,
    /// Where to call.
    pub phone: String,
    /// What is asked for.
    pub service_category: Option<String>,
    /// What else there is to say.
    #[schema(max_length = 2000)]
    pub remarks: Option<String>,
}

/// Which notifications were read.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MarkReadBody {
    /// Which.
    #[schema(max_items = 1000)]
    pub notification_ids: Vec<Uuid>,
}

/// Up to which notification all were read.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MarkAllReadBody {
    /// `seq` of the last one; the newest when missing.
    #[schema(minimum = 0)]
    pub up_to: Option<i64>,
}

/// A new customer. A phone or a WeChat id is required.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CreateCustomerBody {
    /// The descriptive fields; name and leadSource are required.
    #[serde(flatten)]
    pub profile: ProfileSchema,
    /// How far the contract is.
    pub contract_status: String,
    /// How promising it is.
    pub lead_level: String,
    /// The owner; the creator when missing.
    pub assigned_to: Option<Uuid>,
    /// Why.
    #[schema(max_length = 200)]
    pub assignment_reason: Option<String>,
}

/// Fields to change: absent and blank ones stay, `null` clears.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpdateCustomerBody {
    /// The descriptive fields.
    #[serde(flatten)]
    pub profile: ProfileSchema,
    /// How far the contract is.
    pub contract_status: Option<String>,
    /// How promising it is.
    pub lead_level: Option<String>,
}

/// The descriptive fields of a customer.
#[derive(ToSchema)]
#[schema(as = Profile)]
#[serde(rename_all = "camelCase")]
pub struct ProfileSchema {
    /// Name 客户姓名.
    pub name: Option<String>,
    /// Where the lead came from 线索来源.
    pub lead_source: Option<String>,
    /// Phone 电话; masked for readers who may not see it.
    pub phone: Option<String>,
    /// WeChat id 微信号.
    pub wechat_id: Option<String>,
    /// Identity card 身份证号.
    pub id_card_number: Option<String>,
    /// What is asked for 需求品类.
    pub service_category: Option<String>,
    /// Budget in yuan a month 薪资预算.
    #[schema(minimum = 0, maximum = 50000)]
    pub salary_budget: Option<i64>,
    /// Wanted start 期望上户日期.
    pub expected_start_date: Option<DateTime<Utc>>,
    /// Expected birth 预产期.
    pub expected_delivery_date: Option<DateTime<Utc>>,
    /// Home in square metres 家庭面积.
    #[schema(minimum = 0, maximum = 1000)]
    pub home_area: Option<i64>,
    /// People in the family 家庭人口.
    #[schema(minimum = 0, maximum = 20)]
    pub family_size: Option<i64>,
    /// Days off 休息制度.
    pub rest_schedule: Option<String>,
    /// Address 地址.
    pub address: Option<String>,
    /// District 区域.
    pub area: Option<String>,
    /// Age asked for 年龄要求.
    pub age_requirement: Option<String>,
    /// Gender asked for 性别要求.
    pub gender_requirement: Option<String>,
    /// Origin asked for 籍贯要求.
    pub origin_requirement: Option<String>,
    /// Education asked for 学历要求.
    pub education_requirement: Option<String>,
    /// Days of service 服务天数.
    #[schema(minimum = 0, maximum = 3650)]
    pub service_days: Option<i64>,
    /// Remarks 备注.
    pub remarks: Option<String>,
    /// Amount of the deal in yuan 成交金额.
    #[schema(minimum = 0, maximum = 10_000_000)]
    pub deal_amount: Option<f64>,
    /// Kind of order 需求订单类型.
    pub need_order_type: Option<String>,
    /// Working hours 工作时间.
    pub need_working_hours: Option<String>,
    /// Salary 薪资.
    pub need_salary: Option<String>,
    /// Rest time 休息时间.
    pub need_rest_time: Option<String>,
    /// Family members 家庭成员.
    pub need_family_members: Option<String>,
    /// Service address 服务地址.
    pub need_service_address: Option<String>,
    /// House area 房屋面积.
    pub need_house_area: Option<String>,
    /// Work content 工作内容.
    pub need_work_content: Option<String>,
    /// Remarks on the need 需求备注.
    pub need_remarks: Option<String>,
    /// Period of service 服务周期.
    pub need_service_period: Option<String>,
    /// Onboarding time 上户时间.
    pub need_onboarding_time: Option<String>,
}
