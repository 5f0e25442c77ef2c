//! Every statement of this crate prepares on the database it is meant for.

use application::access::RowScope;
use domain::StaffId;
use domain::customer::{ContractStatus, FollowUpStatus, LeadLevel, LeadSource, ServiceCategory};
use domain::notification::{Channel, DeliveryState};
use rstest::rstest;
use sqlx::{AssertSqlSafe, Executor, SqlSafeStr};

use super::kit::{Backend, World, dawn, staff};
use crate::queries::customers::{CustomerFilter, LeadStatus, SortBy, SortOrder};
use crate::queries::deliveries::{DeliveryCursor, DeliveryFilter};
use crate::queries::inbox::{NoticeFilter, NoticeStatus};
use crate::queries::{PageRequest, assignments, customers, deliveries, inbox};
use crate::read_models::ReadModel;
use crate::table::{Dialect, Target};
use crate::{consumer, policy_runner, queries, rebuild, schema};

fn fixed(dialect: Dialect) -> Vec<&'static str> {
    let own = match dialect {
        Dialect::Postgres => [queries::staff::STATEMENTS_POSTGRES, inbox::STATEMENTS_POSTGRES],
        Dialect::Sqlite => [queries::staff::STATEMENTS_SQLITE, inbox::STATEMENTS_SQLITE],
    };
    let common = [
        consumer::STATEMENTS,
        schema::STATEMENTS,
        rebuild::STATEMENTS,
        customers::STATEMENTS,
        assignments::STATEMENTS,
        queries::staff::STATEMENTS,
        inbox::STATEMENTS,
        deliveries::STATEMENTS,
    ];
    let policy = match dialect {
        Dialect::Postgres => policy_runner::postgres_statements(),
        Dialect::Sqlite => policy_runner::sqlite_statements(),
    };
    [common.concat(), own.concat(), policy].concat()
}

fn everything_asked() -> CustomerFilter {
    CustomerFilter {
        search: Some("张%_".to_owned()),
        name: Some("三".to_owned()),
        phone: Some("138".to_owned()),
        lead_source: Some(LeadSource::Douyin),
        service_category: Some(ServiceCategory::Cleaning),
        contract_status: Some(ContractStatus::Lost),
        lead_level: Some(LeadLevel::B),
        assigned_to: Some(staff(1)),
        lead_status: Some(LeadStatus::Transferred),
        follow_up_status: Some(FollowUpStatus::FollowedUp),
        caregiver: Some("王".to_owned()),
        created_from: Some(dawn()),
        created_to: Some(dawn()),
        assigned_from: Some(dawn()),
        assigned_to_time: Some(dawn()),
        sort_by: Some(SortBy::Phone),
        sort_order: Some(SortOrder::Ascending),
    }
}

fn assembled(dialect: Dialect) -> Vec<String> {
    let page = PageRequest::new(2, 10, 200);
    let me: StaffId = staff(1);
    let mut statements = crate::read_models::inbox::statements(dialect, Target::Live);
    for model in ReadModel::ALL {
        for table in model.tables() {
            statements.push(table.upsert(dialect, Target::Live));
            statements.push(table.dump(Target::Live));
        }
    }
    for scope in [RowScope::All, RowScope::OwnedBy(me), RowScope::OwnedOrCreatedBy(me)] {
        for filter in [CustomerFilter::default(), everything_asked()] {
            statements.extend(customers::statements(dialect, &filter, scope, page).map(|built| built.sql));
        }
    }
    let notices = NoticeFilter {
        scene: Some("X".to_owned()),
        status: Some(NoticeStatus::Sent),
        from: Some(dawn()),
        to: Some(dawn()),
    };
    statements.extend(inbox::statements(dialect, me, &notices, page).map(|built| built.sql));
    let cursor: DeliveryCursor = "NzowMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMQ".parse().unwrap();
    let sent = DeliveryFilter {
        state: Some(DeliveryState::Dead),
        channel: Some(Channel::InApp),
        scene: Some("X".to_owned()),
        recipient: Some(me),
        from: Some(dawn()),
        to: Some(dawn()),
        cursor: Some(cursor),
    };
    statements.push(deliveries::statement(dialect, &sent, 50).sql);
    statements
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn every_statement_prepares(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let dialect = Dialect::of(&world.db);
    let mut statements: Vec<String> = fixed(dialect).into_iter().map(str::to_owned).collect();
    statements.extend(assembled(dialect));
    assert!(statements.len() > 50, "{}", statements.len());
    for statement in statements {
        infrastructure::with_pool!(&world.db, pool => {
            let prepared = pool.prepare(AssertSqlSafe(statement.clone()).into_sql_str()).await;
            assert!(prepared.is_ok(), "{statement}: {:?}", prepared.err());
        });
    }
}
