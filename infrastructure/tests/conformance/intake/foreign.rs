//! Somebody else's database: how one is made, system S's table in it, and connections that know nothing of Leadwire.
//!
//! The stories of the whole service (`tests/src/sources.rs`) include this file too: they may see this crate, but not its
//! tests.

use std::path::Path;
use std::thread;

use application::intake::Engine;
use application::ports::Ids as _;
use infrastructure::ids::TimeOrderedIds;
use sqlx::mysql::MySqlConnection;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection};
use tempfile::TempDir;
use url::Url;

/// A database that vanishes with this value.
#[derive(Debug)]
pub struct Database {
    engine: Engine,
    url: String,
    place: Place,
}

#[derive(Debug)]
enum Place {
    /// A file in a folder of its own.
    File(TempDir),
    /// One of a server's databases.
    Server { admin: String, name: String },
}

/// A connection of somebody else's program.
#[derive(Debug)]
pub enum Session {
    /// To MySQL or MariaDB.
    Mysql(Box<MySqlConnection>),
    /// To PostgreSQL.
    Postgres(Box<PgConnection>),
    /// To SQLite.
    Sqlite(Box<SqliteConnection>),
}

impl Database {
    /// One without a table.
    pub async fn create(engine: Engine) -> Self {
        let name = format!("leadwire_test_{}", TimeOrderedIds.next().simple());
        let (url, place) = match engine {
            Engine::Sqlite => {
                let folder = tempfile::tempdir().expect("a folder");
                let path = folder.path().join("members.db");
                std::fs::write(&path, "").expect("a file");
                (format!("sqlite:{}", path.display()), Place::File(folder))
            }
            Engine::Mysql | Engine::Postgres => {
                let admin = server(engine);
                let mut session = Session::open(engine, &admin).await;
                session.execute(&format!("CREATE DATABASE {name}")).await.expect("a database");
                let mut url = Url::parse(&admin).expect("an address");
                url.set_path(&name);
                (url.to_string(), Place::Server { admin, name })
            }
        };
        Self { engine, url, place }
    }

    /// Its address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where its file is; a server keeps its own.
    pub fn folder(&self) -> Option<&Path> {
        match &self.place {
            Place::File(folder) => Some(folder.path()),
            Place::Server { .. } => None,
        }
    }

    /// Another connection to it.
    pub async fn session(&self) -> Session {
        Session::open(self.engine, &self.url).await
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let Place::Server { admin, name } = &self.place else { return };
        let (engine, admin) = (self.engine, admin.clone());
        let force = if engine == Engine::Postgres { " WITH (FORCE)" } else { "" };
        let sql = format!("DROP DATABASE IF EXISTS {name}{force}");
        // A runtime of its own: this also runs while a failed test unwinds.
        let dropping = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let drop = async { Session::open(engine, &admin).await.execute(&sql).await };
            runtime.expect("threads").block_on(drop).expect("the database goes");
        });
        let _ = dropping.join();
    }
}

impl Session {
    /// Connects to a database.
    pub async fn open(engine: Engine, url: &str) -> Self {
        match engine {
            Engine::Mysql => Self::Mysql(Box::new(MySqlConnection::connect(url).await.expect("MariaDB"))),
            Engine::Postgres => {
                Self::Postgres(Box::new(PgConnection::connect(url).await.expect("PostgreSQL")))
            }
            Engine::Sqlite => Self::Sqlite(Box::new(SqliteConnection::connect(url).await.expect("SQLite"))),
        }
    }

    /// Runs one statement, or several, as they stand.
    pub async fn execute(&mut self, sql: &str) -> Result<(), sqlx::Error> {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        match self {
            Self::Mysql(connection) => sql.execute(&mut **connection).await.map(drop),
            Self::Postgres(connection) => sql.execute(&mut **connection).await.map(drop),
            Self::Sqlite(connection) => sql.execute(&mut **connection).await.map(drop),
        }
    }
}

/// A server where databases may be made.
#[expect(clippy::disallowed_methods, reason = "settings of the tests, not of the program")]
fn server(engine: Engine) -> String {
    let variable = if engine == Engine::Mysql { "LEADWIRE_TEST_MARIADB" } else { "LEADWIRE_TEST_POSTGRES" };
    std::env::var(variable).unwrap_or_else(|_| {
        panic!(
            "{variable} is not set: these tests need a server where databases may be made, e.g. \
             mysql://root@127.0.0.1:3306/mysql; `cargo xtask test` starts one"
        )
    })
}

/// The statement by which a program that has never heard of us registers a member.
pub fn member(number: u32, status: &str) -> String {
    format!(
        "INSERT INTO members (member_no, nickname, wechat, phone, status) \
         VALUES ('M{number}', '会员😀{number}', 'wx{number}', '138{number:08}', '{status}')"
    )
}

/// The statement that makes system S's table (existing-systems.md section 7.1).
pub fn members(engine: Engine) -> String {
    let (id, flag, moment, updated) = match engine {
        Engine::Mysql => (
            "BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY",
            "TINYINT(1) NOT NULL DEFAULT 0",
            "DATETIME DEFAULT CURRENT_TIMESTAMP",
            "DATETIME DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP",
        ),
        Engine::Postgres => (
            "BIGSERIAL PRIMARY KEY",
            "BOOLEAN NOT NULL DEFAULT false",
            "TIMESTAMP DEFAULT now()",
            "TIMESTAMP DEFAULT now()",
        ),
        Engine::Sqlite => (
            "INTEGER PRIMARY KEY AUTOINCREMENT",
            "BOOLEAN NOT NULL DEFAULT 0",
            "DATETIME DEFAULT CURRENT_TIMESTAMP",
            "DATETIME DEFAULT CURRENT_TIMESTAMP",
        ),
    };
    format!(
        "CREATE TABLE members (
  id {id}, member_no VARCHAR(50) NOT NULL UNIQUE, nickname VARCHAR(50), wechat VARCHAR(100) NOT NULL UNIQUE,
  phone VARCHAR(20) NOT NULL UNIQUE, type VARCHAR(20) DEFAULT 'NORMAL', status VARCHAR(20) DEFAULT 'ACTIVE',
  deleted {flag}, is_success {flag}, gender VARCHAR(10), birth_year INT, height INT, weight INT,
  education VARCHAR(20), occupation VARCHAR(50), province VARCHAR(50), city VARCHAR(50), district VARCHAR(50),
  target_area VARCHAR(100), hukou_province VARCHAR(50), hukou_city VARCHAR(50), house_car VARCHAR(20),
  children_plan VARCHAR(20), marriage_cert VARCHAR(20), marriage_history VARCHAR(10), sexual_orientation VARCHAR(20),
  self_description TEXT, partner_requirement TEXT, remaining_matches INT DEFAULT 0, notes TEXT, real_name VARCHAR(50),
  id_card VARCHAR(18), user_id VARCHAR(50), wechat_qrcode TEXT, created_at {moment}, updated_at {updated}
)"
    )
}
