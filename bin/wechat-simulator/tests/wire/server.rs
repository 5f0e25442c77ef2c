//! A server that callbacks are pushed to, and the independent half of their protection.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt::Write,
    sync::{Arc, Mutex},
};

use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit, block_padding::NoPadding};
use axum::{
    Router,
    extract::{Query, State},
    http::{HeaderMap, Method, StatusCode},
};
use base64::Engine;
use serde_json::Value;
use sha1::{Digest, Sha1};

pub(crate) const TOKEN: &str = "push-token";
/// 42 `a` and a last character whose bits a strict decoder would refuse.
pub(crate) const AES_KEY: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaB";

/// A request that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) content_type: String,
    pub(crate) body: String,
}

impl Seen {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// Whether a signature parameter is that of the token, the times, and `more`.
    pub(crate) fn signed(&self, parameter: &str, more: &[&str]) -> bool {
        let mut parts = vec![TOKEN, &self.query["timestamp"], &self.query["nonce"]];
        parts.extend(more);
        parts.sort_unstable();
        let mut digest = String::new();
        for byte in Sha1::digest(parts.concat()) {
            write!(digest, "{byte:02x}").unwrap();
        }
        self.query[parameter] == digest
    }
}

#[derive(Default)]
struct Inner {
    seen: Vec<Seen>,
    answers: VecDeque<Option<(u16, String)>>,
}

/// A server on loopback. It says `success` unless told otherwise.
#[derive(Clone, Default)]
pub(crate) struct Server(Arc<Mutex<Inner>>);

impl Server {
    pub(crate) async fn start() -> (Self, String) {
        let server = Self::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/push?own=1", listener.local_addr().unwrap());
        let router = Router::new().fallback(take).with_state(server.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        (server, url)
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.0.lock().unwrap().seen.clone()
    }

    /// What it says next; `None` is nothing, ever.
    pub(crate) fn will_answer(&self, answer: Option<(u16, &str)>) {
        let answer = answer.map(|(status, body)| (status, body.to_owned()));
        self.0.lock().unwrap().answers.push_back(answer);
    }
}

async fn take(
    State(server): State<Server>,
    method: Method,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
    body: String,
) -> (StatusCode, String) {
    let content_type = headers.get("content-type").map_or("", |value| value.to_str().unwrap()).to_owned();
    let echo = query.get("echostr").cloned();
    let answer = {
        let mut inner = server.0.lock().unwrap();
        inner.seen.push(Seen { method, query, content_type, body });
        let usual = || Some((200, echo.unwrap_or_else(|| "success".to_owned())));
        inner.answers.pop_front().unwrap_or_else(usual)
    };
    match answer {
        Some((status, body)) => (StatusCode::from_u16(status).unwrap(), body),
        None => std::future::pending().await,
    }
}

fn key() -> [u8; 32] {
    let config = base64::engine::GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true);
    let engine = base64::engine::GeneralPurpose::new(&base64::alphabet::STANDARD, config);
    engine.decode(format!("{AES_KEY}=")).unwrap().try_into().unwrap()
}

/// The message and the receiver in an `Encrypt`.
pub(crate) fn decrypt(encrypted: &str) -> (String, String) {
    let iv: [u8; 16] = key()[..16].try_into().unwrap();
    let cipher = cbc::Decryptor::<aes::Aes256>::new(&key().into(), &iv.into());
    let bytes = base64::engine::general_purpose::STANDARD.decode(encrypted).unwrap();
    assert_eq!(bytes.len() % 32, 0, "padded to 32");
    let full = cipher.decrypt_padded_vec::<NoPadding>(&bytes).unwrap();
    let full = &full[..full.len() - usize::from(*full.last().unwrap())];
    let length = u32::from_be_bytes(full[16..20].try_into().unwrap()) as usize;
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&full[20..20 + length]), text(&full[20 + length..]))
}

/// An `Encrypt` with this message for this receiver.
pub(crate) fn encrypt(message: &str, receiver: &str) -> String {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    let mut full = [&[b'r'; 16][..], &length, message.as_bytes(), receiver.as_bytes()].concat();
    let pad = 32 - full.len() % 32;
    full.resize(full.len() + pad, u8::try_from(pad).unwrap());
    let iv: [u8; 16] = key()[..16].try_into().unwrap();
    let cipher = cbc::Encryptor::<aes::Aes256>::new(&key().into(), &iv.into());
    base64::engine::general_purpose::STANDARD.encode(cipher.encrypt_padded_vec::<NoPadding>(&full))
}

/// The text of an element of flat XML.
pub(crate) fn element(xml: &str, tag: &str) -> String {
    let inner = xml.split(&format!("<{tag}>")).nth(1).unwrap_or_else(|| panic!("no {tag} in {xml}"));
    let inner = inner.split(&format!("</{tag}>")).next().unwrap();
    inner.trim_start_matches("<![CDATA[").trim_end_matches("]]>").to_owned()
}
