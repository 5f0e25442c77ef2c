//! A member's own statement, while the capture table is missing or locked: what each engine guarantees, as `check` and the
//! documentation say it.

use application::intake::{Engine, Operation};
use rstest::rstest;

use super::world::{Session, World, claim, drain, member};

#[rstest]
#[tokio::test]
async fn without_a_capture_table_members_are_still_written(
    #[values(Engine::Mysql, Engine::Postgres)] engine: Engine,
) {
    let world = World::fresh(engine).await;
    let source = world.installed().await;
    world.run("DROP TABLE leadwire_capture").await;
    world.run(&member(1, "ACTIVE")).await;
    world.run("UPDATE members SET height = 170").await;
    assert_eq!(world.session().await.count("members").await, 1);
    // What was missed is found by comparing, and capture goes on after the next install.
    assert_eq!(source.list(None, 10).await.unwrap().len(), 1);
    source.install().await.unwrap();
    world.run("UPDATE members SET height = 171").await;
    let rows = drain(&*source).await;
    assert_eq!((rows.len(), rows[0].operation), (1, Operation::Update));
}

#[rstest]
#[tokio::test]
async fn a_capture_table_of_another_shape_fails_no_member(
    #[values(Engine::Mysql, Engine::Postgres)] engine: Engine,
) {
    let world = World::fresh(engine).await;
    world.installed().await;
    world.run("ALTER TABLE leadwire_capture DROP COLUMN changed").await;
    world.run(&member(1, "ACTIVE")).await;
    assert_eq!(world.session().await.count("members").await, 1);
}

/// It cannot be had: `check` warns (see `checks`).
#[tokio::test]
async fn on_sqlite_members_need_the_capture_table() {
    let world = World::fresh(Engine::Sqlite).await;
    let source = world.installed().await;
    world.run("DROP TABLE leadwire_capture").await;
    let failed = world.session().await.run(&member(1, "ACTIVE")).await.unwrap_err();
    assert!(failed.to_string().contains("leadwire_capture"), "{failed}");
    source.install().await.unwrap();
    world.run(&member(1, "ACTIVE")).await;
    assert_eq!(drain(&*source).await.len(), 1);
}

#[tokio::test]
async fn on_postgres_a_locked_capture_table_fails_no_member() {
    let world = World::fresh(Engine::Postgres).await;
    let source = world.installed().await;
    let mut holder = world.session().await;
    holder.run("BEGIN; LOCK TABLE leadwire_capture IN ACCESS EXCLUSIVE MODE").await.unwrap();
    world.run(&member(1, "ACTIVE")).await;
    holder.run("ROLLBACK").await.unwrap();
    assert_eq!(world.session().await.count("members").await, 1);
    assert!(drain(&*source).await.is_empty(), "missed, and found by comparing");
    let mut holder = world.session().await;
    holder.run("BEGIN; SELECT * FROM leadwire_capture FOR UPDATE").await.unwrap();
    world.run(&member(2, "ACTIVE")).await;
    holder.run("ROLLBACK").await.unwrap();
    assert_eq!(drain(&*source).await.len(), 1);
}

/// A handler begins after the lock is taken, so the member waits for whoever locked the table; nothing fails or is lost
/// when the lock goes.
#[tokio::test]
async fn on_mariadb_a_member_waits_for_a_locked_capture_table() {
    let world = World::fresh(Engine::Mysql).await;
    let source = world.installed().await;
    let mut holder = world.session().await;
    holder.run("LOCK TABLES leadwire_capture WRITE").await.unwrap();
    let mut writer = world.session().await;
    let mut watcher = world.session().await;
    let written = tokio::spawn(async move { writer.run(&member(1, "ACTIVE")).await });
    let waiting = "SELECT INFO FROM information_schema.PROCESSLIST \
                   WHERE DB = DATABASE() AND STATE = 'Waiting for table metadata lock'";
    while watcher.texts(waiting).await.is_empty() {
        assert!(!written.is_finished(), "it did not wait");
    }
    holder.run("UNLOCK TABLES").await.unwrap();
    written.await.unwrap().unwrap();
    assert_eq!(drain(&*source).await.len(), 1);
}

