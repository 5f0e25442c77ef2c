//! What is made in somebody else's database, and that nothing of it stays.

use application::intake::{Engine, Mapping, Mode, Source, SourceError, Unfinished, Verdict, parse};
use infrastructure::intake::{mysql, postgres, sqlite};
use rstest::rstest;
use sqlx::{Executor as _, MySqlPool, PgPool, SqlSafeStr as _, SqlitePool};

use super::world::{World, drain, member, remove};

const ORDERS: &str = "table = 'orders'\nkey = 'id'\n[columns]\nname = 'nickname'";

#[rstest]
#[tokio::test]
async fn installing_twice_is_harmless_and_uninstalling_leaves_the_schema_as_it_was(
    #[values(Engine::Mysql, Engine::Postgres, Engine::Sqlite)] engine: Engine,
) {
    let world = World::fresh(engine).await;
    world.run(&member(1, "ACTIVE")).await;
    let before = world.dump().await;
    let source = world.source();
    let planned = source.plan_install().await.unwrap();
    assert_eq!(world.dump().await, before, "a plan changes nothing");
    assert_eq!(source.install().await.unwrap(), planned);
    let installed = world.dump().await;
    assert_ne!(installed, before);
    assert!(source.install().await.unwrap().is_empty());
    assert_eq!(world.dump().await, installed);
    world.run(&member(2, "ACTIVE")).await;
    assert_eq!(drain(&*source).await.len(), 1);
    let planned = source.plan_uninstall().await.unwrap();
    assert_eq!(source.uninstall(Unfinished::Keep).await.unwrap(), planned);
    let mut after = world.dump().await;
    if engine == Engine::Mysql {
        // The member's own row took a number.
        after = after.into_iter().map(|text| text.replace("AUTO_INCREMENT=3", "AUTO_INCREMENT=2")).collect();
    }
    assert_eq!(after, before);
    assert!(remove(&*source).await.is_empty(), "nothing is left to remove");
    world.run(&member(3, "ACTIVE")).await;
}

/// The members' table and another one, both captured, with a row each.
async fn beside_another_table(engine: Engine) -> (World, Box<dyn Source>, Box<dyn Source>) {
    let world = World::fresh(engine).await;
    world.run("CREATE TABLE orders (id INT PRIMARY KEY, name VARCHAR(20))").await;
    let members = world.installed().await;
    let orders = world.source_of(parse("orders.toml", ORDERS).unwrap());
    orders.install().await.unwrap();
    world.run("INSERT INTO orders VALUES (7, 'one')").await;
    world.run(&member(1, "ACTIVE")).await;
    (world, members, orders)
}

/// As the database itself writes it down, to the byte: `mariadb-dump`, `pg_dump`, the file of SQLite.
#[rstest]
#[tokio::test]
async fn a_dump_from_after_the_uninstall_is_the_one_from_before(
    #[values(Engine::Mysql, Engine::Postgres, Engine::Sqlite)] engine: Engine,
) {
    let world = World::fresh(engine).await;
    world.run(&member(1, "ACTIVE")).await;
    let holds = |dump: &[u8], text: &str| String::from_utf8_lossy(dump).contains(text);
    let before = world.dump_of_its_own().await;
    assert!(holds(&before, "members") && !holds(&before, "leadwire_capture"));
    let source = world.source();
    source.install().await.unwrap();
    let installed = world.dump_of_its_own().await;
    assert!(holds(&installed, "leadwire_capture") && holds(&installed, "TRIGGER"));
    source.install().await.unwrap();
    assert!(world.dump_of_its_own().await == installed, "the second install changed something");
    source.uninstall(Unfinished::Keep).await.unwrap();
    let after = world.dump_of_its_own().await;
    assert!(after == before, "left over:\n{}", String::from_utf8_lossy(&after));
}

/// A transaction that was open when nobody waited yet commits while the triggers go.
#[rstest]
#[case::mysql(
    Engine::Mysql,
    "SELECT INFO FROM information_schema.PROCESSLIST WHERE DB = DATABASE() AND STATE = 'Waiting for table metadata lock'"
)]
#[case::postgres(
    Engine::Postgres,
    "SELECT query FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)]
