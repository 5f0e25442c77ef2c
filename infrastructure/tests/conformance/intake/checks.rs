//! What `check` sees, and that it leaves nothing.

use application::intake::{CheckReport, Engine, Mapping, Mode, SourceError, Verdict};
use rstest::rstest;

use super::world::{World, drain, member};

fn said(report: &CheckReport) -> String {
    let each =
        report.findings.iter().map(|found| format!("{}: {:?}: {}", found.subject, found.verdict, found.said));
    each.collect::<Vec<_>>().join("\n")
}

#[rstest]
#[tokio::test]
async fn a_whole_installation_passes_and_its_probes_leave_nothing(
    #[values(Engine::Mysql, Engine::Postgres, Engine::Sqlite)] engine: Engine,
    #[values(0, 1)] members: u32,
) {
    let world = World::fresh(engine).await;
    let source = world.installed().await;
    for number in 0..members {
        world.run(&member(number, "ACTIVE")).await;
    }
    drain(&*source).await;
    let seen =
        async || (world.dump().await, source.status().await.unwrap(), source.list(None, 10).await.unwrap());
    let before = seen().await;
    let report = source.check(Mode::Triggers).await.unwrap();
    for subject in ["table", "privileges", "capture table", "triggers", "probe"] {
        assert_eq!(report.about(subject), Some(Verdict::Good), "{subject}\n{}", said(&report));
    }
    let probes = report.findings.iter().filter(|found| found.subject == "probe").count();
    let both = engine != Engine::Mysql && members > 0;
    assert_eq!(probes, 1 + usize::from(both), "one of them; both where that costs no number");
    let guaranteed = if engine == Engine::Postgres { Verdict::Good } else { Verdict::Warning };
    assert_eq!(report.about("members' own statements"), Some(guaranteed));
    assert_eq!(seen().await, before);
    // The next member has the number it would have had.
    world.run(&member(9, "ACTIVE")).await;
    assert_eq!(drain(&*source).await[0].key, (members + 1).to_string());
}

#[rstest]
#[tokio::test]
async fn what_is_missing_is_named(#[values(Engine::Mysql, Engine::Postgres, Engine::Sqlite)] engine: Engine) {
    let world = World::empty(engine).await;
    let source = world.source();
    let verdict = async |subject: &str| {
        let report = source.check(Mode::Triggers).await.unwrap();
        assert_eq!(report.verdict(), Verdict::Failed, "{}", said(&report));
        report.about(subject)
    };
    assert_eq!(verdict("table").await, Some(Verdict::Failed));
    let world_of_members = "CREATE TABLE members (id INT PRIMARY KEY, status VARCHAR(20), phone VARCHAR(20))";
    world.run(world_of_members).await;
    assert_eq!(verdict("capture table").await, Some(Verdict::Failed));
    source.install().await.unwrap();
    world.run("ALTER TABLE members ADD COLUMN nickname VARCHAR(20)").await;
    assert_eq!(verdict("triggers").await, Some(Verdict::Failed), "another column is to be watched");
    source.install().await.unwrap();
    assert_ne!(source.check(Mode::Triggers).await.unwrap().verdict(), Verdict::Failed);
    let dropped = source
        .plan_uninstall()
        .await
        .unwrap()
        .into_iter()
        .find(|sql| sql.starts_with("DROP TRIGGER") || sql.starts_with("DROP FUNCTION"))
        .unwrap();
    world.run(&dropped).await;
    assert_eq!(verdict("triggers").await, Some(Verdict::Failed));
}

#[tokio::test]
async fn a_trigger_that_is_switched_off_is_named() {
    let world = World::fresh(Engine::Postgres).await;
    let source = world.installed().await;
    world.run("ALTER TABLE members DISABLE TRIGGER ALL").await;
    let report = source.check(Mode::Triggers).await.unwrap();
    assert!(said(&report).contains("is switched off"), "{}", said(&report));
    assert!(!source.install().await.unwrap().is_empty(), "installing makes it anew");
    assert_ne!(source.check(Mode::Triggers).await.unwrap().verdict(), Verdict::Failed);
}

