//! What is not known about WeChat, as switches (wechat-apis.md §0), and the quotas, as numbers. A sender must
//! pass its tests under every setting.

use serde::{Deserialize, Serialize};

use crate::{field::Counting, rates::Window};

/// One check of `subscribe/send` whose place in the order is not documented.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// Is the receiver known to the app (40003)?
    Openid,
    /// Is the template one of the app's (40037)?
    Template,
    /// Do the fields obey their rules (47003)?
    Content,
    /// Has the receiver a credit left (43101)?
    Credit,
}

/// The order of the four checks; each appears once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Check>", into = "Vec<Check>")]
pub struct ValidationOrder([Check; 4]);

impl ValidationOrder {
    pub(crate) fn checks(self) -> [Check; 4] {
        self.0
    }
}

impl Default for ValidationOrder {
    fn default() -> Self {
        Self([Check::Openid, Check::Template, Check::Content, Check::Credit])
    }
}

impl TryFrom<Vec<Check>> for ValidationOrder {
    type Error = &'static str;

    fn try_from(checks: Vec<Check>) -> Result<Self, Self::Error> {
        let all = Self::default().0;
        if !all.iter().all(|check| checks.contains(check)) {
            return Err("validation_order names each of openid, template, content, credit once");
        }
        checks.try_into().map(Self).map_err(|_| "validation_order has four entries")
    }
}

impl From<ValidationOrder> for Vec<Check> {
    fn from(order: ValidationOrder) -> Self {
        order.0.to_vec()
    }
}

/// The undocumented behaviours, each with the default that seems likeliest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is an independent switch with a name on the wire")]
pub struct Switches {
    /// Which error comes first when several things are wrong (§0.1).
    pub validation_order: ValidationOrder,
    /// A definite no (47003 and the like) uses up one credit, if there is one (§0.7). Default off.
    pub failed_send_consumes_credit: bool,
    /// A success carries `msgid` (§2.2: the reference text omits it, real answers have it). Default on.
    pub msgid_present: bool,
    /// Any openid is known; otherwise only those credited or registered before. Default off.
    pub accept_any_openid: bool,
    /// A send that arrives while another one to the same person is being processed gets 43108. Default on.
    pub concurrent_sends_refused: bool,
    /// Real milliseconds WeChat takes to process a send; with 0 sends hardly ever overlap. Default 0.
    pub send_takes_ms: u64,
    /// A value of blanks only counts as empty (§2.5, ambiguous report). Default on.
    pub blank_value_is_empty: bool,
    /// A key that the template does not have is refused with 47003. Default on.
    pub unknown_key_refused: bool,
    /// An emoji counts two characters (§0.6). Default on, the conservative reading.
    pub emoji_counts_two: bool,
    /// A body with a `\\uXXXX` escape is refused with 40033. Default off.
    pub unicode_escapes_refused: bool,
    /// `template/send` with a mini program's token gets 45109; off, 48001 (§4). Default on.
    pub mini_program_token_is_unsupported: bool,
    /// A second `template/send` with a `client_msg_id` is answered the first one's msgid; off, a new one. Default on.
    pub template_duplicate_same_msgid: bool,
    /// What `subscribe_msg_sent_event` tells as `ErrorCode` (§0.8); other than 0 the message is lost after the yes, and
    /// a template message's job has `failed: system failed`. Default 0.
    pub sent_event_errcode: u64,
    /// Where a pushed JSON has its entries (§7.2). Default: a `List` at the top.
    pub callback_json_shape: JsonShape,
    /// A single entry of a pushed JSON stands in an array as well. Default off: an object.
    pub callback_single_as_array: bool,
    /// `CreateTime` of a pushed JSON is a text. Default off.
    pub callback_create_time_text: bool,
    /// `subscribe_msg_change_event` has its entries in `SubscribeMsgPopupEvent`, as one page prints it. Default off.
    pub callback_change_in_popup_container: bool,
    /// A server that does not answer is pushed to three times in all; off, once and three times more (§0.9). Default
    /// off.
    pub callback_three_in_all: bool,
    /// An answer other than HTTP 200 counts as none; off, any answer will do (§7.3). Default on.
    pub callback_non_200_retried: bool,
    /// A fault rule's errcode -1 delivers the message whether or not the rule says `process` (§0.4). Default off.
    pub system_error_delivers: bool,
    /// Rates of WeCom count the last 60 seconds; off, the whole minute of the clock. Default on.
    pub rolling_windows: bool,
    /// What a message kept back by `enable_duplicate_check` is answered (§0.2). Default: the first one's msgid.
    pub wecom_duplicate_answer: DuplicateAnswer,
    /// `enable_duplicate_check` compares bytes; off, the parsed JSON. Default on, the stricter one for a sender.
    pub wecom_duplicates_by_bytes: bool,
    /// A second use of a `template_card.task_id` is refused (40058); off, it is delivered (§0.3). Default on.
    pub wecom_reused_task_id_refused: bool,
    /// An `agentid` in quotes is refused (40056). Default on.
    pub wecom_agentid_text_refused: bool,
    /// Titles and descriptions of cards are cut at bytes; off, at characters. Default off.
    pub wecom_card_counts_bytes: bool,
}

/// Where a pushed JSON has its entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JsonShape {
    /// `"List": …` at the top.
    #[default]
    List,
    /// `"SubscribeMsgPopupEvent": {"List": …}`.
    ContainerList,
    /// `"SubscribeMsgPopupEvent": …`.
    Container,
}

