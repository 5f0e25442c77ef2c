//! Signatures and encryption of callbacks, both platforms' (wechat-apis.md §7.1, §7.3, §7.4).

use std::fmt::Write;

use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit, block_padding::NoPadding};
use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{GeneralPurpose, GeneralPurposeConfig, general_purpose},
};
use sha1::{Digest, Sha1};

/// Texts are padded to a multiple of this, not of the cipher's 16.
const PAD: usize = 32;
const IV_BYTES: usize = 16;
const RANDOM_BYTES: usize = 16;
const LENGTH_BYTES: usize = 4;
const HEADER_BYTES: usize = RANDOM_BYTES + LENGTH_BYTES;
/// Of an `EncodingAESKey`.
const KEY_CHARS: usize = 43;

/// Most last characters of an `EncodingAESKey` leave bits over, which a strict decoder refuses.
const LENIENT: GeneralPurpose =
    GeneralPurpose::new(&STANDARD, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));

/// The SHA-1, in hex, of the parts sorted by their bytes.
pub(crate) fn signature(parts: &[&str]) -> String {
    let mut sorted = parts.to_vec();
    sorted.sort_unstable();
    let mut hex = String::new();
    for byte in Sha1::digest(sorted.concat()) {
        let _ = write!(hex, "{byte:02x}"); // a String takes everything
    }
    hex
}

/// The AES-256 key behind an `EncodingAESKey`.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct MessageKey([u8; 32]);

impl std::fmt::Debug for MessageKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MessageKey")
    }
}

impl MessageKey {
    /// `None` unless it is 43 characters of base64.
    pub(crate) fn parse(encoding_aes_key: &str) -> Option<Self> {
        if encoding_aes_key.len() != KEY_CHARS {
            return None;
        }
        let bytes = LENIENT.decode(format!("{encoding_aes_key}=")).ok()?;
        bytes.try_into().ok().map(Self)
    }

    /// A message as `Encrypt` carries it; `receiver` is the appid or the corp id.
    pub(crate) fn encrypt(&self, random: [u8; RANDOM_BYTES], message: &[u8], receiver: &str) -> String {
        let length = u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes();
        let mut full = [&random[..], &length, message, receiver.as_bytes()].concat();
        let pad = PAD - full.len() % PAD;
        full.resize(full.len() + pad, u8::try_from(pad).unwrap_or_default());
        let (key, iv) = (self.0.into(), self.iv().into());
        let cipher = cbc::Encryptor::<aes::Aes256>::new(&key, &iv);
        general_purpose::STANDARD.encode(cipher.encrypt_padded_vec::<NoPadding>(&full))
    }

    /// The message in an `Encrypt`, if it is one for `receiver`.
    pub(crate) fn decrypt(&self, encrypted: &str, receiver: &str) -> Option<Vec<u8>> {
        let bytes = general_purpose::STANDARD.decode(encrypted).ok()?;
        let (key, iv) = (self.0.into(), self.iv().into());
        let cipher = cbc::Decryptor::<aes::Aes256>::new(&key, &iv);
        let mut full = cipher.decrypt_padded_vec::<NoPadding>(&bytes).ok()?;
        let pad = usize::from(*full.last()?);
        if !(1..=PAD).contains(&pad) || pad > full.len() {
            return None;
        }
        full.truncate(full.len() - pad);
        let length = full.get(RANDOM_BYTES..HEADER_BYTES)?.try_into().ok().map(u32::from_be_bytes)?;
        let end = HEADER_BYTES.checked_add(usize::try_from(length).ok()?)?;
        let (message, trailer) = (full.get(HEADER_BYTES..end)?, full.get(end..)?);
        (trailer == receiver.as_bytes()).then(|| message.to_vec())
    }

