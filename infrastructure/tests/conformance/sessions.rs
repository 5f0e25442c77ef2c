//! Ended sessions: at once here, within a poll elsewhere, and no longer than they must be remembered.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use domain::StaffId;
use infrastructure::clock::TestClock;
use infrastructure::credentials::Credentials;
use infrastructure::sessions::{SessionMark, Sessions};
use rstest::rstest;
use uuid::Uuid;

use crate::kit::{Backend, TestDb};

const NOW: DateTime<Utc> = DateTime::from_timestamp(1_800_000_000, 0).unwrap();

fn mark(session: u128, generation: Option<i64>) -> SessionMark {
    let (staff, session) = (StaffId(Uuid::from_u128(1)), Uuid::from_u128(session));
    SessionMark { staff, session, token: Uuid::from_u128(session.as_u128() + 1000), generation }
}

fn clock() -> Arc<TestClock> {
    Arc::new(TestClock::at(NOW))
}

#[rstest]
#[tokio::test]
async fn a_session_ends_here_at_once_and_elsewhere_with_the_next_reading(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let test = TestDb::fresh(backend).await;
    let here = Sessions::new(test.db.clone(), clock());
    let elsewhere = Sessions::new(test.reopened_beside().await, clock());
    let (ended, other) = (mark(10, Some(0)), mark(11, Some(0)));
    for sessions in [&here, &elsewhere] {
        assert!(!sessions.is_ended(&ended).await.unwrap());
    }
    let mut told = elsewhere.changes();
    here.end(ended.session, NOW, NOW + TimeDelta::hours(1)).await.unwrap();
    assert!(here.is_ended(&ended).await.unwrap());
    elsewhere.refresh().await.unwrap();
    assert!(told.has_changed().unwrap(), "open sockets are told");
    told.mark_unchanged();
    assert!(elsewhere.is_ended(&ended).await.unwrap());
    assert!(!elsewhere.is_ended(&other).await.unwrap());
    elsewhere.refresh().await.unwrap();
    assert!(!told.has_changed().unwrap(), "nothing new, nobody is woken");
}

#[rstest]
#[tokio::test]
async fn one_token_ends_later_and_its_session_goes_on(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let test = TestDb::fresh(backend).await;
    let clock = clock();
    let sessions = Sessions::new(test.db.clone(), clock.clone());
    let old = mark(10, Some(0));
    let new = SessionMark { token: Uuid::from_u128(77), ..old };
    let effective = NOW + TimeDelta::seconds(30);
    sessions.end(old.token, effective, NOW + TimeDelta::hours(1)).await.unwrap();
    assert!(!sessions.is_ended(&old).await.unwrap());
    // Ending it again cannot make it live longer.
    sessions.end(old.token, effective + TimeDelta::hours(2), NOW + TimeDelta::hours(1)).await.unwrap();
    clock.advance(TimeDelta::seconds(30));
    assert!(sessions.is_ended(&old).await.unwrap());
    assert!(!sessions.is_ended(&new).await.unwrap());
}

#[rstest]
#[tokio::test]
async fn a_new_password_ends_every_session_begun_before_it(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let test = TestDb::fresh(backend).await;
    let sessions = Sessions::new(test.db.clone(), clock());
    let staff = mark(10, None).staff;
    let before = mark(10, Some(sessions.generation(staff).await.unwrap()));
    assert!(!sessions.is_ended(&before).await.unwrap());
    let credentials = Credentials::new(test.db.clone());
    credentials.set_password(staff, &"a new password".into(), NOW).await.unwrap();
    sessions.refresh().await.unwrap();
    assert!(sessions.is_ended(&before).await.unwrap());
    let after = mark(11, Some(sessions.generation(staff).await.unwrap()));
    assert!(!sessions.is_ended(&after).await.unwrap());
    sessions.end_all(staff).await.unwrap();
    assert!(sessions.is_ended(&after).await.unwrap());
    assert!(!sessions.is_ended(&mark(12, None)).await.unwrap(), "another issuer's token has no generation");
}

#[rstest]
#[tokio::test]
async fn what_does_not_fit_into_memory_is_asked_for_and_the_past_is_forgotten(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let test = TestDb::fresh(backend).await;
    let clock = clock();
    let sessions = Sessions::remembering(test.db.clone(), clock.clone(), 2);
    for session in 0..5 {
        sessions.end(mark(session, None).session, NOW, NOW + TimeDelta::hours(1)).await.unwrap();
    }
    for session in 0..5 {
        assert!(sessions.is_ended(&mark(session, None)).await.unwrap(), "{session}");
    }
    assert!(!sessions.is_ended(&mark(9, None)).await.unwrap());
    // An hour later all of them have ended by themselves, and there is room for others.
    clock.advance(TimeDelta::hours(1));
    let until = clock_now(&clock) + TimeDelta::hours(1);
    sessions.end(mark(20, None).session, NOW, until).await.unwrap();
    assert!(sessions.is_ended(&mark(20, None)).await.unwrap());
    assert!(!sessions.is_ended(&mark(0, None)).await.unwrap());
}

fn clock_now(clock: &Arc<TestClock>) -> DateTime<Utc> {
    application::ports::Clock::now(clock.as_ref())
}
