//! The ways a message can take in a story: each channel with its API, under whatever nobody knows of the providers.

use domain::notification::Channel;
use domain::notification::DeliveryState::{Accepted, Delivered};
use projections::queries::deliveries::DeliveryRow;
use tests::kit::{Official, Person, Setup, TestApp, eventually};
use wechat_simulator::{Check, DuplicateAnswer, Endpoint, Switches, ValidationOrder};

/// A channel and the API it uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Way {
    WecomApp,
    WecomRobot,
    Subscribe,
    Cloud,
    OfficialTemplate,
    OfficialSubscribe,
}

impl Way {
    pub(crate) fn channel(self) -> Channel {
        match self {
            Self::WecomApp => Channel::WecomApp,
            Self::WecomRobot => Channel::WecomRobot,
            Self::Subscribe => Channel::WechatSubscribe,
            Self::Cloud => Channel::WechatCloud,
            Self::OfficialTemplate | Self::OfficialSubscribe => Channel::WechatOfficial,
        }
    }

    /// Only this channel is configured.
    pub(crate) fn alone(self) -> Setup {
        let official = if self == Self::OfficialSubscribe { Official::Subscribe } else { Official::Template };
        Setup { official, ..Setup::through(&[self.channel()]) }
    }

    pub(crate) fn endpoint(self) -> Endpoint {
        self.alone().endpoint(self.channel())
    }

    /// Whether the provider recognises a repetition.
    pub(crate) fn recognises(self) -> bool {
        matches!(self, Self::WecomApp | Self::Cloud | Self::OfficialTemplate)
    }
}

/// How what nobody knows is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weather {
    /// As it is likeliest.
    Likely,
    /// The other way.
    Other,
}

impl Weather {
    pub(crate) fn switches(self) -> Switches {
        if self == Self::Likely {
            return Switches::default();
        }
        let order = vec![Check::Credit, Check::Content, Check::Template, Check::Openid];
        Switches {
            validation_order: ValidationOrder::try_from(order).expect("each check once"),
            failed_send_consumes_credit: true,
            msgid_present: false,
            accept_any_openid: true,
            concurrent_sends_refused: false,
            unknown_key_refused: false,
            unicode_escapes_refused: true,
            wecom_agentid_text_refused: false,
            blank_value_is_empty: false,
            emoji_counts_two: false,
            mini_program_token_is_unsupported: false,
            template_duplicate_same_msgid: false,
            system_error_delivers: true,
            rolling_windows: false,
            wecom_duplicate_answer: DuplicateAnswer::NoMsgid,
            wecom_duplicates_by_bytes: false,
            wecom_reused_task_id_refused: false,
            wecom_card_counts_bytes: true,
            ..Switches::default()
        }
    }
}

/// The only sending to a person through a channel.
pub(crate) async fn sending(app: &TestApp, person: &Person, channel: Channel) -> DeliveryRow {
    let mut rows = app.sendings_through(person, channel).await;
    assert_eq!(rows.len(), 1, "{channel}: {rows:?}");
    rows.remove(0)
}

/// Waits until the only sending to a person through a channel is accepted.
pub(crate) async fn accepted(app: &TestApp, person: &Person, channel: Channel) -> DeliveryRow {
    eventually("the message is accepted", async || {
        let row = sending(app, person, channel).await;
        matches!(row.state, Accepted | Delivered).then_some(row)
    })
    .await
}
