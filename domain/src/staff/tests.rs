//! The rules of an account, one sentence each.

use proptest::prelude::*;

use super::*;
use crate::testing::{after, at, boss, given, play};

fn register(username: &str, name: &str) -> StaffCommand {
    StaffCommand::Register {
        username: username.into(),
        name: name.into(),
        role: Role::Employee,
        department: None,
        phone: None,
        email: None,
        by: boss(),
        at: at(0),
    }
}

fn registered() -> StaffEvent {
    StaffRegistered {
        username: "zhang.san".into(),
        name: "张三".into(),
        role: Role::Employee,
        department: None,
        phone: None,
        email: None,
        by: boss(),
        at: at(0),
    }
    .into()
}

fn suspend() -> StaffCommand {
    StaffCommand::Suspend { by: boss(), at: at(1) }
}

fn activate() -> StaffCommand {
    StaffCommand::Activate { by: boss(), at: at(2) }
}

fn suspended() -> StaffEvent {
    StaffSuspended { by: boss(), at: at(1) }.into()
}

fn activated() -> StaffEvent {
    StaffActivated { by: boss(), at: at(2) }.into()
}

fn update(changes: StaffPatch) -> StaffCommand {
    StaffCommand::Update { changes, by: boss(), at: at(5) }
}

fn change_role(role: Role) -> StaffCommand {
    StaffCommand::ChangeRole { role, by: boss(), at: at(6) }
}

fn named(name: &str) -> StaffPatch {
    StaffPatch { name: Some(name.into()), ..StaffPatch::default() }
}

fn updated(changes: StaffPatch) -> StaffEvent {
    StaffUpdated { changes, by: boss(), at: at(5) }.into()
}

fn role_changed(from: Role, to: Role) -> StaffEvent {
    StaffRoleChanged { from, to, by: boss(), at: at(6) }.into()
}

fn bind(app: &str, openid: &str) -> StaffCommand {
    let openid = OpenId::parse(openid).unwrap();
    StaffCommand::BindWechat { app: app.into(), openid, by: boss(), at: at(3) }
}

fn bound(app: &str, openid: &str) -> StaffEvent {
    let openid = OpenId::parse(openid).unwrap();
    StaffWechatBound { app: app.into(), openid, by: boss(), at: at(3) }.into()
}

fn unbind(app: &str) -> StaffCommand {
    StaffCommand::UnbindWechat { app: app.into(), reason: "离职".into(), by: boss(), at: at(4) }
}

fn bind_wecom(corp: &str, user: &str) -> StaffCommand {
    let user = WecomUserId::parse(user).unwrap();
    StaffCommand::BindWecom { corp: corp.into(), user, by: boss(), at: at(3) }
}

fn wecom_bound(corp: &str, user: &str) -> StaffEvent {
    let user = WecomUserId::parse(user).unwrap();
    StaffWecomBound { corp: corp.into(), user, by: boss(), at: at(3) }.into()
}

fn unbind_wecom(corp: &str) -> StaffCommand {
    StaffCommand::UnbindWecom { corp: corp.into(), reason: "离职".into(), by: boss(), at: at(4) }
}

#[test]
fn a_wecom_userid_is_kept_per_corporation_and_repetitions_change_nothing() {
    let past = vec![registered(), wecom_bound("ww1", "Li"), wecom_bound("ww2", "li.si")];
    given::<Staff>(vec![registered()])
        .when(bind_wecom("ww1", "Li"))
        .then_expect_events(vec![wecom_bound("ww1", "Li")]);
    given::<Staff>(past.clone()).when(bind_wecom("ww1", "Li")).then_expect_events(vec![]);
    given::<Staff>(past.clone())
        .when(bind_wecom("ww1", "wang"))
        .then_expect_events(vec![wecom_bound("ww1", "wang")]);
    let gone: StaffEvent =
        StaffWecomUnbound { corp: "ww1".into(), reason: "离职".into(), by: boss(), at: at(4) }.into();
    given::<Staff>(past.clone()).when(unbind_wecom("ww1")).then_expect_events(vec![gone.clone()]);
    given::<Staff>(vec![registered()]).when(unbind_wecom("ww1")).then_expect_events(vec![]);
    let staff: Staff = after(&past.into_iter().chain([gone]).collect::<Vec<_>>());
    assert_eq!(staff.wecom.keys().collect::<Vec<_>>(), ["ww2"]);
}

