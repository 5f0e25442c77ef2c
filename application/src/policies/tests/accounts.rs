//! What a person hears of their own account.

use domain::staff::{
    StaffActivated, StaffEvent, StaffPatch, StaffRoleChanged, StaffUpdated, StaffWechatUnbound,
    StaffWecomBound, StaffWecomUnbound,
};

use super::*;

const SECURITY: &str = kinds::ACCOUNT_SECURITY;

fn account(staff: StaffId, event: impl Into<StaffEvent>) -> Fact {
    Fact::Staff(staff, Box::new(event.into()))
}

fn bound(by: StaffId) -> StaffWechatBound {
    let openid = OpenId::parse("o-2").unwrap();
    StaffWechatBound { app: APP.to_owned(), openid, by: Actor::Staff(by), at: at() }
}

#[test]
fn a_changed_binding_is_told_even_to_the_one_who_changed_it() {
    check(account(NEW, bound(ADMIN)), &[(NEW, SECURITY, INBOX)]);
    check(account(NEW, bound(NEW)), &[(NEW, SECURITY, INBOX)]);
    let (_, reactions) = answer(account(NEW, bound(ADMIN)).into(), &wechat());
    let message = &reactions[0].notice.as_ref().unwrap().message;
    assert_eq!(message.content, "您的账号已绑定微信，操作人：管理员甲。如非本人操作，请立即联系管理员");
    assert!(!serde_json::to_string(message).unwrap().contains("o-2"), "an openid is nobody's business");
    let reason = "微信返回用户不存在".to_owned();
    let by = Actor::System("dispatcher".to_owned());
    let unbound = StaffWechatUnbound { app: APP.to_owned(), reason, by, at: at() };
    check(account(UNBOUND, unbound), &[(UNBOUND, SECURITY, INBOX)]);
}

#[test]
fn a_changed_wecom_binding_is_told_like_one_of_wechat() {
    let user = domain::contact::WecomUserId::parse("LiSi-77").unwrap();
    let by = || Actor::Staff(ADMIN);
    let bound = StaffWecomBound { corp: "ww1".to_owned(), user, by: by(), at: at() };
    check(account(NEW, bound.clone()), &[(NEW, SECURITY, INBOX)]);
    let (_, reactions) = answer(account(NEW, bound).into(), &wechat());
    let message = &reactions[0].notice.as_ref().unwrap().message;
    assert_eq!(message.content, "您的账号已绑定企业微信，操作人：管理员甲。如非本人操作，请立即联系管理员");
    assert!(!serde_json::to_string(message).unwrap().contains("LiSi-77"), "a userid is nobody's business");
    let reason = "离职".to_owned();
    let unbound = StaffWecomUnbound { corp: "ww1".to_owned(), reason, by: by(), at: at() };
    check(account(NEW, unbound), &[(NEW, SECURITY, INBOX)]);
}

#[test]
fn an_account_that_works_again_is_told_and_one_that_is_cut_off_is_recorded() {
    let by = || Actor::Staff(ADMIN);
    check(account(NEW, StaffActivated { by: by(), at: at() }), &[(NEW, SECURITY, INBOX)]);
    let suspended = StaffSuspended { by: by(), at: at() };
    check(account(SUSPENDED, suspended), &[(SUSPENDED, SECURITY, "both: recipient_inactive")]);
}

#[test]
fn a_new_role_is_told_unless_the_person_took_it() {
    let scene = kinds::PERMISSION_CHANGED;
    let changed = |by| {
        let (from, to) = (Role::Employee, Role::Manager);
        account(NEW, StaffRoleChanged { from, to, by: Actor::Staff(by), at: at() })
    };
    check(changed(ADMIN), &[(NEW, scene, INBOX)]);
    check(changed(NEW), &[(NEW, scene, ACTOR)]);
    let (_, reactions) = answer(changed(ADMIN).into(), &wechat());
    assert_eq!(
        reactions[0].notice.as_ref().unwrap().message.content,
        "您的账号权限已被管理员甲调整：角色由 普通员工 变更为 经理"
    );
}

#[test]
fn a_new_phone_or_department_tells_nobody() {
    let changes = StaffPatch { name: Some("李四四".to_owned()), ..StaffPatch::default() };
    check(account(NEW, StaffUpdated { changes, by: Actor::Staff(ADMIN), at: at() }), &[]);
}

#[test]
fn a_new_account_is_told_of_nothing() {
    let registered = StaffRegistered {
        username: "neu".to_owned(),
        name: "新人".to_owned(),
        role: Role::Employee,
        department: None,
        phone: None,
        email: None,
        by: Actor::Staff(ADMIN),
        at: at(),
    };
    check(account(person(50), registered), &[]);
}
