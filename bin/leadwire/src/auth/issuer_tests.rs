//! Tokens of a foreign issuer: keys made here, sets served from here.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::{Json, Router, routing::get};
use domain::StaffId;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{DecodingKey, EncodingKey, Header, encode};
use p256::pkcs8::{EncodePrivateKey as _, EncodePublicKey as _, LineEnding};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::*;

const NOW: DateTime<Utc> = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
const NAME: &str = "https://login.example.com";

/// A key pair of the issuer.
struct Pair {
    algorithm: Algorithm,
    sign: EncodingKey,
    public_pem: String,
}

fn elliptic() -> Pair {
    let secret = p256::SecretKey::random(&mut p256::elliptic_curve::rand_core::OsRng);
    let pem = secret.to_pkcs8_pem(LineEnding::LF).unwrap();
    let public_pem = secret.public_key().to_public_key_pem(LineEnding::LF).unwrap();
    let sign = EncodingKey::from_ec_pem(pem.as_bytes()).unwrap();
    Pair { algorithm: Algorithm::ES256, sign, public_pem }
}

fn rsa() -> Pair {
    use rsa::pkcs8::{EncodePrivateKey as _, EncodePublicKey as _};
    // Half the usual size: what is tested is not how hard it is to break.
    let secret = rsa::RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 1024).unwrap();
    let pem = secret.to_pkcs8_pem(LineEnding::LF).unwrap();
    let public_pem = secret.to_public_key().to_public_key_pem(LineEnding::LF).unwrap();
    let sign = EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap();
    Pair { algorithm: Algorithm::RS256, sign, public_pem }
}

impl Pair {
    fn verifying(&self) -> VerifyingKey {
        let pem = self.public_pem.as_bytes();
        let key = match self.algorithm {
            Algorithm::RS256 => DecodingKey::from_rsa_pem(pem),
            _ => DecodingKey::from_ec_pem(pem),
        };
        VerifyingKey { algorithm: self.algorithm, key: key.unwrap() }
    }

    fn token(&self, kid: &str, claims: &Value) -> String {
        let header = Header { kid: Some(kid.to_owned()), ..Header::new(self.algorithm) };
        encode(&header, claims, &self.sign).unwrap()
    }

    fn jwk(&self, kid: &str) -> Jwk {
        let mut jwk = Jwk::from_encoding_key(&self.sign, self.algorithm).unwrap();
        jwk.common.key_id = Some(kid.to_owned());
        jwk
    }
}

fn settings(keys: IssuerKeys, username_claim: Option<&str>) -> IssuerSettings {
    IssuerSettings {
        name: NAME.into(),
        audience: "leadwire".into(),
        keys,
        username_claim: username_claim.map(str::to_owned),
    }
}

fn claims() -> Value {
    json!({ "iss": NAME, "aud": "leadwire", "sub": staff().to_string(), "exp": NOW.timestamp() + 60, "iat": NOW.timestamp() })
}

fn staff() -> StaffId {
    StaffId(Uuid::from_u128(7))
}

fn with(key: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[key] = value;
    claims
}

#[tokio::test]
async fn tokens_of_both_kinds_are_good_when_every_claim_is() {
    for pair in [elliptic(), rsa()] {
        let issuer = Issuer::new(&settings(IssuerKeys::One(pair.verifying()), None)).unwrap();
        let token = pair.token("k", &claims());
        assert!(is_foreign(&token));
        let foreign = issuer.check(&token, NOW).await.unwrap();
        assert_eq!((foreign.named, foreign.since), (Named::Id(staff()), NOW));
        let skewed = pair.token("k", &with("nbf", json!(NOW.timestamp() + 30)));
        assert!(issuer.check(&skewed, NOW).await.is_ok(), "clocks differ a little");
        for (claims, error) in [
            (with("iss", json!("https://evil.example.com")), TokenError::Invalid),
            (with("aud", json!("another")), TokenError::Invalid),
            (with("exp", json!(NOW.timestamp())), TokenError::Expired),
            (with("exp", Value::Null), TokenError::Invalid),
            (with("nbf", json!(NOW.timestamp() + 3600)), TokenError::Invalid),
            (with("sub", json!("zhang")), TokenError::Invalid),
            (with("sub", json!(7)), TokenError::Invalid),
        ] {
            let token = pair.token("k", &claims);
            assert_eq!(issuer.check(&token, NOW).await, Err(ForeignError::Token(error)), "{claims}");
        }
    }
}

