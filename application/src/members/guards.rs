//! What only one member may have: its number, its phone, its WeChat id (existing-systems.md section 7.1).

use std::collections::BTreeSet;

use domain::member::Member;
use domain::{MemberId, StreamId};

use crate::bus::{AppendError, ExecuteError, GuardChange, GuardKind};

/// Values that a row has although another member holds them. A capture leaves them with that member: it reports what
/// stands in a table that Leadwire does not rule, and the member is told of all the same.
pub type Contested = BTreeSet<GuardKind>;

/// Which values may stay with another member who holds them.
#[derive(Debug)]
pub(super) enum Left<'a> {
    /// Whatever is contested: a capture's.
    Any(&'a Contested),
    /// What is contested and was the member's already: an edit of something else. A new value must be free.
    Kept(&'a Contested),
}

/// Gives back what the member had and takes all it has now, but for what is left. What it had already is taken too: it
/// may have been contested then and be free by now, and whoever holds a value takes it again without effect.
pub(super) fn moved(id: MemberId, before: &Member, after: &Member, left: &Left<'_>) -> Vec<GuardChange> {
    let holder = StreamId::from(id);
    let (had, has) = (values(before), values(after));
    let released = had.iter().filter(|value| !has.contains(value)).map(|(kind, key)| GuardChange::Release {
        kind: *kind,
        key: key.clone(),
        holder: holder.clone(),
    });
    let claimed = has.iter().filter(|value| match left {
        Left::Any(contested) => !contested.contains(&value.0),
        Left::Kept(contested) => !(contested.contains(&value.0) && had.contains(value)),
    });
    let claimed = claimed.map(|(kind, key)| GuardChange::Claim {
        kind: *kind,
        key: key.clone(),
        holder: holder.clone(),
    });
    released.chain(claimed).collect()
}

/// The kind of a value that another member was found to hold, when it is one that may be contested.
pub(super) fn taken<R: std::error::Error>(error: &ExecuteError<R>) -> Option<GuardKind> {
    let ExecuteError::Append(AppendError::Taken { kind, .. }) = error else { return None };
    let of_a_member =
        matches!(kind, GuardKind::MemberNumber | GuardKind::MemberPhone | GuardKind::MemberWechat);
    of_a_member.then_some(*kind)
}

/// A member that is gone holds nothing.
fn values(member: &Member) -> Vec<(GuardKind, String)> {
    if !member.exists() {
        return vec![];
    }
    let fields = &member.fields;
    let number = fields.member_no.as_ref().map(|number| (GuardKind::MemberNumber, number.as_str()));
    let phone = fields.phone.as_ref().map(|phone| (GuardKind::MemberPhone, phone.as_str()));
    let wechat = fields.wechat.as_ref().map(|wechat| (GuardKind::MemberWechat, wechat.as_str()));
    let held = number.into_iter().chain(phone).chain(wechat);
    held.map(|(kind, key)| (kind, key.to_owned())).collect()
}
