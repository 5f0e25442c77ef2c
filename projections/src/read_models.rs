//! The read models: which there are, what feeds each, and how a page of events changes it.
//!
//! Each folds a page in memory and writes it set-wise. A row remembers the position of the last event folded into
//! it, and an older write leaves it alone, so that a page fed twice changes nothing.

mod assignment_log;
pub(crate) mod consents;
pub(crate) mod customer_list;
mod deliveries;
mod fact;
mod folded;
mod follow_ups;
pub(crate) mod inbox;
pub(crate) mod members;
mod next_follow_ups;
mod open_imports;
mod open_recycle_runs;
pub(crate) mod pool_log;
mod projector;
mod recycle_rules;
mod staff_directory;
mod transfer_quotas;
pub(crate) mod transfer_records;
mod transfer_rules;

pub(crate) use fact::{Fact, decode_page};
pub use open_recycle_runs::RunRule;
pub(crate) use projector::Projector;

use infrastructure::db::Tx;
use infrastructure::event_log::Filter;

use crate::consumer::HandleError;
use crate::table::{Table, Target};

domain::code_table! {
    /// A read model. Its name is also its consumer's.
    ReadModel {
        /// The customers: lists and detail.
        CustomerList = "customer_list",
        /// Who was given which lead, when and by whom.
        AssignmentLog = "assignment_log",
        /// What was done about each lead.
        FollowUps = "follow_ups",
        /// Which lead went into the public pool or came out of it, when and by whom.
        PoolLog = "pool_log",
        /// The staff.
        StaffDirectory = "staff_directory",
        /// What each reader was told.
        Inbox = "inbox",
        /// What became of each delivery, attempt by attempt.
        Deliveries = "deliveries",
        /// Who consented to messages of which template, and who refused.
        Consents = "consents",
        /// Imports, and whether each is over.
        OpenImports = "open_imports",
        /// Runs of the recycle rules, and whether each is over.
        OpenRecycleRuns = "open_recycle_runs",
        /// The recycle rules.
        RecycleRules = "recycle_rules",
        /// When each lead is to be followed up next.
        NextFollowUps = "next_follow_ups",
        /// The transfer rules, and what their runs moved.
        TransferRules = "transfer_rules",
        /// The runs of transfer rules, move by move.
        TransferRecords = "transfer_records",
        /// What each person lost and gained by each transfer rule.
        TransferQuotas = "transfer_quotas",
        /// The members of system S.
        Members = "members",
    }
}

impl ReadModel {
    /// Its name, and its consumer's.
    pub const fn name(self) -> &'static str {
        self.as_str()
    }

    /// Its rebuild's, which is a consumer of its own.
    pub(crate) fn rebuild_name(self) -> String {
        format!("{self}.rebuild")
    }

    /// The revision of its fold. Rows that another one made are dropped on start and folded anew; what raises it, says
    /// CONTRIBUTING.md ("Change a read model").
    pub(crate) fn revision(self) -> i64 {
        match self {
            Self::CustomerList => customer_list::REVISION,
            Self::AssignmentLog => assignment_log::REVISION,
            Self::FollowUps => follow_ups::REVISION,
            Self::PoolLog => pool_log::REVISION,
            Self::StaffDirectory => staff_directory::REVISION,
            Self::Inbox => inbox::REVISION,
            Self::Deliveries => deliveries::REVISION,
            Self::Consents => consents::REVISION,
            Self::OpenImports => open_imports::REVISION,
            Self::OpenRecycleRuns => open_recycle_runs::REVISION,
            Self::RecycleRules => recycle_rules::REVISION,
            Self::NextFollowUps => next_follow_ups::REVISION,
            Self::TransferRules => transfer_rules::REVISION,
            Self::TransferRecords => transfer_records::REVISION,
            Self::TransferQuotas => transfer_quotas::REVISION,
            Self::Members => members::REVISION,
        }
    }

    /// Which events it wants.
    pub(crate) fn filter(self) -> Filter<'static> {
        match self {
            Self::CustomerList => customer_list::FILTER,
            Self::AssignmentLog => assignment_log::FILTER,
            Self::FollowUps => follow_ups::FILTER,
            Self::PoolLog => pool_log::FILTER,
            Self::StaffDirectory => staff_directory::FILTER,
            Self::Inbox => inbox::FILTER,
            Self::Deliveries => deliveries::FILTER,
            Self::Consents => consents::FILTER,
            Self::OpenImports => open_imports::FILTER,
            Self::OpenRecycleRuns => open_recycle_runs::FILTER,
            Self::RecycleRules => recycle_rules::FILTER,
            Self::NextFollowUps => next_follow_ups::FILTER,
            Self::TransferRules => transfer_rules::FILTER,
            Self::TransferRecords => transfer_records::FILTER,
            Self::TransferQuotas => transfer_quotas::FILTER,
            Self::Members => members::FILTER,
        }
    }

    /// Its tables.
    pub(crate) fn tables(self) -> &'static [&'static Table] {
        match self {
            Self::CustomerList => &[&customer_list::TABLE],
            Self::AssignmentLog => &[&assignment_log::TABLE],
            Self::FollowUps => &[&follow_ups::TABLE],
            Self::PoolLog => &[&pool_log::TABLE],
            Self::StaffDirectory => &[&staff_directory::TABLE],
            Self::Inbox => &[&inbox::TABLE],
            Self::Deliveries => &[&deliveries::TABLE, &deliveries::ATTEMPTS],
            Self::Consents => &[&consents::TABLE],
            Self::OpenImports => &[&open_imports::TABLE],
            Self::OpenRecycleRuns => &[&open_recycle_runs::TABLE],
            Self::RecycleRules => &[&recycle_rules::TABLE],
            Self::NextFollowUps => &[&next_follow_ups::TABLE],
            Self::TransferRules => &[&transfer_rules::TABLE],
            Self::TransferRecords => &[&transfer_records::TABLE, &transfer_records::RUNS],
            Self::TransferQuotas => &[&transfer_quotas::TABLE],
            Self::Members => &[&members::TABLE],
        }
    }

    /// Folds a page into the tables.
    pub(crate) async fn apply(
        self,
        tx: &mut Tx<'_>,
        target: Target,
        page: &[Fact],
    ) -> Result<(), HandleError> {
        match self {
            Self::CustomerList => customer_list::apply(tx, target, page).await,
            Self::AssignmentLog => assignment_log::apply(tx, target, page).await,
            Self::FollowUps => follow_ups::apply(tx, target, page).await,
            Self::PoolLog => pool_log::apply(tx, target, page).await,
            Self::StaffDirectory => staff_directory::apply(tx, target, page).await,
            Self::Inbox => inbox::apply(tx, target, page).await,
            Self::Deliveries => deliveries::apply(tx, target, page).await,
            Self::Consents => consents::apply(tx, target, page).await,
            Self::OpenImports => open_imports::apply(tx, target, page).await,
            Self::OpenRecycleRuns => open_recycle_runs::apply(tx, target, page).await,
            Self::RecycleRules => recycle_rules::apply(tx, target, page).await,
            Self::NextFollowUps => next_follow_ups::apply(tx, target, page).await,
            Self::TransferRules => transfer_rules::apply(tx, target, page).await,
            Self::TransferRecords => transfer_records::apply(tx, target, page).await,
            Self::TransferQuotas => transfer_quotas::apply(tx, target, page).await,
            Self::Members => members::apply(tx, target, page).await,
        }
    }
}
