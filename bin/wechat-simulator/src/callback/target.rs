//! Where an app's events go, and how they are wrapped (wechat-apis.md §7.1, §7.3).

use chrono::{DateTime, Utc};
use rand::{RngExt, rngs::StdRng};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    crypto::{MessageKey, signature},
    event::{Event, cdata},
};
use crate::{handle::ControlError, switches::Switches};

/// The account name of an app for which none is given.
const ACCOUNT: &str = "gh_0000000demo1";

/// How an app's messages are protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallbackMode {
    /// `signature` only.
    #[default]
    Plain,
    /// The plain members and `Encrypt` beside them.
    Compatible,
    /// `Encrypt` only; the only mode of WeCom.
    Safe,
}

/// The language of an app's messages; WeCom speaks XML only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallbackFormat {
    /// JSON, which a mini program may choose.
    #[default]
    Json,
    /// XML.
    Xml,
}

/// The message settings of an app, as its owner enters them on the platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallbackTarget {
    /// The server's address.
    pub url: String,
    /// What signatures are made with.
    pub token: String,
    /// 43 characters; needed unless the mode is plain.
    #[serde(default)]
    pub encoding_aes_key: Option<String>,
    /// How messages are protected.
    #[serde(default)]
    pub mode: CallbackMode,
    /// JSON or XML.
    #[serde(default)]
    pub format: CallbackFormat,
    /// `ToUserName` of WeChat's messages, `gh_…`; without it a made-up one.
    #[serde(default)]
    pub account: Option<String>,
}

impl CallbackTarget {
    /// Plain JSON to this address.
    pub fn plain(url: &str, token: &str) -> Self {
        Self {
            url: url.to_owned(),
            token: token.to_owned(),
            encoding_aes_key: None,
            mode: CallbackMode::Plain,
            format: CallbackFormat::Json,
            account: None,
        }
    }

    /// Encrypted JSON to this address; what WeCom apps need as well, which speak XML whatever is said here.
    pub fn safe(url: &str, token: &str, encoding_aes_key: &str) -> Self {
        let encoding_aes_key = Some(encoding_aes_key.to_owned());
        Self { encoding_aes_key, mode: CallbackMode::Safe, ..Self::plain(url, token) }
    }
}

/// A target with its parts in order.
#[derive(Clone, Debug)]
pub(crate) struct Destination {
    target: CallbackTarget,
    key: Option<MessageKey>,
    /// The appid or the corp id: the end of every encrypted message.
    receiver: String,
    /// The app's number in its corp; WeChat has none.
    agent_id: Option<u64>,
}

/// A request ready to leave, as often as wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Package {
    pub(crate) url: String,
    pub(crate) query: Vec<(&'static str, String)>,
    pub(crate) content_type: &'static str,
    pub(crate) body: String,
}

impl Destination {
    pub(crate) fn new(
        target: CallbackTarget,
        receiver: &str,
        agent_id: Option<u64>,
    ) -> Result<Self, ControlError> {
        let wrong = |words: &str| Err(ControlError(words.to_owned()));
        if !target.url.starts_with("http://") && !target.url.starts_with("https://") {
            return wrong("url does not begin with http:// or https://");
        }
        let key = match &target.encoding_aes_key {
            None => None,
            Some(text) => match MessageKey::parse(text) {
                None => return wrong("encoding_aes_key is not 43 characters of base64"),
                key => key,
            },
        };
        if key.is_none() && (agent_id.is_some() || target.mode != CallbackMode::Plain) {
            return wrong("encoding_aes_key is missing");
        }
        Ok(Self { target, key, receiver: receiver.to_owned(), agent_id })
    }

    pub(crate) fn target(&self) -> &CallbackTarget {
        &self.target
    }

    /// The request that carries an event.
    pub(crate) fn package(
        &self,
        event: &Event,
        now: DateTime<Utc>,
        switches: &Switches,
        rng: &mut StdRng,
    ) -> Package {
        let account = match self.agent_id {
            Some(_) => &self.receiver,
            None => self.target.account.as_deref().unwrap_or(ACCOUNT),
        };
        if self.agent_id.is_some() || self.target.format == CallbackFormat::Xml {
            return self.xml(account, &event.xml(account, now, switches), event.person(), now, rng);
        }
        let mut object = event.json(account, now, switches);
        let encrypted = self.encrypt(&json!(object).to_string(), rng);
        if let Some(encrypted) = &encrypted {
            if self.target.mode == CallbackMode::Safe {
                object.retain(|key, _| key == "ToUserName");
            }
            object.insert("Encrypt".to_owned(), json!(encrypted));
        }
        self.wrap(
            "application/json",
            json!(object).to_string(),
            encrypted.as_deref(),
            event.person(),
            now,
            rng,
        )
    }

