//! Bodies, parameters and headers of members. Columns are called as system S calls them (existing-systems.md section 7.1).

use chrono::{DateTime, Utc};
use utoipa::{IntoParams, ToSchema};

macro_rules! member_columns {
    ($(#[$meta:meta])* $name:ident {
        $($(#[$field_meta:meta])* $field:ident: $type:ty,)*
    }) => {
        $(#[$meta])*
        #[derive(ToSchema)]
        pub struct $name {
            $($(#[$field_meta])* pub $field: $type,)*
            /// Nickname 昵称.
            pub nickname: Option<String>,
            /// WeChat id 微信号, of one member only.
            pub wechat: Option<String>,
            /// Phone 手机号, of one member only; masked for readers who may not see it.
            pub phone: Option<String>,
            /// `male` or `female` 性别.
            pub gender: Option<String>,
            /// Year of birth 出生年份.
            pub birth_year: Option<i64>,
            /// Centimetres 身高.
            pub height: Option<i64>,
            /// Weight 体重.
            pub weight: Option<i64>,
            /// `PRIMARY_SCHOOL`, `MIDDLE_SCHOOL`, `HIGH_SCHOOL`, `JUNIOR_COLLEGE`, `BACHELOR`, `MASTER` or `PHD` 学历.
            pub education: Option<String>,
            /// Occupation 职业.
            pub occupation: Option<String>,
            /// Province 省份.
            pub province: Option<String>,
            /// City 城市.
            pub city: Option<String>,
            /// District 区县.
            pub district: Option<String>,
            /// Where a partner is looked for 目标区域.
            pub target_area: Option<String>,
            /// Province of registration 户口所在省.
            pub hukou_province: Option<String>,
            /// City of registration 户口所在市.
            pub hukou_city: Option<String>,
            /// `NEITHER`, `HOUSE_ONLY`, `CAR_ONLY` or `BOTH` 房车情况.
            pub house_car: Option<String>,
            /// `BOTH`, `SEPARATE`, `NEGOTIATE` or `NONE` 孩子需求.
            pub children_plan: Option<String>,
            /// `WANT`, `DONT_WANT` or `NEGOTIATE` 领证需求.
            pub marriage_cert: Option<String>,
            /// `YES` or `NO` 婚史.
            pub marriage_history: Option<String>,
            /// `STRAIGHT_MALE`, `STRAIGHT_FEMALE`, `LES`, `GAY` or `ASEXUAL` 性取向; for administrators and managers.
            pub sexual_orientation: Option<String>,
            /// What the member says of itself 个人说明.
            #[schema(max_length = 5000)]
            pub self_description: Option<String>,
            /// What the member looks for 择偶要求.
            #[schema(max_length = 5000)]
            pub partner_requirement: Option<String>,
            /// Address of a QR code 微信二维码.
            #[schema(max_length = 5000)]
            pub wechat_qrcode: Option<String>,
        }
    };
}

member_columns! {
    /// The columns of a member.
    MemberColumns {
        /// Number 会员编号, typed by people, of one member only.
        #[schema(max_length = 64)]
        member_no: Option<String>,
        /// `NORMAL`, `ONE_TIME`, `ANNUAL` or `VIP` 会员类型; fixed once it is there, see upgrade.
        r#type: Option<String>,
        /// `PENDING`, `ACTIVE`, `INACTIVE`, `REVOKED` or `SUCCESS` 会员状态; fixed once it is there, see activate and
        /// revoke.
        status: Option<String>,
        /// Whether the member has found somebody 是否成功.
        is_success: Option<bool>,
        /// Matches that are left 剩余匹配次数.
        remaining_matches: Option<i64>,
        /// Notes of the staff 备注.
        #[schema(max_length = 5000)]
        notes: Option<String>,
        /// Real name 真实姓名; for administrators and managers.
        real_name: Option<String>,
        /// Identity card 身份证号; for administrators and managers.
        id_card: Option<String>,
        /// Id of an account of system S 用户ID.
        user_id: Option<String>,
    }
}

member_columns! {
    /// What people say of themselves. `wechat` and `phone` are required.
    MyselfColumns {}
}

/// What was paid for.
#[derive(ToSchema)]
pub struct UpgradeMemberBody {
    /// `ONE_TIME`, `ANNUAL` or `VIP` 新类型; the type it has, with a later `expires_at`, is a renewal.
    pub r#type: String,
    /// Matches from now on 匹配次数; when missing, one for `ONE_TIME` and five more for `ANNUAL`.
    #[schema(minimum = 0, maximum = 10000)]
    pub remaining_matches: Option<i64>,
    /// When it was paid 支付时间.
    pub paid_at: Option<DateTime<Utc>>,
    /// Until when it holds 到期时间.
    pub expires_at: Option<DateTime<Utc>>,
    /// What is written with it 备注.
    #[schema(max_length = 2000)]
    pub notes: Option<String>,
}

/// Why a membership is taken back.
#[derive(ToSchema)]
pub struct RevokeMemberBody {
    /// Why 撤销原因.
    #[schema(max_length = 200)]
    pub reason: Option<String>,
}

/// Rows of members.
#[derive(ToSchema)]
pub struct MemberMessageBody {
    /// The program that sends them, as statistics call it; `webhook` when missing. Its rows are its own.
    #[schema(max_length = 64)]
    pub source: Option<String>,
    /// The rows.
    #[schema(min_items = 1, max_items = 500)]
    pub members: Vec<MemberMessageRow>,
}

/// A row. A column that is missing stays as it was, `null` clears. Codes of no table are kept as they stand, except in
/// `status`; whoever comes without a status takes part.
#[derive(ToSchema)]
pub struct MemberMessageRow {
    /// The row's key in its source: the same key is the same member. A text or a whole number.
    #[schema(max_length = 64)]
    pub id: String,
    /// Whether the source has it no longer.
    pub deleted: Option<bool>,
    /// When the person registered; without an offset it is a time in China.
    pub created_at: Option<String>,
    /// Its columns.
    #[serde(flatten)]
    pub columns: MemberColumns,
}

/// The headers of a signed message.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub struct MessageSignature {
    /// When it was sent, in seconds since 1970; at most 5 minutes from now.
    #[param(rename = "X-Leadwire-Timestamp")]
    pub timestamp: String,
    /// `sha256=` and HMAC-SHA256 of timestamp, full stop and body, in hexadecimal digits. Good once.
    #[param(rename = "X-Leadwire-Signature")]
    pub signature: String,
}

/// Parameters of the member list.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct MemberListQuery {
    /// Literal part of number or nickname, whatever the case; of phone and WeChat id too for readers who see them.
    pub search: Option<String>,
    /// The status.
    pub status: Option<String>,
    /// The type.
    #[param(rename = "type")]
    pub kind: Option<String>,
    /// The gender.
    pub gender: Option<String>,
    /// The education.
    pub education: Option<String>,
    /// The province.
    pub province: Option<String>,
    /// The city.
    pub city: Option<String>,
    /// By which way it came: `staff`, `public`, or the name of the source.
    pub source: Option<String>,
    /// Registered on this day (in `limits.zone`) or at this instant, or later.
    pub from: Option<String>,
    /// Registered on this day (in `limits.zone`) or at this instant, or earlier.
    pub to: Option<String>,
    /// From 1.
    #[param(minimum = 1)]
    pub page: Option<u32>,
    /// Rows of a page.
    #[param(minimum = 1, maximum = 100, default = 20)]
    pub limit: Option<u32>,
}
