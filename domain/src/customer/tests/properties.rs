//! What holds for a customer whatever is asked of it.

use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;

use uuid::Uuid;

use super::*;
use crate::testing::play;
use crate::{BatchId, FollowUpId};

fn any_phone() -> impl Strategy<Value = Phone> {
    (0..100_u32).prop_map(|n| Phone::parse(&format!("138123489{n:02}")).unwrap())
}

fn any_wechat_id() -> impl Strategy<Value = WechatId> {
    "[a-z]{1,3}".prop_map(|text| WechatId::parse(&text).unwrap().unwrap())
}

fn any_profile() -> impl Strategy<Value = Profile> {
    let strategy = (
        "[ 王李]{0,2}",
        of(any_phone()),
        of(any_wechat_id()),
        of(select(LeadSource::ALL)),
        of(select(ServiceCategory::ALL)),
        of(0..=1_000_000_000_i64),
        of(0..1000_i64),
        of(".{0,8}"),
    );
    strategy.prop_map(|(name, phone, wechat_id, lead_source, service_category, fen, seconds, remarks)| {
        #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
        let deal_amount = fen.map(|fen| fen as f64 / 100.0);
        let expected_start_date = seconds.map(at);
        Profile {
            name,
            lead_source,
            phone,
            wechat_id,
            service_category,
            expected_start_date,
            remarks,
            deal_amount,
            ..Profile::default()
        }
    })
}

fn any_patch() -> impl Strategy<Value = ProfilePatch> {
    let strategy = (
        of("[ 王李]{0,2}"),
        of(of(any_phone())),
        of(of(any_wechat_id())),
        of(select(LeadSource::ALL)),
        of(of(0..=1000_i64)),
        of(of(".{0,8}")),
    );
    strategy.prop_map(|(name, phone, wechat_id, lead_source, home_area, address)| ProfilePatch {
        name,
        lead_source,
        phone,
        wechat_id,
        home_area,
        address,
        ..ProfilePatch::default()
    })
}

fn any_actor() -> impl Strategy<Value = Actor> {
    prop_oneof![(0..4_u128).prop_map(|n| Actor::Staff(staff(n))), Just(Actor::System("policy".into()))]
}

fn any_batch(n: u128) -> BatchId {
    BatchId(Uuid::from_u128(n))
}

fn any_source() -> impl Strategy<Value = AssignmentSource> {
    prop_oneof![
        Just(AssignmentSource::Manual),
        Just(AssignmentSource::MiniProgram),
        Just(AssignmentSource::Pool),
        (0..3_u128).prop_map(|n| AssignmentSource::Batch(any_batch(n))),
        (0..3_u128).prop_map(|n| AssignmentSource::PoolBatch(any_batch(n))),
        Just(AssignmentSource::Rule(rules::rule_run())),
    ]
}

fn any_create() -> impl Strategy<Value = CustomerCommand> {
    let placement = prop_oneof![
        Just(Placement::Nobody),
        (0..4_u128, ".{0,4}").prop_map(|(n, reason)| Placement::Owner(staff(n), reason)),
        ".{0,4}".prop_map(Placement::Pool),
    ];
    let codes = (select(ContractStatus::ALL), select(LeadLevel::ALL));
    (any_profile(), codes, placement, any_actor(), 0..1000_i64).prop_map(
        |(profile, codes, placement, by, seconds)| CustomerCommand::Create {
            number: CustomerNumber::nth(1),
            profile: Box::new(profile),
            contract_status: codes.0,
            lead_level: codes.1,
            placement,
            import: None,
            by,
            at: at(seconds),
        },
    )
}

fn any_command() -> impl Strategy<Value = CustomerCommand> {
    let codes = (of(select(ContractStatus::ALL)), of(select(LeadLevel::ALL)));
    let update = (any_patch(), codes, any_actor(), 0..1000_i64).prop_map(|(changes, codes, by, seconds)| {
        CustomerCommand::Update {
            changes: Box::new(changes),
            contract_status: codes.0,
            lead_level: codes.1,
            by,
            at: at(seconds),
        }
    });
    let assign = (0..4_u128, of(".{0,4}"), any_source(), any_actor(), 0..1000_i64).prop_map(
        |(to, reason, source, by, seconds)| CustomerCommand::Assign {
            to: staff(to),
            reason,
            source,
            by,
            at: at(seconds),
        },
    );
    prop_oneof![1 => any_create(), 4 => update, 4 => assign, 8 => any_move(), 6 => any_rule()]
}

