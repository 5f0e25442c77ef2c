//! The settings of callbacks: which apps of WeChat and WeCom may tell us something, and how we know that it is them.

use std::sync::Arc;

use infrastructure::callbacks::Source;
use infrastructure::callbacks::crypto::CallbackKeys;
use secrecy::{ExposeSecret as _, SecretString};

use super::reader::Reader;

/// Most characters of a token; WeChat's own page allows 3 to 32.
const TOKEN_CHARS: std::ops::RangeInclusive<usize> = 3..=32;

/// Which app it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallbackKind {
    /// The mini program of the subscribe messages.
    MiniProgram,
    /// The official account.
    Official,
    /// The WeCom application.
    Wecom,
}

impl CallbackKind {
    /// Who sends its callbacks.
    pub fn source(self) -> Source {
        match self {
            Self::MiniProgram | Self::Official => Source::Wechat,
            Self::Wecom => Source::Wecom,
        }
    }
}

/// An app whose callbacks are taken.
#[derive(Debug, Clone)]
pub struct CallbackSettings {
    /// Which one.
    pub kind: CallbackKind,
    /// Its name in the address: the appid, or the number of the WeCom application.
    pub app: String,
    /// What it and its provider share.
    pub keys: Arc<CallbackKeys>,
}

/// Where the settings of one kind stand.
struct Paths {
    kind: CallbackKind,
    token: &'static str,
    token_file: &'static str,
    aes_key: &'static str,
    aes_key_file: &'static str,
    /// Who the messages are for.
    receiver: &'static str,
    /// The name in the address.
    app: &'static str,
}

const ALL: [Paths; 3] = [
    Paths {
        kind: CallbackKind::MiniProgram,
        token: "callbacks.mini_program.token",
        token_file: "callbacks.mini_program.token_file",
        aes_key: "callbacks.mini_program.aes_key",
        aes_key_file: "callbacks.mini_program.aes_key_file",
        receiver: "wechat_subscribe.appid",
        app: "wechat_subscribe.appid",
    },
    Paths {
        kind: CallbackKind::Official,
        token: "callbacks.official.token",
        token_file: "callbacks.official.token_file",
        aes_key: "callbacks.official.aes_key",
        aes_key_file: "callbacks.official.aes_key_file",
        receiver: "wechat_official.appid",
        app: "wechat_official.appid",
    },
    Paths {
        kind: CallbackKind::Wecom,
        token: "callbacks.wecom.token",
        token_file: "callbacks.wecom.token_file",
        aes_key: "callbacks.wecom.aes_key",
        aes_key_file: "callbacks.wecom.aes_key_file",
        receiver: "wecom_app.corpid",
        app: "wecom_app.agentid",
    },
];

pub(super) fn callbacks(reader: &mut Reader) -> Vec<CallbackSettings> {
    ALL.iter().filter_map(|paths| one(reader, paths)).collect()
}

/// One app; `None` when it is not configured, or wrong, which is noted.
fn one(reader: &mut Reader, paths: &Paths) -> Option<CallbackSettings> {
    let filled = |secret: SecretString| Some(secret).filter(|secret| !secret.expose_secret().is_empty());
    let token = reader.secret(paths.token, paths.token_file).and_then(filled);
    let aes_key = reader.secret(paths.aes_key, paths.aes_key_file).and_then(filled);
    if token.is_none() && aes_key.is_none() {
        return None;
    }
    let receiver = named(reader, paths.receiver);
    let app = named(reader, paths.app);
    for (setting, missing) in [(paths.receiver, receiver.is_none()), (paths.app, app.is_none())] {
        if missing {
            reader.problem(setting, format!("is needed where {} is set", paths.token));
        }
    }
    if token.is_none() {
        reader.problem(paths.token, format!("is needed where {} is set", paths.aes_key));
    }
    if paths.kind == CallbackKind::Wecom && aes_key.is_none() {
        reader.problem(paths.aes_key, "is needed: WeCom encrypts everything");
    }
    let (token, receiver) = (token?, receiver?);
    let is_word = |token: &str| token.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !TOKEN_CHARS.contains(&token.expose_secret().len()) || !is_word(token.expose_secret()) {
        reader.problem(paths.token, "has 3 to 32 letters and digits");
    }
    match CallbackKeys::new(token, aes_key.as_ref(), &receiver) {
        Ok(keys) => Some(CallbackSettings { kind: paths.kind, app: app?, keys: Arc::new(keys) }),
        Err(error) => {
            reader.problem(paths.aes_key, error.to_string());
            None
        }
    }
}

/// A setting that another section reads as text or as number.
fn named(reader: &mut Reader, path: &str) -> Option<String> {
    match reader.value(path)? {
        figment::value::Value::Num(_, number) => number.to_i128().map(|number| number.to_string()),
        _ => reader.text(path),
    }
}
