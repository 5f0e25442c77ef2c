//! The people of a story: one of every role and a second employee, each with a token and a WeChat.

use anyhow::Result;
use application::staff;
use domain::StaffId;
use domain::staff::{Role, StaffCommand};
use futures_util::future::try_join_all;
use leadwire::app::App;

use super::{Node, TestApp};
use crate::people;

/// Everybody's password, where a story sets one. Hashing is slow on purpose, so most stories issue tokens instead.
pub const PASSWORD: &str = "correct horse battery";

/// Somebody with an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Id of the account.
    pub id: StaffId,
    /// Name at login.
    pub username: String,
    /// Name on screens.
    pub name: String,
    /// Role.
    pub role: Role,
    /// Who the person is to the mini program.
    pub openid: String,
    /// A good token.
    pub token: String,
}

/// One of every role, and a colleague.
#[derive(Debug, Clone)]
pub struct Team {
    /// 系统管理员.
    pub admin: Person,
    /// 经理.
    pub manager: Person,
    /// 运营.
    pub operator: Person,
    /// 派单老师.
    pub dispatch: Person,
    /// 普通员工.
    pub employee: Person,
    /// Another 普通员工.
    pub colleague: Person,
    /// 招生老师.
    pub admissions: Person,
}

/// Name at login, name on screens, role.
const NAMES: [(&str, &str, Role); 7] = [
    ("admin", "赵敏", Role::Admin),
    ("manager", "钱伟", Role::Manager),
    ("operator", "孙丽", Role::Operator),
    ("dispatch", "周涛", Role::Dispatch),
    ("employee", "李雷", Role::Employee),
    ("colleague", "韩梅", Role::Employee),
    ("admissions", "吴静", Role::Admissions),
];

impl Team {
    /// Makes their accounts.
    pub(super) async fn hire(app: &App) -> Result<Self> {
        let hired =
            try_join_all(NAMES.map(|(username, name, role)| register(app, username, name, role))).await?;
        let [admin, manager, operator, dispatch, employee, colleague, admissions] =
            hired.try_into().expect("as many people as names");
        Ok(Self { admin, manager, operator, dispatch, employee, colleague, admissions })
    }

    /// All of them.
    pub fn everybody(&self) -> [&Person; 7] {
        let Self { admin, manager, operator, dispatch, employee, colleague, admissions } = self;
        [admin, manager, operator, dispatch, employee, colleague, admissions]
    }

    /// One person of every role.
    pub fn of_every_role(&self) -> [&Person; 6] {
        let Self { admin, manager, operator, dispatch, employee, admissions, .. } = self;
        [admin, manager, operator, dispatch, employee, admissions]
    }
}

async fn register(app: &App, username: &str, name: &str, role: Role) -> Result<Person> {
    let id = StaffId(app.ids.next());
    let context = people::context(app);
    let register = StaffCommand::Register {
        username: username.to_owned(),
        name: name.to_owned(),
        role,
        department: None,
        phone: None,
        email: None,
        by: context.metadata.actor.clone(),
        at: context.at,
    };
    staff::command(&app.bus, &context, id, register).await?;
    let token = people::token(app, id, username, role)?;
    let openid = format!("openid-of-{username}");
    Ok(Person { id, username: username.to_owned(), name: name.to_owned(), role, openid, token })
}

impl TestApp {
    /// Makes the accounts of some more employees, with WeChat like everybody else.
    pub async fn hire(&self, count: usize) -> Vec<Person> {
        let names: Vec<_> = (1..=count).map(|n| (format!("extra{n}"), format!("新员工{n}"))).collect();
        let app = self.app();
        let hired = names.iter().map(|(username, name)| register(app, username, name, Role::Employee));
        let hired = try_join_all(hired).await.expect("more accounts");
        self.bind(hired.iter()).await;
        hired
    }
}

impl Node {
    /// Changes an account.
    pub async fn staff_command(&self, person: &Person, command: StaffCommand) {
        let context = people::context(self.app());
        staff::command(&self.app().bus, &context, person.id, command).await.expect("a change of an account");
    }

    /// Cuts an account off.
    pub async fn suspend(&self, person: &Person) {
        let context = people::context(self.app());
        let suspend = StaffCommand::Suspend { by: context.metadata.actor, at: context.at };
        self.staff_command(person, suspend).await;
    }

    /// Lets the person back in.
    pub async fn activate(&self, person: &Person) {
        let context = people::context(self.app());
        let activate = StaffCommand::Activate { by: context.metadata.actor, at: context.at };
        self.staff_command(person, activate).await;
    }
}
