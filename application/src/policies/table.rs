//! The decision table (notifications.md section 2), each row with who is told or why nobody is.

use super::{
    PolicyEvent, ReactError, Reaction, View, batches, customers, imports, members, orders, rules, staff,
};

/// Answers one event of the kind its row names.
pub type Handler = fn(&PolicyEvent, &View<'_>) -> Result<Vec<Reaction>, ReactError>;

/// What a row of the table says.
#[derive(Debug, Clone, Copy)]
pub enum Who {
    /// Nobody is told, for this reason.
    Nobody(&'static str),
    /// Those the handler names.
    Told(Handler),
}

const ABOUT_RULES: &str = "who sets a rule sees it; what it does to a lead is told when it happens";
const ABOUT_RUNS: &str = "the run tells of all its leads once, at its end";
const AN_ORDER: &str = "an order to the rules, not to people; it is seen when the customer is opened";
const ABOUT_IMPORTS: &str = "the import tells of all its rows once, at its end";
const ABOUT_NOTICES: &str = "a notice about a notice would never end";
const ABOUT_MEMBER_NOTICES: &str = "who says how the staff hears of members sees it; what was held is let go";
const ABOUT_CHANNELS: &str = "operators see the state of a channel where they set it";
const ABOUT_WISHES: &str = "who sets it sees it; what was held for an old wish is let go";
const ABOUT_WORDS: &str = "administrators see the words where they publish them";
const ABOUT_READING: &str = "what a person reads concerns only that person";

/// The decision table: every event type, and who is told of it.
pub const ROWS: &[(&str, Who)] = &[
    ("CustomerCreated", Who::Told(customers::created)),
    ("CustomerUpdated", Who::Nobody("changed fields are seen when the customer is opened")),
    ("CustomerStatusChanged", Who::Told(customers::status_changed)),
    ("CustomerLevelChanged", Who::Nobody("the level is the judgement of those who work with the lead")),
    ("CustomerAssigned", Who::Told(customers::assigned)),
    ("CustomerTransferred", Who::Told(customers::transferred)),
    ("CustomerClaimed", Who::Nobody("who claims a lead did it and knows")),
    ("CustomerReleased", Who::Told(customers::released)),
    ("CustomerRecycled", Who::Told(rules::recycled)),
    ("RecycleWarned", Who::Told(rules::recycle_warned)),
    ("FollowUpDue", Who::Told(rules::follow_up_due)),
    ("CustomerFrozen", Who::Nobody(AN_ORDER)),
    ("CustomerUnfrozen", Who::Nobody(AN_ORDER)),
    ("AutoTransferEnabled", Who::Nobody(AN_ORDER)),
    ("AutoTransferDisabled", Who::Nobody(AN_ORDER)),
    ("FollowUpRecorded", Who::Told(customers::followed_up)),
    (
        "CustomerDeleted",
        Who::Nobody("nobody can act on a lead that is gone; what was not sent yet is recalled"),
    ),
    ("BatchAssignmentCompleted", Who::Told(batches::completed)),
    ("BatchReleaseCompleted", Who::Told(batches::released)),
    ("ImportStarted", Who::Nobody(ABOUT_IMPORTS)),
    ("ImportChunkStored", Who::Nobody(ABOUT_IMPORTS)),
    ("ImportCompleted", Who::Told(imports::completed)),
    ("TransferRunStarted", Who::Nobody(ABOUT_RUNS)),
    ("TransferRunPlanned", Who::Nobody(ABOUT_RUNS)),
    ("TransferRunCompleted", Who::Told(rules::run_completed)),
    ("RecycleRunStarted", Who::Nobody(ABOUT_RUNS)),
    ("RecycleRunPlanned", Who::Nobody(ABOUT_RUNS)),
    ("RecycleRunCompleted", Who::Told(rules::recycle_completed)),
    ("TransferRuleCreated", Who::Nobody(ABOUT_RULES)),
    ("TransferRuleRevised", Who::Nobody(ABOUT_RULES)),
    ("TransferRuleEnabled", Who::Nobody(ABOUT_RULES)),
    ("TransferRuleDisabled", Who::Nobody(ABOUT_RULES)),
    ("TransferRuleDeleted", Who::Nobody(ABOUT_RULES)),
    ("RecycleRuleCreated", Who::Nobody(ABOUT_RULES)),
    ("RecycleRuleRevised", Who::Nobody(ABOUT_RULES)),
    ("RecycleRuleEnabled", Who::Nobody(ABOUT_RULES)),
    ("RecycleRuleDisabled", Who::Nobody(ABOUT_RULES)),
    ("RecycleRuleDeleted", Who::Nobody(ABOUT_RULES)),
    ("PoolRulesSet", Who::Nobody(ABOUT_RULES)),
    ("MemberRegistered", Who::Told(members::registered)),
    ("MemberActivated", Who::Told(members::activated)),
    ("MemberUpdated", Who::Told(members::updated)),
    ("MemberUpgraded", Who::Told(members::upgraded)),
    ("MemberRevoked", Who::Told(members::revoked)),
    ("MemberDeleted", Who::Nobody("nobody can act on a member who is gone")),
    ("MemberRowSeen", Who::Nobody("its row says what is known already")),
    ("MemberNoticesSet", Who::Nobody(ABOUT_MEMBER_NOTICES)),
    ("WecomSecretSet", Who::Nobody("administrators see it where they set it")),
    ("MemberNoticeTested", Who::Told(members::tested)),
    ("StaffRegistered", Who::Nobody("nobody can have read anything before the account existed")),
    ("StaffSuspended", Who::Told(staff::suspended)),
    ("StaffActivated", Who::Told(staff::activated)),
    ("StaffWechatBound", Who::Told(staff::wechat_bound)),
    ("StaffWechatUnbound", Who::Told(staff::wechat_unbound)),
    ("StaffWecomBound", Who::Told(staff::wecom_bound)),
    ("StaffWecomUnbound", Who::Told(staff::wecom_unbound)),
    (
        "StaffUpdated",
        Who::Nobody("what is known about a person is seen on their page; no right depends on it"),
    ),
    ("StaffRoleChanged", Who::Told(staff::role_changed)),
    ("NoticeOrdered", Who::Told(orders::placed)),
    ("NotificationRequested", Who::Nobody(ABOUT_NOTICES)),
    ("DeliveryStarted", Who::Nobody(ABOUT_NOTICES)),
    ("DeliveryAccepted", Who::Nobody(ABOUT_NOTICES)),
    ("DeliveryRejected", Who::Nobody(ABOUT_NOTICES)),
    ("DeliveryRetryScheduled", Who::Nobody(ABOUT_NOTICES)),
    ("DeliveryUncertain", Who::Nobody(ABOUT_NOTICES)),
    ("DeliveryDied", Who::Nobody(ABOUT_NOTICES)),
    ("DeliveryRequeued", Who::Nobody(ABOUT_NOTICES)),
    ("DeliveryCancelled", Who::Nobody(ABOUT_NOTICES)),
    ("DeliveryReleased", Who::Nobody(ABOUT_NOTICES)),
    ("DeliveryMerged", Who::Nobody(ABOUT_NOTICES)),
    ("DeliverySettled", Who::Nobody(ABOUT_NOTICES)),
    ("DeliveryDiscarded", Who::Nobody(ABOUT_NOTICES)),
    ("DeliveryConfirmed", Who::Nobody(ABOUT_NOTICES)),
    ("ChannelPaused", Who::Nobody(ABOUT_CHANNELS)),
    ("ChannelResumed", Who::Nobody(ABOUT_CHANNELS)),
    ("PreferencesSet", Who::Nobody(ABOUT_WISHES)),
    ("TemplateDrafted", Who::Nobody(ABOUT_WORDS)),
    ("TemplatePublished", Who::Nobody(ABOUT_WORDS)),
    ("TemplateRolledBack", Who::Nobody(ABOUT_WORDS)),
    ("NotificationsRead", Who::Nobody(ABOUT_READING)),
    ("AllNotificationsRead", Who::Nobody(ABOUT_READING)),
    ("NotificationsArchived", Who::Nobody(ABOUT_READING)),
    ("NotificationsUnarchived", Who::Nobody(ABOUT_READING)),
    ("NotificationSnoozed", Who::Nobody(ABOUT_READING)),
    ("ReadingUndone", Who::Nobody(ABOUT_READING)),
    ("CreditsGranted", Who::Nobody(ABOUT_NOTICES)),
    ("CreditReserved", Who::Nobody(ABOUT_NOTICES)),
    ("CreditConsumed", Who::Nobody(ABOUT_NOTICES)),
    ("CreditReturned", Who::Nobody(ABOUT_NOTICES)),
    ("CreditsZeroed", Who::Nobody(ABOUT_NOTICES)),
];

/// The row of an event type; `None` when this program does not know the type.
pub fn row(event_type: &str) -> Option<Who> {
    ROWS.iter().find(|(name, _)| *name == event_type).map(|(_, who)| *who)
}
