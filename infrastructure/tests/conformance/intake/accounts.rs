//! Whom triggers run as, and what a probe proves.

use application::intake::{CheckReport, Engine, Mapping, Mode, Verdict};
use rstest::rstest;

use super::world::{World, claim, drain, member};

async fn report(world: &World) -> CheckReport {
    world.source().check(Mode::Triggers).await.unwrap()
}

fn said(report: &CheckReport, subject: &str) -> String {
    let about = report.findings.iter().filter(|found| found.subject == subject);
    about.map(|found| found.said.as_str()).collect::<Vec<_>>().join("\n")
}

/// The server refuses members' own statements, so `check` must be loud.
#[rstest]
#[case::gone(&["DROP USER {}"], "NO SUCH ACCOUNT", true)]
#[case::no_triggers(&["REVOKE TRIGGER ON members FROM {}"], "lacks TRIGGER on `members`", true)]
#[case::no_insert(&["REVOKE INSERT ON leadwire_capture FROM {}"], "NOTHING is captured", false)]
#[tokio::test]
async fn on_mariadb_an_account_that_cannot_do_its_work_is_named(
    #[case] loss: &[&str],
    #[case] expected: &str,
    #[case] fails: bool,
    #[values(0, 1)] members: u32,
) {
    let world = World::fresh(Engine::Mysql).await;
    for number in 0..members {
        world.run(&member(number, "ACTIVE")).await;
    }
    let (account, url) = world.user('d', &["CREATE, DROP ON *", "TRIGGER, SELECT ON members"]).await;
    world
        .run(&format!("GRANT CREATE, INSERT, SELECT, UPDATE, DELETE ON leadwire_capture TO {account}"))
        .await;
    let installer = infrastructure::intake::open(&url, Mapping::system_s()).unwrap();
    installer.install().await.unwrap();
    drop(installer);
    let whole = report(&world).await;
    assert_eq!(whole.about("trigger account"), None, "{whole:?}");
    for sql in loss {
        world.run(&sql.replace("{}", &account)).await;
    }
    let report = report(&world).await;
    assert_eq!(report.about("trigger account"), Some(Verdict::Failed), "{report:?}");
    assert!(said(&report, "trigger account").contains(expected), "{report:?}");
    assert_eq!(report.about("probe"), Some(Verdict::Failed), "{report:?}");
    assert_eq!(said(&report, "probe").contains("so does every statement of members"), fails, "{report:?}");
    let written = world.session().await.run(&member(9, "ACTIVE")).await;
    assert_eq!(written.is_err(), fails, "{written:?}");
    if !loss[0].starts_with("DROP") {
        world.drop_user(&account).await;
    }
}

/// Members are written, and nothing is captured: nobody would notice.
#[rstest]
#[case::capture("REVOKE INSERT ON leadwire_capture FROM {}", "INSERT on leadwire_capture")]
#[case::schema(
    "REVOKE USAGE ON SCHEMA public FROM {}; REVOKE USAGE ON SCHEMA public FROM PUBLIC",
    "USAGE on the schema"
)]
#[tokio::test]
async fn on_postgres_an_owner_of_the_function_who_lost_a_right_is_named(
    #[case] loss: &str,
    #[case] expected: &str,
) {
    let world = World::fresh(Engine::Postgres).await;
    world.installed().await;
    let (account, _) =
        world.user('o', &["CREATE, USAGE ON SCHEMA public", "SELECT, INSERT ON leadwire_capture"]).await;
    let functions = "SELECT proname FROM pg_proc WHERE proname LIKE 'leadwire%'";
    for function in world.session().await.texts(functions).await {
        world.run(&format!("ALTER FUNCTION {function}() OWNER TO {account}")).await;
    }
    assert_eq!(report(&world).await.verdict(), Verdict::Good);
    world.run(&loss.replace("{}", &account)).await;
    let report = report(&world).await;
    assert_eq!(report.about("trigger account"), Some(Verdict::Failed), "{report:?}");
    assert!(said(&report, "trigger account").contains(expected), "{report:?}");
    assert_eq!(report.about("probe"), Some(Verdict::Failed), "{report:?}");
    world.run(&member(1, "ACTIVE")).await;
    world.drop_user(&account).await;
}

