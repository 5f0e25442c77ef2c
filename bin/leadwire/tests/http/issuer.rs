//! People who logged in at an existing issuer: who they are it says, what they may do we know.

use std::io::Write as _;

use domain::staff::Role;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use p256::SecretKey;
use p256::pkcs8::{EncodePrivateKey as _, EncodePublicKey as _, LineEnding};
use serde_json::{Value, json};

use crate::kit::{Person, Service};

const NAME: &str = "https://login.example.com";

struct World {
    service: Service,
    key: EncodingKey,
    _public_key: tempfile::NamedTempFile,
}

impl World {
    async fn start(username_claim: Option<&str>) -> Self {
        let secret = SecretKey::random(&mut p256::elliptic_curve::rand_core::OsRng);
        let pem = secret.to_pkcs8_pem(LineEnding::LF).unwrap();
        let mut public_key = tempfile::NamedTempFile::new().unwrap();
        let text = secret.public_key().to_public_key_pem(LineEnding::LF).unwrap();
        public_key.write_all(text.as_bytes()).unwrap();
        let mut variables = vec![
            ("LEADWIRE_AUTH__ISSUER__NAME", NAME),
            ("LEADWIRE_AUTH__ISSUER__AUDIENCE", "leadwire"),
            ("LEADWIRE_AUTH__ISSUER__PUBLIC_KEY_FILE", public_key.path().to_str().unwrap()),
        ];
        variables.extend(username_claim.map(|claim| ("LEADWIRE_AUTH__ISSUER__USERNAME_CLAIM", claim)));
        let service = Service::start_with(&variables).await;
        let key = EncodingKey::from_ec_pem(pem.as_bytes()).unwrap();
        Self { service, key, _public_key: public_key }
    }

    /// The person with a token of the issuer that says so.
    fn vouched(&self, person: &Person, claim: &str, value: Value) -> Person {
        let now = self.service.running.app().clock.now().timestamp();
        let mut claims = json!({ "iss": NAME, "aud": "leadwire", "sub": "x", "role": "admin", "iat": now, "exp": now + 600 });
        claims[claim] = value;
        person.with_token(&encode(&Header::new(Algorithm::ES256), &claims, &self.key).unwrap())
    }
}

#[tokio::test]
async fn the_issuer_says_who_and_the_directory_says_what() {
    let world = World::start(None).await;
    let service = &world.service;
    let employee = service.person("employee1", Role::Employee).await;
    let vouched = world.vouched(&employee, "sub", json!(employee.id));
    let me = service.get("/api/auth/me").by(&vouched).send().await;
    assert_eq!((&me.data()["username"], &me.data()["role"]), (&json!("employee1"), &json!("employee")));
    assert_eq!(
        service.get("/api/users").by(&vouched).send().await.status,
        403,
        "whatever role the token names"
    );
    assert_eq!(
        service.get("/api/auth/me").by(&employee).send().await.status,
        200,
        "our own tokens are good too"
    );
    let nobody = world.vouched(&employee, "sub", json!("0190a1b2-0000-7000-8000-000000000000"));
    assert_eq!(service.get("/api/auth/me").by(&nobody).send().await.problem(), (401, "UNAUTHORIZED"));
    let elsewhere = world.vouched(&employee, "aud", json!("another"));
    assert_eq!(service.get("/api/auth/me").by(&elsewhere).send().await.problem(), (401, "UNAUTHORIZED"));

    let refresh = service.post("/api/auth/refresh", &json!({})).by(&vouched).send().await;
    assert_eq!(refresh.problem(), (403, "FORBIDDEN"), "the issuer's business");
    service.suspend(&employee).await;
    assert_eq!(service.get("/api/auth/me").by(&vouched).send().await.problem(), (401, "ACCOUNT_SUSPENDED"));
    world.service.stop().await;
}

#[tokio::test]
async fn a_login_name_of_the_issuer_is_one_of_ours_and_a_log_out_holds() {
    let world = World::start(Some("preferred_username")).await;
    let service = &world.service;
    let employee = service.person("employee1", Role::Employee).await;
    let vouched = world.vouched(&employee, "preferred_username", json!("Employee1"));
    assert_eq!(service.get("/api/auth/me").by(&vouched).send().await.data()["id"], json!(employee.id));
    let stranger = world.vouched(&employee, "preferred_username", json!("nobody"));
    assert_eq!(service.get("/api/auth/me").by(&stranger).send().await.problem(), (401, "UNAUTHORIZED"));
    assert_eq!(service.post("/api/auth/logout", &json!({})).by(&vouched).send().await.status, 200);
    assert_eq!(service.get("/api/auth/me").by(&vouched).send().await.problem(), (401, "SESSION_ENDED"));
    world.service.stop().await;
}