#[test]
fn a_user_name_is_kept_lower_case_and_trimmed() {
    given::<Staff>(vec![]).when(register(" Zhang.San ", " 张三 ")).then_expect_events(vec![registered()]);
}

#[test]
fn an_account_is_registered_once() {
    given::<Staff>(vec![registered()])
        .when(register("li.si", "李四"))
        .then_expect_error(StaffError::AlreadyExists);
}

#[test]
fn wrong_user_names_and_names_are_refused() {
    let long = "a".repeat(USERNAME_CHARS_MAX + 1);
    for (username, name, error) in [
        ("", "张三", StaffError::InvalidUsername),
        ("  ", "张三", StaffError::InvalidUsername),
        ("zhang san", "张三", StaffError::InvalidUsername),
        ("zhang\u{0}san", "张三", StaffError::InvalidUsername),
        (long.as_str(), "张三", StaffError::InvalidUsername),
        ("zhang.san", " ", StaffError::MissingName),
    ] {
        given::<Staff>(vec![]).when(register(username, name)).then_expect_error(error);
    }
}

#[test]
fn an_account_that_does_not_exist_cannot_be_changed() {
    for command in [
        suspend(),
        activate(),
        bind("wx1", "o1"),
        unbind("wx1"),
        bind_wecom("ww1", "li"),
        unbind_wecom("ww1"),
        update(named("李四")),
        change_role(Role::Admin),
    ] {
        given::<Staff>(vec![]).when(command).then_expect_error(StaffError::NotFound);
    }
}

#[test]
fn an_account_is_cut_off_and_works_again() {
    given::<Staff>(vec![registered()]).when(suspend()).then_expect_events(vec![suspended()]);
    given::<Staff>(vec![registered(), suspended()]).when(activate()).then_expect_events(vec![activated()]);
    assert!(after::<Staff>(&[registered()]).is_active());
    assert!(!after::<Staff>(&[registered(), suspended()]).is_active());
    assert!(after::<Staff>(&[registered(), suspended(), activated()]).is_active());
    assert!(!Staff::default().is_active());
}

#[test]
fn what_is_already_true_is_no_event() {
    for (past, command) in [
        (vec![registered()], activate()),
        (vec![registered(), suspended()], suspend()),
        (vec![registered(), bound("wx1", "o1")], bind("wx1", "o1")),
        (vec![registered()], unbind("wx1")),
        (vec![registered()], update(named(" 张三 "))),
        (vec![registered()], update(StaffPatch { department: Some(None), ..StaffPatch::default() })),
        (vec![registered()], change_role(Role::Employee)),
    ] {
        given::<Staff>(past).when(command).then_expect_events(vec![]);
    }
}

#[test]
fn a_change_names_only_what_changed() {
    let asked = StaffPatch {
        name: Some("张三".into()),
        department: Some(Some("销售一部".into())),
        monthly_task: Some(Some(8)),
        ..StaffPatch::default()
    };
    let changed = StaffPatch { name: None, ..asked.clone() };
    given::<Staff>(vec![registered()]).when(update(asked)).then_expect_events(vec![updated(changed.clone())]);
    given::<Staff>(vec![registered()]).when(update(named("  "))).then_expect_error(StaffError::MissingName);

    let cleared = StaffPatch { department: Some(None), ..StaffPatch::default() };
    let person: Staff = after(&[registered(), updated(changed), updated(cleared)]);
    let account = person.account.unwrap();
    assert_eq!((account.name.as_str(), account.department, account.monthly_task), ("张三", None, Some(8)));
    assert_eq!(person.updated_at, Some(at(5)));
}