#[tokio::test]
async fn a_row_that_comes_while_triggers_go_is_not_thrown_away(
    #[case] engine: Engine,
    #[case] waiting: &str,
) {
    let world = World::fresh(engine).await;
    let source = world.installed().await;
    let mut writer = world.session().await;
    writer.run("BEGIN").await.unwrap();
    writer.run(&member(1, "ACTIVE")).await.unwrap();
    let removing = world.source();
    let removed = tokio::spawn(async move { removing.uninstall(Unfinished::Keep).await });
    let mut watcher = world.session().await;
    while watcher.texts(waiting).await.is_empty() {
        assert!(!removed.is_finished(), "it did not wait");
    }
    writer.run("COMMIT").await.unwrap();
    assert_eq!(removed.await.unwrap(), Err(SourceError::Unfinished(1)));
    assert_eq!(drain(&*source).await.len(), 1);
    source.uninstall(Unfinished::Keep).await.unwrap();
    assert_eq!(source.status().await, Err(SourceError::NotInstalled));
}

#[rstest]
#[tokio::test]
async fn what_is_discarded_beside_another_table_is_gone_and_the_others_rows_stay(
    #[values(Engine::Mysql, Engine::Postgres, Engine::Sqlite)] engine: Engine,
) {
    let (world, members, _) = beside_another_table(engine).await;
    remove(&*members).await;
    assert_eq!(world.session().await.count("leadwire_capture").await, 1);
    members.install().await.unwrap();
    assert!(drain(&*members).await.is_empty(), "nothing comes back from before");
    // Whose table is gone altogether still has rows that nobody finished.
    remove(&*members).await;
    world.run("DROP TABLE orders").await;
    members.install().await.unwrap();
    assert_eq!(members.uninstall(Unfinished::Keep).await, Err(SourceError::Unfinished(1)));
}

/// Whoever installed need not own the table to take it back.
#[tokio::test]
async fn on_postgres_who_installed_can_uninstall() {
    let world = World::fresh(Engine::Postgres).await;
    let (account, url) =
        world.user('i', &["CREATE, USAGE ON SCHEMA public", "TRIGGER, SELECT ON members"]).await;
    let before = world.dump().await;
    let source = infrastructure::intake::open(&url, Mapping::system_s()).unwrap();
    source.install().await.unwrap();
    world.run(&member(1, "ACTIVE")).await;
    assert_eq!(drain(&*source).await.len(), 1);
    source.uninstall(Unfinished::Keep).await.unwrap();
    assert_eq!(world.dump().await, before);
    drop(source);
    world.drop_user(&account).await;
}

/// Dropping our function must not drop what somebody hung on it.
#[tokio::test]
async fn on_postgres_a_function_that_somebody_uses_is_left_alone() {
    let world = World::fresh(Engine::Postgres).await;
    let source = world.installed().await;
    let function = "SELECT proname FROM pg_proc WHERE proname LIKE 'leadwire%insert'";
    let function = world.session().await.texts(function).await.remove(0);
    world.run("CREATE TABLE theirs (id INT PRIMARY KEY)").await;
    world
        .run(&format!(
            "CREATE TRIGGER theirs AFTER INSERT ON theirs FOR EACH ROW EXECUTE FUNCTION {function}()"
        ))
        .await;
    let before = world.dump().await;
    let refused = source.uninstall(Unfinished::Discard).await.unwrap_err();
    assert!(matches!(refused, SourceError::Foreign(_)), "{refused}");
    assert_eq!(world.dump().await, before);
}

/// Without TRIGGER nobody sees a trigger of MySQL: that is said, instead of that there is none.
#[tokio::test]
async fn on_mariadb_triggers_that_one_may_not_see_are_not_missing() {
    let world = World::fresh(Engine::Mysql).await;
    world.installed().await;
    let (account, url) =
        world.user('w', &["SELECT ON members", "SELECT, UPDATE, DELETE ON leadwire_capture"]).await;
    let worker = infrastructure::intake::open(&url, Mapping::system_s()).unwrap();
    for refused in [worker.plan_install().await, worker.uninstall(Unfinished::Discard).await] {
        let refused = refused.unwrap_err();
        assert!(matches!(refused, SourceError::Denied(_)), "{refused}");
        assert!(refused.to_string().contains("without the privilege TRIGGER"), "{refused}");
    }
    let report = worker.check(Mode::Triggers).await.unwrap();
    assert_eq!(report.about("triggers"), Some(Verdict::Warning), "{report:?}");
    assert_eq!(report.verdict(), Verdict::Warning, "{report:?}");
    world.run(&member(1, "ACTIVE")).await;
    assert_eq!(drain(&*worker).await.len(), 1, "it can work");
    drop(worker);
    world.drop_user(&account).await;
}

