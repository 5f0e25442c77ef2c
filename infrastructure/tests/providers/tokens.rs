//! One token for all: asked for once whoever needs it, and never in a storm.

use std::collections::BTreeSet;
use std::sync::Arc;

use domain::notification::FailureClass;
use futures_util::future::join_all;
use infrastructure::provider_tokens::TokenStore;
use rstest::rstest;
use secrecy::ExposeSecret as _;
use wechat_simulator::{
    DEMO_APPID, DEMO_SECRET, DEMO_WECOM_SECRET, Endpoint, Fault, Times, TokenEnd, TokenFamily,
};

use crate::database::Backend;
use crate::kit::World;

/// Sends that need a token at the same moment.
const AT_ONCE: usize = 100;

#[derive(Debug, Clone, Copy)]
enum Whose {
    Wechat,
    Wecom,
}

impl Whose {
    fn store(self, world: &World, secret: Option<&str>) -> Arc<TokenStore> {
        match self {
            Self::Wechat => world.wechat_tokens(DEMO_APPID, secret.unwrap_or(DEMO_SECRET)),
            Self::Wecom => world.wecom_tokens(secret.unwrap_or(DEMO_WECOM_SECRET)),
        }
    }

    fn endpoint(self) -> Endpoint {
        match self {
            Self::Wechat => Endpoint::StableToken,
            Self::Wecom => Endpoint::GetToken,
        }
    }

    fn family(self) -> TokenFamily {
        match self {
            Self::Wechat => TokenFamily::Stable,
            Self::Wecom => TokenFamily::Wecom,
        }
    }
}

/// The different tokens that a hundred callers get.
async fn hundred(stores: &[Arc<TokenStore>]) -> BTreeSet<String> {
    let callers = (0..AT_ONCE).map(|n| {
        let store = Arc::clone(&stores[n % stores.len()]);
        tokio::spawn(async move { store.get().await.unwrap().secret().expose_secret().to_owned() })
    });
    join_all(callers).await.into_iter().map(Result::unwrap).collect()
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_callers_with_an_expired_token_ask_once(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(Whose::Wechat, Whose::Wecom)] whose: Whose,
) {
    let world = World::new(backend).await;
    let store = whose.store(&world, None);
    let first = hundred(&[Arc::clone(&store)]).await;
    assert_eq!((first.len(), world.calls(whose.endpoint())), (1, 1));
    world.advance(7201);
    let second = hundred(&[store]).await;
    assert_eq!((second.len(), world.calls(whose.endpoint())), (1, 2));
    assert!(first.is_disjoint(&second));
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn two_processes_with_an_expired_token_ask_once(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(Whose::Wechat, Whose::Wecom)] whose: Whose,
) {
    let world = World::new(backend).await;
    let stores = [whose.store(&world, None), whose.store(&world, None)];
    assert_eq!(hundred(&stores).await.len(), 1);
    world.advance(7201);
    assert_eq!(hundred(&stores).await.len(), 1);
    assert_eq!(world.calls(whose.endpoint()), 2);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_callers_with_a_refused_token_ask_once(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(Whose::Wechat, Whose::Wecom)] whose: Whose,
) {
    let world = World::new(backend).await;
    let store = whose.store(&world, None);
    let refused = store.get().await.unwrap();
    world.simulator().end_tokens(Some(whose.family()), TokenEnd::Expired);
    let callers = (0..AT_ONCE).map(|_| {
        let (store, refused) = (Arc::clone(&store), refused.clone());
        tokio::spawn(
            async move { store.instead_of(&refused).await.unwrap().secret().expose_secret().to_owned() },
        )
    });
    let fresh: BTreeSet<String> = join_all(callers).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(fresh.len(), 1);
    assert!(!fresh.contains(refused.secret().expose_secret()));
    assert_eq!(world.calls(whose.endpoint()), 2);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_secret_is_no_storm(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(Whose::Wechat, Whose::Wecom)] whose: Whose,
) {
    let world = World::new(backend).await;
    let store = whose.store(&world, Some("not the secret"));
    for (passed, calls) in [(0, 1), (59, 1), (1, 2)] {
        world.advance(passed);
        let callers = (0..AT_ONCE).map(|_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.get().await.unwrap_err().failure.class })
        });
        let classes: Vec<_> = join_all(callers).await.into_iter().map(Result::unwrap).collect();
        assert_eq!(classes, [FailureClass::Config; AT_ONCE]);
        assert_eq!(world.calls(whose.endpoint()), calls, "after {passed} s more");
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_busy_token_api_is_asked_again_after_a_while(#[values(Whose::Wechat, Whose::Wecom)] whose: Whose) {
    let world = World::new(Backend::Sqlite).await;
    let store = whose.store(&world, None);
    let busy = Fault::Errcode { errcode: -1, errmsg: None, process: false };
    world.fault(whose.endpoint(), busy, Times::Count(1));
    assert_eq!(store.get().await.unwrap_err().failure.class, FailureClass::Busy);
    assert!(store.get().await.is_err());
    assert_eq!(world.calls(whose.endpoint()), 1);
    world.advance(5);
    assert!(store.get().await.is_ok());
}

#[tokio::test]
async fn tokens_of_two_providers_and_two_apps_are_not_mixed_up() {
    let world = World::new(Backend::Sqlite).await;
    let wechat = Whose::Wechat.store(&world, None).get().await.unwrap();
    let wecom = Whose::Wecom.store(&world, None).get().await.unwrap();
    assert_ne!(wechat.secret().expose_secret(), wecom.secret().expose_secret());
    let again = Whose::Wechat.store(&world, None).get().await.unwrap();
    assert_eq!(again.secret().expose_secret(), wechat.secret().expose_secret(), "a restart finds it");
    assert_eq!(world.calls(Endpoint::StableToken), 1);
}
