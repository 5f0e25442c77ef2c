//! What holds for a customer whatever is asked of it.

use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::BatchId;
use crate::testing::play;

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

fn any_source() -> impl Strategy<Value = AssignmentSource> {
    prop_oneof![
        Just(AssignmentSource::Manual),
        Just(AssignmentSource::MiniProgram),
        (0..3_u128).prop_map(|n| AssignmentSource::Batch(BatchId(uuid::Uuid::from_u128(n)))),
    ]
}

fn any_create() -> impl Strategy<Value = CustomerCommand> {
    let owner = of((0..4_u128, ".{0,4}").prop_map(|(n, reason)| (staff(n), reason)));
    let codes = (select(ContractStatus::ALL), select(LeadLevel::ALL));
    (any_profile(), codes, owner, any_actor(), 0..1000_i64).prop_map(
        |(profile, codes, owner, by, seconds)| CustomerCommand::Create {
            number: CustomerNumber::nth(1),
            profile: Box::new(profile),
            contract_status: codes.0,
            lead_level: codes.1,
            owner,
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
    prop_oneof![1 => any_create(), 4 => update, 4 => assign]
}

fn holds(customer: &Customer, history: &[CustomerEvent]) {
    let mut entries = history.iter().filter_map(|event| match event {
        CustomerEvent::Assigned(e) => Some((e.to, &e.by, e.reason.as_ref(), e.at)),
        CustomerEvent::Transferred(e) => Some((e.to, &e.by, e.reason.as_ref(), e.at)),
        _ => None,
    });
    let last = entries.next_back();
    assert_eq!(customer.owner(), last.map(|(to, ..)| to), "owned exactly by the last one it was given to");
    assert_eq!(customer.assigned_at(), last.map(|(.., at)| at));
    assert_eq!(customer.assigned_by.as_ref(), last.map(|(_, by, ..)| by));
    assert_eq!(customer.assignment_reason.as_ref(), last.and_then(|(_, _, reason, _)| reason));

    let count = |matches: fn(&CustomerEvent) -> bool| history.iter().filter(|e| matches(e)).count();
    let transfers = count(|e| matches!(e, CustomerEvent::Transferred(_)));
    assert_eq!(usize::try_from(customer.transfer_count).unwrap(), transfers);
    assert!(count(|e| matches!(e, CustomerEvent::Assigned(_))) <= 1, "assigned once, then transferred");
    assert!(count(|e| matches!(e, CustomerEvent::Created(_))) <= 1);
    for event in history {
        if let CustomerEvent::Transferred(e) = event {
            assert_ne!(e.from, e.to);
        }
    }
    if customer.created.is_some() {
        assert!(!customer.profile.name.trim().is_empty());
        assert!(customer.profile.phone.is_some() || customer.profile.wechat_id.is_some());
        assert!(customer.last_activity_at.is_some() && customer.last_activity_at == customer.updated_at);
    } else {
        assert!(history.is_empty());
    }
}

proptest! {
    #[test]
    fn a_customer_keeps_its_promises(
        create in any_create(),
        commands in prop::collection::vec(any_command(), 0..20),
    ) {
        let commands = std::iter::once(create).chain(commands).collect();
        play::<Customer>(commands, |_| false, holds);
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