#[rstest]
#[tokio::test]
async fn what_nobody_finished_is_not_thrown_away_unasked(
    #[values(Engine::Mysql, Engine::Postgres, Engine::Sqlite)] engine: Engine,
) {
    let world = World::fresh(engine).await;
    let source = world.installed().await;
    world.run(&member(1, "ACTIVE")).await;
    assert_eq!(source.uninstall(Unfinished::Keep).await, Err(SourceError::Unfinished(1)));
    assert_eq!(drain(&*source).await.len(), 1, "the triggers and the row are still there");
    source.uninstall(Unfinished::Keep).await.unwrap();
    assert_eq!(source.status().await, Err(SourceError::NotInstalled));
}

#[rstest]
#[tokio::test]
async fn the_capture_table_stays_while_another_table_uses_it(
    #[values(Engine::Mysql, Engine::Postgres, Engine::Sqlite)] engine: Engine,
) {
    let (world, members, orders) = beside_another_table(engine).await;
    assert_eq!(drain(&*members).await.len(), 1, "each source sees its own table");
    members.uninstall(Unfinished::Keep).await.unwrap();
    world.run(&member(2, "ACTIVE")).await;
    // Without a column of deletion a removal is captured.
    world.run("DELETE FROM orders WHERE id = 7").await;
    let operations: Vec<&str> = drain(&*orders).await.iter().map(|row| row.operation.as_str()).collect();
    assert_eq!(operations, ["I", "D"]);
    orders.uninstall(Unfinished::Keep).await.unwrap();
    assert_eq!(orders.status().await, Err(SourceError::NotInstalled));
}

#[rstest]
#[tokio::test]
async fn a_new_column_is_watched_after_the_next_install(
    #[values(Engine::Mysql, Engine::Postgres, Engine::Sqlite)] engine: Engine,
) {
    let world = World::empty(engine).await;
    world.run("CREATE TABLE members (id INT PRIMARY KEY, status VARCHAR(20), phone VARCHAR(20))").await;
    let source = world.installed().await;
    world.run("INSERT INTO members VALUES (1, 'ACTIVE', '13800000000')").await;
    // An older copy of the table has no column of deletion, so its removals are captured; now it gets one.
    world.run("ALTER TABLE members ADD COLUMN nickname VARCHAR(20)").await;
    world.run("ALTER TABLE members ADD COLUMN deleted INT DEFAULT 0").await;
    world.run("UPDATE members SET nickname = 'before'").await;
    assert!(!source.install().await.unwrap().is_empty());
    assert!(source.install().await.unwrap().is_empty());
    world.run("UPDATE members SET nickname = 'after'").await;
    world.run("DELETE FROM members").await;
    let rows = drain(&*source).await;
    assert_eq!(rows.len(), 2, "the insert, and the update that is watched");
    assert_eq!(rows[1].changed, ["nickname"]);
}

#[rstest]
#[tokio::test]
async fn what_only_looks_like_ours_is_left_alone(
    #[values(Engine::Mysql, Engine::Postgres, Engine::Sqlite)] engine: Engine,
) {
    let world = World::fresh(engine).await;
    world.run("CREATE TABLE leadwire_capture (id INT, theirs INT)").await;
    let before = world.dump().await;
    let refused = world.source().install().await.unwrap_err();
    assert!(matches!(refused, SourceError::Foreign(_)), "{refused}");
    let refused = world.source().uninstall(Unfinished::Discard).await.unwrap_err();
    assert!(matches!(refused, SourceError::Foreign(_)), "{refused}");
    assert_eq!(world.dump().await, before);
}

