//! Whether a message may still go to whom it was meant for. It may have waited for hours, and its bytes name a receiver
//! of that time: an account that was cut off since then gets nothing, and neither does an id that is no longer the
//! person's.

use application::bus::CommandBus;
use application::delivery::Outcome;
use domain::StreamId;
use domain::contact::{OpenId, WecomUserId};
use domain::notification::{Channel, Failure, FailureClass};
use domain::staff::Staff;

use super::attempt::Engine;
use crate::outbox::lease::Leased;
use crate::outbox::recipient_key;

/// The account is cut off.
const INACTIVE: &str = "recipient_inactive";
/// The person has another id within the app now, or none.
const NOT_BOUND: &str = "no_binding";

impl Engine {
    /// Whether the row's receiver is none any more, or cannot be looked up; then the row is done with for now.
    pub(super) async fn is_refused_receiver(&self, row: &Leased) -> bool {
        let Some(person) = row.recipient else { return false };
        let staff = match self.bus.load::<Staff>(&StreamId::from(person)).await {
            Ok(staff) => staff.state,
            Err(error) => {
                tracing::error!(%error, delivery.id = %row.delivery, "the receiver cannot be looked up");
                self.release(row).await;
                return true;
            }
        };
        let Some(why) = objection(&staff, self.tenant.channel, &self.tenant.app, &row.recipient_key) else {
            return false;
        };
        let failure = Failure { class: FailureClass::Recipient, code: None, detail: why.to_owned() };
        self.conclude(row, row.attempt, Outcome::Rejected(failure)).await;
        true
    }
}

/// Why the message may not be sent any more; a person nobody knows is not judged.
fn objection(staff: &Staff, channel: Channel, app: &str, addressed: &str) -> Option<&'static str> {
    staff.account.as_ref()?;
    if !staff.is_active() {
        return Some(INACTIVE);
    }
    let receiver = match channel {
        Channel::WechatSubscribe | Channel::WechatOfficial => staff.openids.get(app).map(OpenId::as_str),
        Channel::WecomApp => {
            let corp = app.split_once('/').map_or(app, |(corp, _)| corp);
            staff.wecom.get(corp).map(WecomUserId::as_str)
        }
        // The function knows the person by our id, the robot speaks to a group.
        Channel::WechatCloud | Channel::WecomRobot | Channel::InApp => return None,
    };
    let is_addressed = receiver.is_some_and(|receiver| recipient_key(app, receiver) == addressed);
    (!is_addressed).then_some(NOT_BOUND)
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use domain::staff::{Account, Role};

    use super::*;

    fn staff() -> Staff {
        let account = Account {
            username: "li".to_owned(),
            name: "李雷".to_owned(),
            role: Role::Employee,
            department: None,
            phone: None,
            email: None,
            monthly_task: None,
            created_at: DateTime::UNIX_EPOCH,
        };
        Staff {
            account: Some(account),
            openids: [("wx1".to_owned(), OpenId::parse("o-li").unwrap())].into(),
            wecom: [("corp".to_owned(), WecomUserId::parse("li").unwrap())].into(),
            ..Staff::default()
        }
    }

    #[test]
    fn a_message_goes_to_the_id_of_today_and_to_nobody_who_was_cut_off() {
        let rows = [
            (Channel::WechatSubscribe, "wx1", "o-li", None),
            (Channel::WechatSubscribe, "wx1", "o-formerly", Some(NOT_BOUND)),
            (Channel::WechatOfficial, "wx2", "o-li", Some(NOT_BOUND)),
            (Channel::WecomApp, "corp/1", "li", None),
            (Channel::WecomApp, "other/1", "li", Some(NOT_BOUND)),
            (Channel::WechatCloud, "wx1", "whoever", None),
            (Channel::WecomRobot, "robot", "whoever", None),
        ];
        for (channel, app, receiver, expected) in rows {
            let addressed = recipient_key(app, receiver);
            assert_eq!(objection(&staff(), channel, app, &addressed), expected, "{channel} {app} {receiver}");
            let suspended = Staff { suspended: true, ..staff() };
            assert_eq!(objection(&suspended, channel, app, &addressed), Some(INACTIVE), "{channel}");
            assert_eq!(
                objection(&Staff::default(), channel, app, &addressed),
                None,
                "nobody knows the person"
            );
        }
    }
}