/// The limit that `check` names: with the waiting time over, the member's statement fails.
#[rstest]
#[case::table("LOCK TABLES leadwire_capture WRITE", "SET lock_wait_timeout = 1")]
#[case::rows("BEGIN; SELECT * FROM leadwire_capture FOR UPDATE", "SET innodb_lock_wait_timeout = 1")]
#[tokio::test]
async fn on_mariadb_a_lock_that_outlives_the_waiting_time_fails_the_member(
    #[case] lock: &str,
    #[case] patience: &str,
) {
    let world = World::fresh(Engine::Mysql).await;
    let source = world.installed().await;
    let mut holder = world.session().await;
    holder.run(lock).await.unwrap();
    let mut writer = world.session().await;
    writer.run(patience).await.unwrap();
    let failed = writer.run(&member(1, "ACTIVE")).await.unwrap_err();
    assert!(failed.to_string().contains("Lock wait timeout"), "{failed}");
    drop(holder);
    while writer.run(&member(1, "ACTIVE")).await.is_err() {}
    assert_eq!(drain(&*source).await.len(), 1);
}

/// Our own worker must never be who locks: claims hold rows, no gaps, and no transaction stays open.
#[tokio::test]
async fn on_mariadb_a_claim_locks_no_member_out() {
    let world = World::fresh(Engine::Mysql).await;
    let source = world.installed().await;
    world.run(&member(1, "ACTIVE")).await;
    let claims = claim(&*source, "worker").await;
    let mut writer = world.session().await;
    writer.run("SET innodb_lock_wait_timeout = 0").await.unwrap();
    writer.run(&member(2, "ACTIVE")).await.unwrap();
    source.done(&claims).await.unwrap();
    writer.run(&member(3, "ACTIVE")).await.unwrap();
    assert_eq!(drain(&*source).await.len(), 2);
}

/// What the worker has claimed or read keeps nobody waiting, not even who does not wait at all: no transaction stays open
/// between its statements.
#[rstest]
#[tokio::test]
async fn on_sqlite_neither_a_claim_nor_a_page_locks_a_member_out(#[values("DELETE", "WAL")] journal: &str) {
    let world = World::fresh(Engine::Sqlite).await;
    world.run(&format!("PRAGMA journal_mode = {journal}")).await;
    let source = world.installed().await;
    world.run(&member(1, "ACTIVE")).await;
    let claims = claim(&*source, "worker").await;
    let mut hasty = hasty(&world).await;
    hasty.run(&member(2, "ACTIVE")).await.unwrap();
    assert_eq!(source.list(None, 1).await.unwrap().len(), 1, "and there is more to read");
    assert!(source.read("2").await.unwrap().is_some());
    hasty.run(&member(3, "ACTIVE")).await.unwrap();
    assert_eq!(source.done(&claims).await.unwrap(), 1);
    hasty.run(&member(4, "ACTIVE")).await.unwrap();
    assert_eq!(drain(&*source).await.len(), 3);
}

/// The limit that `check` names: one file, one lock. Whoever has a busy timeout waits for the end of a statement of ours,
/// which another connection makes longer here than it ever is.
#[tokio::test]
async fn on_sqlite_a_member_waits_for_who_writes_and_fails_without_a_busy_timeout() {
    let world = World::fresh(Engine::Sqlite).await;
    let source = world.installed().await;
    let mut holder = world.session().await;
    holder.run("BEGIN IMMEDIATE; DELETE FROM leadwire_capture").await.unwrap();
    let failed = hasty(&world).await.run(&member(1, "ACTIVE")).await.unwrap_err();
    assert!(failed.to_string().contains("locked"), "{failed}");
    let mut patient = world.session().await;
    let written = tokio::spawn(async move { patient.run(&member(1, "ACTIVE")).await });
    holder.run("COMMIT").await.unwrap();
    written.await.unwrap().unwrap();
    assert_eq!(drain(&*source).await.len(), 1);
}

