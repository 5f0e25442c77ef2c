//! 报备: what customers need, for the page that reports them.

use application::access::{Caller, FieldView, field_view, free_text, list_scope};
use axum::extract::{RawQuery, State};
use domain::CustomerId;
use domain::customer::{ContractStatus, Profile};
use projections::ReadModel;
use projections::queries::PageRequest;
use projections::queries::customers::{self, CustomerFilter, CustomerRow, PAGE_CUSTOMERS};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use crate::app::{App, SharedApp};
use crate::auth::Authenticated;
use crate::http::answer::Answer;
use crate::http::problem::Problem;
use crate::http::query::Parameters;
use crate::http::reading::{MIN_POSITION, MinPosition, fresh};
use crate::http::refusals::db_problem;
use crate::http::schemas::{self, Enveloped};
use crate::http::text::Text;

const LISTED: Text = Text::new("获取报备客户列表成功", "Here is what customers need");

/// Most rows of a page (existing-systems.md section 2.3).
const PAGE_BAOBEI_MAX: u32 = 100;

/// Parameters of the list.
#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "describes the query; `Parameters` reads it")]
pub struct BaobeiQuery {
    /// Literal part of name, phone or WeChat id, whatever the case; also shows lost customers.
    search: Option<String>,
    /// How far the contract is.
    contract_status: Option<String>,
    /// From 1.
    #[param(minimum = 1)]
    page: Option<u32>,
    /// Rows of a page.
    #[param(minimum = 1, maximum = 100, default = 10)]
    limit: Option<u32>,
}

macro_rules! needs {
    ($($(#[$doc:meta])* $field:ident),+ $(,)?) => {
        /// What a customer needs. Everything is `null` for readers who see only the base fields.
        #[derive(Debug, Default, Serialize, ToSchema)]
        #[serde(rename_all = "camelCase")]
        pub struct Needs { $($(#[$doc])* $field: Option<String>),+ }

        impl Needs {
            fn of(profile: Profile) -> Self {
                Self { $($field: profile.$field),+ }
            }
        }
    };
}

needs! {
    /// Kind of order 需求订单类型.
    need_order_type,
    /// Working hours 工作时间.
    need_working_hours,
    /// Salary 薪资.
    need_salary,
    /// Rest time 休息时间.
    need_rest_time,
    /// Family members 家庭成员.
    need_family_members,
    /// Service address 服务地址.
    need_service_address,
    /// House area 房屋面积.
    need_house_area,
    /// Work content 工作内容.
    need_work_content,
    /// Remarks on the need 需求备注.
    need_remarks,
    /// Period of service 服务周期.
    need_service_period,
    /// Onboarding time 上户时间.
    need_onboarding_time,
}

/// A customer and what it needs.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BaobeiRow {
    /// Id in every address.
    #[schema(value_type = uuid::Uuid)]
    id: CustomerId,
    /// Number people quote.
    customer_id: String,
    /// Name.
    name: String,
    /// Phone; masked for readers who may not see it.
    phone: Option<String>,
    /// How far the contract is.
    contract_status: Option<&'static str>,
    /// What it needs.
    needs: Needs,
}

/// One page of them.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BaobeiPage {
    /// The rows.
    customers: Vec<BaobeiRow>,
    /// Rows on all pages.
    total: i64,
    /// Number of this page, from 1.
    page: u32,
    /// Most rows of a page.
    limit: u32,
    /// Number of pages.
    total_pages: i64,
}

/// Lists what the customers need that the caller may see.
#[utoipa::path(
    get, path = "/api/customers/baobei/list", operation_id = "list_needs", tag = "customers",
    params(BaobeiQuery, schemas::ReadHeaders),
    responses((status = 200, description = "One page", body = Enveloped<BaobeiPage>), schemas::ReadProblems)
)]
pub async fn list(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    RawQuery(query): RawQuery,
    min: MinPosition,
) -> Result<Answer, Problem> {
    let mut parameters = Parameters::of(query.as_deref());
    let wanted = Wanted::take(&mut parameters);
    parameters.finish()?;
    wanted.answer(&app, &caller, min).await
}

/// Which customers are wanted.
pub(super) struct Wanted {
    filter: CustomerFilter,
    page: PageRequest,
}

impl Wanted {
    /// Takes what is said about them.
    pub(super) fn take(parameters: &mut Parameters) -> Self {
        parameters.text(MIN_POSITION);
        let (page, limit) = parameters.page("limit", PAGE_CUSTOMERS, PAGE_BAOBEI_MAX);
        let filter = CustomerFilter {
            search: parameters.text("search"),
            contract_status: parameters.code("contractStatus", ContractStatus::ALL),
            ..CustomerFilter::default()
        };
        Self { filter, page: PageRequest::new(page, limit, PAGE_BAOBEI_MAX) }
    }

    /// The page as the caller sees it.
    pub(super) async fn answer(
        self,
        app: &App,
        caller: &Caller,
        min: MinPosition,
    ) -> Result<Answer, Problem> {
        let stale = fresh(app, caller, ReadModel::CustomerList, min).await;
        let scope = list_scope(caller);
        let found = customers::list(app.projections.roster(), &self.filter, scope, self.page).await;
        let found = found.map_err(|error| db_problem(&error))?;
        let (total, page, limit, total_pages) = (found.total, found.page, found.limit, found.total_pages());
        let customers = found.items.into_iter().map(|row| BaobeiRow::of(caller, row)).collect();
        Ok(Answer::ok(LISTED, &BaobeiPage { customers, total, page, limit, total_pages })?.read_at(stale))
    }
}

impl BaobeiRow {
    /// The row as the caller sees it.
    pub(super) fn of(caller: &Caller, CustomerRow { id, customer, .. }: CustomerRow) -> Self {
        let view = field_view(caller, &customer);
        let full = view == FieldView::Full;
        let phone = customer.profile.phone.as_ref();
        Self {
            id,
            customer_id: customer.created.map(|created| created.number.to_string()).unwrap_or_default(),
            name: free_text(view, &customer.profile.name),
            phone: phone.map(|phone| if full { phone.as_str().to_owned() } else { phone.masked() }),
            contract_status: customer.contract_status.map(ContractStatus::as_str),
            needs: if full { Needs::of(customer.profile) } else { Needs::default() },
        }
    }
}
