//! What went wrong, as a value: handlers return it, `super::frame` writes it (http-api.md section 1).
//!
//! The catalogue is the one place that knows codes, statuses and titles. Nothing that a database or a library
//! said ever becomes part of a problem.

use application::forms::{FieldError, any_malformed};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::answer::Pending;
use super::text::Text;

/// Where the problem types are described.
pub const TYPE_BASE: &str = "https://leadwire.dev/problems/";

/// A kind of problem.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    /// Stable name for programs.
    pub code: &'static str,
    /// Status, by who must act.
    pub status: StatusCode,
    /// Short English title, the same for every occurrence.
    pub title: &'static str,
    /// What people are told unless there is more to say.
    pub text: Text,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $status:ident $code:literal, $title:literal, $zh:literal, $en:literal;)+) => {
        $($(#[$doc])* pub static $name: Kind = Kind {
            code: $code, status: StatusCode::$status, title: $title, text: Text::new($zh, $en),
        };)+

        /// Every kind there is.
        pub static ALL: &[&Kind] = &[$(&$name),+];
    };
}

kinds! {
    /// The body is no JSON.
    MALFORMED_JSON = BAD_REQUEST "MALFORMED_JSON", "Malformed JSON", "请求体不是有效的JSON", "The body is not valid JSON";
    /// The body is no form, or has no file.
    MALFORMED_FORM = BAD_REQUEST "MALFORMED_FORM", "Malformed form", "请求体不是有效的表单", "The body is not a valid form";
    /// The file is empty, damaged, or something else.
    UNREADABLE_FILE = BAD_REQUEST "UNREADABLE_FILE", "Unreadable file", "无法读取文件", "The file cannot be read";
    /// The file lacks columns that every row must fill.
    MISSING_COLUMNS = BAD_REQUEST "MISSING_COLUMNS", "Columns missing", "缺少必填列", "Required columns are missing";
    /// Fields that the sender's program got wrong.
    INVALID_REQUEST = BAD_REQUEST "VALIDATION_FAILED", "Validation failed", "请求参数不正确", "The request is not valid";
    /// A header that cannot be read.
    INVALID_HEADER = BAD_REQUEST "INVALID_HEADER", "Invalid header", "请求头不正确", "A header is not valid";
    /// The body is not declared to be JSON.
    UNSUPPORTED_MEDIA_TYPE = UNSUPPORTED_MEDIA_TYPE "UNSUPPORTED_MEDIA_TYPE", "Unsupported media type", "请求体必须是 application/json", "The body must be application/json";
    /// No token, or one that is not ours.
    UNAUTHORIZED = UNAUTHORIZED "UNAUTHORIZED", "Not logged in", "请先登录", "Please log in";
    /// The token was right once.
    TOKEN_EXPIRED = UNAUTHORIZED "TOKEN_EXPIRED", "Token expired", "登录已过期，请重新登录", "The session has expired, please log in again";
    /// The token was taken back: logged out, or the password was changed.
    SESSION_ENDED = UNAUTHORIZED "SESSION_ENDED", "Session ended", "登录已失效，请重新登录", "The session has ended, please log in again";
    /// The code of the mini program proves nothing.
    WECHAT_CODE_INVALID = UNAUTHORIZED "WECHAT_CODE_INVALID", "WeChat code not accepted", "微信登录凭证无效或已使用，请重试", "WeChat does not accept the code, please try again";
    /// The same where somebody is logged in already.
    WECHAT_CODE_REFUSED = UNPROCESSABLE_ENTITY "WECHAT_CODE_INVALID", "WeChat code not accepted", "微信登录凭证无效或已使用，请重试", "WeChat does not accept the code, please try again";
    /// The person of the mini program is nobody here.
    WECHAT_NOT_BOUND = FORBIDDEN "WECHAT_NOT_BOUND", "WeChat not bound", "该微信尚未绑定员工账号：请先用用户名和密码登录，再在“微信绑定”中绑定", "This WeChat account is not bound: log in with user name and password, then bind it under WeChat binding";
    /// WeChat blocks the person.
    WECHAT_BLOCKED = FORBIDDEN "WECHAT_BLOCKED", "Blocked by WeChat", "该微信账号存在风险，微信拒绝登录", "WeChat refuses this account";
    /// The service token is for something else.
    INSUFFICIENT_SCOPE = FORBIDDEN "INSUFFICIENT_SCOPE", "Insufficient scope", "该令牌没有此接口的权限", "The token does not have the scope of this route";
    /// Another account has the user name.
    DUPLICATE_USERNAME = CONFLICT "DUPLICATE_USERNAME", "User name taken", "用户名已存在", "The user name is taken";
    /// Another account has the WeChat account.
    WECHAT_TAKEN = CONFLICT "WECHAT_TAKEN", "WeChat account taken", "该微信已绑定其他账号", "The WeChat account is bound to another user";
    /// The WeCom userid belongs to somebody else.
    WECOM_TAKEN = CONFLICT "WECOM_TAKEN", "WeCom account taken", "该企业微信账号已绑定其他账号", "The WeCom account is bound to another user";
    /// Nobody locks the own account out.
    OWN_ACCOUNT = CONFLICT "OWN_ACCOUNT", "Not on the own account", "不能停用自己的账号或修改自己的角色", "You cannot suspend your own account or change your own role";
    /// No such service token.
    SERVICE_TOKEN_NOT_FOUND = NOT_FOUND "SERVICE_TOKEN_NOT_FOUND", "Service token not found", "服务令牌不存在", "There is no such service token";
    /// The password so far is not the one given.
    WRONG_PASSWORD = UNPROCESSABLE_ENTITY "WRONG_PASSWORD", "Wrong password", "原密码不正确", "The old password is not right";
    /// One address asks too often.
    RATE_LIMITED = TOO_MANY_REQUESTS "RATE_LIMITED", "Too many requests", "请求过于频繁，请稍后再试", "Too many requests, please try again later";
    /// No mini program is configured.
    WECHAT_NOT_CONFIGURED = SERVICE_UNAVAILABLE "WECHAT_NOT_CONFIGURED", "No mini program configured", "未配置微信小程序", "No mini program is configured";
    /// No corporation of WeCom is configured.
    WECOM_NOT_CONFIGURED = CONFLICT "WECOM_NOT_CONFIGURED", "No WeCom corporation configured", "未配置企业微信", "No WeCom corporation is configured";
    /// WeChat cannot be asked.
    WECHAT_UNAVAILABLE = SERVICE_UNAVAILABLE "WECHAT_UNAVAILABLE", "WeChat unavailable", "微信服务暂时不可用，请稍后重试", "WeChat is unavailable, please try again";
    /// A callback that nobody can have sent whom we know.
    CALLBACK_NOT_SIGNED = UNAUTHORIZED "CALLBACK_NOT_SIGNED", "Callback not signed", "回调签名无效或已过期", "The signature of the callback is missing, wrong or too old";
    /// A callback that is signed and cannot be read.
    CALLBACK_UNDECRYPTABLE = BAD_REQUEST "CALLBACK_UNDECRYPTABLE", "Callback not decryptable", "回调内容无法解密，请检查EncodingAESKey", "The callback cannot be decrypted: check the EncodingAESKey";
    /// No callbacks are taken for this app.
    CALLBACK_NOT_CONFIGURED = NOT_FOUND "CALLBACK_NOT_CONFIGURED", "Callbacks not configured", "该应用未配置回调", "No callbacks are configured for this app";
    /// Nobody can agree to messages to an account that is not there.
    SUBSCRIPTION_NOT_BOUND = CONFLICT "WECHAT_ACCOUNT_NOT_BOUND", "No WeChat account bound", "尚未绑定微信", "No WeChat account is bound";
    /// Wrong name or password; never says which.
    INVALID_CREDENTIALS = UNAUTHORIZED "INVALID_CREDENTIALS", "Wrong user name or password", "用户名或密码错误", "Wrong user name or password";
    /// The account is cut off.
    ACCOUNT_SUSPENDED = UNAUTHORIZED "ACCOUNT_SUSPENDED", "Account suspended", "账号已被暂停，无法访问系统", "The account is suspended";
    /// The role may not do this.
    FORBIDDEN = FORBIDDEN "FORBIDDEN", "Not permitted", "无权限执行此操作", "You are not permitted to do this";
    /// The customer is somebody else's.
    NOT_OWNER = FORBIDDEN "NOT_OWNER", "Not the owner", "只有客户负责人或管理员可以释放客户到公海", "Only its owner, an admin or a manager may release the customer";
    /// The page that asks is not one of ours.
    ORIGIN_NOT_ALLOWED = FORBIDDEN "ORIGIN_NOT_ALLOWED", "Origin not allowed", "来源不被允许", "This origin is not allowed";
    /// No such customer, or not for these eyes.
    CUSTOMER_NOT_FOUND = NOT_FOUND "CUSTOMER_NOT_FOUND", "Customer not found", "客户不存在", "There is no such customer";
    /// No such member, or a deleted one.
    MEMBER_NOT_FOUND = NOT_FOUND "MEMBER_NOT_FOUND", "Member not found", "会员不存在", "There is no such member";
    /// Another member has the number.
    DUPLICATE_MEMBER_NO = CONFLICT "DUPLICATE_MEMBER_NO", "Member number taken", "该会员编号已存在", "Another member has this number";
    /// The membership was taken back.
    MEMBER_REVOKED = CONFLICT "MEMBER_REVOKED", "Membership taken back", "会员已撤销", "The membership was taken back";
    /// The wanted type is no more than what the member has.
    NOT_AN_UPGRADE = CONFLICT "NOT_AN_UPGRADE", "Not an upgrade", "只能升级到更高的会员类型", "A member can only be upgraded to more";
    /// No row of a message of members could be taken in.
    MEMBER_ROWS_REFUSED = UNPROCESSABLE_ENTITY "MEMBER_ROWS_REFUSED", "No row could be taken in", "没有可接收的会员数据", "None of the rows could be taken in";
    /// A message that nobody who knows the secret has signed, or not lately.
    MESSAGE_NOT_SIGNED = UNAUTHORIZED "MESSAGE_NOT_SIGNED", "Message not signed", "消息签名无效或已过期", "The signature of the message is missing, wrong or too old";
    /// The signature was used before.
    MESSAGE_REPLAYED = CONFLICT "MESSAGE_REPLAYED", "Message replayed", "该消息已接收过，请重新签名后再发送", "The message was received before: sign it anew to send it again";
    /// There is no secret to sign messages with.
    INTAKE_NOT_CONFIGURED = NOT_FOUND "INTAKE_NOT_CONFIGURED", "Messages of members not configured", "未配置会员消息接口", "Messages of members are not configured";
    /// No such notification, or somebody else's.
    NOTIFICATION_NOT_FOUND = NOT_FOUND "NOTIFICATION_NOT_FOUND", "Notification not found", "通知不存在", "There is no such notification";
    /// No such recycle rule.
    RECYCLE_RULE_NOT_FOUND = NOT_FOUND "RECYCLE_RULE_NOT_FOUND", "Recycle rule not found", "规则不存在", "There is no such rule";
    /// No such run of the recycle rules.
    RECYCLE_RUN_NOT_FOUND = NOT_FOUND "RECYCLE_RUN_NOT_FOUND", "Recycle run not found", "回收执行不存在", "There is no such run";
    /// No such role.
    ROLE_NOT_FOUND = NOT_FOUND "ROLE_NOT_FOUND", "Role not found", "角色不存在", "There is no such role";
    /// No such template.
    TEMPLATE_NOT_FOUND = NOT_FOUND "TEMPLATE_NOT_FOUND", "Template not found", "通知模板不存在", "There is no such template";
    /// No words with this number.
    TEMPLATE_VERSION_NOT_FOUND = NOT_FOUND "TEMPLATE_VERSION_NOT_FOUND", "Template version not found", "没有这个模板版本", "The template has no such version";
    /// No such event.
    EVENT_NOT_FOUND = NOT_FOUND "EVENT_NOT_FOUND", "Event not found", "事件不存在", "There is no such event";
    /// The event tells nobody with this template.
    EVENT_NOT_TOLD = UNPROCESSABLE_ENTITY "EVENT_NOT_TOLD", "Not told with this template", "该事件不会用此模板通知任何人", "Nobody is told of this event with this template";
    /// Nothing was drafted since the last publication.
    NO_DRAFT = CONFLICT "NO_DRAFT", "No draft", "没有可发布的草稿", "There is no draft to publish";
    /// No such delivery.
    DELIVERY_NOT_FOUND = NOT_FOUND "DELIVERY_NOT_FOUND", "Delivery not found", "投递不存在", "There is no such delivery";
    /// No such channel.
    CHANNEL_NOT_FOUND = NOT_FOUND "CHANNEL_NOT_FOUND", "Channel not found", "渠道不存在", "There is no such channel";
    /// The delivery does not stand where this is possible.
    DELIVERY_STATE = CONFLICT "DELIVERY_STATE", "Not in this state", "投递当前状态不允许此操作", "The delivery does not stand where this is possible";
    /// No channel stands by behind it.
    NO_STANDBY = CONFLICT "NO_STANDBY", "No channel stands by", "没有可切换的备用渠道", "No other channel stands by for this notice";
    /// Its text was cleared.
    DELIVERY_BODY_GONE = CONFLICT "DELIVERY_BODY_GONE", "Text cleared", "投递内容已清除，不能重新投递", "The text of the delivery was cleared, so it cannot be sent once more";
    /// The number that was confirmed is not the number there is.
    COUNT_CHANGED = CONFLICT "COUNT_CHANGED", "Count changed", "数量已变化，请重新确认", "The number has changed, please confirm the new one";
    /// No such transfer rule.
    TRANSFER_RULE_NOT_FOUND = NOT_FOUND "TRANSFER_RULE_NOT_FOUND", "Transfer rule not found", "规则不存在", "There is no such rule";
    /// The transfer rule is off.
    TRANSFER_RULE_OFF = CONFLICT "TRANSFER_RULE_OFF", "Transfer rule is off", "规则未启用", "The rule is off";
    /// The transfer rule is about leads of another program.
    TRANSFER_RULE_OF_OTHER_MODULE = CONFLICT "TRANSFER_RULE_OF_OTHER_MODULE", "Not a rule for customers", "该规则不适用于客户线索", "The rule is not about customers";
    /// Nobody made that preview, or it is too old.
    TRANSFER_PLAN_UNKNOWN = CONFLICT "TRANSFER_PLAN_UNKNOWN", "Unknown preview", "预览不存在或已过期，请重新预览", "There is no such preview, or it is too old: make another one";
    /// What the preview was made of has changed.
    TRANSFER_PLAN_CHANGED = CONFLICT "TRANSFER_PLAN_CHANGED", "Preview out of date", "预览之后有变化，请重新预览", "Something changed since the preview: make another one";
    /// A transfer rule names people who are not there.
    TRANSFER_PEOPLE_NOT_FOUND = UNPROCESSABLE_ENTITY "TRANSFER_PEOPLE_NOT_FOUND", "People not found", "部分用户不存在", "Some of the people do not exist";
    /// A transfer rule names people who cannot get leads.
    TRANSFER_TARGETS_INACTIVE = UNPROCESSABLE_ENTITY "TRANSFER_TARGETS_INACTIVE", "People inactive", "部分流入人员未激活", "Some of the people who are to get leads are not active";
    /// A transfer rule would be tried on more than one question may look at.
    TRANSFER_WHAT_IF_TOO_LARGE = UNPROCESSABLE_ENTITY "TRANSFER_WHAT_IF_TOO_LARGE", "Question too large", "分析范围过大，请减少人员或天数", "The question is too large: name fewer people or fewer days";
    /// The token takes nothing of this reader's back.
    UNDO_TOKEN_UNKNOWN = NOT_FOUND "UNDO_TOKEN_UNKNOWN", "Unknown undo token", "撤销凭证无效", "There is nothing to undo with this token";
    /// No such account.
    USER_NOT_FOUND = NOT_FOUND "USER_NOT_FOUND", "User not found", "用户不存在", "There is no such user";
    /// No such route.
    ROUTE_NOT_FOUND = NOT_FOUND "ROUTE_NOT_FOUND", "Unknown route", "接口不存在", "There is no such route";
    /// The route has other methods.
    METHOD_NOT_ALLOWED = METHOD_NOT_ALLOWED "METHOD_NOT_ALLOWED", "Method not allowed", "请求方法不被允许", "The route does not have this method";
    /// Somebody else was faster.
    VERSION_CONFLICT = CONFLICT "VERSION_CONFLICT", "Changed by somebody else", "客户已被其他人修改，请刷新后重试", "Somebody else has changed this customer, please reload";
    /// Another customer has the phone.
    DUPLICATE_PHONE = CONFLICT "DUPLICATE_PHONE", "Phone already known", "该手机号已存在客户记录", "A customer with this phone exists already";
    /// Another customer has the WeChat id.
    DUPLICATE_WECHAT = CONFLICT "DUPLICATE_WECHAT", "WeChat id already known", "该微信号已存在客户记录", "A customer with this WeChat id exists already";
    /// Somebody has it already.
    NOT_IN_POOL = CONFLICT "NOT_IN_POOL", "Not in the pool", "客户不在公海中", "The customer is not in the public pool";
    /// It was released before.
    ALREADY_IN_POOL = CONFLICT "ALREADY_IN_POOL", "Already in the pool", "客户已在公海中", "The customer is in the public pool already";
    /// Nobody has it.
    NOT_OWNED = CONFLICT "NOT_OWNED", "Nobody owns it", "客户没有负责人，无法释放到公海", "Nobody owns the customer, so it cannot be released";
    /// It must stay where it is.
    FROZEN = CONFLICT "FROZEN", "Frozen", "该线索已被冻结，无法释放到公海", "The customer is frozen and cannot be released";
    /// It is frozen already.
    ALREADY_FROZEN = CONFLICT "ALREADY_FROZEN", "Already frozen", "该线索已处于冻结状态", "The customer is frozen already";
    /// It is not frozen.
    NOT_FROZEN = CONFLICT "NOT_FROZEN", "Not frozen", "该线索未处于冻结状态", "The customer is not frozen";
    /// Who gave it back leaves it to others for a while.
    COOL_OFF = CONFLICT "COOL_OFF", "Released too recently", "您刚释放过该客户，暂时不能领取", "You released this customer recently and cannot claim it yet";
    /// The person owns as many as one may.
    HOLDING_LIMIT = CONFLICT "HOLDING_LIMIT", "Holding limit reached", "已达到客户持有上限", "The holding limit is reached";
    /// The person claimed as many today as one may.
    CLAIM_QUOTA = CONFLICT "CLAIM_QUOTA", "Claim quota used up", "今日领取次数已用完", "Today's claims are used up";
    /// The last claim was a moment ago.
    CLAIM_TOO_SOON = TOO_MANY_REQUESTS "CLAIM_TOO_SOON", "Claimed too recently", "领取过于频繁，请稍后再试", "You claimed a moment ago, please wait";
    /// Nothing of a batch could be done.
    BATCH_REFUSED = CONFLICT "BATCH_REFUSED", "Nothing could be done", "没有客户操作成功", "None of the customers could be processed";
    /// The command cannot be carried out as things stand.
    CONFLICT = CONFLICT "CONFLICT", "Conflict", "操作冲突，请刷新后重试", "The operation conflicts with another one, please reload";
    /// It was taken back before.
    ALREADY_UNDONE = CONFLICT "ALREADY_UNDONE", "Already undone", "该操作已撤销", "This was undone already";
    /// It can no longer be taken back.
    UNDO_TOO_LATE = GONE "UNDO_TOO_LATE", "Too late to undo", "只能在10秒内撤销", "This can be undone within 10 seconds only";
    /// The body is larger than anybody needs.
    PAYLOAD_TOO_LARGE = PAYLOAD_TOO_LARGE "PAYLOAD_TOO_LARGE", "Body too large", "请求体过大", "The body is too large";
    /// Values that a person got wrong.
    REFUSED_VALUE = UNPROCESSABLE_ENTITY "VALIDATION_FAILED", "Validation failed", "请求参数不正确", "The request is not valid";
    /// Neither phone nor WeChat id.
    MISSING_CONTACT = UNPROCESSABLE_ENTITY "MISSING_CONTACT", "No way to reach the customer", "请填写手机号或微信号", "A phone number or a WeChat id is required";
    /// The wanted owner does not exist.
    STAFF_NOT_FOUND = UNPROCESSABLE_ENTITY "STAFF_NOT_FOUND", "Assignee not found", "指定的负责人不存在", "The assignee does not exist";
    /// The wanted owner's account is cut off.
    STAFF_INACTIVE = UNPROCESSABLE_ENTITY "STAFF_INACTIVE", "Assignee inactive", "指定的负责人未激活", "The assignee's account is not active";
    /// The wanted owner's role may not own leads.
    STAFF_NOT_ASSIGNABLE = UNPROCESSABLE_ENTITY "STAFF_NOT_ASSIGNABLE", "Assignee not assignable", "指定的负责人角色不允许被分配", "The assignee's role may not own customers";
    /// None of the people of an order has an account that works.
    NOBODY_TO_TELL = UNPROCESSABLE_ENTITY "NOBODY_TO_TELL", "Nobody to tell", "没有可通知的接收人", "None of the recipients can be told";
    /// The key named another request before.
    IDEMPOTENCY_KEY_REUSED = UNPROCESSABLE_ENTITY "IDEMPOTENCY_KEY_REUSED", "Idempotency key reused", "该幂等键已用于其他请求", "This idempotency key was used for another request";
    /// Too many tries.
    TOO_MANY_REQUESTS = TOO_MANY_REQUESTS "TOO_MANY_REQUESTS", "Too many requests", "尝试次数过多，请稍后再试", "Too many attempts, please try again later";
    /// Our fault.
    INTERNAL = INTERNAL_SERVER_ERROR "INTERNAL", "Internal error", "服务器内部错误", "Internal server error";
    /// More work than the service takes at once.
    BUSY = SERVICE_UNAVAILABLE "BUSY", "Busy", "系统繁忙，请稍后重试", "The service is busy, please try again";
    /// The store cannot be reached.
    UNAVAILABLE = SERVICE_UNAVAILABLE "UNAVAILABLE", "Unavailable", "服务暂时不可用，请稍后重试", "The service is unavailable, please try again";
    /// The answer took too long; whether the command was carried out is told by repeating it with its key.
    TIMEOUT = SERVICE_UNAVAILABLE "TIMEOUT", "Timed out", "请求超时，请稍后重试", "The request took too long, please try again";
}

