//! Samples of everything but notices.

use domain::batch::{
    BatchAssignmentCompleted, BatchEvent, BatchReleaseCompleted, ImportChunkStored, ImportCompleted,
    ImportStarted, MovedCustomer, OwnedCustomer,
};
use domain::contact::{OpenId, Phone, WechatId, WecomUserId};
use domain::customer::{
    AssignmentSource, AutoTransferDisabled, AutoTransferEnabled, ContractStatus, CustomerAssigned,
    CustomerClaimed, CustomerCreated, CustomerDeleted, CustomerEvent, CustomerFrozen, CustomerLevelChanged,
    CustomerNumber, CustomerReleased, CustomerStatusChanged, CustomerTransferred, CustomerUnfrozen,
    CustomerUpdated, Education, FollowUpKind, FollowUpRecorded, LeadLevel, LeadSource, Profile, ProfilePatch,
    RestSchedule, ServiceCategory,
};
use domain::inbox::{
    AllNotificationsRead, InboxEvent, NotificationSnoozed, NotificationsArchived, NotificationsRead,
    NotificationsUnarchived, Reading, ReadingUndone,
};
use domain::staff::{
    Role, StaffActivated, StaffEvent, StaffPatch, StaffRegistered, StaffRoleChanged, StaffSuspended,
    StaffUpdated, StaffWechatBound, StaffWechatUnbound, StaffWecomBound, StaffWecomUnbound,
};
use domain::subscription::{
    CreditConsumed, CreditReserved, CreditReturned, CreditsGranted, CreditsZeroed, GrantSource,
    SubscriptionEvent,
};
use domain::{BatchId, CustomerId, FollowUpId, NotificationId};

use super::{at, boss, delivery, staff, system, uuid};

fn phone() -> Phone {
    Phone::parse("13812348999").unwrap()
}

fn profile() -> Profile {
    let some = |text: &str| Some(text.to_owned());
    Profile {
        name: "王女士".into(),
        lead_source: Some(LeadSource::Baomu99),
        phone: Some(phone()),
        wechat_id: WechatId::parse("wang_88").unwrap(),
        id_card_number: some("110101199003070000"),
        service_category: Some(ServiceCategory::MaternityNurse),
        salary_budget: Some(8000),
        expected_start_date: Some(at()),
        expected_delivery_date: Some(at()),
        home_area: Some(120),
        family_size: Some(4),
        rest_schedule: Some(RestSchedule::One),
        address: some("杭州市西湖区"),
        area: some("西湖区"),
        age_requirement: some("40岁以下"),
        gender_requirement: some("女"),
        origin_requirement: some("不限"),
        education_requirement: Some(Education::Senior),
        service_days: Some(26),
        remarks: some("第一行\n第二行"),
        deal_amount: Some(12_800.5),
        need_order_type: some("月嫂"),
        need_working_hours: some("白天"),
        need_salary: some("8000左右"),
        need_rest_time: some("单休"),
        need_family_members: some("两大两小"),
        need_service_address: some("西湖区"),
        need_house_area: some("120平"),
        need_work_content: some("照顾新生儿"),
        need_remarks: some("会做饭"),
        need_service_period: some("26天"),
        need_onboarding_time: some("2025-12-01"),
    }
}

pub(crate) fn customer() -> Vec<CustomerEvent> {
    let (by, at) = (boss(), at());
    let changes = ProfilePatch {
        name: Some("李女士".into()),
        wechat_id: Some(None),
        home_area: Some(Some(90)),
        ..ProfilePatch::default()
    };
    let (contract_status, lead_level) = (ContractStatus::Pending, LeadLevel::A);
    vec![
        CustomerCreated {
            number: CustomerNumber::nth(42),
            profile: profile(),
            contract_status,
            lead_level,
            pooled: None,
            import: None,
            by: by.clone(),
            at,
        }
        .into(),
        CustomerUpdated { changes, by: by.clone(), at }.into(),
        CustomerStatusChanged { from: contract_status, to: ContractStatus::Signed, by: by.clone(), at }
            .into(),
        CustomerLevelChanged { from: lead_level, to: LeadLevel::O, by: system(), at }.into(),
        CustomerAssigned {
            to: staff(1),
            by: by.clone(),
            reason: Some("创建默认分配给创建人".into()),
            source: AssignmentSource::Create,
            out_of_pool: false,
            at,
        }
        .into(),
        CustomerTransferred {
            from: staff(1),
            to: staff(2),
            by: by.clone(),
            reason: None,
            source: AssignmentSource::Batch(BatchId(uuid(30))),
            at,
        }
        .into(),
        CustomerClaimed { by: staff(1), at }.into(),
        CustomerReleased {
            from: staff(1),
            by: by.clone(),
            reason: "客户找到了".into(),
            batch: Some(BatchId(uuid(30))),
            at,
        }
        .into(),
        CustomerFrozen { reason: Some("核实中".into()), by: by.clone(), at }.into(),
        CustomerUnfrozen { reason: None, by: by.clone(), at }.into(),
        AutoTransferEnabled { by: by.clone(), at }.into(),
        AutoTransferDisabled { by: by.clone(), at }.into(),
        FollowUpRecorded {
            id: FollowUpId(uuid(60)),
            kind: FollowUpKind::Visit,
            content: "约了周六看阿姨".into(),
            next_follow_up_at: Some(at),
            by: by.clone(),
            at,
        }
        .into(),
        CustomerDeleted { from: Some(staff(1)), by, at }.into(),
    ]
}

