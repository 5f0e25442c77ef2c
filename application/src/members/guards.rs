//! What only one member may have: its number, its phone, its WeChat id (existing-systems.md section 7.1).

use std::collections::BTreeSet;

use domain::member::Member;
use domain::{MemberId, StreamId};

use crate::bus::{GuardChange, GuardKind};

/// Values that a row has although another member holds them. A capture leaves them with that member: it reports what
/// stands in a table that Leadwire does not rule, and the member is told of all the same.
pub type Contested = BTreeSet<GuardKind>;

/// Gives back what the member had and takes what it has now, but for what is contested.
pub(super) fn moved(
    id: MemberId,
    before: &Member,
    after: &Member,
    contested: &Contested,
) -> Vec<GuardChange> {
    let holder = StreamId::from(id);
    let (had, has) = (values(before), values(after));
    let released = had.iter().filter(|value| !has.contains(value)).map(|(kind, key)| GuardChange::Release {
        kind: *kind,
        key: key.clone(),
        holder: holder.clone(),
    });
    let claimed =
        has.iter().filter(|(kind, _)| !contested.contains(kind)).filter(|value| !had.contains(value));
    let claimed = claimed.map(|(kind, key)| GuardChange::Claim {
        kind: *kind,
        key: key.clone(),
        holder: holder.clone(),
    });
    released.chain(claimed).collect()
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
