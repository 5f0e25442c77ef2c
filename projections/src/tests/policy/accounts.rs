//! Staff events are answered, and everything else is answered with the staff as of its moment.

use application::bus::StreamAppend;
use domain::Actor;
use domain::customer::AssignmentSource::Manual;
use domain::staff::{Role, StaffActivated, StaffEvent, StaffRoleChanged, StaffSuspended, StaffWechatUnbound};
use rstest::rstest;

use super::super::kit::{Backend, by, customer, dawn, staff};
use super::kit::{ADMIN, APP, LI, Office, ZHANG, assigned, created};

const HIRED: i64 = 2;

#[rstest]
#[tokio::test]
async fn a_person_hears_of_changes_to_their_account(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(1, 500)] page: usize,
) {
    let office = Office::open(backend).await;
    let (by, at, app) = (by(ADMIN), dawn(), APP.to_owned());
    let events: [StaffEvent; 4] = [
        StaffRoleChanged { from: Role::Employee, to: Role::Manager, by: by.clone(), at }.into(),
        StaffSuspended { by: by.clone(), at }.into(),
        StaffActivated { by, at }.into(),
        StaffWechatUnbound { app, reason: "更换手机".to_owned(), by: Actor::Staff(staff(LI)), at }.into(),
    ];
    office.command(vec![StreamAppend::of(staff(LI), HIRED, &events).unwrap()]).await;
    office.answer_by(&office.policy(), page).await;
    let texts: Vec<String> = office.seen().await.notices.into_iter().map(|(.., text)| text).collect();
    assert_eq!(
        texts,
        [
            "您的账号已解除微信绑定，操作人：李四，原因：更换手机。微信通知将无法送达",
            "您的账号已重新启用，操作人：甲",
            "您的账号权限已被甲调整：角色由 普通员工 变更为 经理",
        ]
    );
    let inactive = office.seen().await.decisions;
    let inactive = inactive.iter().filter(|(.., word)| word == "suppress recipient_inactive").count();
    assert_eq!(inactive, 2, "the suspension is recorded for both channels");
    assert!(office.reconciled().await.is_clean());
    // Once more: nobody is told again.
    office.rewind().await;
    office.answer().await;
    assert_eq!(office.seen().await.notices.len(), 3);
}

#[rstest]
#[tokio::test]
async fn everybody_is_told_as_what_they_were_at_that_moment(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(1, 2, 500)] page: usize,
) {
    let office = Office::open(backend).await;
    let lead = |n: u128| {
        let events = [created(n, ADMIN), assigned(LI, ADMIN, Manual)];
        vec![StreamAppend::of(customer(n), 0, &events).unwrap()]
    };
    let promoted: StaffEvent =
        StaffRoleChanged { from: Role::Employee, to: Role::Manager, by: by(ADMIN), at: dawn() }.into();
    let suspended: StaffEvent = StaffSuspended { by: by(ADMIN), at: dawn() }.into();
    office.command(lead(1)).await;
    office.command(vec![StreamAppend::of(staff(LI), HIRED, &[suspended]).unwrap()]).await;
    office.command(lead(2)).await;
    office.command(vec![StreamAppend::of(staff(ZHANG), HIRED, &[promoted]).unwrap()]).await;
    office.command(lead(3)).await;
    office.answer_by(&office.policy(), page).await;
    let seen = office.seen().await;
    let told = |who: u128, scene: &str| -> Vec<String> {
        let notices = seen.notices.iter().filter(|(id, kind, _)| *id == staff(who).0 && kind == scene);
        notices.map(|(.., text)| text.clone()).collect()
    };
    let of_li = told(LI, "CUSTOMER_ASSIGNED");
    assert!(of_li.len() == 1 && of_li[0].contains("客户1"), "{of_li:?}");
    let of_zhang = told(ZHANG, "CUSTOMER_CREATED");
    assert!(of_zhang.len() == 1 && of_zhang[0].contains("客户3"), "{of_zhang:?}");
    assert!(office.reconciled().await.is_clean());
}
