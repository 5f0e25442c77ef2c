//! What stands in paths, queries and headers.

use utoipa::IntoParams;
use uuid::Uuid;

/// The customer that the path names.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub struct IdPath {
    /// `_id` of the customer.
    pub id: Uuid,
}

/// Headers of every command.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub struct CommandHeaders {
    /// Names the command: repeated with the same body it gives the first answer again. At most 128 visible
    /// ASCII characters.
    #[param(rename = "Idempotency-Key")]
    pub idempotency_key: Option<String>,
    /// Correlation id of everything that follows; generated when missing.
    #[param(rename = "X-Request-Id")]
    pub request_id: Option<String>,
}

/// Header of commands on one customer.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub struct VersionHeader {
    /// Version the caller saw, as in `ETag`: `"3"`. Another one is a 409.
    #[param(rename = "If-Match")]
    pub if_match: Option<String>,
}

/// Headers of every read.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub struct ReadHeaders {
    /// Position the answer must show at least (`minPosition` in the query means the same); waited for up to 2
    /// s. When that is not enough, `X-Read-Position` tells which position is shown.
    #[param(rename = "X-Min-Position")]
    pub min_position: Option<i64>,
}

/// Parameters of the customer list.
#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub struct CustomerListQuery {
    /// Literal part of name, phone or WeChat id, whatever the case; also shows lost customers.
    pub search: Option<String>,
    /// Literal part of the name.
    pub name: Option<String>,
    /// Literal part of the phone.
    pub phone: Option<String>,
    /// Where it came from.
    pub lead_source: Option<String>,
    /// What is asked for.
    pub service_category: Option<String>,
    /// How far the contract is.
    pub contract_status: Option<String>,
    /// How promising it is.
    pub lead_level: Option<String>,
    /// Who owns it.
    pub assigned_to: Option<Uuid>,
    /// 已流转 or 未流转.
    pub lead_status: Option<String>,
    /// 新客未跟进, 流转未跟进 or 已跟进.
    pub follow_up_status: Option<String>,
    /// Offered by system A's pages; no customer has a caregiver, so a text finds nothing.
    pub caregiver_name: Option<String>,
    /// The same.
    pub caregiver_phone: Option<String>,
    /// Created on this day (in `limits.zone`) or at this instant, or later.
    pub created_start_date: Option<String>,
    /// Created on this day (in `limits.zone`) or at this instant, or earlier.
    pub created_end_date: Option<String>,
    /// Assigned on this day (in `limits.zone`) or at this instant, or later.
    pub assigned_start_date: Option<String>,
    /// Assigned on this day (in `limits.zone`) or at this instant, or earlier.
    pub assigned_end_date: Option<String>,
    /// From 1.
    #[param(minimum = 1)]
    pub page: Option<u32>,
    /// Rows of a page.
    #[param(minimum = 1, maximum = 200, default = 10)]
    pub limit: Option<u32>,
    /// createdAt, updatedAt, name or phone.
    pub sort_by: Option<String>,
    /// asc or desc.
    pub sort_order: Option<String>,
    /// `nextCursor` of the page before, in the same order; `page` is then ignored.
    pub cursor: Option<String>,
}

/// Parameters of the notification list.
#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub struct NotificationListQuery {
    /// From 1.
    #[param(minimum = 1)]
    pub page: Option<u32>,
    /// Rows of a page.
    #[param(minimum = 1, maximum = 100, default = 20)]
    pub page_size: Option<u32>,
    /// Its type, e.g. `CUSTOMER_ASSIGNED`.
    #[param(rename = "type")]
    pub kind: Option<String>,
    /// SENT or READ.
    pub status: Option<String>,
    /// Created on this day (in `limits.zone`) or at this instant, or later.
    pub start_date: Option<String>,
    /// Created on this day (in `limits.zone`) or at this instant, or earlier.
    pub end_date: Option<String>,
    /// `true`: those put aside, instead of those that are not.
    pub archived: Option<bool>,
    /// `true`: those put off, instead of those that are not.
    pub snoozed: Option<bool>,
}
