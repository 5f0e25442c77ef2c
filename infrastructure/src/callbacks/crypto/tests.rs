//! The vectors of wechat-apis.md section 7.4, and what they hide.

use super::*;

const LETTERS_AND_DIGITS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

fn keys(token: &str, aes_key: &str, receiver: &str) -> CallbackKeys {
    CallbackKeys::new(token.into(), Some(&aes_key.into()), receiver).unwrap()
}

/// The keys of the official account's vectors.
fn wechat() -> CallbackKeys {
    keys("AAAAA", &"A".repeat(43), "wxba5fad812f8e6fb9")
}

/// The keys of WeCom's vectors.
fn wecom() -> CallbackKeys {
    keys("QDG6eK", "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C", "wx5823bf96d3bd56c7")
}

const SAFE_PUSH: &str = "+qdx1OKCy+5JPCBFWw70tm0fJGb2Jmeia4FCB7kao+/Q5c/ohsOzQHi8khUOb05JCpj0JB4RvQMkUyus8TPxLKJGQqcvZqzDpVzazhZv6JsXUnnR8XGT740XgXZUXQ7vJVnAG+tE8NUd4yFyjPy7GgiaviNrlCTj+l5kdfMuFUPpRSrfMZuMcp3Fn2Pede2IuQrKEYwKSqFIZoNqJ4M8EajAsjLY2km32IIjdf8YL/P50F7mStwntrA2cPDrM1kb6mOcfBgRtWygb3VIYnSeOBrebufAlr7F9mFUPAJGj04=";
const REPLY: &str =
    "ELGduP2YcVatjqIS+eZbp80MNLoAUWvzzyJxgGzxZO/5sAvd070Bs6qrLARC9nVHm48Y4hyRbtzve1L32tmxSQ==";
const ECHOSTR: &str =
    "P9nAzCzyDtyTWESHep1vC5X9xho/qYX3Zpb4yKa9SKld1DsH3Iyt3tP3zNdtp+4RPcs8TgAE7OaBO+FZXvnaqQ==";

#[test]
fn signatures_are_those_of_the_vectors() {
    let (wechat, wecom) = (wechat(), wecom());
    let rows = [
        (&wechat, "1714036504", "1514711492", None, "f464b24fc39322e44b38aa78f5edd27bd1441696"),
        (&wechat, "1714037059", "486452656", None, "899cf89e464efb63f54ddac96b0a0a235f53aa78"),
        (&wechat, "1714112445", "415670741", None, "6c5c811b55cc85e0e1b54100749188c20beb3f5d"),
        (&wechat, "1714112445", "415670741", Some(SAFE_PUSH), "046e02f8204d34f8ba5fa3b1db94908f3df2e9b3"),
        (&wechat, "1713424427", "415670741", Some(REPLY), "1b9339964ed2e271e7c7b6ff2b0ef902fc94dea1"),
        (&wecom, "1409659589", "263014780", Some(ECHOSTR), "5c45ff5e21c57e6ad56bac8758b79b1d9ac89fd3"),
    ];
    for (keys, timestamp, nonce, encrypted, signature) in rows {
        assert_eq!(keys.signature(timestamp, nonce, encrypted), signature);
        assert!(keys.is_signed(signature, timestamp, nonce, encrypted));
        for wrong in ["", &signature[1..], &signature.to_uppercase(), &format!("{signature}0")] {
            assert!(!keys.is_signed(wrong, timestamp, nonce, encrypted), "{wrong}");
        }
        assert!(!keys.is_signed(signature, timestamp, "1", encrypted));
        assert!(!keys.is_signed(signature, "1", nonce, encrypted));
    }
}

#[test]
fn the_encrypted_push_of_the_vectors_is_read() {
    let message = wechat().decrypt(SAFE_PUSH).unwrap();
    assert_eq!(message.len(), 167);
    assert!(message.starts_with('{') && message.ends_with('}'), "it is JSON");
    assert!(message.contains("ToUserName"));
    assert_eq!(wecom().decrypt(ECHOSTR).unwrap(), "1616140317555161061");
}

