//! Databases that somebody else writes members into, and a line to them that can be cut.

#![expect(clippy::missing_panics_doc, reason = "a story that cannot go on ends with a panic that says why")]

#[path = "../../infrastructure/tests/conformance/intake/foreign.rs"]
pub mod foreign;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use application::intake::{Engine, Mapping, Source};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use url::Url;

pub use foreign::Session;

/// A database with system S's members and nobody in it. It vanishes with this value.
#[derive(Debug)]
pub struct SourceDatabase(foreign::Database);

impl SourceDatabase {
    /// Makes one.
    pub async fn create(engine: Engine) -> Self {
        let database = Self(foreign::Database::create(engine).await);
        database.session().await.run(&foreign::members(engine)).await;
        database
    }

    /// Its address.
    pub fn url(&self) -> &str {
        self.0.url()
    }

    /// A connection that knows nothing of Leadwire.
    pub async fn session(&self) -> Session {
        self.0.session().await
    }

    /// Leadwire's view of it.
    pub fn source(&self) -> Box<dyn Source> {
        infrastructure::intake::open(self.url(), Mapping::system_s()).expect("a source")
    }

    /// The same with its triggers in place.
    pub async fn installed(&self) -> Box<dyn Source> {
        let source = self.source();
        source.install().await.expect("the triggers are made");
        source
    }

    /// The same database behind a line that can be cut; only of servers.
    pub async fn behind_a_line(&self) -> (String, Line) {
        Line::to(self.url()).await
    }
}

impl Session {
    /// Runs one statement, which must not fail.
    pub async fn run(&mut self, sql: &str) {
        self.execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// Registers one member, as somebody does who has never heard of us.
    pub async fn insert(&mut self, number: usize, status: &str) {
        let number = u32::try_from(number).expect("a number");
        self.run(&foreign::member(number, status)).await;
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
