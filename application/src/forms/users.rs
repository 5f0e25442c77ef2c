//! The forms of accounts: made, changed, given a password; service tokens; the code of a mini program.

use std::fmt;

use chrono::{DateTime, Utc};
use domain::contact::Phone;
use domain::staff::{Role, StaffPatch, normalise_username};
use serde_json::Value;

use super::fields::{Fields, Null};
use super::login::password;
use super::scalars::{boolean, date, line, phone, whole};
use super::{
    EMAIL_CHARS_MAX, FieldError, MONTHLY_TASK_MAX, NAME_CHARS_MAX, PASSWORD_CHARS_MIN, Rule,
    SHORT_TEXT_CHARS_MAX, WECHAT_CODE_CHARS_MAX,
};

domain::code_table! {
    /// What a service token is good for (http-api.md section 3).
    ServiceScope {
        /// Handing in members and leads.
        IntakeWrite = "intake:write",
        /// Asking for notices.
        NotificationsRequest = "notifications:request",
        /// Working the queue of the old system.
        QueueProcess = "queue:process",
        /// Reading what the customers of a named member of staff need.
        CustomersRead = "customers:read",
    }
}

/// `POST /api/users`. Its `Debug` hides the password.
#[derive(Clone, PartialEq, Eq)]
pub struct CreateUser {
    /// Login name, normalised.
    pub username: String,
    /// Name on screens.
    pub name: String,
    /// What the person is.
    pub role: Role,
    /// The first password.
    pub password: String,
    /// Department.
    pub department: Option<String>,
    /// Phone.
    pub phone: Option<Phone>,
    /// E-mail.
    pub email: Option<String>,
    /// Yuan a month the person is to bring in.
    pub monthly_task: Option<u32>,
}

/// `PATCH /api/users/:id`. Its `Debug` hides the password.
#[derive(Clone, Default, PartialEq)]
pub struct UpdateUser {
    /// What is known about the person.
    pub changes: StaffPatch,
    /// What the person is from now on.
    pub role: Option<Role>,
    /// Whether the account works from now on.
    pub active: Option<bool>,
    /// A new password.
    pub password: Option<String>,
    /// The login name as the sender knows it: it never changes, so it must be the one that is there.
    pub username: Option<String>,
}

/// `POST /api/users/:id/password`. Its `Debug` hides both.
#[derive(Clone, PartialEq, Eq)]
pub struct ChangePassword {
    /// The password so far; an administrator need not know it.
    pub old: Option<String>,
    /// The new one.
    pub new: String,
}

/// `POST /api/service-tokens`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewServiceToken {
    /// Who is to use it.
    pub name: String,
    /// What for; at least one.
    pub scopes: Vec<ServiceScope>,
    /// When it ends; never without it.
    pub expires_at: Option<DateTime<Utc>>,
}

/// `POST /api/auth/miniprogram-login` and `POST /api/wechat/bind`: the code that `wx.login` gave. Its `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct WechatCode(pub String);

impl CreateUser {
    /// Reads the body. System A's `permissions`, `active`, `suspended` and `avatar` are allowed and ignored: what a
    /// person may do follows from the role, and a new account works.
    pub fn parse(body: Value) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::of(body, Null::Absent)?;
        let username = fields.required("username", username);
        let name = fields.required("name", line(NAME_CHARS_MAX));
        let role = fields.required("role", role);
        let typed = fields.take("password").unwrap_or(Value::Null);
        let password = fields.read("password", typed, new_password);
        let department = fields.optional("department", line(SHORT_TEXT_CHARS_MAX));
        let phone = fields.optional("phone", phone);
        let email = fields.optional("email", email);
        let monthly_task = fields.optional("monthlyTask", monthly_task);
        ignore(&mut fields, &["permissions", "active", "suspended", "avatar"]);
        let form = username.zip(name).zip(role).zip(password);
        fields.finish(form.map(|(((username, name), role), password)| Self {
            username,
            name,
            role,
            password,
            department,
            phone,
            email,
            monthly_task,
        }))
    }
}

