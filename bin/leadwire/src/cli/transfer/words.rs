//! What a use case refuses, in English and with what to do next.

use std::collections::HashMap;

use anyhow::{Result, anyhow};
use application::bus::{ExecuteError, Versioned};
use application::fates::load_each;
use application::forms::{FieldError, rule_violation};
use application::transfers::{RuleRefusal, TransferError, TransferRefusal};
use domain::customer::Customer;
use domain::transfer_rule::plan::Change;
use domain::{CustomerId, StaffId, StreamId};

use super::super::open::Opened;
use crate::http::lead_transfer::too_large_in_english;
use crate::http::people::People;

/// Leads that are read together.
const LEADS_AT_ONCE: usize = 500;

/// Changes of a preview that are told one by one; there may be as many as leads.
const CHANGES_TOLD_MAX: usize = 20;

/// Why something was not done.
pub(super) async fn refused(opened: &Opened, error: TransferError) -> anyhow::Error {
    let refusal = match error {
        ExecuteError::Refused(refusal) => refusal,
        other => return anyhow::Error::new(other).context("the store failed; run the command again"),
    };
    match refusal {
        TransferRefusal::PlanChanged(changes) => match changed(opened, &changes).await {
            Ok(text) => anyhow!(text),
            Err(error) => error,
        },
        TransferRefusal::Rule(refusal) => unwritable(refusal),
        other => anyhow!(known(&other)),
    }
}

fn known(refusal: &TransferRefusal) -> String {
    match refusal {
        TransferRefusal::Forbidden(_) => {
            "only admins and managers run rules; name another person with --by".to_owned()
        }
        TransferRefusal::RuleNotFound => {
            "there is no such rule any more; `leadwire transfer list` shows all".to_owned()
        }
        TransferRefusal::RuleDisabled => {
            "the rule is off; switch it on first (PATCH /api/lead-transfer/rules/<id>/toggle)".to_owned()
        }
        TransferRefusal::OtherModule => "the rule is not about customers".to_owned(),
        TransferRefusal::UnknownPlan => {
            "no such preview of this rule is kept; make another one with `leadwire transfer predict`"
                .to_owned()
        }
        TransferRefusal::TooMuchPast { .. }
        | TransferRefusal::TooMuchHappened { .. }
        | TransferRefusal::TooManyLooks { .. }
        | TransferRefusal::TooManyRuns => too_large_in_english(refusal),
        TransferRefusal::PlanChanged(_) | TransferRefusal::Rule(_) | TransferRefusal::Run(_) => {
            refusal.to_string()
        }
    }
}

fn unwritable(refusal: RuleRefusal) -> anyhow::Error {
    let listed = |people: Vec<StaffId>| people.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match refusal {
        RuleRefusal::Invalid(violations) => {
            violated(&violations.iter().map(rule_violation).collect::<Vec<_>>())
        }
        RuleRefusal::UnknownPeople(people) => {
            anyhow!("nobody has the id {}; `leadwire staff list` shows them", listed(people))
        }
        RuleRefusal::InactiveTargets(people) => {
            anyhow!("targetUserIds: {} cannot log in, so nobody hands them leads", listed(people))
        }
        other => anyhow::Error::new(other),
    }
}

/// Every violation on a line of its own, with its rule.
pub(super) fn violated(errors: &[FieldError]) -> anyhow::Error {
    let lines: Vec<String> =
        errors.iter().map(|error| format!("{} ({})", error.message_en, error.rule)).collect();
    anyhow!("{}", lines.join("\n"))
}

/// What changed since a preview, with the names of whom it is about.
async fn changed(opened: &Opened, changes: &[Change]) -> Result<String> {
    let shown = &changes[..changes.len().min(CHANGES_TOLD_MAX)];
    let people = People::read(&opened.store.bus, shown.iter().flat_map(people_of).collect()).await?;
    let numbers = numbers(opened, shown.iter().filter_map(lead_of)).await?;
    let mut text = format!("{} things changed since the preview, and nothing moved:", changes.len());
    for change in shown {
        let lead =
            lead_of(change).map(|lead| numbers.get(&lead).cloned().unwrap_or_else(|| lead.to_string()));
        let names = people_of(change).into_iter().map(|person| people.shown(person));
        let about: Vec<String> = lead.into_iter().chain(names).filter(|name| !name.is_empty()).collect();
        text.push_str("\n  ");
        text.push_str(change.en());
        if !about.is_empty() {
            text.push_str(": ");
            text.push_str(&about.join(", "));
        }
    }
    if changes.len() > shown.len() {
        text.push_str("\n  …");
    }
    text.push_str("\nLook again with `leadwire transfer predict`.");
    Ok(text)
}

fn lead_of(change: &Change) -> Option<CustomerId> {
    match *change {
        Change::LeadLeft { customer, .. }
        | Change::LeadCame { customer, .. }
        | Change::LeadMoved { customer, .. }
        | Change::LeadTouched { customer } => Some(customer),
        _ => None,
    }
}

fn people_of(change: &Change) -> Vec<StaffId> {
    match *change {
        Change::LeadLeft { owner, .. } | Change::LeadCame { owner, .. } => vec![owner],
        Change::LeadMoved { from, to, .. } => vec![from, to],
        Change::TargetLeft { staff }
        | Change::TargetCame { staff }
        | Change::TargetFull { staff }
        | Change::RoomChanged { staff, .. }
        | Change::BalanceChanged { staff, .. } => vec![staff],
        _ => vec![],
    }
}

/// The numbers that people know leads by.
pub(crate) async fn numbers(
    opened: &Opened,
    leads: impl IntoIterator<Item = CustomerId>,
) -> Result<HashMap<CustomerId, String>> {
    let leads: Vec<CustomerId> = leads.into_iter().collect();
    let mut numbers = HashMap::new();
    for page in leads.chunks(LEADS_AT_ONCE) {
        let streams: Vec<StreamId> = page.iter().map(|lead| StreamId::from(*lead)).collect();
        let found = load_each::<_, Customer>(&opened.store.bus, &streams).await?;
        let number = |(lead, found): (&CustomerId, Option<Versioned<Customer>>)| {
            Some((*lead, found?.state.created?.number.to_string()))
        };
        numbers.extend(page.iter().zip(found).filter_map(number));
    }
    Ok(numbers)
}
