//! Service tokens: shown once, found by what they are, taken back for good.

use application::forms::{NewServiceToken, ServiceScope};
use chrono::{DateTime, TimeDelta, Utc};
use domain::{Actor, StaffId};
use infrastructure::service_tokens::{SERVICE_TOKEN_PREFIX, ServiceTokens};
use infrastructure::with_pool;
use rstest::rstest;
use secrecy::ExposeSecret as _;
use uuid::Uuid;

use crate::kit::{Backend, TestDb};

const NOW: DateTime<Utc> = DateTime::from_timestamp(1_800_000_000, 0).unwrap();

#[rstest]
#[tokio::test]
async fn a_token_is_kept_as_a_hash_and_found_by_its_text(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let test = TestDb::fresh(backend).await;
    let tokens = ServiceTokens::new(test.db.clone());
    let by = Actor::Staff(StaffId(Uuid::from_u128(1)));
    let scopes = vec![ServiceScope::IntakeWrite, ServiceScope::QueueProcess];
    let end = NOW + TimeDelta::days(1);
    let new = NewServiceToken { name: "intake".into(), scopes, expires_at: Some(end) };
    let (made, secret) = tokens.create(Uuid::from_u128(7), new.clone(), &by, NOW).await.unwrap();
    let text = secret.expose_secret();
    assert!(text.starts_with(SERVICE_TOKEN_PREFIX));
    assert_eq!(text.len(), SERVICE_TOKEN_PREFIX.len() + 43, "256 bits");
    assert_eq!(tokens.find(text).await.unwrap(), Some(made.clone()));
    assert!(made.is_good(NOW) && !made.is_good(end));

    let hash: String = with_pool!(&test.db, pool => {
        sqlx::query_scalar("SELECT token_hash FROM service_tokens").fetch_one(pool).await
    })
    .unwrap();
    assert!(hash.len() == 64 && !hash.contains(&text[3..10]));
    let changed = format!("{}A", &text[..text.len() - 1]);
    let changed = if changed == text { format!("{}B", &text[..text.len() - 1]) } else { changed };
    for other in [changed.as_str(), "lw_", "", "not one of ours", &format!("lw_{}", "x".repeat(4096))] {
        assert_eq!(tokens.find(other).await.unwrap(), None, "{other}");
    }

    let (second, other) = tokens.create(Uuid::from_u128(8), new, &by, NOW).await.unwrap();
    assert_ne!(other.expose_secret(), text);
    assert_eq!(tokens.all().await.unwrap(), [second, made]);
}

#[rstest]
#[tokio::test]
async fn a_token_is_taken_back_once_and_for_all(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let test = TestDb::fresh(backend).await;
    let tokens = ServiceTokens::new(test.db.clone());
    let new = NewServiceToken {
        name: "x".into(),
        scopes: vec![ServiceScope::NotificationsRequest],
        expires_at: None,
    };
    let (made, secret) =
        tokens.create(Uuid::from_u128(7), new, &Actor::System("cli".into()), NOW).await.unwrap();
    assert_eq!(made.created_by, "cli");
    for at in [NOW, NOW + TimeDelta::hours(1)] {
        let revoked = tokens.revoke(made.id, at).await.unwrap().unwrap();
        assert_eq!(revoked.revoked_at, Some(NOW), "the first time counts");
    }
    assert!(!tokens.find(secret.expose_secret()).await.unwrap().unwrap().is_good(NOW));
    assert_eq!(tokens.revoke(Uuid::from_u128(9), NOW).await.unwrap(), None);
}