impl UpdateUser {
    /// Reads the body: `null` and a blank text clear. `permissions` and `avatar` are allowed and ignored.
    pub fn parse(body: Value) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::of(blank_as_null(body), Null::Clears)?;
        let name = fields.optional("name", line(NAME_CHARS_MAX));
        let changes = StaffPatch {
            name,
            department: fields.change("department", line(SHORT_TEXT_CHARS_MAX)),
            phone: fields.change("phone", phone),
            email: fields.change("email", email),
            monthly_task: fields.change("monthlyTask", monthly_task),
        };
        let role = fields.optional("role", role);
        let active = fields.optional("active", boolean);
        let suspended = fields.optional("suspended", boolean);
        if active.is_some() && active == suspended {
            fields.violated("suspended", Rule::Fixed);
        }
        let password = fields.optional("password", new_password);
        let username = fields.optional("username", username);
        ignore(&mut fields, &["permissions", "avatar"]);
        let active = active.or(suspended.map(|suspended| !suspended));
        fields.finish(Some(Self { changes, role, active, password, username }))
    }
}

impl ChangePassword {
    /// Reads the body; `password` means `newPassword`.
    pub fn parse(body: Value) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::of(body, Null::Absent)?;
        let old = fields.optional("oldPassword", password);
        let typed = fields.take("newPassword");
        let path = if typed.is_some() { "newPassword" } else { "password" };
        let typed = typed.or_else(|| fields.take("password")).unwrap_or(Value::Null);
        let new = fields.read(path, typed, new_password);
        fields.finish(new.map(|new| Self { old, new }))
    }
}

impl NewServiceToken {
    /// Reads the body.
    pub fn parse(body: Value) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::of(body, Null::Absent)?;
        let name = fields.required("name", line(SHORT_TEXT_CHARS_MAX));
        let scopes = fields.list("scopes", ServiceScope::ALL.len(), super::scalars::code(ServiceScope::ALL));
        if scopes.as_ref().is_some_and(Vec::is_empty) {
            fields.violated("scopes", Rule::Required);
        }
        let expires_at = fields.optional("expiresAt", date);
        let form = name.zip(scopes);
        fields.finish(form.map(|(name, scopes)| Self { name, scopes, expires_at }))
    }
}

impl WechatCode {
    /// Reads the body. System A's `phone`, `appid` and `openid` are allowed and ignored: what a client says about
    /// itself proves nothing (fault A-11).
    pub fn parse(body: Value) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::of(body, Null::Absent)?;
        let code = fields.required("code", line(WECHAT_CODE_CHARS_MAX));
        ignore(&mut fields, &["phone", "appid", "openid", "nickname", "avatar", "username"]);
        fields.finish(code.map(Self))
    }
}

fn ignore(fields: &mut Fields, keys: &[&str]) {
    for key in keys {
        fields.take(key);
    }
}

/// System A's edit page sends an emptied field as a blank text, and means that it is to be empty.
fn blank_as_null(mut body: Value) -> Value {
    for key in ["department", "phone", "email", "monthlyTask"] {
        match body.get_mut(key) {
            Some(value) if value.as_str().is_some_and(|text| text.trim().is_empty()) => *value = Value::Null,
            _ => {}
        }
    }
    body
}

fn username(value: Value) -> Result<String, Rule> {
    match value {
        Value::String(text) => normalise_username(&text).map_err(|_| Rule::Username),
        _ => Err(Rule::NotText),
    }
}

fn role(value: Value) -> Result<Role, Rule> {
    let Value::String(text) = value else { return Err(Rule::NotText) };
    let allowed = || Role::ALL.iter().map(|role| role.as_str().to_owned()).collect();
    Role::from_alias(&text).ok_or_else(|| Rule::UnknownCode { allowed: allowed() })
}

fn new_password(value: Value) -> Result<String, Rule> {
    let text = password(value)?;
    let enough = text.chars().count() >= PASSWORD_CHARS_MIN;
    if enough { Ok(text) } else { Err(Rule::TooShort { min: PASSWORD_CHARS_MIN }) }
}

fn email(value: Value) -> Result<String, Rule> {
    let text = line(EMAIL_CHARS_MAX)(value)?;
    let good = text.split_once('@').is_some_and(|(who, host)| {
        !who.is_empty() && host.contains('.') && !host.contains('@') && !text.contains(char::is_whitespace)
    });
    if good { Ok(text) } else { Err(Rule::Email) }
}

