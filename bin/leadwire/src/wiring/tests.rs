//! Starting, meeting another process, and stopping, on SQLite; PostgreSQL is covered by the acceptance tests.

use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::config::Sources;

/// Far more than a start or a stop takes.
const PATIENCE: Duration = Duration::from_mins(1);

fn settings(folder: &tempfile::TempDir) -> Settings {
    let url = format!("sqlite:{}", folder.path().join("leadwire.db").display());
    let environment = [
        ("LEADWIRE_DATABASE__URL", url.as_str()),
        ("LEADWIRE_SERVER__LISTEN", "127.0.0.1:0"),
        ("LEADWIRE_AUTH__JWT_SECRET", "a secret of at least thirty-two bytes"),
    ];
    let environment: BTreeMap<String, String> =
        environment.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    Settings::load(&Sources { file: None, environment }).unwrap()
}

async fn status(address: SocketAddr, path: &str) -> u16 {
    let client =
        infrastructure::provider_http::client(infrastructure::provider_http::Timeouts::default()).unwrap();
    client.get(format!("http://{address}{path}")).send().await.unwrap().status().as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_serves_settles_stops_and_starts_again_on_the_same_database() {
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let running = Leadwire::start(settings(&folder), &Role::ALL).await.unwrap();
        let address = running.local_addr().unwrap();
        assert_eq!(status(address, "/health/live").await, 200);
        running.settle(PATIENCE).await.unwrap();
        assert_eq!(status(address, "/health/ready").await, 200);
        assert!(running.app().health.is_good());
        assert!(running.stop().await, "everything stops in time");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_on_the_same_sqlite_file_is_told_so_but_may_read() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(&folder);
    let running = Leadwire::start(settings.clone(), &Role::ALL).await.unwrap();
    let second = Leadwire::start(settings.clone(), &Role::ALL).await.err().unwrap();
    assert!(matches!(second, StartError::Database(DbError::InUse { .. })), "{second}");
    let url = settings.database.url.expose_secret();
    let reader = Db::connect_read_only(url, settings.database.options).await.unwrap();
    let store = Store::over(reader, &Ports::default());
    assert_eq!(store.bus.log().head().await.unwrap(), 0);
    let consumers = store.projections.consumers();
    assert!(consumers.register("intruder", 0).await.is_err(), "a reader cannot write");
    assert!(running.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_alone_listens_nowhere_and_no_role_at_all_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let running = Leadwire::start(settings(&folder), &[Role::Worker]).await.unwrap();
    assert_eq!(running.local_addr(), None);
    assert!(running.stop().await);
    let refused = Leadwire::start(settings(&folder), &[]).await.err().unwrap();
    assert!(matches!(refused, StartError::NoRole));
}
