//! Every statement of this crate prepares on the database it is meant for.

use domain::notification::{Channel, DeliveryState, FailureClass};
use domain::{StaffId, TransferRuleId, TransferRunId};
use rstest::rstest;
use sqlx::{AssertSqlSafe, Executor, SqlSafeStr};

use super::kit::{Backend, World, customer, dawn, staff};
use crate::queries::deliveries::{DeliveryCursor, DeliveryFilter};
use crate::queries::inbox::{NoticeFilter, NoticeStatus};
use crate::queries::members::MemberFilter;
use crate::queries::transfers::{RecordFilter, RecordStatus};
use crate::queries::{
    PageRequest, assignments, customers, deliveries, follow_ups, imports, inbox, pool, recycling, transfers,
};
use crate::read_models::ReadModel;
use crate::table::{Dialect, Target};
use crate::{consumer, policy_runner, queries, rebuild, schema};

fn fixed(dialect: Dialect) -> Vec<&'static str> {
    let own = match dialect {
        Dialect::Postgres => [
            queries::staff::STATEMENTS_POSTGRES,
            inbox::STATEMENTS_POSTGRES,
            schema::STATEMENTS_POSTGRES,
            queries::statistics::STATEMENTS_POSTGRES,
            transfers::STATEMENTS_POSTGRES,
        ],
        Dialect::Sqlite => [
            queries::staff::STATEMENTS_SQLITE,
            inbox::STATEMENTS_SQLITE,
            schema::STATEMENTS_SQLITE,
            queries::statistics::STATEMENTS_SQLITE,
            transfers::STATEMENTS_SQLITE,
        ],
    };
    let common = [
        consumer::STATEMENTS,
        crate::callbacks::STATEMENTS,
        schema::STATEMENTS,
        rebuild::STATEMENTS,
        customers::STATEMENTS,
        assignments::STATEMENTS,
        queries::ROSTER_STATEMENTS,
        follow_ups::STATEMENTS,
        pool::STATEMENTS,
        recycling::STATEMENTS,
        recycling::RUN_STATEMENTS,
        queries::staff::STATEMENTS,
        inbox::STATEMENTS,
        deliveries::STATEMENTS,
        queries::statistics::STATEMENTS,
        imports::STATEMENTS,
        queries::members::STATEMENTS,
        queries::members::statistics::STATEMENTS,
    ];
    let policy = match dialect {
        Dialect::Postgres => policy_runner::postgres_statements(),
        Dialect::Sqlite => policy_runner::sqlite_statements(),
    };
    [common.concat(), own.concat(), policy, transfers::STATEMENTS.concat()].concat()
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
    statements.push(customers::among(dialect));
    let notices = NoticeFilter {
        scene: Some("X".to_owned()),
        status: Some(NoticeStatus::Sent),
        from: Some(dawn()),
        to: Some(dawn()),
        ..NoticeFilter::default()
    };
    for (archived, snoozed) in [(false, false), (true, false), (false, true), (true, true)] {
        let notices = NoticeFilter { archived, snoozed, ..notices.clone() };
        statements.extend(inbox::statements(dialect, me, &notices, page, dawn()).map(|built| built.sql));
    }
    let cursor: DeliveryCursor = "NzowMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMQ".parse().unwrap();
    let sent = DeliveryFilter {
        state: Some(DeliveryState::Dead),
        channel: Some(Channel::InApp),
        scene: Some("X".to_owned()),
        recipient: Some(me),
        class: Some(FailureClass::Busy),
        from: Some(dawn()),
        to: Some(dawn()),
        cursor: Some(cursor),
    };
    let moved = RecordFilter {
        rule: Some(TransferRuleId(me.0)),
        run: Some(TransferRunId(me.0)),
        customer: Some(customer(1)),
        from: Some(me),
        to: Some(me),
        status: Some(RecordStatus::Failed),
        since: Some(dawn()),
        until: Some(dawn()),
        reader: Some(me),
    };
    let wanted = || Some("X".to_owned());
    let members = MemberFilter {
        search: wanted(),
        by_contact: true,
        status: wanted(),
        kind: wanted(),
        gender: wanted(),
        education: wanted(),
        province: wanted(),
        city: wanted(),
        source: wanted(),
        from: Some(dawn()),
        to: Some(dawn()),
    };
    statements.extend(queries::members::page_statements(dialect, &members, page).map(|built| built.sql));
    statements.push(transfers::statement(dialect, &moved, page).sql);
    statements.push(transfers::count_statement(dialect, &moved).sql);
    statements.push(transfers::statistics_statement(dialect, &moved).sql);
    statements.push(deliveries::statement(dialect, &sent, 50).sql);
    statements.push(deliveries::count_statement(dialect, &sent).sql);
    statements.push(deliveries::retryable_statement(dialect, &sent, 50).sql);
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
