//! What is said when several notices were held for one person and channel: one message that tells of all of them
//! (notifications.md section 5). Every notice it tells of points to it, and it points back.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use async_trait::async_trait;
use chrono::{DateTime, SecondsFormat, Utc};
use domain::member_notices::MemberNoticesText;
use domain::notification::{Channel, Decision, Message, NotificationRequested, PlannedDelivery, Priority};
use domain::staff::Staff;
use domain::{DeliveryId, EventId, NotificationId, StaffId};
use serde_json::{Map, Value as Json, json};

use crate::channels::wechat_subscribe::Value;
use crate::channels::wecom_app::render_sheet;
use crate::channels::{self, ChannelSettings, Rendered};
use crate::member_notices::{self, AUDIENCE_RECEIVER};
use crate::policies::{hash, reach, reasons};
use crate::texts::{self, Language, MissingVariable, TemplateBook, Variables, digest_list, kinds, render};

/// Most notices that a digest names to clients; what is beyond them is a count.
pub const LISTED_MAX: usize = 50;

/// Why the inbox says nothing of a digest: every notice in it was told there by itself.
pub const TOLD_ONE_BY_ONE: &str = "told_one_by_one";

/// Stands where a template field expects the name of one customer.
const SEVERAL: &str = "多条通知";

/// A notice that the digest tells of, as its reader knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The notice.
    pub notification: NotificationId,
    /// Its title.
    pub title: String,
    /// Its text.
    pub content: String,
}

/// What is told together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collected {
    /// The digest.
    pub notification: NotificationId,
    /// The person.
    pub recipient: StaffId,
    /// The channel that tells it.
    pub channel: Channel,
    /// The channels that stand by behind it, in order: those that stood by for every one of the notices, so that nobody
    /// learns of one through a channel that was not meant for it.
    pub behind: Vec<Channel>,
    /// The first of the notices, at most [`LISTED_MAX`].
    pub first: Vec<Member>,
    /// All of them.
    pub members: Vec<NotificationId>,
    /// How urgent the most urgent one is.
    pub priority: Priority,
    /// What the digest's id is derived from: the first delivery.
    pub cause: EventId,
    /// When it is told.
    pub at: DateTime<Utc>,
}

/// A digest in words, and as its provider gets it.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// What the person reads.
    pub message: Message,
    /// Version of the template `DIGEST`.
    pub template_version: i64,
    /// The request of the channel.
    pub rendered: Rendered,
    /// The requests of the channels behind it, in order.
    pub standbys: Vec<(Channel, Rendered)>,
    /// The channels behind it that do not reach the person any more, and why.
    pub unusable: Vec<(Channel, &'static str)>,
}

/// Why a digest cannot be written now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// What the writer must know could not be loaded; try again later.
    #[error("a digest cannot be written: {0}")]
    Unavailable(String),
    /// The published words ask for something a digest does not have.
    #[error(transparent)]
    Text(#[from] MissingVariable),
}

/// Writes digests: knows the channels, the published words and the people.
#[async_trait]
pub trait DigestWriter: Send + Sync {
    /// `None` when the first channel cannot reach the person any more; then each notice goes its own way.
    async fn digest(&self, collected: &Collected) -> Result<Option<Written>, WriteError>;
}

impl Collected {
    /// The id of a digest whose first delivery is `first`: whoever collects the same rows collects them into the same
    /// digest.
    pub fn id(first: DeliveryId, recipient: StaffId) -> (NotificationId, EventId) {
        let cause = EventId(first.0);
        (NotificationId::of(cause, recipient, kinds::NOTICE_DIGEST), cause)
    }

    /// What a request that was made told of.
    fn again(request: &NotificationRequested, channel: Channel) -> Self {
        Self {
            notification: request.notification,
            recipient: request.recipient,
            channel,
            behind: vec![],
            first: vec![],
            members: request.digest_of.clone(),
            priority: request.priority,
            cause: request.cause,
            at: request.at,
        }
    }

    /// The digest's delivery through one of its channels.
    pub fn delivery(&self, channel: Channel) -> DeliveryId {
        DeliveryId::of(self.notification, channel.as_str())
    }

    /// The request of the digest: its channel delivers it, and the others stand by like those of any other notice.
    pub fn request(&self, written: &Written) -> NotificationRequested {
        let suppress = |reason: &str| Decision::Suppress { reason: reason.to_owned() };
        let decision = |channel: Channel| {
            let place = written.standbys.iter().position(|(standby, _)| *standby == channel);
            let unusable = written.unusable.iter().find(|(unusable, _)| *unusable == channel);
            match (channel, place, unusable) {
                (own, ..) if own == self.channel => Decision::Deliver,
                (Channel::InApp, ..) => suppress(TOLD_ONE_BY_ONE),
                (_, Some(0), _) => Decision::Standby { after: self.channel },
                (_, Some(place), _) => Decision::Standby { after: written.standbys[place - 1].0 },
                (.., Some((_, reason))) => suppress(reason),
                _ => suppress(reasons::NOT_ROUTED),
            }
        };
        let planned = |channel: &Channel| PlannedDelivery {
            delivery: self.delivery(*channel),
            channel: *channel,
            decision: decision(*channel),
        };
        NotificationRequested {
            notification: self.notification,
            cause: self.cause,
            recipient: self.recipient,
            scene: kinds::NOTICE_DIGEST.to_owned(),
            priority: self.priority,
            message: written.message.clone(),
            customers: vec![],
            deliveries: Channel::ALL.iter().map(planned).collect(),
            template_version: written.template_version,
            template: texts::DIGEST.key.to_owned(),
            rendered_hash: hash(&written.message),
            digest_of: self.members.clone(),
            at: self.at,
        }
    }

