//! The secret of the `WeCom` application that an administrator typed: it counts, and no other does while it cannot be read.

use std::sync::Arc;

use application::bus::{Draft, StreamAppend};
use domain::member_notices::{MemberNoticesEvent, WecomSecretSet};
use domain::notification::{Channel, FailureClass};
use domain::{Actor, Metadata, StreamId};
use infrastructure::bus::Bus;
use infrastructure::db::Db;
use infrastructure::dispatcher::Provider as _;
use infrastructure::event_log::EventLog;
use infrastructure::upcasters::Upcasters;
use infrastructure::wecom::sealed::{StoredSecret, seal};
use rstest::rstest;
use secrecy::SecretString;
use wechat_simulator::{DEMO_WECOM_SECRET, Endpoint};

use crate::database::{Backend, TestDb, command};
use crate::kit::{CONFIGURED_SECRET, Ended, PERSON, World, body};

fn configured() -> SecretString {
    SecretString::from(CONFIGURED_SECRET)
}

fn bus(db: &Db) -> Bus {
    Bus::new(EventLog::start(db.clone()), Arc::new(Upcasters::none()))
}

/// What the console does with a secret.
async fn typed(bus: &Bus, secret: &str) {
    let at = "2026-03-01T01:00:00Z".parse().unwrap();
    let by = Actor::System("test".to_owned());
    let sealed = seal(&configured(), &SecretString::from(secret)).unwrap();
    let set: MemberNoticesEvent = WecomSecretSet { sealed, by: by.clone(), at }.into();
    let metadata =
        Metadata { command: command(), correlation: "test".to_owned(), causation: None, actor: by };
    let streams = vec![StreamAppend::of(StreamId::member_notices(), 0, &[set]).unwrap()];
    let draft = Draft { metadata, recorded_at: at, streams, guards: vec![], receipt: None };
    bus.append_with(draft, vec![]).await.unwrap();
}

#[rstest]
#[tokio::test]
async fn while_it_cannot_be_read_nobody_is_asked_with_the_one_before(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let (world, log) = (World::new(backend).await, TestDb::fresh(backend).await);
    typed(&bus(&log.db), DEMO_WECOM_SECRET).await;
    log.db.close().await;

    let away = log.reopened().await;
    let app = world.wecom_app_with(StoredSecret::new(bus(&away), configured()));
    away.close().await;
    let rest = app.prepare().await.unwrap_err();
    assert_eq!((rest.failure.class, rest.failure.code), (FailureClass::Unreachable, None));
    assert_eq!(world.calls(Endpoint::GetToken), 0, "an old secret is no answer");

    let back = log.reopened().await;
    let app = world.wecom_app_with(StoredSecret::new(bus(&back), configured()));
    assert_eq!(world.send(&app, &body(Channel::WecomApp, PERSON, 1)).await, Ended::Accepted);
    assert_eq!(world.calls(Endpoint::GetToken), 1);
    back.close().await;
}