pub(crate) fn staff_member() -> Vec<StaffEvent> {
    let (by, at) = (boss(), at());
    let app = "wx0123456789abcdef".to_owned();
    let openid = OpenId::parse("oABC-def_123").unwrap();
    let corp = "ww0123456789abcdef".to_owned();
    let user = WecomUserId::parse("ZhangSan").unwrap();
    let changes = StaffPatch {
        name: Some("张三丰".into()),
        department: Some(None),
        phone: Some(Some(phone())),
        email: Some(Some("zhang@example.com".into())),
        monthly_task: Some(Some(8)),
    };
    vec![
        StaffRegistered {
            username: "zhang.san".into(),
            name: "张三".into(),
            role: Role::Admissions,
            department: Some("销售一部".into()),
            phone: Some(phone()),
            email: Some("zhang@example.com".into()),
            by: system(),
            at,
        }
        .into(),
        StaffSuspended { by: by.clone(), at }.into(),
        StaffActivated { by: by.clone(), at }.into(),
        StaffWechatBound { app: app.clone(), openid, by: by.clone(), at }.into(),
        StaffWechatUnbound { app, reason: "离职".into(), by: by.clone(), at }.into(),
        StaffUpdated { changes, by: by.clone(), at }.into(),
        StaffWecomBound { corp: corp.clone(), user, by: by.clone(), at }.into(),
        StaffWecomUnbound { corp, reason: "离职".into(), by: by.clone(), at }.into(),
        StaffRoleChanged { from: Role::Admissions, to: Role::Manager, by, at }.into(),
    ]
}

pub(crate) fn batch() -> Vec<BatchEvent> {
    let moved = vec![
        MovedCustomer { customer: CustomerId(uuid(20)), from: Some(staff(1)) },
        MovedCustomer { customer: CustomerId(uuid(21)), from: None },
    ];
    let leads = vec![OwnedCustomer { customer: CustomerId(uuid(22)), owner: staff(1) }];
    let (by, at) = (boss(), at());
    vec![
        BatchAssignmentCompleted {
            to: staff(2),
            moved,
            reason: Some("换班".into()),
            out_of_pool: false,
            by: by.clone(),
            at,
        }
        .into(),
        BatchReleaseCompleted {
            released: leads.clone(), reason: "客户不需要了".into(), by: by.clone(), at
        }
        .into(),
        ImportStarted { rows: 1, by: by.clone(), at }.into(),
        ImportChunkStored { created: leads.clone(), at }.into(),
        ImportCompleted { created: leads, by, at }.into(),
    ]
}

pub(crate) fn inbox() -> Vec<InboxEvent> {
    let (reader, at) = (staff(1), at());
    let notifications = vec![NotificationId(uuid(40)), NotificationId(uuid(41))];
    let until = at + chrono::TimeDelta::hours(3);
    vec![
        NotificationsRead { reader, notifications: notifications.clone(), at }.into(),
        AllNotificationsRead { reader, up_to: 7, at }.into(),
        NotificationsArchived { reader, notifications: notifications.clone(), at }.into(),
        NotificationsUnarchived { reader, notifications, at }.into(),
        NotificationSnoozed { reader, notification: NotificationId(uuid(40)), until, at }.into(),
        ReadingUndone { reader, undone: 2, reading: Reading::MarkAllRead, at }.into(),
    ]
}

pub(crate) fn subscription() -> Vec<SubscriptionEvent> {
    let (delivery, at) = (delivery(), at());
    vec![
        CreditsGranted {
            app: "wx0123456789abcdef".into(),
            openid: OpenId::parse("oABC-def_123").unwrap(),
            template: "tmpl-1".into(),
            count: 1,
            source: GrantSource::ClientReport,
            at,
        }
        .into(),
        CreditReserved { delivery, at }.into(),
        CreditConsumed { delivery, at }.into(),
        CreditReturned { delivery, at }.into(),
        CreditsZeroed { delivery: Some(delivery), reason: "43101".into(), kept: 0, at }.into(),
    ]
}
