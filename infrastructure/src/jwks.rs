//! The public keys of a foreign issuer: fetched in the background, looked up by their id.
//!
//! No request fetches anything. A token with an unknown key id wakes the one task that does, and waits a moment for it:
//! a hundred of them are one fetch, and a flood of made-up ids is one fetch in [`APART`].

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use reqwest::Client;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::provider_http::{ClientError, Exchange, Timeouts, client, exchange};

/// How often the keys are fetched although nobody asked for an unknown one.
const PERIOD: Duration = Duration::from_mins(10);
/// How soon a fetch that failed is repeated.
const AFTER_FAILURE: Duration = Duration::from_secs(10);
/// Least time between two fetches that unknown key ids cause.
pub const APART: Duration = Duration::from_secs(10);
/// How long a token with an unknown key id waits for the fetch it caused.
const WAIT: Duration = Duration::from_secs(2);
/// How long a fetch may take.
const TIMEOUTS: Timeouts = Timeouts { connect: Duration::from_secs(3), total: Duration::from_secs(5) };
/// Most keys of a set that are kept; issuers have two or three.
const KEYS_MAX: usize = 64;

/// A key and the one algorithm it is used with: a token cannot choose another.
#[derive(Clone)]
pub struct VerifyingKey {
    /// RS256 or ES256.
    pub algorithm: Algorithm,
    /// The key.
    pub key: DecodingKey,
}

impl std::fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VerifyingKey").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

/// Why there is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyProblem {
    /// The issuer has no such key.
    #[error("the issuer has no such key")]
    Unknown,
    /// The keys were never fetched.
    #[error("the keys of the issuer could not be fetched")]
    Unavailable,
}

#[derive(Default)]
struct Known {
    /// `None` until the first fetch that went well.
    keys: Option<HashMap<String, VerifyingKey>>,
    /// When the last fetch began.
    asked_at: Option<Instant>,
}

struct Inner {
    url: Url,
    client: Client,
    known: RwLock<Known>,
    wanted: Notify,
    rounds: watch::Sender<u64>,
}

/// The keys of one issuer. Cheap to clone.
#[derive(Clone)]
pub struct Jwks(Arc<Inner>);

impl std::fmt::Debug for Jwks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Jwks").field("url", &self.0.url.as_str()).finish_non_exhaustive()
    }
}

impl Jwks {
    /// The keys at this address; fetched by [`Self::run`].
    pub fn new(url: Url) -> Result<Self, ClientError> {
        let (rounds, _) = watch::channel(0);
        let client = client(TIMEOUTS)?;
        let (known, wanted) = (RwLock::default(), Notify::new());
        Ok(Self(Arc::new(Inner { url, client, known, wanted, rounds })))
    }

    /// The key with this id.
    pub async fn key(&self, id: &str) -> Result<VerifyingKey, KeyProblem> {
        let mut rounds = self.0.rounds.subscribe();
        let first = self.look(id);
        if first.is_ok() || self.asked_lately() {
            return first;
        }
        self.0.wanted.notify_one();
        // Whether the fetch ended in time changes nothing: what is known then counts.
        let _ = timeout(WAIT, rounds.changed()).await;
        self.look(id)
    }

    fn look(&self, id: &str) -> Result<VerifyingKey, KeyProblem> {
        let known = self.0.known.read().unwrap_or_else(PoisonError::into_inner);
        let keys = known.keys.as_ref().ok_or(KeyProblem::Unavailable)?;
        keys.get(id).cloned().ok_or(KeyProblem::Unknown)
    }

    fn asked_lately(&self) -> bool {
        let known = self.0.known.read().unwrap_or_else(PoisonError::into_inner);
        known.asked_at.is_some_and(|at| at.elapsed() < APART)
    }

    /// Fetches the keys now and again until the service stops.
    pub async fn run(&self, stop: CancellationToken) {
        loop {
            let next = tokio::select! {
                () = stop.cancelled() => return,
                next = self.fetch() => next,
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(next) => {}
                () = self.wanted() => {}
            }
        }
    }

