//! Databases that somebody else writes members into, and a line to them that can be cut.

#![expect(clippy::missing_panics_doc, reason = "a story that cannot go on ends with a panic that says why")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use application::intake::{Engine, Mapping, Source};
use application::ports::Ids as _;
use infrastructure::ids::TimeOrderedIds;
use sqlx::mysql::MySqlConnection;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use url::Url;

use crate::scratch::POSTGRES_VARIABLE;

/// Names the MariaDB where databases may be made; `cargo xtask test` sets it.
pub const MARIADB_VARIABLE: &str = "LEADWIRE_TEST_MARIADB";

/// A database with system S's members and nobody in it. It vanishes with this value.
#[derive(Debug)]
pub struct SourceDatabase {
    engine: Engine,
    url: String,
    place: Place,
}

#[derive(Debug)]
enum Place {
    File { _folder: TempDir },
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

impl SourceDatabase {
    /// Makes one.
    pub async fn create(engine: Engine) -> Self {
        let name = format!("leadwire_test_{}", TimeOrderedIds.next().simple());
        let (url, place) = match engine {
            Engine::Sqlite => {
                let folder = tempfile::tempdir().expect("a folder");
                let path = folder.path().join("members.db");
                std::fs::write(&path, "").expect("a file");
                (format!("sqlite:{}", path.display()), Place::File { _folder: folder })
            }
            Engine::Mysql | Engine::Postgres => {
                let admin = server(engine);
                Session::open(engine, &admin).await.run(&format!("CREATE DATABASE {name}")).await;
                let mut url = Url::parse(&admin).expect("an address");
                url.set_path(&name);
                (url.to_string(), Place::Server { admin, name })
            }
        };
        let database = Self { engine, url, place };
        database.session().await.run(&members(engine)).await;
        database
    }

    /// Its address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A connection that knows nothing of Leadwire.
    pub async fn session(&self) -> Session {
        Session::open(self.engine, &self.url).await
    }

    /// Leadwire's view of it.
    pub fn source(&self) -> Box<dyn Source> {
        infrastructure::intake::open(&self.url, Mapping::system_s()).expect("a source")
    }

    /// The same with its triggers in place.
    pub async fn installed(&self) -> Box<dyn Source> {
        let source = self.source();
        source.install().await.expect("the triggers are made");
        source
    }

    /// The same database behind a line that can be cut; only of servers.
    pub async fn behind_a_line(&self) -> (String, Line) {
        Line::to(&self.url).await
    }
}

impl Drop for SourceDatabase {
    fn drop(&mut self) {
        let Place::Server { admin, name } = &self.place else { return };
        let (engine, admin) = (self.engine, admin.clone());
        let force = if engine == Engine::Postgres { " WITH (FORCE)" } else { "" };
        let sql = format!("DROP DATABASE IF EXISTS {name}{force}");
        // A runtime of its own: this also runs while a failed test unwinds.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("threads").block_on(async { Session::open(engine, &admin).await.run(&sql).await });
        });
        let _ = dropping.join();
    }
}

impl Session {
    async fn open(engine: Engine, url: &str) -> Self {
        match engine {
            Engine::Mysql => Self::Mysql(Box::new(MySqlConnection::connect(url).await.expect("MariaDB"))),
            Engine::Postgres => {
                Self::Postgres(Box::new(PgConnection::connect(url).await.expect("PostgreSQL")))
            }
            Engine::Sqlite => Self::Sqlite(Box::new(SqliteConnection::connect(url).await.expect("SQLite"))),
        }
    }

    /// Runs one statement.
    pub async fn run(&mut self, sql: &str) {
        let raw = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        let done = match self {
            Self::Mysql(connection) => raw.execute(&mut **connection).await.map(drop),
            Self::Postgres(connection) => raw.execute(&mut **connection).await.map(drop),
            Self::Sqlite(connection) => raw.execute(&mut **connection).await.map(drop),
        };
        done.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// Registers one member, as somebody does who has never heard of us.
    pub async fn insert(&mut self, number: usize, status: &str) {
        self.run(&format!(
            "INSERT INTO members (member_no, nickname, wechat, phone, status) \
             VALUES ('M{number}', '会员😀{number}', 'wx{number}', '138{number:08}', '{status}')"
        ))
        .await;
    }
}

/// A line to a server, which a story cuts and mends.
#[derive(Debug)]
pub struct Line {
    is_up: Arc<AtomicBool>,
    cut: Arc<Notify>,
}

impl Line {
    /// The same address through a line.
    pub async fn to(url: &str) -> (String, Self) {
        let mut url = Url::parse(url).expect("an address");
        let default = if url.scheme().starts_with("mysql") { 3306 } else { 5432 };
        let server = (url.host_str().expect("a host").to_owned(), url.port().unwrap_or(default));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        url.set_host(Some("127.0.0.1")).expect("a host");
        url.set_port(Some(listener.local_addr().expect("a port").port())).expect("a port");
        let line = Self { is_up: Arc::new(AtomicBool::new(true)), cut: Arc::new(Notify::new()) };
        let (is_up, cut) = (Arc::clone(&line.is_up), Arc::clone(&line.cut));
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                if !is_up.load(Ordering::Acquire) {
                    continue; // hung up at once
                }
                let Ok(mut far) = TcpStream::connect((server.0.as_str(), server.1)).await else { continue };
                let cut = Arc::clone(&cut);
                tokio::spawn(async move {
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                        () = cut.notified() => {}
                    }
                });
            }
        });
        (url.to_string(), line)
    }

    /// Hangs up everybody, and whoever calls.
    pub fn cut(&self) {
        self.is_up.store(false, Ordering::Release);
        self.cut.notify_waiters();
    }

    /// Lets calls through again.
    pub fn mend(&self) {
        self.is_up.store(true, Ordering::Release);
    }
}

#[expect(clippy::disallowed_methods, reason = "settings of the tests, not of the program")]
fn server(engine: Engine) -> String {
    let variable = if engine == Engine::Mysql { MARIADB_VARIABLE } else { POSTGRES_VARIABLE };
    std::env::var(variable).unwrap_or_else(|_| {
        panic!("{variable} is not set: these stories need a server where databases may be made; `cargo xtask test` starts one")
    })
}

/// System S's table (existing-systems.md section 7.1).
fn members(engine: Engine) -> String {
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