impl Kind {
    /// The address of its description: the code in lower case with hyphens.
    pub fn url(&self) -> String {
        format!("{TYPE_BASE}{}", self.code.to_lowercase().replace('_', "-"))
    }
}

/// One occurrence of a problem. Boxed, because it travels in the error of every handler.
#[derive(Debug, Clone)]
pub struct Problem(Box<Occurrence>);

/// What is known about one occurrence of a problem.
#[derive(Debug, Clone)]
pub struct Occurrence {
    /// Which kind.
    pub kind: &'static Kind,
    /// What people are told.
    pub text: Text,
    /// What programs may compute with, besides the code.
    pub details: Value,
    /// The single field violations, told in the client's language.
    pub fields: Vec<FieldError>,
    /// When it is worth trying again.
    pub retry_after_seconds: Option<u64>,
}

impl std::ops::Deref for Problem {
    type Target = Occurrence;

    fn deref(&self) -> &Occurrence {
        &self.0
    }
}

impl Problem {
    /// A problem with the usual words.
    pub fn of(kind: &'static Kind) -> Self {
        Self(Box::new(Occurrence {
            kind,
            text: kind.text.clone(),
            details: json!({}),
            fields: Vec::new(),
            retry_after_seconds: None,
        }))
    }

    /// The same of another kind.
    #[must_use]
    pub fn kind(mut self, kind: &'static Kind) -> Self {
        self.0.kind = kind;
        self
    }