#[tokio::test]
async fn a_table_that_takes_nothing_back_is_not_probed() {
    let world = World::empty(Engine::Mysql).await;
    world
        .run("CREATE TABLE members (id INT PRIMARY KEY, status VARCHAR(20), phone VARCHAR(20)) ENGINE=MyISAM")
        .await;
    let source = world.installed().await;
    let report = source.check(Mode::Triggers).await.unwrap();
    assert_eq!(report.about("probe"), Some(Verdict::Warning), "{}", said(&report));
    assert_eq!(world.session().await.count("members").await, 0);
}

#[rstest]
#[tokio::test]
async fn a_table_that_refuses_the_probe_proves_nothing_against_its_triggers(
    #[values(Engine::Mysql, Engine::Postgres, Engine::Sqlite)] engine: Engine,
) {
    let world = World::empty(engine).await;
    let table = "CREATE TABLE members (id INT PRIMARY KEY CHECK (id > 10), status VARCHAR(20))";
    world.run(table).await;
    let source = world.installed().await;
    let report = source.check(Mode::Triggers).await.unwrap();
    assert_eq!(report.about("probe"), Some(Verdict::Warning), "{}", said(&report));
    assert_ne!(report.verdict(), Verdict::Failed);
}

#[rstest]
#[tokio::test]
async fn polling_needs_a_table_to_read_and_a_column_that_moves(
    #[values(Engine::Mysql, Engine::Postgres, Engine::Sqlite)] engine: Engine,
) {
    let world = World::fresh(engine).await;
    let source = world.source();
    world.run(&member(1, "ACTIVE")).await;
    assert_eq!(source.check(Mode::Poll).await.unwrap().verdict(), Verdict::Good);
    world.run("UPDATE members SET updated_at = NULL").await;
    let report = source.check(Mode::Poll).await.unwrap();
    assert_eq!(report.verdict(), Verdict::Warning, "{}", said(&report));
    assert_eq!(report.about("registration"), None);
    let mut silent = Mapping::system_s();
    silent.columns.retain(|column| column.field != "created_at");
    let report = world.source_of(silent).check(Mode::Poll).await.unwrap();
    assert_eq!(report.about("registration"), Some(Verdict::Warning), "{}", said(&report));
    let without = world.source_of(Mapping { updated_at: None, ..Mapping::system_s() });
    assert_eq!(without.check(Mode::Poll).await.unwrap().verdict(), Verdict::Failed);
}

#[rstest]
#[tokio::test]
async fn who_may_only_read_is_told_so(#[values(Engine::Mysql, Engine::Postgres)] engine: Engine) {
    let world = World::fresh(engine).await;
    let name = format!("r{}", world.url.rsplit('_').next().unwrap());
    let user = &name[..20];
    let mut url = url::Url::parse(&world.url).unwrap();
    url.set_username(user).unwrap();
    url.set_password(Some("secret")).unwrap();
    let (make, grant, drop) = if engine == Engine::Mysql {
        (
            format!("CREATE USER '{user}'@'%' IDENTIFIED BY 'secret'"),
            format!("GRANT SELECT ON members TO '{user}'@'%'"),
            format!("DROP USER '{user}'@'%'"),
        )
    } else {
        (
            format!("CREATE USER {user} PASSWORD 'secret'"),
            format!("GRANT SELECT ON members TO {user}"),
            format!("DROP OWNED BY {user}; DROP USER {user}"),
        )
    };
    world.run(&make).await;
    world.run(&grant).await;
    world.run(&member(1, "ACTIVE")).await;
    let reader = infrastructure::intake::open(url.as_str(), Mapping::system_s()).unwrap();
    let refused = reader.install().await.unwrap_err();
    assert!(matches!(&refused, SourceError::Denied(_)), "{refused}");
    assert!(
        refused.to_string().contains("--mode poll") && !refused.to_string().contains("secret"),
        "{refused}"
    );
    assert_eq!(reader.check(Mode::Poll).await.unwrap().verdict(), Verdict::Good);
    assert_eq!(reader.poll(None, 10).await.unwrap().rows.len(), 1);
    std::mem::drop(reader);
    world.run(&drop).await;
}

#[tokio::test]
async fn a_source_that_is_down_is_unreachable_and_not_gone() {
    let source =
        infrastructure::intake::open("mysql://root:secret@127.0.0.1:1/members", Mapping::system_s()).unwrap();
    let error = source.status().await.unwrap_err();
    assert!(matches!(&error, SourceError::Unreachable(_)), "{error}");
    assert!(!error.to_string().contains("secret"), "{error}");
}
