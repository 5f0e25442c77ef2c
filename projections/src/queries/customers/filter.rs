//! What a list can be narrowed to and ordered by (existing-systems.md section 2.4), and whether a lead passes.

use application::access::RowScope;
use chrono::{DateTime, Utc};
use domain::StaffId;
use domain::customer::{ContractStatus, FollowUpStatus, LeadLevel, LeadSource, ServiceCategory};
use memchr::memmem::Finder;

use super::super::roster::Entry;
use super::super::roster::order::{Column, RowOrder};
use crate::read_models::customer_list::searchable;

domain::code_table! {
    /// What a list is ordered by.
    SortBy {
        /// When it was created.
        CreatedAt = "createdAt",
        /// When it last changed.
        UpdatedAt = "updatedAt",
        /// Its name, by code point.
        Name = "name",
        /// Its phone; those without one last.
        Phone = "phone",
    }
}

domain::code_table! {
    /// Smallest or largest first.
    SortOrder {
        /// Smallest first.
        Ascending = "asc",
        /// Largest first.
        Descending = "desc",
    }
}

domain::code_table! {
    /// Whether a lead went from one owner to another 流转状态.
    LeadStatus {
        /// It did.
        Transferred = "已流转",
        /// It did not.
        NotTransferred = "未流转",
    }
}

/// What a list is narrowed to. The default shows everybody but the lost ones.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CustomerFilter {
    /// A literal part of name, phone or WeChat id, whatever the case. Lost customers are then shown too.
    pub search: Option<String>,
    /// A literal part of the name, whatever the case.
    pub name: Option<String>,
    /// A literal part of the phone.
    pub phone: Option<String>,
    /// Where it came from.
    pub lead_source: Option<LeadSource>,
    /// What is asked for.
    pub service_category: Option<ServiceCategory>,
    /// How far the contract is; without it and without a search, 流失客户 is hidden.
    pub contract_status: Option<ContractStatus>,
    /// How promising it is.
    pub lead_level: Option<LeadLevel>,
    /// Who owns it.
    pub assigned_to: Option<StaffId>,
    /// Whether it changed hands.
    pub lead_status: Option<LeadStatus>,
    /// Where its owner stands with it, by the rule of
    /// [`Customer::follow_up_status`](domain::customer::Customer::follow_up_status).
    pub follow_up_status: Option<FollowUpStatus>,
    /// A part of a caregiver's name or phone. System A's pages offer it; no lead has a caregiver, there or here.
    pub caregiver: Option<String>,
    /// Created at this instant or later.
    pub created_from: Option<DateTime<Utc>>,
    /// Created at this instant or earlier.
    pub created_to: Option<DateTime<Utc>>,
    /// Given to its owner at this instant or later.
    pub assigned_from: Option<DateTime<Utc>>,
    /// Given to its owner at this instant or earlier.
    pub assigned_to_time: Option<DateTime<Utc>>,
    /// What the list is ordered by; the day of creation when not said.
    pub sort_by: Option<SortBy>,
    /// Largest first when not said.
    pub sort_order: Option<SortOrder>,
}

impl CustomerFilter {
    pub(super) fn order(&self) -> RowOrder {
        RowOrder {
            column: Column::Of(self.sort_by.unwrap_or(SortBy::CreatedAt)),
            direction: self.sort_order.unwrap_or(SortOrder::Descending),
            reader: RowScope::All,
        }
    }
}

/// A filter ready to be asked about many leads.
pub(super) struct Test<'f> {
    filter: &'f CustomerFilter,
    scope: RowScope,
    search: Option<Part>,
    name: Option<Part>,
    phone: Option<Part>,
    hides_lost: bool,
}

impl<'f> Test<'f> {
    /// As a list asks: lost customers are hidden unless something asks for them.
    pub(super) fn of_list(filter: &'f CustomerFilter, scope: RowScope) -> Self {
        let test = Self::of_everybody(filter, scope);
        let hides_lost = filter.contract_status.is_none() && test.search.is_none();
        Self { hides_lost, ..test }
    }

    /// Lost customers count like others.
    pub(super) fn of_everybody(filter: &'f CustomerFilter, scope: RowScope) -> Self {
        Self {
            filter,
            scope,
            search: part(filter.search.as_deref()),
            name: part(filter.name.as_deref()),
            phone: part(filter.phone.as_deref()),
            hides_lost: false,
        }
    }

