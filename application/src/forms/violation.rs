//! A violation: where, which rule, and what to tell the person in both languages.

use std::fmt;

use domain::contact::{InvalidPhone, InvalidWechatId, WECHAT_ID_CHARS_MAX};
use domain::customer::CustomerError;
use domain::notification::Channel;
use domain::staff::{StaffError, USERNAME_CHARS_MAX};
use serde::{Serialize, Serializer};

use super::labels::{known_label, label};
use crate::texts::Unit;

/// Most characters of an unknown key that are repeated to the sender.
const ECHOED_KEY_CHARS_MAX: usize = 64;

/// One violation of one field.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FieldError {
    /// JSON path: `phone`, `customerIds[3]`; empty for the body as a whole.
    pub path: String,
    /// The rule; written as its code.
    pub rule: Rule,
    /// What to tell the person.
    pub message_zh: String,
    /// The same in English.
    pub message_en: String,
}

/// What a field may do wrong.
#[derive(Debug, Clone, PartialEq)]
pub enum Rule {
    /// The body is JSON, but no object.
    NotAnObject,
    /// The form has no such field.
    UnknownField,
    /// Who owns a customer changes only through assign (fault A-12).
    Ownership,
    /// It must be there and not blank.
    Required,
    /// It cannot be cleared.
    NotClearable,
    /// It must be text.
    NotText,
    /// It must be a number, or text that is one.
    NotANumber,
    /// It must be a whole number.
    NotWhole,
    /// It must be a list.
    NotAList,
    /// It must be in the code table.
    UnknownCode {
        /// The codes.
        allowed: Vec<String>,
    },
    /// It must lie between two numbers, both included.
    OutOfRange {
        /// The least.
        min: i64,
        /// The most.
        max: i64,
    },
    /// It has too many characters.
    TooLong {
        /// The most.
        max: usize,
    },
    /// The list has too many entries.
    TooMany {
        /// The most.
        max: usize,
    },
    /// It holds a character that has no place in it, such as a line break in a name.
    ControlCharacter,
    /// It is no Chinese phone number.
    Phone,
    /// It is no WeChat id.
    WechatId,
    /// It is no WeCom userid.
    WecomUserId,
    /// It is no user name.
    Username,
    /// It is no e-mail address.
    Email,
    /// It is neither true nor false.
    NotABool,
    /// It has too few characters.
    TooShort {
        /// The fewest.
        min: usize,
    },
    /// It never changes once it is there.
    Fixed,
    /// It stands in the configuration of the installation, where its secrets are kept.
    Configured,
    /// It is no UUID.
    Id,
    /// It is no ISO 8601 date.
    Date,
    /// It is no place in this list, in the order that is asked for.
    Cursor,
    /// Neither phone nor WeChat id.
    MissingContact,
    /// It must be an object with members.
    NotAMap,
    /// It is no time from 00:00 to 23:59.
    TimeOfDay,
    /// It is no IANA time zone.
    Zone,
    /// It says what another entry says already, so that one of the two would not count.
    SaidTwice,
    /// The inbox is always on, and never part of a route.
    InboxAlwaysOn,
    /// Quiet hours that never end would hold every message for ever.
    NeverEnds,
    /// The last day lies before the first.
    EndsBeforeItBegins,
    /// It must be text, a number, yes or no.
    NotAScalar,
    /// It is no path of the console.
    ConsolePath,
    /// It has too many bytes.
    TooManyBytes {
        /// The most.
        max: usize,
    },
    /// The text asks for a variable that its template is not given.
    UnknownVariable {
        /// Which.
        name: String,
        /// Those it is given.
        allowed: &'static [&'static str],
    },
    /// The text asks for something that no message shows.
    SensitiveVariable {
        /// Which.
        name: &'static str,
    },
    /// It is a name of Leadwire's own.
    Reserved,
    /// Braces that belong to no placeholder would be read as they are.
    LooseBraces,
    /// Filled with usual values, the text is longer than a channel takes.
    TooLongFor {
        /// The channel.
        channel: Channel,
        /// The most.
        max: usize,
        /// Of what.
        unit: Unit,
    },
}

