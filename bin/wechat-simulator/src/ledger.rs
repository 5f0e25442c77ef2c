//! The hidden ledger: what people really received, whatever the sender was told. The oracle of every test for
//! lost and doubled messages.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::channel::Channel;

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

/// One message on one person's phone, whatever channel it came by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Received {
    /// 1, 2, 3 … in the order of processing; goes on after the ledger is cleared.
    pub seq: u64,
    /// Virtual time of processing.
    pub time: DateTime<Utc>,
    /// The channel.
    #[serde(default)]
    pub channel: Channel,
    /// The sending app: an appid, `corpid/agentid` of a WeCom app, `robot` for a group robot.
    pub appid: String,
    /// The receiver: an openid, a WeCom userid, or the key of the robot whose group it is.
    pub openid: String,
    /// The template; the `msgtype` of a WeCom message.
    pub template_id: String,
    /// The values by field key; of a WeCom message its texts as a member sees them (`content`, `title`, …).
    pub data: BTreeMap<String, String>,
    /// The page or link the card opens.
    pub page: Option<String>,
    /// `developer`, `trial` or `formal`, as sent.
    pub miniprogram_state: Option<String>,
    /// The language, as sent.
    pub lang: Option<String>,
    /// WeChat's number of the message; above 2^53. 0 where the platform has none or a text.
    pub msgid: u64,
    /// The id of the message as its sender is told: a number in digits, a text of WeCom, empty for a robot.
    #[serde(default)]
    pub message_id: String,
    /// The message in one line.
    #[serde(default)]
    pub summary: String,
    /// When its sender took it back (WeCom); it was seen before that.
    #[serde(default)]
    pub recalled_at: Option<DateTime<Utc>>,
    /// What the sender could see.
    pub client_saw: ClientSaw,
}

/// Why a message that the platform said yes to reached nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DropReason {
    /// WeCom: over 30 a minute or 1000 an hour for the member.
    OverRate,
    /// A duplicate the platform kept from the person (`enable_duplicate_check`, `client_msg_id`).
    Duplicate,
    /// The person blocked the official account.
    Blocked,
    /// The platform failed after its yes (`sent_event_errcode`).
    SystemFailed,
}

/// A message the platform said yes to and nobody received.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped {
    /// Virtual time.
    pub time: DateTime<Utc>,
    /// The channel.
    pub channel: Channel,
    /// The sending app, as in [`Received`].
    pub appid: String,
    /// Who would have received it.
    pub openid: String,
    /// Why nobody did.
    pub reason: DropReason,
}

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    last_seq: u64,
    received: Vec<Received>,
    dropped: Vec<Dropped>,
}

impl Ledger {
    /// Adds a message; its number is the next one.
    pub(crate) fn push(&mut self, mut received: Received) {
        self.last_seq += 1;
        received.seq = self.last_seq;
        self.received.push(received);
    }

    pub(crate) fn all(&self) -> &[Received] {
        &self.received
    }

    pub(crate) fn drop_silently(&mut self, dropped: Dropped) {
        self.dropped.push(dropped);
    }

    pub(crate) fn dropped(&self) -> &[Dropped] {
        &self.dropped
    }

    /// Marks every copy of a message as taken back.
    pub(crate) fn recall(&mut self, message_id: &str, now: DateTime<Utc>) {
        let copies = self.received.iter_mut().filter(|received| received.message_id == message_id);
        for copy in copies {
            copy.recalled_at.get_or_insert(now);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.received.clear();
        self.dropped.clear();
    }
}
