//! Names and values that somebody thought of.

use application::intake::{Engine, Mapping, Mode, SourceError, Verdict, parse};
use rstest::rstest;

use super::world::{World, drain, remove};

/// Quotes of every engine, a backslash, a dollar body's mark, and four bytes of UTF-8.
const TABLE: &str = "t'a\"b`c\\d😀";
const COLUMN: &str = "n'a\"m`e\\,$leadwire$😀";

fn quoted(engine: Engine, name: &str) -> String {
    let mark = if engine == Engine::Mysql { '`' } else { '"' };
    format!("{mark}{}{mark}", name.replace(mark, &format!("{mark}{mark}")))
}

fn odd(key: &str) -> Mapping {
    let mut mapping = parse("odd.toml", "table = 't'\nkey = 'k'\n[columns]\nname = 'nickname'").unwrap();
    mapping.columns[0].column = String::from(COLUMN);
    Mapping { table: String::from(TABLE), key: String::from(key), ..mapping }
}

#[rstest]
#[tokio::test]
async fn any_name_and_any_text_can_be_captured(
    #[values(Engine::Mysql, Engine::Postgres, Engine::Sqlite)] engine: Engine,
) {
    // MySQL's names are of three bytes at most.
    let plain =
        |name: &str| if engine == Engine::Mysql { name.replace('😀', "名") } else { name.to_owned() };
    let mut mapping = odd("k\"e`y'");
    mapping.table = plain(&mapping.table);
    mapping.columns[0].column = plain(COLUMN);
    let world = World::empty(engine).await;
    let (table, key, column) = (
        quoted(engine, &mapping.table),
        quoted(engine, &mapping.key),
        quoted(engine, &mapping.columns[0].column),
    );
    let charset = if engine == Engine::Mysql { " CHARACTER SET utf8mb4" } else { "" };
    world
        .run(&format!("CREATE TABLE {table} ({key} VARCHAR(40) PRIMARY KEY, {column} VARCHAR(40)){charset}"))
        .await;
    let before = world.dump().await;
    let source = world.source_of(mapping.clone());
    source.install().await.unwrap();
    assert!(source.install().await.unwrap().is_empty());
    let report = source.check(Mode::Triggers).await.unwrap();
    assert_eq!(report.about("probe"), Some(Verdict::Good), "{report:?}");
    for value in ["'o''clock 😀'", "'%_\u{1}\u{7f}\u{feff}'", "NULL", "''"] {
        let row =
            format!("INSERT INTO {table} ({key}, {column}) VALUES ('key ''😀'' {}', {value})", value.len());
        world.run(&row).await;
    }
    world.run(&format!("UPDATE {table} SET {column} = NULL WHERE {column} = ''")).await;
    let rows = drain(&*source).await;
    assert_eq!(rows.len(), 5);
    assert_eq!(rows[0].key, "key '😀' 15");
    assert_eq!(rows[0].table, mapping.source_table());
    assert_eq!(rows[4].changed, [plain(COLUMN)]);
    let read = source.read("key '😀' 15").await.unwrap().unwrap();
    assert_eq!(read.columns["nickname"].as_deref(), Some("o'clock 😀"));
    assert_eq!(source.list(None, 10).await.unwrap().len(), 4);
    remove(&*source).await;
    assert_eq!(world.dump().await, before);
}

#[rstest]
#[tokio::test]
async fn a_uuid_and_a_large_number_are_keys_too(#[values(Engine::Mysql, Engine::Postgres)] engine: Engine) {
    let world = World::empty(engine).await;
    for (kind, key) in [("UUID", "0198f3a0-0000-7000-8000-000000000001"), ("BIGINT", "9007199254740993")] {
        world
            .run(&format!(
                "CREATE TABLE members (id {kind} PRIMARY KEY, status VARCHAR(20), phone VARCHAR(20))"
            ))
            .await;
        let source = world.installed().await;
        world.run(&format!("INSERT INTO members VALUES ('{key}', 'ACTIVE', '13800000000')")).await;
        let rows = drain(&*source).await;
        assert_eq!(rows[0].key, key);
        assert_eq!(source.read(key).await.unwrap().unwrap().key, key);
        assert!(source.list(Some(key), 10).await.unwrap().is_empty());
        remove(&*source).await;
        world.run("DROP TABLE members").await;
    }
}