    /// With other words.
    #[must_use]
    pub fn text(mut self, text: Text) -> Self {
        self.0.text = text;
        self
    }

    /// With something for programs.
    #[must_use]
    pub fn details(mut self, details: Value) -> Self {
        self.0.details = details;
        self
    }

    /// With the time after which trying again makes sense.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.0.retry_after_seconds = Some(seconds);
        self
    }

    /// Everything that is wrong with a body or a query, at once: 400 when the sender's program is to be
    /// changed, 422 when a person typed something that is refused.
    pub fn fields(errors: Vec<FieldError>) -> Self {
        let kind = if any_malformed(&errors) { &INVALID_REQUEST } else { &REFUSED_VALUE };
        let joined = |message: fn(&FieldError) -> &str| {
            errors.iter().take(MESSAGES_MAX).map(message).collect::<Vec<_>>().join("; ")
        };
        let text = Text::with(joined(|e| &e.message_zh), joined(|e| &e.message_en));
        let mut problem = Self::of(kind).text(text);
        problem.0.fields = errors;
        problem
    }

    /// A query parameter or header that cannot be read.
    pub fn bad_header(name: &'static str, zh: &str, en: &str) -> Self {
        Self::of(&INVALID_HEADER)
            .text(Text::with(format!("{name} {zh}"), format!("{name} {en}")))
            .details(json!({ "header": name }))
    }
}

/// Violations whose texts are joined into the message; all of them stand in the details.
const MESSAGES_MAX: usize = 20;

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        Pending::Problem(self).into_response()
    }
}

impl From<&'static Kind> for Problem {
    fn from(kind: &'static Kind) -> Self {
        Self::of(kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_url_is_the_code_in_lower_case() {
        assert_eq!(DUPLICATE_PHONE.url(), "https://leadwire.dev/problems/duplicate-phone");
    }

    #[test]
    fn a_code_has_one_title() {
        for kind in ALL {
            for other in ALL.iter().filter(|other| other.code == kind.code) {
                assert_eq!(other.title, kind.title, "{}", kind.code);
            }
            assert!(kind.status.is_client_error() || kind.status.is_server_error());
        }
    }
}