#[test]
fn a_role_changes_as_a_fact_of_its_own() {
    given::<Staff>(vec![registered()])
        .when(change_role(Role::Manager))
        .then_expect_events(vec![role_changed(Role::Employee, Role::Manager)]);
    let person: Staff = after(&[registered(), role_changed(Role::Employee, Role::Manager)]);
    assert_eq!(person.account.unwrap().role, Role::Manager);
}

#[test]
fn a_person_has_one_openid_in_each_app() {
    let past = vec![registered(), bound("wx1", "o1")];
    given::<Staff>(past.clone()).when(bind("wx1", "o2")).then_expect_events(vec![bound("wx1", "o2")]);
    given::<Staff>(past).when(bind("wx2", "o3")).then_expect_events(vec![bound("wx2", "o3")]);

    let person: Staff = after(&[registered(), bound("wx1", "o1"), bound("wx1", "o2"), bound("wx2", "o3")]);
    let openids: Vec<_> = person.openids.iter().map(|(app, id)| (app.as_str(), id.as_str())).collect();
    assert_eq!(openids, [("wx1", "o2"), ("wx2", "o3")]);
}

#[test]
fn an_openid_can_be_taken_off() {
    let past = vec![registered(), bound("wx1", "o1")];
    let off = StaffWechatUnbound { app: "wx1".into(), reason: "离职".into(), by: boss(), at: at(4) };
    given::<Staff>(past.clone()).when(unbind("wx1")).then_expect_events(vec![off.clone().into()]);
    let mut past = past;
    past.push(off.into());
    assert!(after::<Staff>(&past).openids.is_empty());
}

#[test]
fn roles_are_read_from_codes_and_chinese_words() {
    for (text, role) in [
        ("admin", Some(Role::Admin)),
        ("管理员", Some(Role::Admin)),
        (" 经理 ", Some(Role::Manager)),
        ("运营", Some(Role::Operator)),
        ("派单老师", Some(Role::Dispatch)),
        ("员工", Some(Role::Employee)),
        ("招生老师", Some(Role::Admissions)),
        ("Admin", None),
        ("老板", None),
        ("", None),
    ] {
        assert_eq!(Role::from_alias(text), role, "{text}");
    }
    for role in Role::ALL {
        assert_eq!(Role::from_alias(role.as_str()), Some(*role));
        assert_eq!(Role::from_alias(role.label()), Some(*role));
    }
}

fn any_command() -> impl Strategy<Value = StaffCommand> {
    prop_oneof![
        ("[A-Za-z ]{0,4}", "[张三 ]{0,2}").prop_map(|(username, name)| register(&username, &name)),
        Just(suspend()),
        Just(activate()),
        ("wx[12]", "o[12]").prop_map(|(app, openid)| bind(&app, &openid)),
        "wx[12]".prop_map(|app| unbind(&app)),
        "[张三 ]{0,2}".prop_map(|name| update(named(&name))),
        prop::option::of(0_u32..3)
            .prop_map(|task| { update(StaffPatch { monthly_task: Some(task), ..StaffPatch::default() }) }),
        prop::sample::select(Role::ALL.to_vec()).prop_map(change_role),
    ]
}

proptest! {
    #[test]
    fn an_account_keeps_its_promises(commands in prop::collection::vec(any_command(), 0..20)) {
        let first = register("zhang.san", "张三");
        let commands = std::iter::once(first).chain(commands).collect();
        play::<Staff>(commands, |_| false, |person, _| assert!(person.account.is_some()));
    }

    #[test]
    fn a_normalised_user_name_is_its_own_normal_form(text in ".{0,70}") {
        if let Ok(username) = normalise_username(&text) {
            prop_assert_eq!(normalise_username(&username), Ok(username));
        }
    }
}