#[tokio::test]
async fn a_token_of_another_key_or_algorithm_is_not_good() {
    let (ours, theirs) = (elliptic(), elliptic());
    let issuer = Issuer::new(&settings(IssuerKeys::One(ours.verifying()), None)).unwrap();
    let invalid = Err(ForeignError::Token(TokenError::Invalid));
    assert_eq!(issuer.check(&theirs.token("k", &claims()), NOW).await, invalid);
    // The public key as a secret: whoever lets the token choose the algorithm is taken in.
    let secret = EncodingKey::from_secret(ours.public_pem.as_bytes());
    let confused = encode(&Header::new(Algorithm::HS256), &claims(), &secret).unwrap();
    assert!(!is_foreign(&confused));
    assert_eq!(issuer.check(&confused, NOW).await, invalid);
    for text in ["", "a.b.c", &"x".repeat(TOKEN_BYTES_MAX + 1)] {
        assert!(!is_foreign(text));
        assert_eq!(issuer.check(text, NOW).await, invalid);
    }
}

#[tokio::test]
async fn a_claim_may_hold_the_login_name() {
    let pair = elliptic();
    let settings = settings(IssuerKeys::One(pair.verifying()), Some("preferred_username"));
    let issuer = Issuer::new(&settings).unwrap();
    let token = pair.token("k", &with("preferred_username", json!(" Zhang.San ")));
    let foreign = issuer.check(&token, NOW).await.unwrap();
    assert_eq!(foreign.named, Named::Username("zhang.san".into()));
    let nameless = issuer.check(&pair.token("k", &claims()), NOW).await;
    assert_eq!(nameless, Err(ForeignError::Token(TokenError::Invalid)));
    let [first, second] = ["1", "2"].map(|jti| with("jti", json!(jti)));
    let id = async |claims: Value| {
        let named = with("preferred_username", json!("x"));
        let mut claims = claims;
        claims["preferred_username"] = named["preferred_username"].clone();
        issuer.check(&pair.token("k", &claims), NOW).await.unwrap().id
    };
    assert_eq!(id(first.clone()).await, id(first.clone()).await, "the id is the token's own");
    assert_ne!(id(first).await, id(second).await);
}

/// An issuer's server whose keys can be changed, and how often it was asked.
struct Server {
    keys: Arc<Mutex<Vec<Jwk>>>,
    asked: Arc<AtomicUsize>,
    url: url::Url,
}

async fn server(keys: Vec<Jwk>) -> Server {
    let (keys, asked) = (Arc::new(Mutex::new(keys)), Arc::new(AtomicUsize::new(0)));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/keys", listener.local_addr().unwrap()).parse().unwrap();
    let (served, count) = (keys.clone(), asked.clone());
    let answer = async move || {
        count.fetch_add(1, Ordering::SeqCst);
        Json(json!({ "keys": *served.lock().await }))
    };
    let router = Router::new().route("/keys", get(answer));
    tokio::spawn(async move { axum::serve(listener, router).await });
    Server { keys, asked, url }
}

#[tokio::test]
async fn a_key_set_is_fetched_in_the_background_and_once_for_many() {
    let pair = elliptic();
    let server = server(vec![pair.jwk("k1")]).await;
    let issuer = Issuer::new(&settings(IssuerKeys::Set(server.url.clone()), None)).unwrap();
    let stop = CancellationToken::new();
    let set = issuer.key_set().unwrap().clone();
    let task = tokio::spawn({
        let stop = stop.clone();
        async move { set.run(stop).await }
    });
    let good = pair.token("k1", &claims());
    let checks = (0..20).map(|_| issuer.check(&good, NOW));
    for checked in futures_util::future::join_all(checks).await {
        assert!(checked.is_ok(), "{checked:?}");
    }
    assert_eq!(server.asked.load(Ordering::SeqCst), 1, "twenty tokens, one fetch");

    // Made-up ids do not make us ask again and again.
    server.keys.lock().await.push(pair.jwk("k2"));
    for kid in ["made-up", "k2"] {
        let refused = issuer.check(&pair.token(kid, &claims()), NOW).await;
        assert_eq!(refused, Err(ForeignError::Token(TokenError::Invalid)), "{kid}");
    }
    assert_eq!(server.asked.load(Ordering::SeqCst), 1);
    stop.cancel();
    task.await.unwrap();
}

#[tokio::test]
async fn without_keys_nobody_can_tell() {
    let pair = elliptic();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/keys", listener.local_addr().unwrap());
    drop(listener); // nobody is there
    let issuer = Issuer::new(&settings(IssuerKeys::Set(url.parse().unwrap()), None)).unwrap();
    let stop = CancellationToken::new();
    let set = issuer.key_set().unwrap().clone();
    let task = tokio::spawn({
        let stop = stop.clone();
        async move { set.run(stop).await }
    });
    assert_eq!(issuer.check(&pair.token("k1", &claims()), NOW).await, Err(ForeignError::NoKeys));
    stop.cancel();
    task.await.unwrap();
}
