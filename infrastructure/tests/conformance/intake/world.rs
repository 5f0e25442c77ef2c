//! A database to be captured, and what the suite asks of it.

use std::path::PathBuf;

use application::intake::{Captured, Claim, ClaimOrder, Engine, Mapping, Source, Unfinished};
use sqlx::{AssertSqlSafe, Executor as _, Row as _};

use super::foreign::{Database, members};
pub(super) use super::foreign::{Session, member};

/// Enough for every claim of these tests.
pub(super) const BATCH: u32 = 500;

/// A lease that no test outlives.
pub(super) const LEASE: u32 = 600;

/// A database that vanishes with this value.
pub(super) struct World {
    pub(super) engine: Engine,
    pub(super) url: String,
    database: Database,
}

impl World {
    /// A database with system S's members and nobody in it.
    pub(super) async fn fresh(engine: Engine) -> Self {
        let world = Self::empty(engine).await;
        world.run(&members(engine)).await;
        world
    }

    /// A database without a table.
    pub(super) async fn empty(engine: Engine) -> Self {
        let database = Database::create(engine).await;
        Self { engine, url: database.url().to_owned(), database }
    }

    pub(super) async fn session(&self) -> Session {
        self.database.session().await
    }

    /// Makes an account that may do these things, and the address with which it comes. It goes with [`Self::drop_user`].
    pub(super) async fn user(&self, letter: char, grants: &[&str]) -> (String, String) {
        let name = format!("{letter}{}", self.url.rsplit('_').next().unwrap());
        let user = name[..20].to_owned();
        let mut url = url::Url::parse(&self.url).unwrap();
        url.set_username(&user).unwrap();
        url.set_password(Some("secret")).unwrap();
        let (account, make) = if self.engine == Engine::Mysql {
            (format!("'{user}'@'%'"), format!("CREATE USER '{user}'@'%' IDENTIFIED BY 'secret'"))
        } else {
            (user.clone(), format!("CREATE USER {user} PASSWORD 'secret'"))
        };
        self.run(&make).await;
        for grant in grants {
            self.run(&format!("GRANT {grant} TO {account}")).await;
        }
        (account, url.to_string())
    }

    pub(super) async fn drop_user(&self, account: &str) {
        if self.engine == Engine::Postgres {
            self.run(&format!("DROP OWNED BY {account} CASCADE")).await;
        }
        self.run(&format!("DROP USER {account}")).await;
    }

    /// Everything, as the database itself writes it down.
    pub(super) async fn dump_of_its_own(&self) -> Vec<u8> {
        let url = url::Url::parse(&self.url).unwrap();
        let (host, port) = (url.host_str().unwrap_or_default(), url.port().unwrap_or_default().to_string());
        let database = url.path().trim_start_matches('/');
        let (program, arguments) = match self.engine {
            Engine::Mysql => {
                let whole = ["--routines", "--events", "--skip-dump-date"];
                let place = ["-h", host, "-P", &port, "-u", url.username()];
                ("mariadb-dump", [&place[..], &whole, &[database]].concat())
            }
            Engine::Postgres => ("pg_dump", vec![self.url.as_str()]),
            Engine::Sqlite => return self.file_written_anew().await,
        };
        let output = std::process::Command::new(found(program)).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        // Lines with a number that is another one in every dump.
        let lines = text.lines().filter(|line| !line.contains("restrict "));
        lines.collect::<Vec<_>>().join("\n").into_bytes()
    }

    /// The bytes of a SQLite file that is written anew, without its header, which counts its changes.
    async fn file_written_anew(&self) -> Vec<u8> {
        const HEADER_BYTES: usize = 100;
        let anew = self.database.folder().expect("a file").join("anew.db");
        self.run(&format!("VACUUM INTO '{}'", anew.display())).await;
        let bytes = std::fs::read(&anew).unwrap();
        std::fs::remove_file(&anew).unwrap();
        bytes[HEADER_BYTES..].to_vec()
    }

    /// Runs one statement as somebody else.
    pub(super) async fn run(&self, sql: &str) {
        let ran = self.session().await.run(sql).await;
        assert!(ran.is_ok(), "{sql}\n{:?}", ran.err());
    }

    /// Leadwire's view of system S's table.
    pub(super) fn source(&self) -> Box<dyn Source> {
        self.source_of(Mapping::system_s())
    }

    pub(super) fn source_of(&self, mapping: Mapping) -> Box<dyn Source> {
        infrastructure::intake::open(&self.url, mapping).unwrap()
    }

    /// The same, with its triggers in place.
    pub(super) async fn installed(&self) -> Box<dyn Source> {
        let source = self.source();
        source.install().await.unwrap();
        source
    }

