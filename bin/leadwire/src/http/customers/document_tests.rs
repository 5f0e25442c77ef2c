use std::collections::BTreeSet;

use super::*;
use application::access::Caller;
use domain::aggregate::Aggregate as _;
use domain::contact::{Phone, WechatId};
use domain::customer::{
    ContractStatus, CustomerCommand, CustomerNumber, FollowUpKind, LeadLevel, LeadSource, Placement,
    ProfilePatch, ServiceCategory,
};
use domain::staff::{Account, Role};
use uuid::Uuid;

use chrono::{DateTime, Utc};

const AT: DateTime<Utc> = DateTime::from_timestamp(1_700_000_000, 123_456_000).unwrap();

fn staff(n: u128) -> StaffId {
    StaffId(Uuid::from_u128(n))
}

fn reader(n: u128, role: Role) -> Caller {
    Caller { id: staff(n), username: format!("user{n}"), name: format!("User {n}"), role }
}

/// Created by 1, owned by 2.
fn customer() -> Customer {
    let profile = Profile {
        name: "王女士".into(),
        lead_source: Some(LeadSource::Douyin),
        phone: Some(Phone::parse("13812348999").unwrap()),
        wechat_id: WechatId::parse("wang-secret").unwrap(),
        id_card_number: Some("110101199003070000".into()),
        service_category: Some(ServiceCategory::MaternityNurse),
        expected_start_date: Some(AT),
        address: Some("somewhere".into()),
        need_work_content: Some("everything".into()),
        ..Profile::default()
    };
    let mut customer = Customer::default();
    let create = CustomerCommand::Create {
        number: CustomerNumber::nth(42),
        profile: Box::new(profile),
        contract_status: ContractStatus::Pending,
        lead_level: LeadLevel::A,
        placement: Placement::Owner(staff(2), "because".into()),
        import: None,
        by: Actor::Staff(staff(1)),
        at: AT,
    };
    for event in customer.decide(create).unwrap() {
        customer.evolve(&event);
    }
    customer
}

fn people() -> People {
    let account = Account {
        username: "user2".into(),
        name: "User 2".into(),
        role: Role::Employee,
        department: None,
        phone: None,
        email: None,
        monthly_task: None,
        created_at: AT,
    };
    People::of([(staff(2), account)])
}

fn detail(reader: &Caller) -> Value {
    let id = CustomerId(Uuid::from_u128(9));
    serde_json::to_value(CustomerDocument::detail(reader, id, &customer(), &people())).unwrap()
}