fn any_move() -> impl Strategy<Value = CustomerCommand> {
    let who_when = || (any_actor(), (0..1000_i64).prop_map(at));
    let cool_off = of((0..100_i64).prop_map(chrono::TimeDelta::seconds));
    let claim = (0..4_u128, cool_off, (0..1000_i64).prop_map(at))
        .prop_map(|(n, cool_off, at)| CustomerCommand::Claim { by: staff(n), cool_off, at });
    let release = (".{0,4}", of(0..3_u128), who_when()).prop_map(|(reason, batch, (by, at))| {
        CustomerCommand::Release { reason, batch: batch.map(any_batch), by, at }
    });
    let freeze = (of(".{0,4}"), any::<bool>(), who_when()).prop_map(|(reason, on, (by, at))| {
        if on {
            CustomerCommand::Freeze { reason, by, at }
        } else {
            CustomerCommand::Unfreeze { reason, by, at }
        }
    });
    let rules = (any::<bool>(), who_when())
        .prop_map(|(enabled, (by, at))| CustomerCommand::SetAutoTransfer { enabled, by, at });
    let texts = "(系统：|负责人由|变更为|[ 好]){0,3}";
    let follow_up = (select(FollowUpKind::ALL), texts, of(0..1000_i64), who_when()).prop_map(
        |(kind, content, next, (by, at_))| CustomerCommand::RecordFollowUp {
            id: FollowUpId(Uuid::from_u128(7)),
            kind,
            content,
            next_follow_up_at: next.map(at),
            by,
            at: at_,
        },
    );
    let delete = who_when().prop_map(|(by, at)| CustomerCommand::Delete { by, at });
    prop_oneof![8 => claim, 8 => release, 2 => freeze, 2 => rules, 4 => follow_up, 1 => delete]
}

/// What rules ask, at moments up to forty days after what people did.
fn any_rule() -> impl Strategy<Value = CustomerCommand> {
    let when = || (0..1000_i64).prop_map(|hours| at(hours * 3600));
    let transfer = (0..4_u128, 0..4_u128, when()).prop_map(|(to, from, at)| CustomerCommand::AutoTransfer {
        to: staff(to),
        rule_run: rules::rule_run(),
        criteria: Box::new(rules::criteria()),
        expected_owner: staff(from),
        reason: "自动流转".into(),
        at,
    });
    let recycle = when().prop_map(rules::recycle);
    let warn = (select(vec![72, 24]), when(), 0..1000_i64)
        .prop_map(|(hours, now, clock)| rules::warn(hours, 7 * 24 * 3600 + clock, now));
    let remind = (0..1000_i64, when())
        .prop_map(|(due, now)| CustomerCommand::RemindOfFollowUp { due: at(due), at: now });
    prop_oneof![transfer, recycle, warn, remind]
}

/// Who the history says has the lead: the naive re-statement of the state machine.
#[derive(Debug, PartialEq)]
enum Has {
    Nobody,
    Owner(StaffId, DateTime<Utc>),
    Pool(DateTime<Utc>, Option<StaffId>),
}

fn has(history: &[CustomerEvent]) -> Has {
    let moves = |event: &CustomerEvent| match event {
        CustomerEvent::Created(e) => e.pooled.as_ref().map(|_| Has::Pool(e.at, None)),
        CustomerEvent::Assigned(e) => Some(Has::Owner(e.to, e.at)),
        CustomerEvent::Transferred(e) => Some(Has::Owner(e.to, e.at)),
        CustomerEvent::Claimed(e) => Some(Has::Owner(e.by, e.at)),
        CustomerEvent::Released(e) => Some(Has::Pool(e.at, Some(e.from))),
        CustomerEvent::Recycled(e) => Some(Has::Pool(e.at, Some(e.from))),
        CustomerEvent::Deleted(_) => Some(Has::Nobody),
        _ => None,
    };
    history.iter().rev().find_map(moves).unwrap_or(Has::Nobody)
}

fn state(customer: &Customer) -> Has {
    match &customer.ownership {
        Ownership::Unassigned => Has::Nobody,
        Ownership::Owned { owner, since } => Has::Owner(*owner, *since),
        Ownership::InPool { since, former_owner, .. } => Has::Pool(*since, *former_owner),
    }
}