#[test]
fn the_reply_of_the_vectors_is_written_byte_for_byte() {
    let message = r#"{"demo_resp":"good luck"}"#;
    assert_eq!(wechat().encrypt(message, *b"707722b803182950").unwrap(), REPLY);
    assert_eq!(wechat().decrypt(REPLY).unwrap(), message);
}

#[test]
fn every_pad_from_1_to_32_is_written_and_read() {
    let keys = wechat();
    for length in 0..100 {
        let message = "x".repeat(length);
        let encrypted = keys.encrypt(&message, [7; RANDOM_BYTES]).unwrap();
        assert_eq!(STANDARD.decode(&encrypted).unwrap().len() % PAD_BYTES, 0);
        assert_eq!(keys.decrypt(&encrypted).unwrap(), message);
    }
}

#[test]
fn a_key_may_end_in_any_letter_or_digit() {
    for last in LETTERS_AND_DIGITS.chars() {
        let keys = keys("t", &format!("{}{last}", "k".repeat(42)), "wx1");
        let encrypted = keys.encrypt("客户", [1; RANDOM_BYTES]).unwrap();
        assert_eq!(keys.decrypt(&encrypted).as_deref(), Ok("客户"), "{last}");
    }
}

#[test]
fn what_is_no_key_is_refused() {
    for text in ["", "A", &"A".repeat(42), &"A".repeat(44), &format!("{}=", "A".repeat(42)), &"客".repeat(43)]
    {
        let keys = CallbackKeys::new("t".into(), Some(&(*text).into()), "wx1");
        assert_eq!(keys.err(), Some(CryptoError::BadKey), "{text}");
    }
    let plain = CallbackKeys::new("t".into(), None, "wx1").unwrap();
    assert!(!plain.is_encrypted());
    assert_eq!(plain.decrypt(REPLY), Err(CryptoError::NoKey));
    assert_eq!(plain.encrypt("x", [0; RANDOM_BYTES]), Err(CryptoError::NoKey));
}

#[test]
fn a_message_for_somebody_else_is_refused() {
    let other = keys("AAAAA", &"A".repeat(43), "wx-of-somebody-else");
    assert_eq!(other.decrypt(REPLY), Err(CryptoError::OtherReceiver));
}

/// Encrypts these very bytes.
fn sealed(keys: &CallbackKeys, bytes: &[u8]) -> String {
    let (key, iv) = keys.key_and_iv().unwrap();
    let cipher = cbc::Encryptor::<Aes256>::new_from_slices(key, iv).unwrap();
    STANDARD.encode(cipher.encrypt_padded_vec::<NoPadding>(bytes))
}

#[test]
fn what_is_no_message_is_refused_and_never_a_panic() {
    let keys = wechat();
    for text in ["", "=", "AAAA", "客户", "not base64!", &REPLY[4..], &REPLY[..86]] {
        let error = keys.decrypt(text).unwrap_err();
        assert!(matches!(error, CryptoError::BadCiphertext | CryptoError::BadPlaintext), "{text}");
    }
    let long = |length: u32| [&[9; 16][..], &length.to_be_bytes(), &[b'x'; 11], &[1]].concat();
    let bytes = [
        [0; 32].to_vec(),  // a pad of 0
        [33; 64].to_vec(), // a pad of 33
        [32; 16].to_vec(), // a pad longer than everything
        [16; 32].to_vec(), // too short for a head
        long(12),          // one more byte than there is
        long(u32::MAX),
        [&[9; 16][..], &2_u32.to_be_bytes(), &[0xff, 0xfe], b"wxba5fad812f8e6fb9", &[24; 24]].concat(), // no UTF-8
    ];
    for bytes in bytes {
        assert_eq!(keys.decrypt(&sealed(&keys, &bytes)), Err(CryptoError::BadPlaintext), "{bytes:?}");
    }
}

#[test]
fn nothing_secret_is_shown() {
    let shown = format!("{:?}", wecom());
    assert!(!shown.contains("QDG6eK") && !shown.contains("jWmYm7qr5n"), "{shown}");
}