    /// The whole schema, every object in words. Which number the capture table gives next is no part of it.
    pub(super) async fn dump(&self) -> Vec<String> {
        let mut session = self.session().await;
        match self.engine {
            Engine::Sqlite => {
                session
                    .texts(
                        "SELECT type || name || tbl_name || coalesce(sql, '') FROM sqlite_master ORDER BY 1",
                    )
                    .await
            }
            Engine::Postgres => session.texts(POSTGRES_DUMP).await,
            Engine::Mysql => {
                let mut dump = session.texts(MYSQL_DUMP).await;
                let tables = session
                    .texts("SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() ORDER BY 1")
                    .await;
                for table in tables {
                    let shown =
                        session.texts(&format!("SHOW CREATE TABLE `{}`", table.replace('`', "``"))).await;
                    let next = if table == "leadwire_capture" { " AUTO_INCREMENT=" } else { "\0" };
                    dump.extend(shown.iter().map(|text| without_number(text, next)));
                }
                dump
            }
        }
    }
}

/// A program on the search path, or where Debian puts those of PostgreSQL.
fn found(program: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let places = versions.map(|version| version.path().join("bin"));
    let mut all = std::env::split_paths(&path).chain(places).map(|folder| folder.join(program));
    all.find(|file| file.is_file()).unwrap_or_else(|| panic!("there is no program `{program}`"))
}

/// A text without this part and the number behind it.
fn without_number(text: &str, part: &str) -> String {
    match text.split_once(part) {
        Some((before, after)) => {
            format!("{before}{}", after.trim_start_matches(|sign: char| sign.is_ascii_digit()))
        }
        None => text.to_owned(),
    }
}

impl Session {
    pub(super) async fn run(&mut self, sql: &str) -> Result<(), sqlx::Error> {
        self.execute(sql).await
    }

    /// The last column of every row.
    pub(super) async fn texts(&mut self, sql: &str) -> Vec<String> {
        macro_rules! fetch {
            ($connection:expr) => {{
                let rows = (&mut **$connection)
                    .fetch_all(sqlx::raw_sql(AssertSqlSafe(sql.to_owned())))
                    .await
                    .unwrap();
                rows.iter().map(|row| row.try_get_unchecked::<String, _>(row.len() - 1).unwrap()).collect()
            }};
        }
        match self {
            Self::Mysql(connection) => fetch!(connection),
            Self::Postgres(connection) => fetch!(connection),
            Self::Sqlite(connection) => fetch!(connection),
        }
    }

    /// How many rows a table has.
    pub(super) async fn count(&mut self, table: &str) -> usize {
        let kind = if matches!(self, Self::Mysql(_)) { "CHAR" } else { "TEXT" };
        let texts = self.texts(&format!("SELECT CAST(COUNT(*) AS {kind}) FROM {table}")).await;
        texts[0].parse().unwrap()
    }
}

/// Drains everything, in the order it is claimed.
pub(super) async fn drain(source: &dyn Source) -> Vec<Captured> {
    let mut rows = Vec::new();
    loop {
        let claims = claim(source, "worker").await;
        if claims.is_empty() {
            return rows;
        }
        assert_eq!(source.done(&claims).await.unwrap(), u64::try_from(claims.len()).unwrap());
        rows.extend(claims.into_iter().map(|claim| claim.row));
    }
}

/// One claim with a long lease.
pub(super) async fn claim(source: &dyn Source, owner: &str) -> Vec<Claim> {
    source.claim(owner, BATCH, LEASE, ClaimOrder::OldestFirst).await.unwrap()
}

pub(super) async fn remove(source: &dyn Source) -> Vec<String> {
    source.uninstall(Unfinished::Discard).await.unwrap()
}

const MYSQL_DUMP: &str = "
SELECT CONCAT(TRIGGER_NAME, EVENT_OBJECT_TABLE, ACTION_STATEMENT) FROM information_schema.TRIGGERS
WHERE TRIGGER_SCHEMA = DATABASE()
UNION ALL SELECT CONCAT(ROUTINE_NAME, ROUTINE_DEFINITION) FROM information_schema.ROUTINES
WHERE ROUTINE_SCHEMA = DATABASE() ORDER BY 1";

const POSTGRES_DUMP: &str = "
SELECT t FROM (
  SELECT c.relname || c.relkind::text || coalesce(c.relacl::text, '') AS t
  FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace
  UNION ALL SELECT attrelid::regclass::text || attname || format_type(atttypid, atttypmod) || attnotnull::text
  FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
  WHERE c.relnamespace = current_schema()::regnamespace AND attnum > 0
  UNION ALL SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
  UNION ALL SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = current_schema()::regnamespace
  UNION ALL SELECT conname || pg_get_constraintdef(oid) FROM pg_constraint
  WHERE connamespace = current_schema()::regnamespace
  UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = current_schema()
  UNION ALL SELECT description FROM pg_description d JOIN pg_class c ON c.oid = d.objoid
  WHERE c.relnamespace = current_schema()::regnamespace
  UNION ALL SELECT typname FROM pg_type WHERE typnamespace = current_schema()::regnamespace
) objects ORDER BY 1";