fn holds(customer: &Customer, history: &[CustomerEvent]) {
    assert_eq!(state(customer), has(history));
    for (n, event) in history.iter().enumerate() {
        let before = has(&history[..n]);
        match event {
            CustomerEvent::Assigned(e) => assert_eq!(e.out_of_pool, matches!(before, Has::Pool(..))),
            CustomerEvent::Transferred(e) => {
                assert!(matches!(before, Has::Owner(owner, _) if owner == e.from && owner != e.to));
            }
            CustomerEvent::Claimed(_) => assert!(matches!(before, Has::Pool(..))),
            CustomerEvent::Released(e) => {
                assert!(matches!(before, Has::Owner(owner, _) if owner == e.from));
            }
            CustomerEvent::Recycled(e) => {
                assert!(matches!(before, Has::Owner(owner, _) if owner == e.from));
            }
            CustomerEvent::RecycleWarned(e) => {
                assert!(matches!(before, Has::Owner(owner, _) if owner == e.to));
                assert!(e.at < e.due_at, "a warning comes before the fall");
            }
            CustomerEvent::FollowUpDue(e) => {
                assert!(matches!(before, Has::Owner(owner, _) if owner == e.to));
                assert!(e.due <= e.at, "a reminder comes when its moment has come");
            }
            CustomerEvent::Deleted(_) => {
                assert_eq!(n + 1, history.len(), "nothing happens to a deleted lead");
            }
            _ => {}
        }
    }
    let count = |matches: fn(&CustomerEvent) -> bool| history.iter().filter(|e| matches(e)).count();
    let transfers = count(|e| matches!(e, CustomerEvent::Transferred(_)));
    assert_eq!(usize::try_from(customer.transfer_count).unwrap(), transfers);
    let left_pool = count(|e| {
        matches!(e, CustomerEvent::Claimed(_)) || matches!(e, CustomerEvent::Assigned(a) if a.out_of_pool)
    });
    assert_eq!(usize::try_from(customer.claim_count).unwrap(), left_pool);
    assert!(count(|e| matches!(e, CustomerEvent::Created(_))) <= 1);
    if let Has::Owner(_, since) = state(customer) {
        // Times in these histories run in any order: the clock stands at the last thing somebody did.
        let activity = history.iter().rev().find_map(activity);
        assert_eq!(customer.last_activity_at, activity, "owned since {since}");
    }
    if customer.created.is_some() {
        assert!(!customer.profile.name.trim().is_empty());
        assert!(customer.profile.phone.is_some() || customer.profile.wechat_id.is_some());
        assert!(customer.last_activity_at.is_some() && customer.updated_at.is_some());
    } else {
        assert!(history.is_empty());
    }
}

/// When an event starts the idle clock again.
fn activity(event: &CustomerEvent) -> Option<DateTime<Utc>> {
    match event {
        CustomerEvent::Created(e) => Some(e.at),
        CustomerEvent::Updated(e) => Some(e.at),
        CustomerEvent::StatusChanged(e) => Some(e.at),
        CustomerEvent::LevelChanged(e) => Some(e.at),
        CustomerEvent::Assigned(e) => Some(e.at),
        CustomerEvent::Transferred(e) => Some(e.at),
        CustomerEvent::Claimed(e) => Some(e.at),
        CustomerEvent::FollowedUp(e) if !is_system_note(e.kind, &e.content) => Some(e.at),
        _ => None,
    }
}

proptest! {
    #[test]
    fn a_customer_keeps_its_promises(
        create in any_create(),
        commands in prop::collection::vec(any_command(), 0..20),
    ) {
        let commands = std::iter::once(create).chain(commands).collect();
        let adds_up = |command: &CustomerCommand| matches!(command, CustomerCommand::RecordFollowUp { .. });
        play::<Customer>(commands, adds_up, holds);
    }

    #[test]
    fn a_patch_against_a_profile_is_what_applying_it_changes(profile in any_profile(), patch in any_patch()) {
        let mut whole = profile.clone();
        whole.apply(&patch);
        let least = patch.against(&profile);
        let mut after = profile.clone();
        after.apply(&least);
        prop_assert_eq!(&after, &whole);
        prop_assert_eq!(least.is_empty(), whole == profile);
        prop_assert!(least.against(&whole).is_empty());
    }

    #[test]
    fn a_customers_debug_text_never_shows_its_phone(profile in any_profile()) {
        if let Some(phone) = &profile.phone {
            let text = format!("{profile:?}");
            prop_assert!(!text.contains(phone.as_str()));
        }
    }
}
