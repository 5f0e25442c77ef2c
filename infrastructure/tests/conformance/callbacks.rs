//! The table of callbacks: stored once, worked on by one at a time, never lost.

use chrono::{DateTime, TimeDelta, Utc};
use infrastructure::callbacks::{
    CALLBACK_RETENTION_DAYS, CallbackStore, Claimed, NewCallback, Received, Source,
};
use rstest::rstest;
use secrecy::SecretString;
use uuid::Uuid;

use crate::kit::{Backend, TestDb};

const NOW: DateTime<Utc> = DateTime::from_timestamp(1_800_000_000, 0).unwrap();

fn after(seconds: i64) -> DateTime<Utc> {
    NOW + TimeDelta::seconds(seconds)
}

/// Lets a callback come in.
async fn receive(store: &CallbackStore, n: u128, signature: &str, body: &str, at: DateTime<Utc>) -> Received {
    let new = NewCallback {
        id: Uuid::from_u128(n),
        source: Source::Wechat,
        app: "wx1",
        signature,
        signature_until: at + TimeDelta::minutes(10),
        body: &SecretString::from(body),
    };
    store.receive(new, at).await.unwrap()
}

async fn claim(store: &CallbackStore, token: u128, at: DateTime<Utc>) -> Vec<Claimed> {
    store.claim(Uuid::from_u128(token), 10, at).await.unwrap()
}

/// State, different callbacks, how often they came.
async fn counts(store: &CallbackStore) -> Vec<(String, i64, i64)> {
    let counts = store.counts().await.unwrap();
    counts.into_iter().map(|count| (count.state, count.callbacks, count.times)).collect()
}

#[rstest]
#[tokio::test]
async fn the_same_body_is_one_callback_however_it_is_signed(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let test = TestDb::fresh(backend).await;
    let store = CallbackStore::new(test.db.clone());
    assert_eq!(receive(&store, 1, "s1", "one", NOW).await, Received::New);
    assert_eq!(receive(&store, 2, "s1", "one", NOW).await, Received::Again);
    assert_eq!(receive(&store, 3, "s2", "one", NOW).await, Received::Again);
    assert_eq!(receive(&store, 4, "s3", "two", NOW).await, Received::New);
    assert_eq!(receive(&store, 5, "s1", "two", NOW).await, Received::Replayed, "a signature has one body");
    assert_eq!(counts(&store).await, [("waiting".to_owned(), 2, 4)]);
    let bodies: Vec<_> = claim(&store, 1, NOW).await.iter().map(|row| row.body().to_owned()).collect();
    assert_eq!(bodies, ["one", "two"]);
}

#[rstest]
#[tokio::test]
async fn one_process_works_on_a_callback_until_its_lease_ends(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let test = TestDb::fresh(backend).await;
    let store = CallbackStore::new(test.db.clone());
    receive(&store, 1, "s1", "one", NOW).await;
    let first = claim(&store, 1, NOW).await.remove(0);
    assert_eq!((first.attempts, first.received_at), (1, NOW));
    assert!(claim(&store, 2, after(59)).await.is_empty());
    let second = claim(&store, 2, after(60)).await.remove(0);
    assert_eq!(second.attempts, 2);

    store.done(&first, None, after(60)).await.unwrap();
    assert_eq!(counts(&store).await, [("waiting".to_owned(), 1, 1)], "whoever lost the lease ends nothing");
    store.done(&second, None, after(61)).await.unwrap();
    assert_eq!(counts(&store).await, [("done".to_owned(), 1, 1)]);
    assert_eq!(receive(&store, 2, "s2", "one", after(62)).await, Received::Again);
    assert!(claim(&store, 3, after(600)).await.is_empty(), "what is done stays done");
}

