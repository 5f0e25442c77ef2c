//! Passwords: set, replaced, checked, and whose they are.

use application::bus::{GuardChange, GuardKind};
use chrono::DateTime;
use domain::{StaffId, StreamId};
use infrastructure::credentials::{Credentials, CredentialsError};
use infrastructure::event_log::EventLog;
use rstest::rstest;
use secrecy::SecretString;
use uuid::Uuid;

use crate::kit::{Backend, TestDb, appended_to, draft};

#[rstest]
#[tokio::test]
async fn a_password_fits_its_person_until_it_is_replaced(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let test = TestDb::fresh(backend).await;
    let credentials = Credentials::new(test.db.clone());
    let (anna, ben) = (StaffId(Uuid::from_u128(1)), StaffId(Uuid::from_u128(2)));
    let [first, second] = ["first password", "second password"].map(SecretString::from);
    credentials.set_password(anna, &first, DateTime::UNIX_EPOCH).await.unwrap();
    credentials.set_password(ben, &second, DateTime::UNIX_EPOCH).await.unwrap();
    for (who, password, fits) in [
        (Some(anna), &first, true),
        (Some(anna), &second, false),
        (Some(ben), &second, true),
        (Some(StaffId(Uuid::from_u128(3))), &first, false),
        (None, &first, false),
    ] {
        assert_eq!(credentials.verify(who, password).await.unwrap(), fits, "{who:?}");
    }
    credentials.set_password(anna, &second, DateTime::UNIX_EPOCH).await.unwrap();
    assert!(!credentials.verify(Some(anna), &first).await.unwrap());
    assert!(credentials.verify(Some(anna), &second).await.unwrap());
    let short = credentials.set_password(anna, &"1234567".into(), DateTime::UNIX_EPOCH).await;
    assert!(matches!(short, Err(CredentialsError::TooShort)));
}

#[rstest]
#[tokio::test]
async fn a_user_name_is_known_as_soon_as_it_is_taken(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let test = TestDb::fresh(backend).await;
    let log = EventLog::start(test.db.clone());
    let anna = StaffId(Uuid::from_u128(1));
    let holder = StreamId::from(anna);
    let mut register = draft(vec![appended_to(&holder, 0, 1)]);
    register.guards = vec![GuardChange::Claim { kind: GuardKind::StaffUsername, key: "anna".into(), holder }];
    log.append(register).await.unwrap();
    let credentials = Credentials::new(test.db.clone());
    assert_eq!(credentials.staff_named("anna").await.unwrap(), Some(anna));
    assert_eq!(credentials.staff_named("ben").await.unwrap(), None);
}
