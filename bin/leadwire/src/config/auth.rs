//! The settings of logging in: our own tokens, and those of an existing issuer.

use std::time::Duration;

use infrastructure::jwks::VerifyingKey;
use jsonwebtoken::{Algorithm, DecodingKey};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::reader::Reader;
use super::service::{http_url, within};
use super::{JWT_SECRET_BYTES_MIN, keys};

/// Bounds of the life of a token, in seconds.
const TOKEN_SECONDS: std::ops::RangeInclusive<u64> = 60..=30 * 24 * 60 * 60;

/// Tokens.
#[derive(Debug, Clone)]
pub struct AuthSettings {
    /// Signs and checks our own tokens.
    pub jwt_secret: SecretString,
    /// How long one is good.
    pub token_life: Duration,
    /// Whose tokens are accepted besides.
    pub issuer: Option<IssuerSettings>,
}

/// An issuer whose tokens name our staff.
#[derive(Debug, Clone)]
pub struct IssuerSettings {
    /// What its tokens say in `iss`.
    pub name: String,
    /// What they must say in `aud`.
    pub audience: String,
    /// What they are signed with.
    pub keys: IssuerKeys,
    /// The claim that holds the login name; without it `sub` is the id of a member of staff.
    pub username_claim: Option<String>,
}

/// What an issuer's tokens are signed with.
#[derive(Debug, Clone)]
pub enum IssuerKeys {
    /// The one key of the configured file.
    One(VerifyingKey),
    /// The key set at this address.
    Set(Url),
}

pub(super) fn auth(reader: &mut Reader) -> Option<AuthSettings> {
    let seconds = reader.checked("auth.token_seconds", |n| within(n, &TOKEN_SECONDS, "seconds"));
    let issuer = issuer(reader);
    let jwt_secret = reader.secret("auth.jwt_secret", "auth.jwt_secret_file");
    let long_enough = |secret: &SecretString| secret.expose_secret().len() >= JWT_SECRET_BYTES_MIN;
    if !jwt_secret.as_ref().is_some_and(long_enough) {
        let variable = keys::variable("auth.jwt_secret");
        let rule = format!(
            "is needed, with at least {JWT_SECRET_BYTES_MIN} bytes: set {variable} or auth.jwt_secret_file, \
             for example to the output of `openssl rand -hex 32`"
        );
        reader.problem("auth.jwt_secret", rule);
        return None;
    }
    Some(AuthSettings { jwt_secret: jwt_secret?, token_life: Duration::from_secs(seconds?), issuer })
}

fn issuer(reader: &mut Reader) -> Option<IssuerSettings> {
    let name = reader.text("auth.issuer.name");
    let audience = reader.text("auth.issuer.audience");
    let url = reader.text("auth.issuer.jwks_url");
    let file = reader.text("auth.issuer.public_key_file");
    let username_claim = reader.text("auth.issuer.username_claim");
    let parts = [&name, &audience, &url, &file, &username_claim];
    if parts.iter().all(|part| part.is_none()) {
        return None; // not configured: only our own tokens are good
    }
    for (setting, part) in [("auth.issuer.name", &name), ("auth.issuer.audience", &audience)] {
        if part.is_none() {
            reader.problem(
                setting,
                "is needed: a token of anybody else, or for anybody else, is not good here",
            );
        }
    }
    let keys = match (url, file) {
        (Some(url), None) => key_set(reader, &url),
        (None, Some(file)) => public_key(reader, &file),
        _ => {
            reader.problem("auth.issuer", "set either jwks_url or public_key_file");
            None
        }
    };
    Some(IssuerSettings { name: name?, audience: audience?, keys: keys?, username_claim })
}

/// Keys that came unprotected could be anybody's; the own machine is the exception.
fn key_set(reader: &mut Reader, text: &str) -> Option<IssuerKeys> {
    let safe = |url: &Url| {
        let own = match url.host() {
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
            Some(url::Host::Domain(name)) => name == "localhost",
            None => false,
        };
        url.scheme() == "https" || own
    };
    let url = http_url(text).ok().filter(safe);
    if url.is_none() {
        reader.problem("auth.issuer.jwks_url", "is not an https address");
    }
    url.map(IssuerKeys::Set)
}

fn public_key(reader: &mut Reader, file: &str) -> Option<IssuerKeys> {
    let pem = reader.secret_file("auth.issuer.public_key_file", file.as_ref())?;
    let pem = pem.expose_secret().as_bytes();
    let rsa = DecodingKey::from_rsa_pem(pem).map(|key| VerifyingKey { algorithm: Algorithm::RS256, key });
    let key = rsa.or_else(|_| {
        DecodingKey::from_ec_pem(pem).map(|key| VerifyingKey { algorithm: Algorithm::ES256, key })
    });
    if key.is_err() {
        reader.problem("auth.issuer.public_key_file", "holds no RSA or P-256 public key in PEM form");
    }
    key.ok().map(IssuerKeys::One)
}