    /// Whether a lead is wanted and may be seen. What costs least comes first.
    pub(super) fn passes(&self, lead: &Entry) -> bool {
        let filter = self.filter;
        within(self.scope, lead)
            && !(self.hides_lost && lead.contract_status == Some(ContractStatus::Lost))
            && is(filter.contract_status, lead.contract_status)
            && is(filter.lead_level, lead.lead_level)
            && is(filter.lead_source, lead.lead_source)
            && is(filter.service_category, lead.service_category)
            && is(filter.follow_up_status, lead.follow_up_status)
            && is(filter.assigned_to.map(|staff| staff.0), lead.owner)
            && filter
                .lead_status
                .is_none_or(|status| lead.transferred() == (status == LeadStatus::Transferred))
            && filter.caregiver.is_none()
            && between(Some(lead.created_at), filter.created_from, filter.created_to)
            && between(lead.assigned_at, filter.assigned_from, filter.assigned_to_time)
            && self.search.as_ref().is_none_or(|part| self.finds(part, lead))
            && self.name.as_ref().is_none_or(|part| part.is_in_name(lead))
            && self.phone.as_ref().is_none_or(|part| self.finds_phone(part, lead))
    }

    /// A part of a contact that the reader does not see would give the contact away, digit by digit: such a lead is
    /// found by its name and by its whole phone.
    fn finds(&self, part: &Part, lead: &Entry) -> bool {
        part.is_in(&lead.search)
            && (sees_contact(self.scope, lead) || part.is_in_name(lead) || part.is(lead.phone()))
    }

    fn finds_phone(&self, part: &Part, lead: &Entry) -> bool {
        part.is_in(&lead.search)
            && if sees_contact(self.scope, lead) { part.is_in(lead.phone()) } else { part.is(lead.phone()) }
    }
}

/// A text to look for, prepared once for all leads.
struct Part(Finder<'static>);

impl Part {
    fn is_in(&self, text: &str) -> bool {
        self.0.find(text.as_bytes()).is_some()
    }

    fn is(&self, text: &str) -> bool {
        self.0.needle() == text.as_bytes()
    }

    /// Most leads hold it nowhere, and are passed over without looking for where their name ends.
    fn is_in_name(&self, lead: &Entry) -> bool {
        self.is_in(&lead.search) && self.is_in(lead.searched_name())
    }
}

/// A text to look for; blank is none.
fn part(text: Option<&str>) -> Option<Part> {
    let text = text.map(str::trim).filter(|text| !text.is_empty())?;
    Some(Part(Finder::new(&searchable(text)).into_owned()))
}

/// Whether a lead's search text holds a text as a caller typed it; blank finds everything.
pub(in crate::queries) fn holds(text: Option<&str>) -> impl Fn(&Entry) -> bool {
    let part = part(text);
    move |lead| part.as_ref().is_none_or(|part| part.is_in(&lead.search))
}

/// Whether a lead's name holds a text as a caller typed it; blank finds everything.
pub(in crate::queries) fn is_named(text: Option<&str>) -> impl Fn(&Entry) -> bool {
    let part = part(text);
    move |lead| part.as_ref().is_none_or(|part| part.is_in_name(lead))
}

/// Whether a lead is inside a scope; the same as [`RowScope::contains`].
pub(in crate::queries) fn within(scope: RowScope, lead: &Entry) -> bool {
    match scope {
        RowScope::All => true,
        RowScope::OwnedBy(staff) => lead.owner == Some(staff.0),
        RowScope::OwnedOrCreatedBy(staff) | RowScope::OwnedOrBaseOfCreatedBy(staff) => {
            lead.owner == Some(staff.0) || lead.created_by == Some(staff.0)
        }
    }
}

/// Whether whoever has a scope sees how a lead inside it is reached.
pub(in crate::queries) fn sees_contact(scope: RowScope, lead: &Entry) -> bool {
    match scope {
        RowScope::OwnedOrBaseOfCreatedBy(staff) => lead.owner == Some(staff.0),
        RowScope::All | RowScope::OwnedBy(_) | RowScope::OwnedOrCreatedBy(_) => true,
    }
}

fn is<T: PartialEq + Copy>(wanted: Option<T>, found: Option<T>) -> bool {
    wanted.is_none() || wanted == found
}

/// From `from` to `to`, both included.
fn between(at: Option<DateTime<Utc>>, from: Option<DateTime<Utc>>, to: Option<DateTime<Utc>>) -> bool {
    from.is_none_or(|from| at.is_some_and(|at| at >= from))
        && to.is_none_or(|to| at.is_some_and(|at| at <= to))
}
