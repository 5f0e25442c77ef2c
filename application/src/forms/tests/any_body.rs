//! Whatever somebody sends: a form or violations, never a panic.

use domain::customer::Profile;
use proptest::prelude::*;
use serde_json::{Map, Value};

use super::super::*;
use super::{least, with};

/// Keys that the forms know, so that random bodies get past the first check.
const KEYS: [&str; 33] = [
    "name",
    "phone",
    "wechatId",
    "leadSource",
    "contractStatus",
    "leadLevel",
    "salaryBudget",
    "dealAmount",
    "expectedStartDate",
    "needFamilyMembers",
    "needServiceAddress",
    "assignedTo",
    "customerIds",
    "password",
    "reason",
    "type",
    "content",
    "nextFollowUpDate",
    "enabled",
    "ruleName",
    "description",
    "triggerConditions",
    "executionWindow",
    "distributionConfig",
    "sourceUserIds",
    "batchSize",
    "ruleId",
    "days",
    "member_no",
    "wechat",
    "height",
    "status",
    "education",
];

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,40}".prop_map(Value::from),
        "[0-9 +年月日/-]{0,20}".prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z]{0,4}", inner, 0..4)
                .prop_map(|members| members.into_iter().collect::<Map<_, _>>().into()),
        ]
    })
}

fn any_body() -> impl Strategy<Value = Value> {
    let key = prop_oneof![prop::sample::select(&KEYS).prop_map(str::to_owned), "[\u{0}-z]{0,3}"];
    let members = prop::collection::btree_map(key, any_value(), 0..8)
        .prop_map(|members| members.into_iter().collect::<Map<_, _>>().into());
    prop_oneof![9 => members, 1 => any_value()]
}

/// The least body with one more field that is often right.
fn likely_body() -> impl Strategy<Value = Value> {
    let texts =
        prop::sample::select(&["remarks", "address", "needWorkContent", "needServiceAddress", "name"]);
    let numbers = prop::sample::select(&["dealAmount", "salaryBudget", "familySize"]);
    let field = prop_oneof![
        (texts, ".{0,40}".prop_map(Value::from)),
        (numbers.clone(), (0.0..20_000.0).prop_map(Value::from)),
        (numbers, (0..20_000).prop_map(Value::from)),
        (Just("expectedStartDate"), "(19|20)[0-9]{2}-0[1-9]-[012][0-9]".prop_map(Value::from)),
    ];
    field.prop_map(|(key, value)| with(least(), key, value))
}

proptest! {
    #[test]
    fn every_form_answers_any_body(body in any_body()) {
        let answers = [
            CreateCustomer::parse(body.clone()).err(),
            UpdateCustomer::parse(body.clone()).err(),
            Assign::parse(body.clone()).err(),
            BatchAssign::parse(body.clone()).err(),
            MarkRead::parse(body.clone()).err(),
            Claim::parse(body.clone()).err(),
            PoolAssign::parse(body.clone()).err(),
            Release::parse(body.clone()).err(),
            BatchRelease::parse(body.clone()).err(),
            Freeze::parse(body.clone()).err(),
            AutoTransfer::parse(body.clone()).err(),
            FollowUp::parse(body.clone()).err(),
            WebsiteLead::parse(body.clone()).err(),
            CreateTransferRule::parse(body.clone()).err(),
            ReviseTransferRule::parse(body.clone()).err(),
            ToggleTransferRule::parse(body.clone()).err(),
            ExecuteTransfers::parse(body.clone()).err(),
            TryTransferRule::parse(body.clone()).err(),
            RegisterMember::parse(body.clone()).err(),
            RegisterMyself::parse(body.clone()).err(),
            UpdateMember::parse(body.clone()).err(),
            UpgradeMember::parse(body.clone()).err(),
            RevokeMember::parse(body.clone()).err(),
            Login::parse(body).err(),
        ];
        for errors in answers.into_iter().flatten() {
            prop_assert!(!errors.is_empty());
            for error in errors {
                prop_assert!(!error.message_zh.is_empty() && !error.message_en.is_empty());
            }
        }
    }

    #[test]
    fn what_a_form_accepts_can_be_stored_and_read_back(body in likely_body()) {
        if let Ok(form) = CreateCustomer::parse(body) {
            let text = serde_json::to_string(&form.profile).unwrap();
            prop_assert!(!text.contains("\\u0000"), "PostgreSQL stores no NUL");
            prop_assert_eq!(serde_json::from_str::<Profile>(&text).unwrap(), form.profile);
        }
    }
}
