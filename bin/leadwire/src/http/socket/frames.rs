//! What is sent to clients, and why a connection ends; the same for every protocol.

use serde::Serialize;
use serde_json::Value;

use super::refresh::Refresh;
use crate::auth::Refused;
use crate::http::notifications::Notification;

/// Why a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum End {
    /// The client closed it, or the connection broke.
    Gone,
    /// The first frame is no token.
    Malformed,
    /// Token or account are no longer good.
    Unauthorized,
    /// The reader is too slow.
    Slow,
    /// The service stops.
    Stopping,
    /// Inbox or directory cannot be read; the client comes back with its cursor.
    Unavailable,
}

impl From<Refused> for End {
    fn from(refused: Refused) -> Self {
        if refused.is_final() { Self::Unauthorized } else { Self::Unavailable }
    }
}

/// A frame from the server, as the native socket writes it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub(in crate::http) enum Frame<'a> {
    /// Something to learn.
    Notification { seq: i64, data: &'a Notification },
    /// The reader has gained a lead: what the mini program computes with.
    CustomerAssigned { seq: i64, data: &'a Value },
    /// How many notices are unread.
    UnreadCount { data: i64 },
    /// Everything up to here was sent.
    CompleteUpto { seq: i64 },
    /// The cursor cannot be continued.
    Resync,
    /// A list that the reader may see has changed.
    Refresh(&'a Refresh),
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn frames_look_as_the_contract_says() {
        let data = json!({ "customerId": "7" });
        for (frame, expected) in [
            (Frame::UnreadCount { data: 3 }, json!({ "type": "unread_count", "data": 3 })),
            (Frame::CompleteUpto { seq: 9 }, json!({ "type": "complete_upto", "seq": 9 })),
            (Frame::Resync, json!({ "type": "resync" })),
            (
                Frame::CustomerAssigned { seq: 4, data: &data },
                json!({ "type": "customer_assigned", "seq": 4, "data": { "customerId": "7" } }),
            ),
        ] {
            assert_eq!(serde_json::to_value(&frame).unwrap(), expected);
        }
    }
}
