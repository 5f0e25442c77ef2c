//! The notification types: system A's 43, and those that A lacks.
//!
//! All stay registered, so that another service may order a notice of those that are not about our own facts and a client
//! that filters by one still finds it, even where this program has no text for it (product.md, out of scope).

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        $($(#[$doc])* pub const $name: &str = stringify!($name);)+

        /// Every registered type.
        pub const ALL: &[&str] = &[$($name),+];
    };
}

/// The types that tell a person of a lead, or several, that the person now has to act on.
pub const LEAD_GAINED: [&str; 3] = [CUSTOMER_ASSIGNED, CUSTOMER_TRANSFERRED, CUSTOMER_ASSIGNED_FROM_POOL];

/// The types that tell a person to act on a lead before something happens, or because it has.
pub const LEAD_WARNED: [&str; 2] = [CUSTOMER_RECYCLE_WARNING, CUSTOMER_FOLLOW_UP_DUE];

/// The types that tell of members of system S.
pub const MEMBERS: [&str; 5] =
    [MEMBER_REGISTERED, MEMBER_ACTIVATED, MEMBER_UPDATED, MEMBER_UPGRADED, MEMBER_REVOKED];

/// The types that tell of this service's own facts. Whoever could order one of them could tell people of leads that they
/// do not have, or past their quiet hours of an account that nobody touched.
const OUR_OWN: [&str; 21] = [
    CUSTOMER_CREATED,
    CUSTOMER_ASSIGNED,
    CUSTOMER_TRANSFERRED,
    CUSTOMER_TRANSFERRED_OUT,
    CUSTOMER_RECLAIMED,
    CUSTOMER_RECYCLE_WARNING,
    CUSTOMER_ASSIGNED_FROM_POOL,
    CUSTOMER_STATUS_CHANGED,
    CUSTOMER_FOLLOW_UP_DUE,
    CUSTOMER_FOLLOW_UP_ADDED,
    LEAD_AUTO_TRANSFER_OUT,
    LEAD_AUTO_TRANSFER_IN,
    PERMISSION_CHANGED,
    ACCOUNT_SECURITY,
    NOTICE_DIGEST,
    MEMBER_REGISTERED,
    MEMBER_ACTIVATED,
    MEMBER_UPDATED,
    MEMBER_UPGRADED,
    MEMBER_REVOKED,
    MEMBER_NOTICE_TEST,
];

/// The types that another system may order.
pub fn orderable() -> impl Iterator<Item = &'static str> {
    ALL.iter().copied().filter(|kind| !OUR_OWN.contains(kind))
}

kinds! {
    /// Somebody created a customer.
    CUSTOMER_CREATED,
    /// You have a new customer, or several.
    CUSTOMER_ASSIGNED,
    /// A colleague's customer is yours now.
    CUSTOMER_TRANSFERRED,
    /// Your customer is a colleague's now. Not in A: the loser was never told.
    CUSTOMER_TRANSFERRED_OUT,
    /// Your customer went back to the pool.
    CUSTOMER_RECLAIMED,
    /// Your customer will go back to the pool. Not in A.
    CUSTOMER_RECYCLE_WARNING,
    /// A manager gave you a customer out of the pool.
    CUSTOMER_ASSIGNED_FROM_POOL,
    /// Your customer's contract moved on.
    CUSTOMER_STATUS_CHANGED,
    /// Nobody talked to your customer for a while.
    CUSTOMER_FOLLOW_UP_DUE,
    /// Somebody else talked to your customer.
    CUSTOMER_FOLLOW_UP_ADDED,
    /// A rule took leads from you.
    LEAD_AUTO_TRANSFER_OUT,
    /// A rule gave you leads.
    LEAD_AUTO_TRANSFER_IN,
    /// An announcement to everybody.
    SYSTEM_ANNOUNCEMENT,
    /// Your permissions changed.
    PERMISSION_CHANGED,
    /// Something about your account needs attention.
    ACCOUNT_SECURITY,
    /// A form you shared was filled in.
    FORM_SUBMISSION_RECEIVED,
    /// Any form was filled in.
    FORM_SUBMISSION_RECEIVED_ADMIN,
    /// A contract was signed.
    CONTRACT_SIGNED,
    /// Registered only.
    RESUME_CREATED,
    /// Registered only.
    RESUME_STATUS_CHANGED,
    /// Registered only.
    RESUME_ASSIGNED,
    /// Registered only.
    RESUME_ORDER_STATUS_CHANGED,
    /// Registered only.
    RESUME_FOLLOW_UP_DUE,
    /// Registered only.
    RESUME_RELEASE_REQUESTED,
    /// Registered only.
    RESUME_FOLLOW_UP_ADDED,
    /// Registered only.
    CONTRACT_CREATED,
    /// Registered only.
    CONTRACT_WORKER_CHANGED,
    /// Registered only.
    CONTRACT_EXPIRING_SOON,
    /// Registered only.
    CONTRACT_STATUS_CHANGED,
    /// Registered only.
    CONTRACT_APPROVAL_REQUESTED,
    /// Registered only.
    CONTRACT_APPROVAL_APPROVED,
    /// Registered only.
    CONTRACT_APPROVAL_REJECTED,
    /// Registered only.
    TRAINING_LEAD_ASSIGNED,
    /// Registered only.
    TRAINING_LEAD_FOLLOW_UP_ADDED,
    /// Registered only.
    TRAINING_LEAD_CREATED,
    /// Registered only.
    TRAINING_LEAD_AUTO_TRANSFER_OUT,
    /// Registered only.
    TRAINING_LEAD_AUTO_TRANSFER_IN,
    /// Registered only.
    AUNT_BLACKLISTED,
    /// Registered only.
    INTERVIEW_INVITED,
    /// Registered only.
    EMPLOYEE_EVALUATION_RECEIVED,
    /// Registered only.
    DAILY_REPORT_PERSONAL,
    /// Registered only.
    DAILY_REPORT_TEAM,
    /// Registered only.
    WEEKLY_REPORT,
    /// Registered only.
    MONTHLY_REPORT,
    /// Registered only.
    REFERRAL_NEW_REFERRER_APPROVAL,
    /// Several notices that were held, told as one. Not in A.
    NOTICE_DIGEST,
    /// A member registered and takes part. Of system S.
    MEMBER_REGISTERED,
    /// A member takes part from now on. Of system S.
    MEMBER_ACTIVATED,
    /// Columns of a member changed. Of system S.
    MEMBER_UPDATED,
    /// A member paid for more. Of system S.
    MEMBER_UPGRADED,
    /// A membership was taken back. Of system S.
    MEMBER_REVOKED,
    /// One message about nobody, to see how it looks. Of system S.
    MEMBER_NOTICE_TEST,
}
