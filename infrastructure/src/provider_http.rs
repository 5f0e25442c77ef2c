//! HTTP to providers: one exchange, and what is known about it when it failed.
//!
//! The one distinction that matters (wechat-apis.md section 8): did bytes of the request possibly leave? If not, it
//! may be sent again; if so, only a definite answer tells. Therefore nothing here retries or follows a redirect, and
//! every exchange has an end. Errors of the HTTP library name the URL, and the URL carries the access token: only
//! texts made here go any further.

mod answer;
mod authorised;

use std::error::Error as _;
use std::time::Duration;

use reqwest::{Client, RequestBuilder};

pub(crate) use answer::{action, answered, made_safe};
pub(crate) use authorised::{Authorised, JSON};
use domain::contact;
use url::Url;

/// Most bytes of an answer that are read; real ones have a few hundred.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// An idle connection is given up before a provider's gateway does: a request that meets a closing connection has
/// an unknown outcome.
const IDLE_SECONDS: u64 = 15;
/// Longest text about a failure that is kept.
const DETAIL_CHARS_MAX: usize = 200;
/// Letters and digits in a row that are taken for a token or an openid.
const SECRET_RUN_MIN: usize = 24;
/// Digits of a mobile number in China; it begins with 1.
const MOBILE_DIGITS: usize = 11;

/// How long to wait for a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For a connection, TLS included.
    pub connect: Duration,
    /// For the whole exchange.
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(3), total: Duration::from_secs(10) }
    }
}

/// The HTTP client cannot be made, e.g. because the machine has no root certificates.
#[derive(Debug, thiserror::Error)]
#[error("no HTTP client can be made for providers")]
pub struct ClientError(#[source] reqwest::Error);

/// A client that sends once.
pub fn client(timeouts: Timeouts) -> Result<Client, ClientError> {
    // Fails when somebody installed one before, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .connect_timeout(timeouts.connect)
        .timeout(timeouts.total)
        .pool_idle_timeout(Duration::from_secs(IDLE_SECONDS))
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .build()
        .map_err(ClientError)
}

/// The address of an API path such as `cgi-bin/message/send` under a provider's base URL.
pub(crate) fn endpoint(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    let above = url.path().trim_end_matches('/').to_owned();
    url.set_path(&format!("{above}/{path}"));
    url
}

/// How an exchange ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exchange {
    /// A whole answer.
    Answered {
        /// HTTP status.
        status: u16,
        /// The body.
        body: Vec<u8>,
    },
    /// The request never left.
    NotSent(String),
    /// The request may have been carried out.
    NoAnswer(String),
}

/// Sends a request once.
pub async fn exchange(request: RequestBuilder) -> Exchange {
    let mut response = match request.send().await {
        Ok(response) => response,
        Err(error) => return failed(&error),
    };
    let status = response.status().as_u16();
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(None) => return Exchange::Answered { status, body },
            Ok(Some(chunk)) if body.len() + chunk.len() <= ANSWER_BYTES_MAX => body.extend_from_slice(&chunk),
            Ok(Some(_)) => return Exchange::NoAnswer(format!("HTTP {status} with an endless answer")),
            Err(error) => return failed(&error),
        }
    }
}

fn failed(error: &reqwest::Error) -> Exchange {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    // The library's own text names the URL; what lies beneath it (an IO error) does not.
    let why = if error.source().is_some() { innermost.to_string() } else { "the request failed".to_owned() };
    let why = safe_detail(&why);
    if error.is_connect() || error.is_builder() {
        Exchange::NotSent(format!("no connection: {why}"))
    } else if error.is_timeout() {
        Exchange::NoAnswer("no answer in time".to_owned())
    } else {
        Exchange::NoAnswer(format!("the connection broke: {why}"))
    }
}

/// A text of a provider that may be stored and shown: short, one line, and without anything that could be a token,
/// an openid or the number of a mobile phone (the words of a cloud function are its owner's). A request id (`rid: …`) stays, because a provider's support asks for it.
pub fn safe_detail(text: &str) -> String {
    let (words, rid) = match text.rfind("rid: ") {
        Some(at) => (&text[..at], Some(&text[at..])),
        None => (text, None),
    };
    let rid = rid.filter(|rid| rid[5..].chars().all(|c| c.is_ascii_hexdigit() || c == '-'));
    let mut safe = String::new();
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let mut rest = words;
    while let Some(first) = rest.chars().next() {
        let run = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        if run == 0 {
            safe.push(if first.is_control() { ' ' } else { first });
            rest = &rest[first.len_utf8()..];
        } else {
            // Digits alone are no secret: WeCom's support asks for the long number of its hint.
            let is_secret = run >= SECRET_RUN_MIN && rest[..run].contains(|c: char| !c.is_ascii_digit());
            if is_secret {
                safe.push_str("***");
            } else {
                push_without_mobile(&mut safe, &rest[..run]);
            }
            rest = &rest[run..];
        }
    }
    let mut short: String = safe.trim().chars().take(DETAIL_CHARS_MAX).collect();
    if let Some(rid) = rid {
        short.push(' ');
        short.extend(rid.chars().take(DETAIL_CHARS_MAX));
    }
    short
}

/// Writes letters and digits; a number of a mobile phone among them, with or without 86 before it, is masked.
fn push_without_mobile(safe: &mut String, run: &str) {
    for part in run.split_inclusive(|c: char| !c.is_ascii_digit()) {
        let digits = part.trim_end_matches(|c: char| !c.is_ascii_digit());
        let national = digits.strip_prefix("86").filter(|rest| rest.len() == MOBILE_DIGITS).unwrap_or(digits);
        if national.len() == MOBILE_DIGITS && national.starts_with('1') {
            safe.push_str(&contact::mask(national));
            safe.push_str(&part[digits.len()..]);
        } else {
            safe.push_str(part);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_keep_words_and_request_ids_and_lose_secrets() {
        let token = "91_".to_owned() + &"a1B".repeat(40);
        let rows = [
            ("user refuse rid: 64e41852-0a1b2c3d-4e5f6a7b", "user refuse rid: 64e41852-0a1b2c3d-4e5f6a7b"),
            ("invalid ip 1.2.3.4 ipv6 ::ffff:1.2.3.4", "invalid ip 1.2.3.4 ipv6 ::ffff:1.2.3.4"),
            ("two\nlines", "two lines"),
            ("slow, hint: [1592021214123456789012345]", "slow, hint: [1592021214123456789012345]"),
            ("key 00000000-0000-4000-8000-000000000001", "key ***"),
            ("openid oABCdefGHIjklMNOpqrSTUvwx012 bad", "openid *** bad"),
            ("13800001111 has no account", "138****1111 has no account"),
            ("no+8613800001111, no_13800001111_", "no+138****1111, no_138****1111_"),
            ("at 1714112445, message 3136031112138", "at 1714112445, message 3136031112138"),
            (&format!("x?access_token={token}&y"), "x?access_token=***&y"),
            (&format!("rid: {token}"), ""),
        ];
        for (text, safe) in rows {
            assert_eq!(safe_detail(text), safe);
        }
        assert_eq!(safe_detail(&"长 ".repeat(500)).chars().count(), DETAIL_CHARS_MAX);
    }
}