    fn iv(&self) -> [u8; IV_BYTES] {
        std::array::from_fn(|place| self.0[place])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// wechat-apis.md §7.4.
    const TOKEN: &str = "AAAAA";
    const APPID: &str = "wxba5fad812f8e6fb9";
    const ENCRYPT: &str = "+qdx1OKCy+5JPCBFWw70tm0fJGb2Jmeia4FCB7kao+/Q5c/ohsOzQHi8khUOb05JCpj0JB4RvQMkUyus8TPxLKJGQqcvZqzDpVzazhZv6JsXUnnR8XGT740XgXZUXQ7vJVnAG+tE8NUd4yFyjPy7GgiaviNrlCTj+l5kdfMuFUPpRSrfMZuMcp3Fn2Pede2IuQrKEYwKSqFIZoNqJ4M8EajAsjLY2km32IIjdf8YL/P50F7mStwntrA2cPDrM1kb6mOcfBgRtWygb3VIYnSeOBrebufAlr7F9mFUPAJGj04=";

    fn key_of_a() -> MessageKey {
        MessageKey::parse(&"A".repeat(43)).unwrap()
    }

    #[test]
    fn signatures_of_the_official_pages() {
        for (parts, expected) in [
            (vec!["1714036504", "1514711492"], "f464b24fc39322e44b38aa78f5edd27bd1441696"),
            (vec!["1714037059", "486452656"], "899cf89e464efb63f54ddac96b0a0a235f53aa78"),
            (vec!["1714112445", "415670741"], "6c5c811b55cc85e0e1b54100749188c20beb3f5d"),
            (vec!["1714112445", "415670741", ENCRYPT], "046e02f8204d34f8ba5fa3b1db94908f3df2e9b3"),
        ] {
            assert_eq!(signature(&[&[TOKEN], &parts[..]].concat()), expected);
        }
    }

    #[test]
    fn the_samples_of_the_official_pages() {
        let message = key_of_a().decrypt(ENCRYPT, APPID).unwrap();
        assert_eq!(message.len(), 167);
        assert_eq!(key_of_a().encrypt(*b"a8eedb185eb2fecf", &message, APPID), ENCRYPT);
        assert_eq!(key_of_a().decrypt(ENCRYPT, "wx-other"), None);
        let reply = key_of_a().encrypt(*b"707722b803182950", br#"{"demo_resp":"good luck"}"#, APPID);
        assert_eq!(
            reply,
            "ELGduP2YcVatjqIS+eZbp80MNLoAUWvzzyJxgGzxZO/5sAvd070Bs6qrLARC9nVHm48Y4hyRbtzve1L32tmxSQ=="
        );
        assert_eq!(
            signature(&[TOKEN, "1713424427", "415670741", &reply]),
            "1b9339964ed2e271e7c7b6ff2b0ef902fc94dea1"
        );
        let wecom = MessageKey::parse("jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C").unwrap();
        let echo = "P9nAzCzyDtyTWESHep1vC5X9xho/qYX3Zpb4yKa9SKld1DsH3Iyt3tP3zNdtp+4RPcs8TgAE7OaBO+FZXvnaqQ==";
        assert_eq!(
            signature(&["QDG6eK", "1409659589", "263014780", echo]),
            "5c45ff5e21c57e6ad56bac8758b79b1d9ac89fd3"
        );
        assert_eq!(wecom.decrypt(echo, "wx5823bf96d3bd56c7").unwrap(), b"1616140317555161061");
    }

    #[test]
    fn every_last_character_of_a_key_and_every_length_of_a_message() {
        let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        for (place, last) in alphabet.chars().enumerate() {
            let key = MessageKey::parse(&format!("{}{last}", "b".repeat(42))).unwrap();
            let message = "x".repeat(place);
            let encrypted = key.encrypt([7; 16], message.as_bytes(), "wx1");
            assert_eq!(general_purpose::STANDARD.decode(&encrypted).unwrap().len() % PAD, 0);
            assert_eq!(key.decrypt(&encrypted, "wx1").unwrap(), message.as_bytes());
        }
        for wrong in ["", "A", &"A".repeat(44), &"!".repeat(43)] {
            assert_eq!(MessageKey::parse(wrong), None);
        }
    }

    #[test]
    fn hostile_texts_are_no_messages() {
        for text in ["", "AAAA", "not base64", &general_purpose::STANDARD.encode([0; 32])] {
            assert_eq!(key_of_a().decrypt(text, APPID), None);
        }
    }
}