/// What WeCom answers when it keeps a duplicate from its receivers; always errcode 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DuplicateAnswer {
    /// With the msgid of the first message.
    #[default]
    SameMsgid,
    /// With a msgid that belongs to no message.
    NewMsgid,
    /// Without a msgid.
    NoMsgid,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            validation_order: ValidationOrder::default(),
            failed_send_consumes_credit: false,
            msgid_present: true,
            accept_any_openid: false,
            concurrent_sends_refused: true,
            send_takes_ms: 0,
            blank_value_is_empty: true,
            unknown_key_refused: true,
            emoji_counts_two: true,
            unicode_escapes_refused: false,
            mini_program_token_is_unsupported: true,
            template_duplicate_same_msgid: true,
            sent_event_errcode: 0,
            callback_json_shape: JsonShape::default(),
            callback_single_as_array: false,
            callback_create_time_text: false,
            callback_change_in_popup_container: false,
            callback_three_in_all: false,
            callback_non_200_retried: true,
            system_error_delivers: false,
            rolling_windows: true,
            wecom_duplicate_answer: DuplicateAnswer::default(),
            wecom_duplicates_by_bytes: true,
            wecom_reused_task_id_refused: true,
            wecom_agentid_text_refused: true,
            wecom_card_counts_bytes: false,
        }
    }
}

impl Switches {
    pub(crate) fn counting(&self) -> Counting {
        if self.emoji_counts_two { Counting::Utf16Units } else { Counting::Characters }
    }

    pub(crate) fn window(&self) -> Window {
        if self.rolling_windows { Window::Rolling } else { Window::Clock }
    }
}

/// The quotas per app. `None` (JSON `null`) is no limit. Days are those of China, minutes those of the clock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// `GET /cgi-bin/token` per day.
    pub token_per_day: Option<u64>,
    /// `POST /cgi-bin/stable_token` per minute.
    pub stable_token_per_minute: Option<u64>,
    /// `POST /cgi-bin/stable_token` per day.
    pub stable_token_per_day: Option<u64>,
    /// `POST /cgi-bin/message/subscribe/send` per minute: not documented, none by default.
    pub send_per_minute: Option<u64>,
    /// `POST /cgi-bin/message/subscribe/send` per day.
    pub send_per_day: Option<u64>,
    /// `GET /sns/jscode2session` per minute. The real limit is 100 a minute for each person; here it counts for the
    /// app, so that a test reaches it without making a crowd.
    pub code_to_session_per_minute: Option<u64>,
    /// `POST /cgi-bin/message/template/send` per day.
    pub template_send_per_day: Option<u64>,
    /// `POST /cgi-bin/message/subscribe/bizsend` per day.
    pub bizsend_per_day: Option<u64>,
    /// `POST /tcb/invokecloudfunction` per minute: not documented, none by default.
    pub cloud_per_minute: Option<u64>,
    /// Real milliseconds after which the cloud gives up waiting for a function (-604102); the function goes on.
    pub cloud_timeout_ms: u64,
    /// Real milliseconds a platform waits for the answer of a server it pushes to.
    pub callback_timeout_ms: u64,
    /// Pushes that fail in a row, retries and all, before the server is left alone for a minute of the virtual clock.
    pub callback_mark_fail_after: u64,
    /// Failing `GET /cgi-bin/gettoken` of a corp in an hour; then it is blocked for an hour (45009).
    pub wecom_failed_gettoken_per_hour: Option<u64>,
    /// WeCom messages of an app to a member per minute; the excess is dropped without a word.
    pub wecom_member_per_minute: Option<u64>,
    /// The same per hour.
    pub wecom_member_per_hour: Option<u64>,
    /// Person-times of a WeCom app per day (45009): 200 times the accounts the corp pays for; none by default.
    pub wecom_persons_per_day: Option<u64>,
    /// `POST /cgi-bin/message/send` of an app per minute (45009): base limits leave sending out; none by default.
    pub wecom_send_per_minute: Option<u64>,
    /// WeCom sends with one token that may be under way together (45033); none by default.
    pub wecom_concurrent: Option<u64>,
    /// Messages of a group robot per minute (45009).
    pub robot_per_minute: Option<u64>,
    /// Forced refreshes per day; beyond it the current token is answered.
    pub force_refresh_per_day: u64,
    /// Seconds between two forced refreshes; sooner the current token is answered.
    pub force_refresh_apart_seconds: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            token_per_day: Some(2_000),
            stable_token_per_minute: Some(10_000),
            stable_token_per_day: Some(500_000),
            send_per_minute: None,
            code_to_session_per_minute: None,
            send_per_day: Some(10_000_000),
            template_send_per_day: Some(100_000),
            bizsend_per_day: Some(10_000_000),
            cloud_per_minute: None,
            cloud_timeout_ms: 5_000,
            callback_timeout_ms: 5_000,
            callback_mark_fail_after: 3,
            wecom_failed_gettoken_per_hour: Some(2_000),
            wecom_member_per_minute: Some(30),
            wecom_member_per_hour: Some(1_000),
            wecom_persons_per_day: None,
            wecom_send_per_minute: None,
            wecom_concurrent: None,
            robot_per_minute: Some(20),
            force_refresh_per_day: 20,
            force_refresh_apart_seconds: 30,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_validation_order_names_each_check_once() {
        for (json, ok) in [
            (r#"["credit","content","template","openid"]"#, true),
            (r#"["credit","content","template"]"#, false),
            (r#"["credit","content","template","openid","openid"]"#, false),
            (r#"["credit","credit","template","openid"]"#, false),
            (r#"["credit","colour","template","openid"]"#, false),
        ] {
            assert_eq!(serde_json::from_str::<ValidationOrder>(json).is_ok(), ok, "{json}");
        }
    }
}