#[rstest]
#[case::none("", "there is no such table")]
#[case::view(
    "CREATE VIEW members AS SELECT 1 AS id, 'ACTIVE' AS status, '1' AS phone",
    "views cannot be captured"
)]
#[case::no_key("CREATE TABLE members (no INT PRIMARY KEY, status VARCHAR(20))", "has no column `id`")]
#[case::no_status("CREATE TABLE members (id INT PRIMARY KEY, phone VARCHAR(20))", "has no column `status`")]
#[case::composite(
    "CREATE TABLE members (id INT, part INT, status VARCHAR(20), PRIMARY KEY (id, part))",
    "the key column `id` is not unique by itself"
)]
#[case::real(
    "CREATE TABLE members (id FLOAT PRIMARY KEY, status VARCHAR(20))",
    "a key is an integer, a text or a UUID"
)]
#[tokio::test]
async fn a_table_that_cannot_be_captured_is_refused_with_the_reason(
    #[values(Engine::Mysql, Engine::Postgres, Engine::Sqlite)] engine: Engine,
    #[case] table: &str,
    #[case] reason: &str,
) {
    let world = World::empty(engine).await;
    if !table.is_empty() {
        world.run(table).await;
    }
    let refused = world.source().install().await.unwrap_err();
    assert!(matches!(refused, SourceError::Unsuitable { .. }), "{refused}");
    assert!(refused.to_string().starts_with("table `members`: "), "{refused}");
    assert!(refused.to_string().contains(reason), "{refused}");
}

#[tokio::test]
async fn a_key_that_the_capture_table_cannot_hold_is_refused() {
    let world = World::empty(Engine::Mysql).await;
    world.run("CREATE TABLE members (id VARCHAR(300) PRIMARY KEY, status VARCHAR(20))").await;
    let refused = world.source().install().await.unwrap_err().to_string();
    assert!(refused.contains("longer than 255 characters"), "{refused}");
}

#[test]
fn an_address_is_refused_without_its_password() {
    let check = |url: &str, expected: &str| {
        let refused = infrastructure::intake::open(url, Mapping::system_s()).err().unwrap().to_string();
        assert!(refused.contains(expected) && !refused.contains("secret"), "{refused}");
    };
    check("oracle://me:secret@host/db", "begins with mysql://, postgres:// or sqlite:");
    check("mysql://me:secret@host", "names a database");
    check("mysql://me:secret@host:port/db", "cannot be read");
    check("sqlite::memory:", "is a file");
    let mapping = Mapping { schema: Some("crm".to_owned()), ..Mapping::system_s() };
    let refused = infrastructure::intake::open("sqlite:a.db", mapping).err().unwrap().to_string();
    assert!(refused.contains("only a PostgreSQL source has a `schema`"), "{refused}");
}

#[tokio::test]
async fn every_statement_prepares_on_mariadb() {
    let world = World::fresh(Engine::Mysql).await;
    world.installed().await;
    let pool = MySqlPool::connect(&world.url).await.unwrap();
    for statement in mysql::sql::statements() {
        let prepared = pool.prepare(statement.into_sql_str()).await;
        assert!(prepared.is_ok(), "{statement}\n{:?}", prepared.err());
    }
    pool.close().await;
}

#[tokio::test]
async fn every_statement_prepares_on_postgres() {
    let world = World::fresh(Engine::Postgres).await;
    world.installed().await;
    let pool = PgPool::connect(&world.url).await.unwrap();
    for statement in postgres::sql::statements() {
        let prepared = pool.prepare(statement.into_sql_str()).await;
        assert!(prepared.is_ok(), "{statement}\n{:?}", prepared.err());
    }
    pool.close().await;
}

#[tokio::test]
async fn every_statement_prepares_on_sqlite() {
    let world = World::fresh(Engine::Sqlite).await;
    world.installed().await;
    let pool = SqlitePool::connect(&world.url).await.unwrap();
    for statement in sqlite::sql::statements() {
        let prepared = pool.prepare(statement.into_sql_str()).await;
        assert!(prepared.is_ok(), "{statement}\n{:?}", prepared.err());
    }
    pool.close().await;
}