#[tokio::test]
async fn an_unsigned_number_above_every_signed_one_is_a_key() {
    const KEY: &str = "18446744073709551610";
    let world = World::empty(Engine::Mysql).await;
    world
        .run("CREATE TABLE members (id BIGINT UNSIGNED PRIMARY KEY, status VARCHAR(20), deleted BIT(1) DEFAULT b'0')")
        .await;
    let source = world.installed().await;
    world.run(&format!("INSERT INTO members VALUES ({KEY}, 'ACTIVE', b'1')")).await;
    assert_eq!(drain(&*source).await[0].key, KEY);
    assert!(source.read(KEY).await.unwrap().unwrap().deleted, "a bit is a flag");
}

/// SQLite keeps whatever bytes it is given.
#[tokio::test]
async fn bytes_that_are_no_text_hold_up_nobody_else() {
    let world = World::fresh(Engine::Sqlite).await;
    let source = world.installed().await;
    for (id, name) in [(1, "CAST(X'FF00' AS TEXT)"), (2, "CAST(X'610062' AS TEXT)")] {
        world
            .run(&format!(
                "INSERT INTO members (id, member_no, nickname, wechat, phone) VALUES ({id}, '{id}', {name}, '{id}', '{id}')"
            ))
            .await;
    }
    assert_eq!(drain(&*source).await.len(), 2);
    let refused = source.read("1").await.unwrap_err();
    assert!(matches!(&refused, SourceError::Malformed(row) if row.column == "nickname"), "{refused}");
    assert_eq!(source.read("2").await.unwrap().unwrap().columns["nickname"].as_deref(), Some("a\0b"));
    let page = source.list(None, 10).await.unwrap();
    assert_eq!((page.len(), page[0].is_err(), page[1].is_ok()), (2, true, true));
    assert_eq!(source.poll(None, 10).await.unwrap().rows.len(), 2);
}

#[tokio::test]
async fn a_schema_of_postgres_is_named_in_the_mapping() {
    let world = World::empty(Engine::Postgres).await;
    world.run("CREATE SCHEMA \"c'r\"\"m\"").await;
    world.run("CREATE TYPE \"c'r\"\"m\".state AS ENUM ('live', 'asleep')").await;
    world
        .run(
            "CREATE TABLE \"c'r\"\"m\".clients (uid INT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, \
              name TEXT NOT NULL, state \"c'r\"\"m\".state NOT NULL, seen JSON)",
        )
        .await;
    let text = "table = 'clients'\nschema = \"\"\"c'r\"m\"\"\"\nkey = 'uid'\n[status]\ncolumn = 'state'\n\
                active = ['live']\n[columns]\nname = 'nickname'\nseen = 'notes'";
    let source = world.source_of(parse("clients.toml", text).unwrap());
    source.install().await.unwrap();
    let report = source.check(Mode::Triggers).await.unwrap();
    assert_eq!(report.verdict(), Verdict::Good, "{report:?}");
    world
        .run("INSERT INTO \"c'r\"\"m\".clients (name, state, seen) VALUES ('one', 'live', '{\"a\": 1}')")
        .await;
    world.run("UPDATE \"c'r\"\"m\".clients SET seen = '{\"a\": 2}'").await;
    let rows = drain(&*source).await;
    assert_eq!(
        rows[0].table, "\"c'r\"\"m\".clients",
        "a table of that name in another schema is another one"
    );
    assert_eq!(rows[1].changed, ["seen"], "a type without an equality is compared too");
    let read = source.read(&rows[0].key).await.unwrap().unwrap();
    assert!(read.is_active());
    assert_eq!(read.columns["notes"].as_deref(), Some("{\"a\": 2}"));
    remove(&*source).await;
    let left: Vec<String> =
        world.session().await.texts("SELECT proname FROM pg_proc WHERE proname LIKE 'leadwire%'").await;
    assert!(left.is_empty());
}
