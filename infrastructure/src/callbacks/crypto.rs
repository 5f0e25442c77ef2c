//! Signatures and encryption of WeChat's and WeCom's callbacks (wechat-apis.md section 7).
//!
//! ```text
//! signature = sha1(sort(token, timestamp, nonce[, Encrypt]) joined), in hex
//! Encrypt   = base64(AES-256-CBC(key, iv = first 16 bytes of the key, pad to 32 (
//!                 random(16) + length(4, big endian) + message + receiver)))
//! ```
//! Three things that look right and are not: a strict base64 decoder refuses three of four keys, because the last of
//! their 43 characters has bits that no byte uses; the usual PKCS#7 pads to 16, not to 32; and the length inside is
//! the sender's word, to be held against the bytes that are there.

#[cfg(test)]
mod tests;

use aes::Aes256;
use base64::Engine as _;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD, STANDARD};
use cbc::cipher::block_padding::NoPadding;
use cbc::cipher::{BlockModeDecrypt as _, BlockModeEncrypt as _, KeyIvInit as _};
use secrecy::{ExposeSecret as _, SecretSlice, SecretString};
use sha1::{Digest as _, Sha1};
use subtle::ConstantTimeEq as _;

use super::hex;

/// Characters of an EncodingAESKey.
pub const AES_KEY_CHARS: usize = 43;
/// Bytes of the key they stand for.
const KEY_BYTES: usize = 32;
/// Bytes of the vector, and of a block.
const BLOCK_BYTES: usize = 16;
/// What a message is padded to: twice the block.
const PAD_BYTES: usize = 32;
/// Random bytes in front of every message.
const RANDOM_BYTES: usize = 16;
/// Random bytes and the length.
const HEAD_BYTES: usize = RANDOM_BYTES + 4;

/// Reads keys whose last character has bits to spare, as most have.
const KEY_BASE64: GeneralPurpose =
    GeneralPurpose::new(&ALPHABET, NO_PAD.with_decode_allow_trailing_bits(true));

/// Why a callback cannot be read. Never holds a part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CryptoError {
    /// The configured key is none.
    #[error("an EncodingAESKey has {AES_KEY_CHARS} letters and digits")]
    BadKey,
    /// No key is configured, and the message is encrypted.
    #[error("no EncodingAESKey is configured")]
    NoKey,
    /// Not base64, or not whole blocks.
    #[error("the encrypted text is not whole blocks in base64")]
    BadCiphertext,
    /// The padding, the length or the text inside is not what it must be: another key, most likely.
    #[error("the decrypted bytes are no message")]
    BadPlaintext,
    /// It is meant for another app.
    #[error("the message is for another receiver")]
    OtherReceiver,
}

/// What one app and its provider share.
pub struct CallbackKeys {
    token: SecretString,
    key: Option<SecretSlice<u8>>,
    receiver: String,
}

impl std::fmt::Debug for CallbackKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CallbackKeys").field("receiver", &self.receiver).finish_non_exhaustive()
    }
}

impl CallbackKeys {
    /// The keys of one app. `receiver` stands behind every message: the appid, or WeCom's corpid. Without an
    /// EncodingAESKey only plain messages can be read.
    pub fn new(
        token: SecretString,
        aes_key: Option<&SecretString>,
        receiver: &str,
    ) -> Result<Self, CryptoError> {
        let key = aes_key.map(|key| decode_key(key.expose_secret())).transpose()?;
        Ok(Self { token, key, receiver: receiver.to_owned() })
    }

    /// Whether messages are encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.key.is_some()
    }

    /// The signature over token, timestamp, nonce and, where there is one, the encrypted text.
    pub fn signature(&self, timestamp: &str, nonce: &str, encrypted: Option<&str>) -> String {
        let mut parts = vec![self.token.expose_secret(), timestamp, nonce];
        parts.extend(encrypted);
        parts.sort_unstable();
        hex(&Sha1::digest(parts.concat()))
    }

    /// Whether `signature` is right. How much of it is right takes no different time.
    pub fn is_signed(&self, signature: &str, timestamp: &str, nonce: &str, encrypted: Option<&str>) -> bool {
        let right = self.signature(timestamp, nonce, encrypted);
        right.as_bytes().ct_eq(signature.as_bytes()).into()
    }

    /// The message inside an encrypted text.
    pub fn decrypt(&self, encrypted: &str) -> Result<String, CryptoError> {
        let (key, iv) = self.key_and_iv()?;
        let bytes = STANDARD.decode(encrypted.trim()).map_err(|_| CryptoError::BadCiphertext)?;
        let cipher = cbc::Decryptor::<Aes256>::new_from_slices(key, iv).map_err(|_| CryptoError::BadKey)?;
        let padded =
            cipher.decrypt_padded_vec::<NoPadding>(&bytes).map_err(|_| CryptoError::BadCiphertext)?;
        let (message, receiver) = open(&padded).ok_or(CryptoError::BadPlaintext)?;
        if receiver != self.receiver.as_bytes() {
            return Err(CryptoError::OtherReceiver);
        }
        String::from_utf8(message.to_vec()).map_err(|_| CryptoError::BadPlaintext)
    }

    /// The encrypted text for a message.
    pub fn seal(&self, message: &str) -> Result<String, CryptoError> {
        self.encrypt(message, rand::random())
    }

    /// The encrypted text for a message behind these bytes, which must be new every time.
    fn encrypt(&self, message: &str, random: [u8; RANDOM_BYTES]) -> Result<String, CryptoError> {
        let (key, iv) = self.key_and_iv()?;
        let length = u32::try_from(message.len()).map_err(|_| CryptoError::BadPlaintext)?;
        let mut bytes =
            [&random[..], &length.to_be_bytes(), message.as_bytes(), self.receiver.as_bytes()].concat();
        let pad = PAD_BYTES - bytes.len() % PAD_BYTES;
        // 1 to 32, so it fits.
        bytes.resize(bytes.len() + pad, u8::try_from(pad).unwrap_or_default());
        let cipher = cbc::Encryptor::<Aes256>::new_from_slices(key, iv).map_err(|_| CryptoError::BadKey)?;
        Ok(STANDARD.encode(cipher.encrypt_padded_vec::<NoPadding>(&bytes)))
    }

    fn key_and_iv(&self) -> Result<(&[u8], &[u8]), CryptoError> {
        let key = self.key.as_ref().ok_or(CryptoError::NoKey)?.expose_secret();
        Ok((key, &key[..BLOCK_BYTES]))
    }
}

fn decode_key(text: &str) -> Result<SecretSlice<u8>, CryptoError> {
    let text = text.trim();
    if text.len() != AES_KEY_CHARS || !text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(CryptoError::BadKey);
    }
    let key = KEY_BASE64.decode(text).map_err(|_| CryptoError::BadKey)?;
    if key.len() == KEY_BYTES { Ok(SecretSlice::from(key)) } else { Err(CryptoError::BadKey) }
}

/// Message and receiver of what stood encrypted; `None` when it cannot be that.
fn open(padded: &[u8]) -> Option<(&[u8], &[u8])> {
    let pad = usize::from(*padded.last()?);
    if !(1..=PAD_BYTES).contains(&pad) {
        return None;
    }
    let bytes = padded.get(..padded.len().checked_sub(pad)?)?;
    let (head, rest) = bytes.split_at_checked(HEAD_BYTES)?;
    let length = u32::from_be_bytes(head[RANDOM_BYTES..].try_into().ok()?);
    rest.split_at_checked(usize::try_from(length).ok()?)
}
