//! What is known about a customer apart from who owns it: one list of fields, declared once.
//!
//! The list yields [`Profile`] (the state), [`ProfilePatch`] (changed fields only; `null` clears) and the fold of
//! one into the other. JSON names are system A's (existing-systems.md section 1.1).

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize};

use super::codes::{Education, LeadSource, RestSchedule, ServiceCategory};
use crate::contact::{Phone, WechatId};

macro_rules! profile {
    ($($(#[$doc:meta])* $field:ident: $type:ty),+ $(,)?) => {
        /// The descriptive fields of a customer. Status and level have events of their own and stand in
        /// [`Customer`](super::Customer).
        #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        pub struct Profile {
            /// Name 客户姓名; never empty once created.
            pub name: String,
            /// Where the lead came from; an unknown source was coerced to 其他 before it got here.
            pub lead_source: Option<LeadSource>,
            $($(#[$doc])* #[serde(default, skip_serializing_if = "Option::is_none")] pub $field: Option<$type>),+
        }

        /// A change to some fields: absent leaves, `null` clears, a value sets.
        #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        pub struct ProfilePatch {
            /// New name.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub name: Option<String>,
            /// New source.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub lead_source: Option<LeadSource>,
            $($(#[$doc])* #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
            pub $field: Option<Option<$type>>),+
        }

        impl ProfilePatch {
            /// Only what differs from `profile`.
            #[must_use]
            pub fn against(mut self, profile: &Profile) -> Self {
                self.name = self.name.filter(|new| *new != profile.name);
                self.lead_source = self.lead_source.filter(|new| Some(*new) != profile.lead_source);
                $(self.$field = self.$field.filter(|new| *new != profile.$field);)+
                self
            }

            /// Whether nothing would change.
            pub fn is_empty(&self) -> bool {
                *self == Self::default()
            }
        }

        impl Profile {
            /// Folds a change in.
            pub fn apply(&mut self, patch: &ProfilePatch) {
                if let Some(name) = &patch.name { self.name.clone_from(name); }
                if let Some(source) = patch.lead_source { self.lead_source = Some(source); }
                $(if let Some(value) = &patch.$field { self.$field.clone_from(value); })+
            }
        }
    };
}

/// Tells a `null` (clear) from an absent member (leave).
#[expect(clippy::option_option, reason = "absent, null and a value are three different things")]
fn present<'de, T, D>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    Option::<T>::deserialize(deserializer).map(Some)
}

profile! {
    /// Phone 电话, unique when present.
    phone: Phone,
    /// WeChat id 微信号, unique when present.
    wechat_id: WechatId,
    /// Identity card 身份证号.
    id_card_number: String,
    /// What is asked for 需求品类.
    service_category: ServiceCategory,
    /// Budget in yuan a month 薪资预算, 0…50000.
    salary_budget: i64,
    /// Wanted start 期望上户日期.
    expected_start_date: DateTime<Utc>,
    /// Expected birth 预产期.
    expected_delivery_date: DateTime<Utc>,
    /// Home in square metres 家庭面积, 0…1000.
    home_area: i64,
    /// People in the family 家庭人口, 0…20.
    family_size: i64,
    /// Days off 休息制度.
    rest_schedule: RestSchedule,
    /// Address 地址.
    address: String,
    /// District 区域.
    area: String,
    /// Age asked for 年龄要求.
    age_requirement: String,
    /// Gender asked for 性别要求.
    gender_requirement: String,
    /// Origin asked for 籍贯要求.
    origin_requirement: String,
    /// Education asked for 学历要求.
    education_requirement: Education,
    /// Days of service 服务天数, 0…3650.
    service_days: i64,
    /// Remarks 备注.
    remarks: String,
    /// Amount of the deal in yuan 成交金额, 0…10 000 000.
    deal_amount: f64,
    /// Kind of order 需求订单类型 (legacy, free text).
    need_order_type: String,
    /// Working hours 工作时间 (free text).
    need_working_hours: String,
    /// Salary 薪资 (legacy, free text).
    need_salary: String,
    /// Rest time 休息时间 (legacy, free text).
    need_rest_time: String,
    /// Family members 家庭成员 (legacy, free text).
    need_family_members: String,
    /// Service address 服务地址 (legacy, free text).
    need_service_address: String,
    /// House area 房屋面积 (legacy, free text).
    need_house_area: String,
    /// Work content 工作内容 (free text).
    need_work_content: String,
    /// Remarks on the need 需求备注 (free text).
    need_remarks: String,
    /// Period of service 服务周期 (free text).
    need_service_period: String,
    /// Onboarding time 上户时间 (legacy, free text).
    need_onboarding_time: String,
}