#[rstest]
#[tokio::test]
async fn what_waits_comes_again_and_what_is_parked_only_when_asked_for(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let test = TestDb::fresh(backend).await;
    let store = CallbackStore::new(test.db.clone());
    receive(&store, 1, "s1", "early", NOW).await;
    receive(&store, 2, "s2", "poison", after(1)).await;
    let rows = claim(&store, 1, after(1)).await;
    store.wait(&rows[0], after(30), "too early").await.unwrap();
    store.park(&rows[1], "no callback", after(1)).await.unwrap();
    assert_eq!(store.next_due().await.unwrap(), Some(after(30)));
    assert_eq!((store.due(after(29)).await.unwrap(), store.due(after(30)).await.unwrap()), (0, 1));
    assert!(claim(&store, 2, after(29)).await.is_empty());
    let again = claim(&store, 2, after(30)).await;
    assert_eq!(again.iter().map(Claimed::body).collect::<Vec<_>>(), ["early"]);
    assert_eq!(store.retry_parked(after(31)).await.unwrap(), 1);
    assert_eq!(claim(&store, 3, after(31)).await[0].body(), "poison");
}

#[rstest]
#[tokio::test]
async fn parallel_claims_share_no_callback(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let test = TestDb::fresh(backend).await;
    let store = CallbackStore::new(test.db.clone());
    for n in 0..20 {
        receive(&store, n, &format!("s{n}"), &format!("body {n}"), NOW).await;
    }
    let claims = (1..=4).map(|token| store.claim(Uuid::from_u128(token), 5, NOW));
    let mut claimed: Vec<Uuid> = Vec::new();
    for rows in futures_util::future::join_all(claims).await {
        claimed.extend(rows.unwrap().iter().map(|row| row.id));
    }
    claimed.extend(claim(&store, 9, NOW).await.iter().map(|row| row.id)); // those a parallel claim skipped
    claimed.sort_unstable();
    assert_eq!(claimed, (0..20).map(Uuid::from_u128).collect::<Vec<_>>());
}

#[rstest]
#[tokio::test]
async fn what_is_done_is_deleted_after_a_while(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let test = TestDb::fresh(backend).await;
    let store = CallbackStore::new(test.db.clone());
    for (n, body) in ["done", "parked", "waiting"].into_iter().enumerate() {
        receive(&store, n as u128, body, body, NOW).await;
    }
    let rows = claim(&store, 1, NOW).await;
    store.done(&rows[0], Some("nothing follows from it"), NOW).await.unwrap();
    store.park(&rows[1], "no callback", NOW).await.unwrap();
    let end = NOW + TimeDelta::days(CALLBACK_RETENTION_DAYS);
    assert_eq!(store.purge(end).await.unwrap(), 0);
    assert_eq!(store.purge(end + TimeDelta::seconds(1)).await.unwrap(), 1);
    let states: Vec<String> = counts(&store).await.into_iter().map(|(state, ..)| state).collect();
    assert_eq!(states, ["parked", "waiting"]);
    let later = end + TimeDelta::seconds(2);
    assert_eq!(receive(&store, 9, "done", "other", later).await, Received::New, "its signature is forgotten");
}

#[rstest]
#[tokio::test]
async fn after_a_crash_of_the_only_process_nothing_waits_for_its_leases(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let test = TestDb::fresh(backend).await;
    let store = CallbackStore::new(test.db.clone());
    receive(&store, 1, "s1", "one", NOW).await;
    assert_eq!(claim(&store, 1, NOW).await.len(), 1);
    store.end_leases().await.unwrap();
    let expected = usize::from(backend == Backend::Sqlite); // others may be at work on PostgreSQL
    assert_eq!(claim(&store, 2, NOW).await.len(), expected);
}

#[rstest]
#[tokio::test]
async fn a_signature_that_is_good_once_is_taken_once_whoever_asks(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let test = TestDb::fresh(backend).await;
    let [one, other] = [1, 2].map(|_| CallbackStore::new(test.db.clone()));
    let until = after(300);
    let take = async |store: &CallbackStore, app: &str, signature: &str| {
        store.take_signature("intake", app, signature, until).await.unwrap()
    };
    let (first, second) = tokio::join!(take(&one, "members", "s1"), take(&other, "members", "s1"));
    assert!(first != second, "one of them, and not both");
    assert!(!take(&one, "members", "s1").await);
    assert!(take(&one, "members", "s2").await && take(&other, "others", "s1").await);
    one.purge(after(299)).await.unwrap();
    assert!(!take(&other, "members", "s1").await, "it is still good");
    one.purge(after(301)).await.unwrap();
    assert!(take(&other, "members", "s1").await, "nobody believes it any more, so nobody remembers it");
}