/// The other way round: the worker waits for a program that has the file to itself, and with a write-ahead log reads beside
/// it; what was written is there afterwards.
#[rstest]
#[tokio::test]
async fn on_sqlite_a_program_that_has_the_file_to_itself_fails_no_claim(
    #[values("DELETE", "WAL")] journal: &str,
) {
    let world = World::fresh(Engine::Sqlite).await;
    world.run(&format!("PRAGMA journal_mode = {journal}")).await;
    let source = world.installed().await;
    world.run(&member(1, "ACTIVE")).await;
    let mut holder = world.session().await;
    holder.run("BEGIN EXCLUSIVE").await.unwrap();
    holder.run(&member(2, "ACTIVE")).await.unwrap();
    let claimed = tokio::spawn(async move { (claim(&*source, "worker").await, source) });
    holder.run("COMMIT").await.unwrap();
    let (claims, source) = claimed.await.unwrap();
    assert!(!claims.is_empty(), "who was there before");
    assert_eq!(source.done(&claims).await.unwrap(), claims.len() as u64);
    assert_eq!(claims.len() + drain(&*source).await.len(), 2);
}

/// A program that waits for nobody.
async fn hasty(world: &World) -> Session {
    let mut session = world.session().await;
    session.run("PRAGMA busy_timeout = 0").await.unwrap();
    session
}

/// Whoever may write members need not know of the capture table.
#[rstest]
#[tokio::test]
async fn a_user_without_rights_on_the_capture_table_is_captured(
    #[values(Engine::Mysql, Engine::Postgres)] engine: Engine,
) {
    let world = World::fresh(engine).await;
    let source = world.installed().await;
    let name = format!("u{}", world.url.rsplit('_').next().unwrap());
    let user = &name[..20];
    let mut url = url::Url::parse(&world.url).unwrap();
    url.set_username(user).unwrap();
    url.set_password(Some("secret")).unwrap();
    if engine == Engine::Mysql {
        world.run(&format!("CREATE USER '{user}'@'%' IDENTIFIED BY 'secret'")).await;
        world.run(&format!("GRANT INSERT ON members TO '{user}'@'%'")).await;
    } else {
        world.run(&format!("CREATE USER {user} PASSWORD 'secret'")).await;
        world
            .run(&format!(
                "GRANT INSERT ON members TO {user}; GRANT USAGE ON SEQUENCE members_id_seq TO {user}"
            ))
            .await;
    }
    let mut writer = Session::open(engine, url.as_str()).await;
    writer.run(&member(1, "ACTIVE")).await.unwrap();
    assert_eq!(drain(&*source).await.len(), 1);
    drop(writer);
    let gone = if engine == Engine::Mysql {
        format!("DROP USER '{user}'@'%'")
    } else {
        format!("DROP OWNED BY {user}; DROP USER {user}")
    };
    world.run(&gone).await;
}

/// Programs ask their session for the key of the row that they wrote.
#[rstest]
#[case::mysql(Engine::Mysql, "SELECT CAST(LAST_INSERT_ID() AS CHAR)")]
#[case::postgres(Engine::Postgres, "SELECT CAST(lastval() AS TEXT)")]
#[case::sqlite(Engine::Sqlite, "SELECT CAST(last_insert_rowid() AS TEXT)")]
#[tokio::test]
async fn the_key_that_a_program_asks_for_is_its_members(#[case] engine: Engine, #[case] question: &str) {
    let world = World::fresh(engine).await;
    let source = world.installed().await;
    let mut writer = world.session().await;
    writer.run(&member(1, "ACTIVE")).await.unwrap();
    // From here on the capture table has more rows than there are members.
    writer.run("UPDATE members SET height = 170").await.unwrap();
    writer.run(&member(2, "ACTIVE")).await.unwrap();
    assert_eq!(writer.texts(question).await, ["2"]);
    writer.run("UPDATE members SET height = 171").await.unwrap();
    assert_eq!(writer.texts(question).await, ["2"]);
    assert_eq!(drain(&*source).await.len(), 5);
}

/// A function that runs with its maker's rights is for triggers alone.
#[tokio::test]
async fn on_postgres_nobody_else_may_call_what_triggers_call() {
    let world = World::fresh(Engine::Postgres).await;
    world.installed().await;
    let callable = "SELECT proname FROM pg_proc WHERE proname LIKE 'leadwire%' \
                    AND has_function_privilege('public', oid, 'EXECUTE')";
    assert!(world.session().await.texts(callable).await.is_empty());
}