fn monthly_task(value: Value) -> Result<u32, Rule> {
    let yuan = whole(0..=i64::from(MONTHLY_TASK_MAX))(value)?;
    Ok(u32::try_from(yuan).unwrap_or(MONTHLY_TASK_MAX))
}

impl fmt::Debug for CreateUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CreateUser").field("username", &self.username).finish_non_exhaustive()
    }
}

impl fmt::Debug for UpdateUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpdateUser").field("changes", &self.changes).finish_non_exhaustive()
    }
}

impl fmt::Debug for ChangePassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChangePassword(…)")
    }
}

impl fmt::Debug for WechatCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WechatCode(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn rules(errors: Vec<FieldError>) -> Vec<(String, &'static str)> {
        errors.into_iter().map(|error| (error.path, error.rule.code())).collect()
    }

    #[test]
    fn an_account_is_read_with_chinese_roles_and_what_system_a_sends_besides() {
        let body = json!({ "username": " Zhang.San ", "name": "张三", "role": "经理", "password": "a long password",
            "phone": "13812348999", "email": "z@example.com", "department": " 销售 ", "monthlyTask": "8",
            "permissions": ["customer:all"], "active": true, "suspended": false, "avatar": "" });
        let form = CreateUser::parse(body).unwrap();
        assert_eq!(
            (form.username.as_str(), form.role, form.monthly_task),
            ("zhang.san", Role::Manager, Some(8))
        );
        assert_eq!(form.department.as_deref(), Some("销售"));
        assert!(!format!("{form:?}").contains("long password"));
    }

    #[test]
    fn every_mistake_of_an_account_is_named() {
        let body = json!({ "username": "a b", "role": "老板", "password": "short", "email": "nowhere",
            "phone": "12", "monthlyTask": -1, "isAdmin": true });
        let errors = rules(CreateUser::parse(body).unwrap_err());
        let expected = [
            ("username", "username"),
            ("name", "required"),
            ("role", "unknown_code"),
            ("password", "too_short"),
            ("phone", "phone"),
            ("email", "email"),
            ("monthlyTask", "out_of_range"),
            ("isAdmin", "unknown_field"),
        ];
        assert_eq!(errors, expected.map(|(path, rule)| (path.to_owned(), rule)));
    }

    #[test]
    fn a_change_sets_clears_and_leaves() {
        let body = json!({ "department": "", "phone": null, "suspended": true, "role": "招生" });
        let form = UpdateUser::parse(body).unwrap();
        assert_eq!((form.changes.department, form.changes.phone), (Some(None), Some(None)));
        assert_eq!((form.changes.name, form.changes.email), (None, None));
        assert_eq!((form.active, form.role), (Some(false), Some(Role::Admissions)));
        let both = UpdateUser::parse(json!({ "active": true, "suspended": true, "name": null })).unwrap_err();
        assert_eq!(rules(both), [("name".to_owned(), "not_clearable"), ("suspended".to_owned(), "fixed")]);
        let kind = UpdateUser::parse(json!({ "active": "yes" })).unwrap_err();
        assert_eq!(rules(kind), [("active".to_owned(), "not_a_bool")]);
    }

    #[test]
    fn tokens_passwords_and_codes_are_read() {
        let token = json!({ "name": "intake", "scopes": ["intake:write", "queue:process", "intake:write"] });
        let token = NewServiceToken::parse(token).unwrap();
        assert_eq!(token.scopes, [ServiceScope::IntakeWrite, ServiceScope::QueueProcess]);
        let none = NewServiceToken::parse(json!({ "name": "x", "scopes": [] })).unwrap_err();
        assert_eq!(rules(none), [("scopes".to_owned(), "required")]);
        let change = json!({ "oldPassword": "old", "newPassword": "a new password" });
        let change = ChangePassword::parse(change).unwrap();
        assert_eq!((change.old.as_deref(), change.new.as_str()), (Some("old"), "a new password"));
        assert_eq!(ChangePassword::parse(json!({ "password": "by an admin" })).unwrap().old, None);
        let code = WechatCode::parse(json!({ "code": " 0a1B ", "phone": "13812348999" })).unwrap();
        assert_eq!(code.0, "0a1B");
        assert_eq!(format!("{code:?}"), "WechatCode(…)");
        assert!(WechatCode::parse(json!({ "phone": "13812348999" })).is_err());
    }
}
