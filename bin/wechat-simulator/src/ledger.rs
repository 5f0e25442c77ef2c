//! The hidden ledger: what people really received, whatever the sender was told. The oracle of every test for
//! lost and doubled messages.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// What the sender could see of a message that was delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientSaw {
    /// The answer was success (as far as the server can know).
    Accepted,
    /// The sender had hung up before the message was processed.
    CallerGone,
    /// The answer came late (`timeout_after_processing` with `ms`).
    LateAnswer,
    /// No answer came until somebody woke the request (`timeout_after_processing`).
    NoAnswer,
    /// The connection was reset.
    ConnectionReset,
    /// An HTTP error that is not WeChat's.
    HttpError,
    /// Half an answer.
    TruncatedJson,
    /// An errcode, although the message went out.
    Errcode,
}

/// One message on one person's phone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Received {
    /// 1, 2, 3 … in the order of processing; goes on after the ledger is cleared.
    pub seq: u64,
    /// Virtual time of processing.
    pub time: DateTime<Utc>,
    /// The sending app.
    pub appid: String,
    /// The person.
    pub openid: String,
    /// The template.
    pub template_id: String,
    /// The values by field key.
    pub data: BTreeMap<String, String>,
    /// The page the card opens.
    pub page: Option<String>,
    /// `developer`, `trial` or `formal`, as sent.
    pub miniprogram_state: Option<String>,
    /// The language, as sent.
    pub lang: Option<String>,
    /// WeChat's number of the message; above 2^53.
    pub msgid: u64,
    /// What the sender could see.
    pub client_saw: ClientSaw,
}

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    last_seq: u64,
    received: Vec<Received>,
}

impl Ledger {
    pub(crate) fn next_seq(&mut self) -> u64 {
        self.last_seq += 1;
        self.last_seq
    }

    pub(crate) fn push(&mut self, received: Received) {
        self.received.push(received);
    }

    pub(crate) fn all(&self) -> &[Received] {
        &self.received
    }

    pub(crate) fn clear(&mut self) {
        self.received.clear();
    }
}
