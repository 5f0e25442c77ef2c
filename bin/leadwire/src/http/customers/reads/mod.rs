//! What can be asked about customers besides the list and one of them: one file a group of questions.
//!
//! Rows and fields follow [`application::access`] everywhere; what the caller may not see is not there (404).

pub mod baobei;
pub mod baobei_machine;
pub mod follow_ups;
pub mod history;
pub mod lookup;
pub mod mini_program;
pub mod operations;
pub mod pool;
pub mod pool_logs;
pub mod statistics;
mod story;
pub mod work;

use application::access::{self, Action, Caller};
use domain::{Actor, CustomerId, Position, StaffId};
use projections::ReadModel;
use projections::queries::customers::CustomerRow;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::detail::visible;
use crate::app::{App, SharedApp};
use crate::http::people::{People, Person};
use crate::http::problem::{self, Problem};
use crate::http::reading::{MinPosition, fresh};

/// The routes.
pub(super) fn routes() -> OpenApiRouter<SharedApp> {
    OpenApiRouter::new()
        .routes(routes!(statistics::statistics))
        .routes(routes!(statistics::my_customer_count))
        .routes(routes!(lookup::search))
        .routes(routes!(lookup::by_number))
        .routes(routes!(lookup::address_by_phone))
        .routes(routes!(pool::pool))
        .routes(routes!(pool::pool_statistics))
        .routes(routes!(pool_logs::pool_logs))
        .routes(routes!(pool_logs::logs_of_customer))
        .routes(routes!(follow_ups::follow_ups))
        .routes(routes!(follow_ups::follow_ups_in_mini_program))
        .routes(routes!(follow_ups::follow_up_status))
        .routes(routes!(operations::operation_logs))
        .routes(routes!(history::history))
        .routes(routes!(mini_program::list))
        .routes(routes!(mini_program::detail))
        .routes(routes!(mini_program::employees))
        .routes(routes!(statistics::statistics_in_mini_program))
        .routes(routes!(work::today))
        .routes(routes!(work::performance))
        .routes(routes!(work::contracts))
        .routes(routes!(baobei::list))
        .routes(routes!(baobei_machine::list))
        .routes(routes!(baobei_machine::detail))
}

/// Refuses what the caller's role may not do.
pub(super) fn permitted(caller: &Caller, action: Action) -> Result<(), Problem> {
    if access::allows(caller.role, action) { Ok(()) } else { Err(Problem::of(&problem::FORBIDDEN)) }
}

/// A customer that the caller may see, when the customers and another read model are as fresh as they should be; and
/// the position that is read when one of them is not.
pub(super) async fn fresh_row(
    app: &App,
    caller: &Caller,
    id: CustomerId,
    beside: ReadModel,
    min: MinPosition,
) -> Result<(CustomerRow, Option<Position>), Problem> {
    let stale = fresh_both(app, caller, beside, min).await;
    Ok((visible(app, caller, id).await?, stale))
}

/// Waits for the customers and another read model; `Some` is the position that is read when one of them is behind.
pub(super) async fn fresh_both(
    app: &App,
    caller: &Caller,
    beside: ReadModel,
    min: MinPosition,
) -> Option<Position> {
    let (of_rows, of_others) =
        tokio::join!(fresh(app, caller, ReadModel::CustomerList, min), fresh(app, caller, beside, min));
    [of_rows, of_others].into_iter().flatten().min()
}

/// Who acted, as answers show it: a person, or a part of the system under the id of nobody.
fn acted(people: &People, staff: Option<StaffId>, system: Option<&str>) -> Option<Person> {
    let of_system = |part: &str| Person {
        id: StaffId(Uuid::nil()),
        name: super::document::actor(&Actor::System(part.to_owned())),
        username: "system".to_owned(),
    };
    people.person(staff).or_else(|| system.map(of_system))
}
