//! One sentence a rule.

use chrono::TimeDelta;
use domain::customer::LeadSource;
use domain::transfer_rule::RuleText;

use super::*;

fn told(office: &Office) -> String {
    let outlook = ready(explain(office.stores(), rule(), period())).unwrap();
    assert!(!outlook.en().is_empty());
    outlook.zh()
}

#[test]
fn a_rule_says_what_it_would_do_or_why_nothing() {
    assert_eq!(told(&Office::with(3)), "将流转3条线索");

    let mut office = Office::with(3);
    office.limits.holding_cap = 1;
    assert_eq!(told(&office), "将流转2条线索，另有1条无人可接");
    office.limits.holding_cap = 0;
    assert_eq!(told(&office), "符合规则的线索无人可接：3条流入人员均已达到客户持有上限");
    for n in TAKERS {
        office.suspend(n);
    }
    assert_eq!(told(&office), "规则没有在职的流入人员，因此线索无人可接");
    office.switch_off();
    assert_eq!(told(&office), "规则未启用，因此没有流转任何线索");

    assert_eq!(told(&Office::with(0)), "流出人员名下没有线索");
    let mut office = Office::with(2);
    follow_up(&office.bus, 0);
    follow_up(&office.bus, 1);
    office.lead(5, GIVER, LeadSource::Referral);
    assert_eq!(
        told(&office),
        "流出人员名下的3条线索都不符合规则：2条线索近期有跟进或变更；1条转介绍线索不参与自动流转"
    );
}

#[test]
fn outside_its_hours_a_rule_does_nothing() {
    let office = Office::with(1);
    let outlook = ready(explain(office.stores(), rule(), period() + TimeDelta::hours(12))).unwrap();
    assert_eq!(outlook.zh(), "当前不在规则的执行时段内，因此没有流转任何线索");
}

#[test]
fn an_empty_run_ends_with_its_beginning_and_says_why() {
    let office = Office::with(2);
    follow_up(&office.bus, 0);
    follow_up(&office.bus, 1);
    let begun = ready(start_run(office.stores(), rule(), &Occasion::Period(period()))).unwrap();
    assert_eq!((begun.planned, begun.completed), (0, true));
    assert_eq!(begun.nothing.map(|nothing| nothing.code()), Some("none_fits"));
    assert_eq!(office.run(begun.run).completed.unwrap().explanation.as_deref(), Some("none_fits"));
    assert_eq!(office.finish(begun.run).moved, []);

    let office = Office::under(RuleText { targets: vec![staff(GIVER)], ..text() }, 1);
    let begun = ready(start_run(office.stores(), rule(), &Occasion::Period(period()))).unwrap();
    assert_eq!(begun.nothing.map(|nothing| nothing.code()), Some("no_place"));
}

#[test]
fn leads_that_fit_and_those_that_stay_are_counted_by_reason() {
    let mut office = Office::with(4);
    follow_up(&office.bus, 0);
    follow_up(&office.bus, 1);
    office.lead(5, GIVER, LeadSource::Referral);
    office.lead(6, COLLEAGUE, LeadSource::Other);
    let counted = ready(judged(office.stores(), rule(), period())).unwrap();
    assert_eq!((counted.owned, counted.fitting()), (5, 2));
    assert_eq!(
        counted.zh(),
        "流出人员名下的5条线索中2条符合规则；2条线索近期有跟进或变更；1条转介绍线索不参与自动流转"
    );
    assert_eq!(
        counted.en(),
        "2 of the 5 leads of the sources fit the rule (2: somebody did something for the lead lately; 1: referrals \
         are never handed on automatically)"
    );
    assert_eq!(Refused::default().en(), "0 of the 0 leads of the sources fit the rule");
}
