//! The table itself: it is complete, and every row leads where it says.

use std::collections::BTreeSet;

use domain::StoredEvent;
use domain::batch::BatchEvent;
use domain::channel_control::ChannelControlEvent;
use domain::inbox::InboxEvent;
use domain::member::MemberEvent;
use domain::member_notices::MemberNoticesEvent;
use domain::notice_order::NoticeOrderEvent;
use domain::notification::NotificationEvent;
use domain::pool_rules::PoolRulesEvent;
use domain::preferences::PreferencesEvent;
use domain::recycle_rule::RecycleRuleEvent;
use domain::recycle_rule::run::RecycleRunEvent;
use domain::staff::StaffEvent;
use domain::subscription::SubscriptionEvent;
use domain::template::TemplateEvent;
use domain::transfer_rule::TransferRuleEvent;
use domain::transfer_rule::run::TransferRunEvent;

use super::super::{ROWS, ReactError, Who, row};
use super::*;

#[test]
fn an_event_whose_customer_is_missing_is_refused() {
    let happened = Happened::from(Fact::Customer(LEAD, Box::new(assigned(NEW, ADMIN, Manual))));
    let event = PolicyEvent { id: EventId(Uuid::nil()), fact: happened.fact.clone(), at: at() };
    let backdrop = Backdrop::of(&wechat());
    let view = backdrop.view(&happened, at());
    assert_eq!(react(&event, &view), Err(ReactError::NoCustomer("CustomerAssigned")));
}

#[test]
fn every_event_type_has_exactly_one_row() {
    let declared: Vec<&str> = [
        CustomerEvent::TYPES,
        BatchEvent::TYPES,
        StaffEvent::TYPES,
        NoticeOrderEvent::TYPES,
        NotificationEvent::TYPES,
        InboxEvent::TYPES,
        SubscriptionEvent::TYPES,
        ChannelControlEvent::TYPES,
        PreferencesEvent::TYPES,
        TemplateEvent::TYPES,
        TransferRuleEvent::TYPES,
        TransferRunEvent::TYPES,
        RecycleRuleEvent::TYPES,
        RecycleRunEvent::TYPES,
        PoolRulesEvent::TYPES,
        MemberEvent::TYPES,
        MemberNoticesEvent::TYPES,
    ]
    .concat()
    .into_iter()
    .map(|(name, _)| name)
    .collect();
    for name in &declared {
        assert!(row(name).is_some(), "{name} has no row in the decision table");
    }
    let rows: BTreeSet<&str> = ROWS.iter().map(|(name, _)| *name).collect();
    assert_eq!(rows.len(), ROWS.len(), "a row stands twice");
    assert_eq!(rows, declared.into_iter().collect(), "a row names an event that does not exist");
}

#[test]
fn every_row_leads_to_the_handler_of_its_event() {
    // A handler that meets another event says so; the checks above met each of these with its own.
    let foreign = PolicyEvent {
        id: EventId(Uuid::nil()),
        fact: Fact::Customer(
            LEAD,
            Box::new(
                domain::customer::CustomerLevelChanged {
                    from: LeadLevel::A,
                    to: LeadLevel::B,
                    by: Actor::Staff(ADMIN),
                    at: at(),
                }
                .into(),
            ),
        ),
        at: at(),
    };
    let happened = Happened::from(foreign.fact.clone());
    let backdrop = Backdrop::of(&wechat());
    let view = backdrop.view(&happened, at());
    for (name, who) in ROWS {
        if let Who::Told(handler) = who {
            assert_eq!(handler(&foreign, &view), Err(ReactError::WrongRow("CustomerLevelChanged")), "{name}");
        }
    }
}