    /// What clients may compute with.
    fn data(&self) -> Map<String, Json> {
        let listed = |member: &Member| json!({ "id": member.notification, "title": member.title });
        let notices: Vec<Json> = self.first.iter().take(LISTED_MAX).map(listed).collect();
        Map::from_iter([
            ("notices".to_owned(), notices.into()),
            ("noticeCount".to_owned(), self.members.len().into()),
            ("collectedAt".to_owned(), self.at.to_rfc3339_opts(SecondsFormat::Millis, true).into()),
        ])
    }

    /// The lines of the text. Those that are not known by title count all the same.
    fn list(&self, language: Language) -> String {
        let known = self.first.iter().map(|member| (member.title.as_str(), member.content.as_str()));
        let unknown = self.members.len().saturating_sub(self.first.len());
        digest_list(known.chain(std::iter::repeat_n(("", ""), unknown)), language)
    }

    fn values(&self, message: &Message) -> BTreeMap<&'static str, Value> {
        let count = self.members.len();
        BTreeMap::from([
            ("title", Value::from(message.title.as_str())),
            ("content", Value::from(message.content.as_str())),
            ("customer_name", Value::from(SEVERAL)),
            ("phone_masked", Value::Leads(count)), // no one number to show
            ("count", Value::Number(i64::try_from(count).unwrap_or(i64::MAX))),
            ("assign_time", Value::Time(self.at)),
        ])
    }
}

/// Writes a digest for a person; `None` when its first channel is not configured (any more) or does not reach the person.
pub fn write(
    collected: &Collected,
    settings: &ChannelSettings,
    book: &TemplateBook,
    (staff, language): (&Staff, Language),
) -> Result<Option<Written>, MissingVariable> {
    let Some(receiver) = settings.receiver(collected.channel, staff) else { return Ok(None) };
    let worded = book.template(&texts::DIGEST);
    let variables = Variables::from([
        ("count", collected.members.len().to_string().into()),
        ("list", collected.list(language).into()),
    ]);
    let message = render(worded, language, &variables, collected.data())?;
    let Some(rendered) = request_of(collected, settings, (collected.channel, receiver), &message) else {
        return Ok(None);
    };
    let (mut standbys, mut unusable) = (vec![], vec![]);
    for channel in collected.behind.iter().copied() {
        match reach(settings, channel, staff) {
            Ok(receiver) => {
                let rendered = request_of(collected, settings, (channel, receiver), &message);
                standbys.extend(rendered.map(|rendered| (channel, rendered)));
            }
            Err(reason) => unusable.push((channel, reason)),
        }
    }
    Ok(Some(Written { message, template_version: worded.version, rendered, standbys, unusable }))
}

/// Writes a digest of messages about members for their audience; `None` when `WeCom` is not configured any more.
pub fn write_of_members(
    collected: &Collected,
    settings: &ChannelSettings,
    text: &MemberNoticesText,
) -> Option<Written> {
    let list = collected.list(Language::ZhCn);
    let path = "/members";
    let sheet = member_notices::digest(collected.members.len(), &list, path);
    let message = Message {
        title: sheet.title.to_owned(),
        content: format!("您有 {} 条会员通知：\n{list}", collected.members.len()),
        icon: texts::DIGEST.icon.to_owned(),
        color: texts::DIGEST.color.to_owned(),
        action_url: path.to_owned(),
        action_text: sheet.button.to_owned(),
        data: collected.data(),
    };
    let rendered = sheet_of(collected, settings, text, &list)?;
    let template_version = texts::DIGEST.version;
    Some(Written { message, template_version, rendered, standbys: vec![], unusable: vec![] })
}

/// The same digest once more, byte for byte: for a repair.
pub fn render_members_again(
    request: &NotificationRequested,
    settings: &ChannelSettings,
    text: &MemberNoticesText,
) -> Option<Rendered> {
    let collected = Collected::again(request, Channel::WecomApp);
    let list = request.message.content.split_once('\n').map_or("", |(_, list)| list);
    sheet_of(&collected, settings, text, list)
}

fn sheet_of(
    collected: &Collected,
    settings: &ChannelSettings,
    text: &MemberNoticesText,
    list: &str,
) -> Option<Rendered> {
    let wecom = settings.wecom_app.as_ref()?;
    let sheet = member_notices::digest(collected.members.len(), list, "/members");
    let to = member_notices::receivers(&text.audience);
    let stamp = channels::stamp(collected.at, collected.notification);
    let body = render_sheet(wecom, member_notices::form(wecom, text), &to, &stamp, &sheet);
    Some(Rendered { app: wecom.app(), receiver: AUDIENCE_RECEIVER.to_owned(), template: None, body })
}

/// The request of a digest that was written before, byte for byte: for a repair. `None` when the channel does not reach
/// the person.
pub fn render_again(
    request: &NotificationRequested,
    channel: Channel,
    settings: &ChannelSettings,
    staff: &Staff,
) -> Option<Rendered> {
    let collected = Collected::again(request, channel);
    request_of(&collected, settings, (channel, settings.receiver(channel, staff)?), &request.message)
}

fn request_of(
    collected: &Collected,
    settings: &ChannelSettings,
    (channel, receiver): (Channel, &str),
    message: &Message,
) -> Option<Rendered> {
    let notice = channels::Notice {
        notification: collected.notification,
        delivery: collected.delivery(channel),
        scene: kinds::NOTICE_DIGEST,
        title: &message.title,
        content: &message.content,
        action_text: &message.action_text,
        action_url: &message.action_url,
        at: collected.at,
        recipient: collected.recipient,
        receiver,
        customers: &[],
        values: &collected.values(message),
    };
    channels::render(settings, channel, &notice)
}