#[test]
fn the_owner_sees_every_field() {
    insta::assert_json_snapshot!(detail(&reader(2, Role::Employee)), @r#"
    {
      "_id": "00000000-0000-0000-0000-000000000009",
      "address": "somewhere",
      "assignedAt": "2023-11-14T22:13:20.123Z",
      "assignedBy": "00000000-0000-0000-0000-000000000001",
      "assignedTo": "00000000-0000-0000-0000-000000000002",
      "assignedToUser": {
        "name": "User 2",
        "username": "user2"
      },
      "assignmentReason": "because",
      "autoTransferEnabled": true,
      "claimCount": 0,
      "contractStatus": "待定",
      "createdAt": "2023-11-14T22:13:20.123Z",
      "createdBy": "00000000-0000-0000-0000-000000000001",
      "customerId": "CUS00000000042",
      "expectedStartDate": "2023-11-14T22:13:20.123Z",
      "idCardNumber": "110101199003070000",
      "inPublicPool": false,
      "isFrozen": false,
      "lastActivityAt": "2023-11-14T22:13:20.123Z",
      "leadLevel": "A类",
      "leadSource": "抖音",
      "name": "王女士",
      "needWorkContent": "everything",
      "phone": "13812348999",
      "serviceCategory": "月嫂",
      "transferCount": 0,
      "updatedAt": "2023-11-14T22:13:20.123Z",
      "wechatId": "wang-secret"
    }
    "#);
}

#[test]
fn whoever_only_created_it_sees_the_base_fields_and_the_masked_phone() {
    insta::assert_json_snapshot!(detail(&reader(1, Role::Admissions)), @r#"
    {
      "_id": "00000000-0000-0000-0000-000000000009",
      "assignedTo": "00000000-0000-0000-0000-000000000002",
      "assignedToUser": {
        "name": "User 2",
        "username": "user2"
      },
      "autoTransferEnabled": true,
      "contractStatus": "待定",
      "createdAt": "2023-11-14T22:13:20.123Z",
      "customerId": "CUS00000000042",
      "lastActivityAt": "2023-11-14T22:13:20.123Z",
      "leadLevel": "A类",
      "leadSource": "抖音",
      "name": "王女士",
      "phone": "138****8999",
      "serviceCategory": "月嫂",
      "transferCount": 0,
      "updatedAt": "2023-11-14T22:13:20.123Z"
    }
    "#);
}

/// Followed up, frozen for a while, and given back by its owner.
fn pooled() -> Customer {
    let mut customer = customer();
    let by = Actor::Staff(staff(2));
    let follow_up = CustomerCommand::RecordFollowUp {
        id: domain::FollowUpId(Uuid::from_u128(7)),
        kind: FollowUpKind::Phone,
        content: "13812348999 is busy".into(),
        next_follow_up_at: Some(AT),
        by: by.clone(),
        at: AT,
    };
    let release =
        CustomerCommand::Release { reason: "客户找到了".into(), batch: None, by: by.clone(), at: AT };
    let freeze = CustomerCommand::Freeze { reason: Some("dispute".into()), by, at: AT };
    for command in [follow_up, release, freeze] {
        for event in customer.decide(command).unwrap() {
            customer.evolve(&event);
        }
    }
    customer
}

fn pool_row(role: Role) -> Value {
    let id = CustomerId(Uuid::from_u128(9));
    serde_json::to_value(CustomerDocument::pool_row(&reader(3, role), id, &pooled(), &people())).unwrap()
}

#[test]
fn the_pool_shows_what_one_needs_to_judge_a_lead_and_nothing_to_reach_it_by() {
    insta::assert_json_snapshot!(pool_row(Role::Operator));
}

#[test]
fn managers_see_every_field_in_the_pool_too() {
    let row = pool_row(Role::Manager);
    assert_eq!((&row["phone"], &row["wechatId"]), (&json!("13812348999"), &json!("wang-secret")));
    assert_eq!((&row["leadLevel"], &row["originalLeadLevel"]), (&json!("流失"), &json!("A类")));
    let id = CustomerId(Uuid::from_u128(9));
    let detail = CustomerDocument::detail(&reader(3, Role::Manager), id, &pooled(), &people());
    let detail = serde_json::to_value(detail).unwrap();
    assert_eq!((&detail["leadLevel"], &detail["lastFollowUpBy"]), (&json!("A类"), &json!(staff(2))));
}

#[test]
fn below_manager_nothing_secret_stands_in_a_pool_row() {
    for role in [Role::Operator, Role::Dispatch, Role::Employee, Role::Admissions] {
        let text = pool_row(role).to_string();
        for secret in ["13812348999", "wang-secret", "110101199003070000", "somewhere", "everything"] {
            assert!(!text.contains(secret), "{role}: {secret} in {text}");
        }
    }
}

#[test]
fn nothing_secret_is_left_in_a_masked_document() {
    let text = detail(&reader(1, Role::Admissions)).to_string();
    for secret in ["13812348999", "wang-secret", "110101199003070000", "somewhere", "everything", "because"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

#[test]
fn a_row_shows_the_owner_by_name() {
    let id = CustomerId(Uuid::from_u128(9));
    let row = CustomerDocument::row(&reader(3, Role::Manager), id, &customer(), &people());
    let row = serde_json::to_value(row).unwrap();
    let owner = json!({ "_id": staff(2), "name": "User 2", "username": "user2" });
    assert_eq!(row["assignedTo"], owner);
    assert_eq!(row["assignedToUser"], json!({ "name": "User 2", "username": "user2" }));
    assert_eq!(row["followUpStatus"], "新客未跟进");
}

#[test]
fn every_descriptive_field_is_documented_and_no_other() {
    let schema = serde_json::to_value(<ProfileSchema as utoipa::PartialSchema>::schema()).unwrap();
    let documented: BTreeSet<String> = schema["properties"].as_object().unwrap().keys().cloned().collect();
    // A patch refuses unknown fields and names those it knows.
    let refused = serde_json::from_value::<ProfilePatch>(json!({ "?": 1 })).unwrap_err().to_string();
    let known: BTreeSet<String> = refused.split('`').skip(3).step_by(2).map(str::to_owned).collect();
    assert_eq!(documented, known);
}