impl Rule {
    /// A stable name for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotAnObject => "not_an_object",
            Self::UnknownField => "unknown_field",
            Self::Ownership => "ownership",
            Self::Required => "required",
            Self::NotClearable => "not_clearable",
            Self::NotText => "not_text",
            Self::NotANumber => "not_a_number",
            Self::NotWhole => "not_whole",
            Self::NotAList => "not_a_list",
            Self::UnknownCode { .. } => "unknown_code",
            Self::OutOfRange { .. } => "out_of_range",
            Self::TooLong { .. } => "too_long",
            Self::TooMany { .. } => "too_many",
            Self::ControlCharacter => "control_character",
            Self::Phone => "phone",
            Self::WechatId => "wechat_id",
            Self::WecomUserId => "wecom_userid",
            Self::Username => "username",
            Self::Email => "email",
            Self::NotABool => "not_a_bool",
            Self::TooShort { .. } => "too_short",
            Self::Fixed => "fixed",
            Self::Configured => "configured",
            Self::Id => "id",
            Self::Date => "date",
            Self::Cursor => "cursor",
            Self::MissingContact => "missing_contact",
            Self::NotAMap => "not_a_map",
            Self::TimeOfDay => "time_of_day",
            Self::Zone => "zone",
            Self::SaidTwice => "said_twice",
            Self::InboxAlwaysOn => "inbox_always_on",
            Self::NeverEnds => "never_ends",
            Self::EndsBeforeItBegins => "ends_before_it_begins",
            Self::NotAScalar => "not_a_scalar",
            Self::ConsolePath => "console_path",
            Self::TooManyBytes { .. } => "too_many_bytes",
            Self::UnknownVariable { .. } => "unknown_variable",
            Self::SensitiveVariable { .. } => "sensitive_variable",
            Self::Reserved => "reserved",
            Self::LooseBraces => "loose_braces",
            Self::TooLongFor { .. } => "too_long_for_channel",
        }
    }

    /// Whether the sender's program is wrong (400) rather than what the person typed (422).
    pub fn is_malformed(&self) -> bool {
        matches!(
            self,
            Self::NotAnObject
                | Self::UnknownField
                | Self::Ownership
                | Self::NotText
                | Self::NotAList
                | Self::NotABool
                | Self::NotAMap
                | Self::NotAScalar
        )
    }

    fn zh(&self, path: &str) -> String {
        let label = label(path);
        match self {
            Self::NotAnObject => "请求体必须是JSON对象".into(),
            Self::UnknownField => format!("不支持的字段：{path}"),
            Self::Ownership => "负责人只能通过分配接口修改".into(),
            Self::Required => format!("{label}不能为空"),
            Self::NotClearable => format!("{label}不能清空"),
            Self::NotText => format!("{label}必须是文本"),
            Self::NotANumber => format!("{label}必须是数字"),
            Self::NotWhole => format!("{label}必须是整数"),
            Self::NotAList => format!("{label}必须是列表"),
            Self::UnknownCode { allowed } => format!("{label}必须是以下值之一：{}", allowed.join("、")),
            Self::OutOfRange { min, max } => format!("{label}必须在{min}到{max}之间"),
            Self::TooLong { max } => format!("{label}不能超过{max}个字符"),
            Self::TooMany { max } => format!("{label}一次最多{max}个"),
            Self::ControlCharacter => format!("{label}不能包含控制字符"),
            Self::Phone => InvalidPhone.to_string(),
            Self::WechatId => InvalidWechatId.to_string(),
            Self::WecomUserId => {
                format!("{label}须为1到64个字母、数字或“_-@.”，且以字母或数字开头")
            }
            Self::Username => StaffError::InvalidUsername.to_string(),
            Self::Email | Self::Id => format!("{label}格式不正确"),
            Self::NotABool => format!("{label}必须是true或false"),
            Self::TooShort { min } => format!("{label}至少{min}个字符"),
            Self::Fixed => format!("{label}不能修改"),
            Self::Configured => format!("{label}由安装配置（wecom_app）决定，不能在此修改"),
            Self::Date => format!("{label}必须是有效的日期（ISO 8601）"),
            Self::Cursor => format!("{label}不是本列表当前排序下的游标"),
            Self::MissingContact => CustomerError::MissingContact.to_string(),
            Self::NotAMap => format!("{label}必须是JSON对象"),
            Self::TimeOfDay => format!("{label}须为00:00到23:59"),
            Self::Zone => format!("{label}须为IANA时区名称，例如Asia/Shanghai"),
            Self::SaidTwice => format!("{label}重复：{path}"),
            Self::InboxAlwaysOn => format!("站内信始终开启，不能关闭或编入渠道顺序：{path}"),
            Self::NeverEnds => "免打扰时段不能覆盖整周".into(),
            Self::EndsBeforeItBegins => format!("{label}的结束日期不能早于开始日期"),
            Self::NotAScalar => format!("{label}必须是文本、数字、true或false"),
            Self::ConsolePath => format!("{label}必须是控制台内以/开头的路径"),
            Self::TooManyBytes { max } => format!("{label}不能超过{max}个字节"),
            Self::UnknownVariable { name, allowed } => {
                format!("{label}不能使用变量 {name}，可用变量：{}", allowed.join("、"))
            }
            Self::SensitiveVariable { name } => {
                format!("{label}不能使用变量 {name}：敏感信息不得出现在消息中")
            }
            Self::Reserved => format!("{label}不能使用系统保留的名称"),
            Self::LooseBraces => format!("{label}含有不完整的占位符花括号"),
            Self::TooLongFor { channel, max, unit } => {
                let unit = if *unit == Unit::Bytes { "字节" } else { "字符" };
                format!("{label}填入变量后超过渠道 {channel} 的上限{max}个{unit}")
            }
        }
    }

    fn en(&self, path: &str) -> String {
        match self {
            Self::NotAnObject => "The body must be a JSON object".into(),
            Self::UnknownField => format!("{path} is not a known field"),
            Self::Ownership => format!("{path} can only be changed by assigning the customer"),
            Self::Required => format!("{path} must not be empty"),
            Self::NotClearable => format!("{path} cannot be cleared"),
            Self::NotText => format!("{path} must be text"),
            Self::NotANumber => format!("{path} must be a number"),
            Self::NotWhole => format!("{path} must be a whole number"),
            Self::NotAList => format!("{path} must be a list"),
            Self::UnknownCode { allowed } => format!("{path} must be one of {}", allowed.join(", ")),
            Self::OutOfRange { min, max } => format!("{path} must be between {min} and {max}"),
            Self::TooLong { max } => format!("{path} must have at most {max} characters"),
            Self::TooMany { max } => format!("{path} must have at most {max} entries"),
            Self::ControlCharacter => format!("{path} must not contain control characters"),
            Self::Phone => format!("{path} must be a Chinese phone number"),
            Self::WechatId => format!("{path} must have at most {WECHAT_ID_CHARS_MAX} characters"),
            Self::WecomUserId => format!(
                "{path} must have 1 to 64 letters, digits, '_', '-', '@' or '.', the first a letter or a digit"
            ),
            Self::Username => {
                format!("{path} must have 1 to {USERNAME_CHARS_MAX} characters and no blanks")
            }
            Self::Email => format!("{path} must be an e-mail address"),
            Self::NotABool => format!("{path} must be true or false"),
            Self::TooShort { min } => format!("{path} must have at least {min} characters"),
            Self::Fixed => format!("{path} cannot be changed"),
            Self::Configured => {
                format!("{path} stands in the configuration (wecom_app) and cannot be changed here")
            }
            Self::Id => format!("{path} must be a UUID"),
            Self::Date => format!("{path} must be an ISO 8601 date"),
            Self::Cursor => format!("{path} is no place in this list in this order"),
            Self::MissingContact => "A phone number or a WeChat id is required".into(),
            Self::NotAMap => format!("{path} must be a JSON object"),
            Self::TimeOfDay => format!("{path} must be a time from 00:00 to 23:59"),
            Self::Zone => format!("{path} must be an IANA time zone such as Asia/Shanghai"),
            Self::SaidTwice => format!("{path} says what another entry says already"),
            Self::InboxAlwaysOn => format!("{path}: the inbox is always on and part of no route"),
            Self::NeverEnds => format!("{path} must leave some time that is not quiet"),
            Self::EndsBeforeItBegins => format!("{path} must not end before it begins"),
            Self::NotAScalar => format!("{path} must be text, a number, true or false"),
            Self::ConsolePath => format!("{path} must be a path of the console that begins with /"),
            Self::TooManyBytes { max } => format!("{path} must have at most {max} bytes"),
            Self::UnknownVariable { name, allowed } => {
                format!("{path} cannot use the variable {name}; there are {}", allowed.join(", "))
            }
            Self::SensitiveVariable { name } => {
                format!("{path} cannot use the variable {name}: no message shows what is sensitive")
            }
            Self::Reserved => format!("{path} is a name that Leadwire uses for something else"),
            Self::LooseBraces => format!("{path} has braces that belong to no placeholder"),
            Self::TooLongFor { channel, max, unit } => {
                let unit = if *unit == Unit::Bytes { "bytes" } else { "characters" };
                format!("{path}, once filled, is longer than the {max} {unit} that {channel} takes")
            }
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl Serialize for Rule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl FieldError {
    /// A violation of the field at `path`; a long path (an unknown key) is cut.
    pub fn new(path: impl Into<String>, rule: Rule) -> Self {
        let mut path = path.into();
        if let Some((cut, _)) = path.char_indices().nth(ECHOED_KEY_CHARS_MAX) {
            path.truncate(cut);
        }
        Self { message_zh: rule.zh(&path), message_en: rule.en(&path), path, rule }
    }

    /// The same as people say it of this form: other forms have fields of the same name that they call otherwise. The
    /// field's name stands in the table behind the form's.
    pub(super) fn called_as_in(self, form: &str, field: &str) -> Self {
        let named = format!("{form}.{field}");
        match self.rule {
            Rule::UnknownField => self,
            _ if known_label(&named).is_none() => self,
            _ => Self { message_zh: self.rule.zh(&named), ..self },
        }
    }
}

/// Whether any violation is the sender's program's: then the whole answer is a 400.
pub fn any_malformed(errors: &[FieldError]) -> bool {
    errors.iter().any(|error| error.rule.is_malformed())
}