/// A row that waits already is none that the probe brought.
#[rstest]
#[tokio::test]
async fn a_probe_counts_its_own_row_only(#[values(Engine::Mysql, Engine::Postgres)] engine: Engine) {
    let world = World::fresh(engine).await;
    let source = world.installed().await;
    world.run(&member(1, "ACTIVE")).await;
    world.run("UPDATE members SET height = 170").await;
    // From here on no trigger's row is taken.
    world.run("UPDATE leadwire_capture SET attempts = 1").await;
    world.run("ALTER TABLE leadwire_capture ADD CONSTRAINT refused CHECK (attempts > 0)").await;
    let report = report(&world).await;
    assert_eq!(report.about("probe"), Some(Verdict::Failed), "{report:?}");
    assert!(said(&report, "probe").contains("an update did not arrive"), "{report:?}");
    assert_eq!(claim(&*source, "worker").await.len(), 1);
}

/// What somebody's own triggers do with a probe must not stay.
#[rstest]
#[tokio::test]
async fn a_probe_leaves_nothing_through_the_tables_own_triggers(
    #[values(Engine::Mysql, Engine::Postgres, Engine::Sqlite)] engine: Engine,
) {
    let world = World::fresh(engine).await;
    let kind = if engine == Engine::Mysql { " ENGINE=MyISAM" } else { "" };
    world.run(&format!("CREATE TABLE journal (what VARCHAR(20)){kind}")).await;
    let body = "INSERT INTO journal VALUES ('seen')";
    for word in ["INSERT", "UPDATE"] {
        let name = format!("journal_{}", word.to_lowercase());
        let make = match engine {
            Engine::Mysql => format!("CREATE TRIGGER {name} AFTER {word} ON members FOR EACH ROW {body}"),
            Engine::Sqlite => format!("CREATE TRIGGER {name} AFTER {word} ON members BEGIN {body}; END"),
            Engine::Postgres => format!(
                "CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body}; RETURN NULL; END $$; \
                 CREATE TRIGGER {name} AFTER {word} ON members FOR EACH ROW EXECUTE FUNCTION {name}()"
            ),
        };
        world.run(&make).await;
    }
    let source = world.installed().await;
    world.run(&member(1, "ACTIVE")).await;
    drain(&*source).await;
    let report = report(&world).await;
    let (subject, probed) =
        if engine == Engine::Mysql { ("probe", Verdict::Warning) } else { ("probe's traces", Verdict::Good) };
    assert_eq!(report.about("probe"), Some(probed), "{report:?}");
    assert_eq!(report.about(subject), Some(Verdict::Warning), "{report:?}");
    assert!(said(&report, subject).contains("journal_insert, journal_update"), "{report:?}");
    assert_eq!(world.session().await.count("journal").await, 1, "the member's own");
}

/// A sequence is never taken back.
#[tokio::test]
async fn on_postgres_a_probe_takes_no_number_of_a_sequence() {
    let world = World::empty(Engine::Postgres).await;
    world
        .run(
            "CREATE SEQUENCE numbers; CREATE TABLE members (id BIGSERIAL PRIMARY KEY, status TEXT, \
              no BIGINT DEFAULT nextval('numbers'), other INT GENERATED ALWAYS AS IDENTITY)",
        )
        .await;
    world.source().install().await.unwrap();
    let report = report(&world).await;
    assert_eq!(report.about("probe"), Some(Verdict::Good), "{report:?}");
    world.run("INSERT INTO members (status) VALUES ('ACTIVE')").await;
    let row = world.session().await.texts("SELECT concat_ws(' ', id, no, other) FROM members").await;
    assert_eq!(row, ["1 1 1"]);
}

#[tokio::test]
async fn on_sqlite_programs_without_a_busy_timeout_are_warned_of() {
    let world = World::fresh(Engine::Sqlite).await;
    world.installed().await;
    let report = report(&world).await;
    assert_eq!(report.about("members' own statements"), Some(Verdict::Warning));
    assert!(said(&report, "members' own statements").contains("busy_timeout"), "{report:?}");
}