    fn xml(
        &self,
        account: &str,
        members: &str,
        person: &str,
        now: DateTime<Utc>,
        rng: &mut StdRng,
    ) -> Package {
        let encrypted = self.encrypt(&format!("<xml>{members}</xml>"), rng);
        let body = match (&encrypted, self.target.mode, self.agent_id) {
            (Some(encrypted), _, Some(agent_id)) => format!(
                "<xml><ToUserName>{}</ToUserName><AgentID>{}</AgentID><Encrypt>{}</Encrypt></xml>",
                cdata(account),
                cdata(&agent_id.to_string()),
                cdata(encrypted)
            ),
            (Some(encrypted), CallbackMode::Compatible, None) => {
                format!("<xml>{members}<Encrypt>{}</Encrypt></xml>", cdata(encrypted))
            }
            (Some(encrypted), _, None) => format!(
                "<xml><ToUserName>{}</ToUserName><Encrypt>{}</Encrypt></xml>",
                cdata(account),
                cdata(encrypted)
            ),
            (None, _, _) => format!("<xml>{members}</xml>"),
        };
        self.wrap("text/xml", body, encrypted.as_deref(), person, now, rng)
    }

    fn encrypt(&self, message: &str, rng: &mut StdRng) -> Option<String> {
        let encrypts = self.agent_id.is_some() || self.target.mode != CallbackMode::Plain;
        let key = self.key.as_ref().filter(|_| encrypts)?;
        let random: [u8; 16] = std::array::from_fn(|_| rng.random_range(b'0'..=b'9'));
        Some(key.encrypt(random, message.as_bytes(), &self.receiver))
    }

    fn wrap(
        &self,
        content_type: &'static str,
        body: String,
        encrypted: Option<&str>,
        person: &str,
        now: DateTime<Utc>,
        rng: &mut StdRng,
    ) -> Package {
        let (timestamp, nonce) =
            (now.timestamp().to_string(), rng.random_range(0..1_000_000_000_u32).to_string());
        let token = self.target.token.as_str();
        let mut query = Vec::new();
        if self.agent_id.is_none() {
            query.push(("signature", signature(&[token, &timestamp, &nonce])));
            query.push(("openid", person.to_owned()));
        }
        if let Some(encrypted) = encrypted {
            if self.agent_id.is_none() {
                query.push(("encrypt_type", "aes".to_owned()));
            }
            query.push(("msg_signature", signature(&[token, &timestamp, &nonce, encrypted])));
        }
        query.push(("timestamp", timestamp));
        query.push(("nonce", nonce));
        Package { url: self.target.url.clone(), query, content_type, body }
    }

    /// The question a platform asks before it takes an address, and the answer it wants.
    pub(crate) fn question(&self, now: DateTime<Utc>, rng: &mut StdRng) -> (Package, String) {
        let words = rng.random_range(1_000_000_000_u64..u64::MAX).to_string();
        let encrypted = self.agent_id.and_then(|_| self.encrypt(&words, rng));
        let echostr = encrypted.clone().unwrap_or_else(|| words.clone());
        let mut question = self.wrap("", String::new(), encrypted.as_deref(), "", now, rng);
        question.query.retain(|(key, _)| !matches!(*key, "openid" | "encrypt_type"));
        question.query.push(("echostr", echostr));
        (question, words)
    }

    /// The message in the answer of a server, decrypted if need be.
    pub(crate) fn reply(&self, body: &str) -> Option<String> {
        let encrypted = super::event::xml_text(body, "Encrypt");
        match (encrypted, &self.key) {
            (Some(encrypted), Some(key)) => String::from_utf8(key.decrypt(&encrypted, &self.receiver)?).ok(),
            _ => Some(body.to_owned()).filter(|body| body.contains("<xml>")),
        }
    }
}

impl Package {
    /// The same with signatures that are wrong.
    pub(crate) fn forged(mut self) -> Self {
        for (key, value) in &mut self.query {
            if key.ends_with("signature") {
                *value = value.chars().rev().collect();
            }
        }
        self
    }
}
