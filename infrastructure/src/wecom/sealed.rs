//! The application's secret as an administrator typed it into the console: sealed before it is an event, so that neither
//! the log nor a copy of the database tells it.
//!
//! It is sealed with keys that come from the configured secret, which stays where it was. Whoever has the database and not
//! the configuration can do nothing with it; and after another secret was configured the sealed one does not open any
//! more, and the configured one holds.

use std::sync::Arc;

use aes::Aes256;
use application::bus::{CommandBus as _, LoadError};
use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt as _, BlockModeEncrypt as _, KeyIvInit as _};
use domain::StreamId;
use domain::member_notices::MemberNotices;
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use crate::bus::Bus;

/// What keys are derived for; another purpose gives other keys.
const PURPOSE: &str = "leadwire wecom secret";
/// Bytes of the vector, which is a hash of the secret itself: the same secret gives the same text, and nothing else.
const IV_BYTES: usize = 16;
/// Bytes of the hash behind it.
const MAC_BYTES: usize = 32;

/// The secret that the token API is asked with.
#[async_trait]
pub trait CurrentSecret: Send + Sync {
    /// The secret at this moment.
    ///
    /// # Errors
    ///
    /// Nobody can say which one it is. The one before it is no answer: whoever replaced it had a reason to, and each call
    /// with a wrong secret counts towards the block of this address (wechat-apis.md section 5.1).
    async fn secret(&self) -> Result<SecretString, LoadError>;
}

/// The configured secret, or the one that was typed into the console since.
pub struct StoredSecret {
    bus: Bus,
    configured: SecretString,
}

impl StoredSecret {
    /// What was typed is read from the log each time: a token is asked for every two hours.
    pub fn new(bus: Bus, configured: SecretString) -> Arc<Self> {
        Arc::new(Self { bus, configured })
    }
}

#[async_trait]
impl CurrentSecret for StoredSecret {
    async fn secret(&self) -> Result<SecretString, LoadError> {
        let found = self.bus.load::<MemberNotices>(&StreamId::member_notices()).await?;
        let Some(sealed) = found.state.sealed_secret else { return Ok(self.configured.clone()) };
        Ok(open(&self.configured, &sealed).unwrap_or_else(|| {
            tracing::warn!(
                "the WeCom secret of the console was sealed with another configuration; the configured one, which is \
                 newer, is used"
            );
            self.configured.clone()
        }))
    }
}

/// A key for one use; `None` never: HMAC takes a key of any length.
fn key(configured: &SecretString, of: &str) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(configured.expose_secret().as_bytes()).ok()?;
    mac.update(PURPOSE.as_bytes());
    mac.update(b"\x1f");
    mac.update(of.as_bytes());
    Some(mac)
}

fn hash(configured: &SecretString, of: &str, bytes: &[u8]) -> Option<Vec<u8>> {
    let derived = key(configured, of)?.finalize().into_bytes();
    let mut mac = Hmac::<Sha256>::new_from_slice(&derived).ok()?;
    mac.update(bytes);
    Some(mac.finalize().into_bytes().to_vec())
}

/// The text that stands for a secret in an event.
pub fn seal(configured: &SecretString, secret: &SecretString) -> Option<String> {
    let plain = secret.expose_secret().as_bytes();
    let iv = hash(configured, "vector", plain)?[..IV_BYTES].to_vec();
    let cipher_key = key(configured, "cipher")?.finalize().into_bytes();
    let cipher = cbc::Encryptor::<Aes256>::new_from_slices(&cipher_key, &iv).ok()?;
    let mut sealed = iv;
    sealed.extend(cipher.encrypt_padded_vec::<Pkcs7>(plain));
    let mac = hash(configured, "seal", &sealed)?;
    sealed.extend(mac);
    Some(STANDARD.encode(sealed))
}

/// The secret, when it was sealed with this configuration and nobody touched it since.
pub fn open(configured: &SecretString, sealed: &str) -> Option<SecretString> {
    let bytes = STANDARD.decode(sealed).ok()?;
    let (body, mac) = bytes.split_at_checked(bytes.len().checked_sub(MAC_BYTES)?)?;
    let right = hash(configured, "seal", body)?;
    if !bool::from(right.ct_eq(mac)) {
        return None;
    }
    let (iv, text) = body.split_at_checked(IV_BYTES)?;
    let cipher_key = key(configured, "cipher")?.finalize().into_bytes();
    let cipher = cbc::Decryptor::<Aes256>::new_from_slices(&cipher_key, iv).ok()?;
    let plain = cipher.decrypt_padded_vec::<Pkcs7>(text).ok()?;
    String::from_utf8(plain).ok().map(SecretString::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> SecretString {
        SecretString::from(text.to_owned())
    }

    #[test]
    fn what_is_sealed_opens_with_the_same_configuration_only() {
        let (configured, typed) = (secret("configured-secret"), secret("typed-into-the-console"));
        let sealed = seal(&configured, &typed).unwrap();
        assert!(!sealed.contains("typed"), "{sealed}");
        assert_eq!(open(&configured, &sealed).unwrap().expose_secret(), "typed-into-the-console");
        assert!(open(&secret("another"), &sealed).is_none());
        let mut bytes = STANDARD.decode(&sealed).unwrap();
        for at in 0..bytes.len() {
            bytes[at] ^= 1;
            assert!(open(&configured, &STANDARD.encode(&bytes)).is_none(), "byte {at}");
            bytes[at] ^= 1;
        }
        for broken in ["", "x", "AAAA"] {
            assert!(open(&configured, broken).is_none(), "{broken}");
        }
    }

    #[test]
    fn secrets_differ_and_so_do_their_seals() {
        let configured = secret("configured-secret");
        let sealed = |text| seal(&configured, &secret(text)).unwrap();
        assert_eq!(sealed("a"), sealed("a"));
        assert_ne!(sealed("a"), sealed("b"));
    }
}
