//! Notices about a person's own account. Of its security the person is told even when they did it themselves: such a
//! notice is for the case that it was somebody else.

use domain::staff::{StaffEvent, StaffRoleChanged, StaffWechatUnbound, StaffWecomUnbound};
use domain::{Actor, StaffId};
use serde_json::json;

use super::about::{About, instant};
use super::{Fact, PolicyEvent, ReactError, Reaction, View};
use crate::texts;

type Reactions = Result<Vec<Reaction>, ReactError>;

/// Recorded only: nobody reads the inbox of an account that is cut off.
pub(super) fn suspended(event: &PolicyEvent, view: &View<'_>) -> Reactions {
    let (staff, StaffEvent::Suspended(e)) = staff_event(event)? else { return wrong_row(event) };
    security(event, staff, &e.by, view, |by| format!("您的账号已停用，操作人：{by}"))
}

/// The person can log in again.
pub(super) fn activated(event: &PolicyEvent, view: &View<'_>) -> Reactions {
    let (staff, StaffEvent::Activated(e)) = staff_event(event)? else { return wrong_row(event) };
    security(event, staff, &e.by, view, |by| format!("您的账号已重新启用，操作人：{by}"))
}

/// Notices go to that WeChat account from now on.
pub(super) fn wechat_bound(event: &PolicyEvent, view: &View<'_>) -> Reactions {
    let (staff, StaffEvent::WechatBound(e)) = staff_event(event)? else { return wrong_row(event) };
    security(event, staff, &e.by, view, |by| {
        format!("您的账号已绑定微信，操作人：{by}。如非本人操作，请立即联系管理员")
    })
}

/// Notices no longer reach the person by WeChat.
pub(super) fn wechat_unbound(event: &PolicyEvent, view: &View<'_>) -> Reactions {
    let (staff, StaffEvent::WechatUnbound(e)) = staff_event(event)? else { return wrong_row(event) };
    let StaffWechatUnbound { by, reason, .. } = e;
    security(event, staff, by, view, |by| {
        format!("您的账号已解除微信绑定，操作人：{by}，原因：{reason}。微信通知将无法送达")
    })
}

/// Notices go to that WeCom member from now on.
pub(super) fn wecom_bound(event: &PolicyEvent, view: &View<'_>) -> Reactions {
    let (staff, StaffEvent::WecomBound(e)) = staff_event(event)? else { return wrong_row(event) };
    security(event, staff, &e.by, view, |by| {
        format!("您的账号已绑定企业微信，操作人：{by}。如非本人操作，请立即联系管理员")
    })
}

/// Notices no longer reach the person by WeCom.
pub(super) fn wecom_unbound(event: &PolicyEvent, view: &View<'_>) -> Reactions {
    let (staff, StaffEvent::WecomUnbound(e)) = staff_event(event)? else { return wrong_row(event) };
    let StaffWecomUnbound { by, reason, .. } = e;
    security(event, staff, by, view, |by| {
        format!("您的账号已解除企业微信绑定，操作人：{by}，原因：{reason}。企业微信通知将无法送达")
    })
}

/// The person may see and do other things from now on; who changed their own role knows.
pub(super) fn role_changed(event: &PolicyEvent, view: &View<'_>) -> Reactions {
    let (staff, StaffEvent::RoleChanged(e)) = staff_event(event)? else { return wrong_row(event) };
    let StaffRoleChanged { from, to, by, at } = e;
    let (from, to, actor) = (from.label(), to.label(), view.staff.actor_name(by));
    let summary = format!("角色由 {from} 变更为 {to}");
    let about =
        About::account(staff).word("operatorName", actor).word("summary", summary.clone()).facts(json!({
            "change": event.fact.event_type(),
            "oldRole": from,
            "newRole": to,
            "operatorName": actor,
            "summary": summary,
            "changedAt": instant(*at),
        }));
    Ok(about.tell_unless_actor(&texts::PERMISSION_CHANGED, staff, by.staff(), view)?)
}

fn security(
    event: &PolicyEvent,
    staff: StaffId,
    by: &Actor,
    view: &View<'_>,
    summary: impl Fn(&str) -> String,
) -> Reactions {
    let actor = view.staff.actor_name(by);
    let summary = summary(actor);
    let about = About::account(staff).word("summary", summary.clone()).facts(json!({
        "change": event.fact.event_type(),
        "operatorName": actor,
        "summary": summary,
        "changedAt": instant(event.at),
    }));
    Ok(about.tell(&texts::ACCOUNT_SECURITY, [staff], view)?)
}

fn staff_event(event: &PolicyEvent) -> Result<(StaffId, &StaffEvent), ReactError> {
    match &event.fact {
        Fact::Staff(id, event) => Ok((*id, event)),
        _ => Err(ReactError::WrongRow(event.fact.event_type())),
    }
}

fn wrong_row(event: &PolicyEvent) -> Reactions {
    Err(ReactError::WrongRow(event.fact.event_type()))
}
