//! Request bodies of system A, read into domain values: what gets past here needs no second look.
//!
//! Each form has one `parse` that takes the body's JSON and gives either the form or *every* violation, each with
//! its path and its text in Chinese and English (http-api.md section 1; the rules are existing-systems.md
//! section 1.3). Nothing here knows HTTP. What depends on other data (who is assignable, whether a phone is
//! taken) belongs to the use cases.
//!
//! Common to all forms: an unknown key is refused; texts are trimmed; a blank text counts as absent; numbers may
//! come as text, as system A's pages send them.

mod assign;
mod customer;
mod deliveries;
mod fields;
mod inbox;
mod labels;
mod legacy;
mod login;
mod member_message;
mod member_notices;
mod members;
mod moves;
mod notices;
mod preferences;
mod recycling;
mod scalars;
mod subscribe;
mod templates;
#[cfg(test)]
mod tests;
mod transfer_rules;
mod users;
mod violation;
mod wecom;
mod what_if;

pub use assign::{Assign, BatchAssign};
pub use customer::{CreateCustomer, UpdateCustomer};
pub use deliveries::{
    Because, RETRIES_MAX, RetryDeliveries, RetryDelivery, RetryFilter, SettleAs, SettleDelivery,
};
pub use inbox::{Empty, MarkAllRead, MarkRead, Snooze, Undo};
pub use legacy::fill_from_legacy;
pub use login::Login;
pub use member_message::{MEMBER_ROWS_MAX, MemberMessage, MessageRow};
pub use member_notices::{
    ConfiguredApp, SetMemberNotices, TestMemberNotice, member_notices_violation, own_words_violation,
};
pub use members::{RegisterMember, RegisterMyself, RevokeMember, UpdateMember, UpgradeMember};
pub use moves::{AutoTransfer, BatchRelease, Claim, FollowUp, Freeze, PoolAssign, Release, WebsiteLead};
pub use notices::{
    ORDER_ACTION_TEXT_CHARS_MAX, ORDER_ACTION_URL_CHARS_MAX, ORDER_CONTENT_CHARS_MAX, ORDER_DATA_CHARS_MAX,
    ORDER_DATA_MEMBERS_MAX, ORDER_TITLE_CHARS_MAX, ORDER_VALUE_CHARS_MAX, OrderNotice,
};
pub use preferences::{SetPreferences, violation_of};
pub use recycling::{
    PreviewRecycleRule, RecycleKindCode, SetPoolRules, ToggleRecycleRule, WriteRecycleRule,
    pool_rules_violation, recycle_violation,
};
pub use subscribe::{REPORTED_CONSENTS_MAX, SubscribeConfirm};
pub use templates::{DraftTemplate, PreviewTemplate, PreviewVersion, RollBackTemplate, text_error};
pub use transfer_rules::{
    CreateTransferRule, ExecuteTransfers, ReviseTransferRule, ToggleTransferRule, rule_violation,
};
pub use users::{ChangePassword, CreateUser, NewServiceToken, ServiceScope, UpdateUser, WechatCode};
pub use violation::{FieldError, Rule, any_malformed};
pub use wecom::WecomBinding;
pub use what_if::TryTransferRule;

pub(crate) use labels::label;

/// Most characters of a customer's name. System A's page stops at 20; the server leaves room for foreign names.
pub const NAME_CHARS_MAX: usize = 50;

/// Most characters of an identity card number; other papers than the 18-digit card fit.
pub const ID_CARD_CHARS_MAX: usize = 32;

/// Most characters of an address (existing-systems.md section 1.1).
pub const ADDRESS_CHARS_MAX: usize = 200;

/// Most characters of a district and of the short requirements (age, gender, origin).
pub const SHORT_TEXT_CHARS_MAX: usize = 100;

/// Most characters of remarks and of each need field.
pub const FREE_TEXT_CHARS_MAX: usize = 2000;

/// Most characters of an assignment's reason. System A checks it on assign only; one reason has one limit here.
pub const REASON_CHARS_MAX: usize = 200;

/// Fewest characters of a password that may be set.
pub const PASSWORD_CHARS_MIN: usize = 8;

/// Most characters of an e-mail address (RFC 5321).
pub const EMAIL_CHARS_MAX: usize = 254;

/// Most characters of the one-time code of `wx.login`; real ones have 32.
pub const WECHAT_CODE_CHARS_MAX: usize = 128;

/// Most yuan a month that may be asked of a person; system A's usual target is 100 000 (existing-systems.md section 2.3).
pub const MONTHLY_TASK_MAX: u32 = 1_000_000_000;

/// Most characters of a password that is looked at: hashing a longer one is work for an attacker's benefit.
pub const PASSWORD_CHARS_MAX: usize = 128;

/// Most violations reported for one body: more than a batch can have, less than an answer worth flooding with.
pub const FIELD_ERRORS_MAX: usize = 1024;