    /// Waits until somebody wants an unknown key that the last fetch cannot have answered.
    async fn wanted(&self) {
        loop {
            self.0.wanted.notified().await;
            if !self.asked_lately() {
                return;
            }
        }
    }

    /// Fetches once; how long to wait for the next time.
    async fn fetch(&self) -> Duration {
        self.known_mut().asked_at = Some(Instant::now());
        let fetched = match exchange(self.0.client.get(self.0.url.clone())).await {
            Exchange::Answered { status: 200, body } => read(&body),
            Exchange::Answered { status, .. } => Err(format!("HTTP {status}")),
            Exchange::NotSent(detail) | Exchange::NoAnswer(detail) => Err(detail),
        };
        let next = match fetched {
            Ok(keys) => {
                self.known_mut().keys = Some(keys);
                PERIOD
            }
            // The keys that are known stay good: an issuer that is away must not log everybody out.
            Err(reason) => {
                tracing::warn!("the keys of the issuer cannot be fetched: {reason}");
                AFTER_FAILURE
            }
        };
        self.0.rounds.send_modify(|rounds| *rounds += 1);
        next
    }

    fn known_mut(&self) -> std::sync::RwLockWriteGuard<'_, Known> {
        self.0.known.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The keys of a set that can be used here; others are left out.
fn read(body: &[u8]) -> Result<HashMap<String, VerifyingKey>, String> {
    let set: JwkSet = serde_json::from_slice(body).map_err(|_| "the answer is no key set".to_owned())?;
    let usable = set.keys.iter().take(KEYS_MAX).filter_map(|jwk| {
        if matches!(jwk.common.public_key_use, Some(PublicKeyUse::Encryption)) {
            return None;
        }
        let algorithm = match &jwk.algorithm {
            AlgorithmParameters::RSA(_) => Algorithm::RS256,
            AlgorithmParameters::EllipticCurve(curve) if curve.curve == EllipticCurve::P256 => {
                Algorithm::ES256
            }
            _ => return None,
        };
        let key = DecodingKey::from_jwk(jwk).ok()?;
        Some((jwk.common.key_id.clone()?, VerifyingKey { algorithm, key }))
    });
    Ok(usable.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_usable_keys_of_a_set_are_kept() {
        let set = br#"{"keys":[
            {"kty":"RSA","kid":"r1","n":"sXchDaQebHnPiGvyDOAT4saGEUetSyo9MKLOoWFsueri23bOdgWp4Dy1WlUzewbgBHod5pcM9H95GQRV3JDXboIRROSBigeC5yjU1hGzHHyXss8UDprecbAYxknTcQkhslANGRUZmdTOQ5qTRsLAt6BTYuyvVRdhS8exSZEy_c4gs_7svlJJQ4H9_NxsiIoLwAEk7-Q3UXERGYw_75IDrGA84-lA_-Ct4eTlXHBIY2EaV7t7LjJaynVJCpkv4LKjTTAumiGUIuQhrNhZLuF_RJLqHpM2kgWFLU7-VTdL1VbC2tejvcI2BlMkEpk1BzBZI0KQB0GaDWFLN-aEAw3vRw","e":"AQAB"},
            {"kty":"RSA","kid":"enc","use":"enc","n":"sXchDQ","e":"AQAB"},
            {"kty":"oct","kid":"o1","k":"c2VjcmV0"},
            {"kty":"RSA","n":"sXchDQ","e":"AQAB"}]}"#;
        let keys = read(set).unwrap();
        assert_eq!(
            keys.keys().collect::<Vec<_>>(),
            ["r1"],
            "no secret, no encryption key, no key without an id"
        );
        assert_eq!(keys["r1"].algorithm, Algorithm::RS256);
        assert!(read(b"<html>").is_err());
    }
}
