//! Every column of a member (existing-systems.md section 7.1), declared once.
//!
//! The list yields [`MemberFields`] (the row), [`MemberPatch`] (some new values; `null` clears), [`MemberField`] (the
//! columns by name, with the Chinese names that messages use) and what differs between two rows. JSON names are the
//! columns' names. `id` is the source's key and `deleted` a fact of its own, so neither stands here.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};

use super::codes::{
    ChildrenPlan, Code, Gender, HouseCar, MarriageCert, MarriageHistory, MemberEducation, MemberKind,
    MemberStatus, Orientation,
};
use super::value::{
    Column, FieldFault, FieldValue, LONG_TEXT_CHARS_MAX, MEMBER_NUMBER_CHARS_MAX, MEMBER_PHONE_CHARS_MAX,
    MemberNumber, MemberPhone, Private, SHORT_TEXT_CHARS_MAX,
};
use crate::codes::UnknownCode;
use crate::contact::{WECHAT_ID_CHARS_MAX, WechatId};

/// The column that says when the person registered. It is no field: it belongs to the registration and never changes.
pub const REGISTERED_AT: &str = "created_at";

/// What the staff calls it.
pub const REGISTERED_AT_LABEL: &str = "登记时间";

macro_rules! member_fields {
    ($($field:ident $variant:ident $column:literal $label:literal: $type:ty, $max:expr;)+) => {
        /// What is known about a member 会员, column for column. `None` is a NULL or a blank: they are the same here.
        #[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct MemberFields {
            $(#[doc = $label]
            #[serde(rename = $column, default, skip_serializing_if = "Option::is_none")]
            pub $field: Option<$type>),+
        }

        /// A change to some fields: absent leaves, `null` clears, a value sets.
        #[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct MemberPatch {
            $(#[doc = $label]
            #[serde(rename = $column, default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
            pub $field: Option<Option<$type>>),+
        }

        /// Only the columns that hold something; see `debug_column`.
        impl fmt::Debug for MemberFields {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut shown = f.debug_struct("MemberFields");
                $(if let Some(value) = &self.$field {
                    debug_column(&mut shown, MemberField::$variant, value);
                })+
                shown.finish()
            }
        }

        /// Only the columns that it names; see `debug_column`.
        impl fmt::Debug for MemberPatch {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut shown = f.debug_struct("MemberPatch");
                $(if let Some(value) = &self.$field {
                    debug_column(&mut shown, MemberField::$variant, value);
                })+
                shown.finish()
            }
        }

        /// One column of a member.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum MemberField {
            $(#[doc = $label] #[serde(rename = $column)] $variant),+
        }

        impl MemberField {
            /// Every column, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The column's name.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $column),+ }
            }

            /// What the staff calls it.
            pub const fn label(self) -> &'static str {
                match self { $(Self::$variant => $label),+ }
            }

            /// A value of this column as people read it: what an event carries as old or new. See [`MemberFields::shown`].
            pub fn show(self, value: &FieldValue) -> String {
                match self {
                    $(Self::$variant => {
                        <$type as Column>::of(value).map_or_else(|| value.plain(), |value| value.shown())
                    })+
                }
            }

            /// Most characters of its text.
            pub const fn chars_max(self) -> usize {
                match self { $(Self::$variant => $max),+ }
            }
        }

        impl FromStr for MemberField {
            type Err = UnknownCode;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text { $($column => Ok(Self::$variant),)+ _ => Err(UnknownCode) }
            }
        }

        impl MemberFields {
            /// The value of one column.
            pub fn get(&self, field: MemberField) -> Option<FieldValue> {
                match field { $(MemberField::$variant => self.$field.as_ref().map(Column::value)),+ }
            }

            /// Sets one column. A value of another type than the column's leaves it: no event holds one.
            pub fn set(&mut self, field: MemberField, value: Option<&FieldValue>) {
                match (field, value) {
                    $((MemberField::$variant, None) => self.$field = None,
                    (MemberField::$variant, Some(value)) => {
                        if let Some(value) = Column::of(value) { self.$field = Some(value); }
                    })+
                }
            }

            /// Sets one column from the text that stands there in a database or a file; a blank clears it.
            ///
            /// # Errors
            ///
            /// The rule that the text breaks; the column keeps what it had.
            pub fn read(&mut self, field: MemberField, text: Option<&str>) -> Result<(), FieldFault> {
                // PostgreSQL keeps no NUL, and nobody means one.
                let text = text.map(|text| text.replace('\0', "")).filter(|text| !text.trim().is_empty());
                match field {
                    $(MemberField::$variant => {
                        self.$field = text.map(|text| Column::read(&text, field.chars_max())).transpose()?;
                    })+
                }
                Ok(())
            }

            /// The value of one column as people read it: a code in Chinese, yes and no as 是 and 否, the rest as it is.
            pub fn shown(&self, field: MemberField) -> Option<String> {
                match field { $(MemberField::$variant => self.$field.as_ref().map(Column::shown)),+ }
            }

            /// The columns whose code is in no table, with the code as it stands.
            pub fn unknown_codes(&self) -> Vec<(MemberField, &str)> {
                let codes = [$((MemberField::$variant, self.$field.as_ref().and_then(Column::unknown_code))),+];
                codes.into_iter().filter_map(|(field, code)| Some((field, code?))).collect()
            }
        }

        impl MemberPatch {
            /// The row as it will be.
            #[must_use]
            pub fn over(&self, fields: &MemberFields) -> MemberFields {
                let mut after = fields.clone();
                $(if let Some(value) = &self.$field { after.$field.clone_from(value); })+
                after
            }

            /// Names one column: what it becomes, or that it is cleared. A value of another type than the column's is
            /// left out.
            pub fn set(&mut self, field: MemberField, value: Option<&FieldValue>) {
                match (field, value) {
                    $((MemberField::$variant, None) => self.$field = Some(None),
                    (MemberField::$variant, Some(value)) => self.$field = Column::of(value).map(Some),)+
                }
            }

            /// Whether it names no column.
            pub fn is_empty(&self) -> bool {
                *self == Self::default()
            }
        }
    };
}

/// Adds a column to a `Debug` text. Most types mask what nobody may read there; a code and a text do not.
fn debug_column(shown: &mut fmt::DebugStruct<'_, '_>, field: MemberField, value: &dyn fmt::Debug) {
    match field {
        MemberField::SexualOrientation | MemberField::WechatQrcode => {
            shown.field(field.as_str(), &format_args!("***"))
        }
        _ => shown.field(field.as_str(), value),
    };
}

/// Tells a `null` (clear) from an absent member (leave).
#[expect(clippy::option_option, reason = "absent, null and a value are three different things")]
fn present<'de, T, D>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    Option::<T>::deserialize(deserializer).map(Some)
}

member_fields! {
    member_no MemberNo "member_no" "会员编号": MemberNumber, MEMBER_NUMBER_CHARS_MAX;
    nickname Nickname "nickname" "昵称": String, SHORT_TEXT_CHARS_MAX;
    wechat Wechat "wechat" "微信号": WechatId, WECHAT_ID_CHARS_MAX;
    phone Phone "phone" "手机号": MemberPhone, MEMBER_PHONE_CHARS_MAX;
    kind Kind "type" "会员类型": Code<MemberKind>, SHORT_TEXT_CHARS_MAX;
    status Status "status" "会员状态": Code<MemberStatus>, SHORT_TEXT_CHARS_MAX;
    is_success IsSuccess "is_success" "是否成功": bool, SHORT_TEXT_CHARS_MAX;
    gender Gender "gender" "性别": Code<Gender>, SHORT_TEXT_CHARS_MAX;
    birth_year BirthYear "birth_year" "出生年份": i64, SHORT_TEXT_CHARS_MAX;
    height Height "height" "身高": i64, SHORT_TEXT_CHARS_MAX;
    weight Weight "weight" "体重": i64, SHORT_TEXT_CHARS_MAX;
    education Education "education" "学历": Code<MemberEducation>, SHORT_TEXT_CHARS_MAX;
    occupation Occupation "occupation" "职业": String, SHORT_TEXT_CHARS_MAX;
    province Province "province" "省份": String, SHORT_TEXT_CHARS_MAX;
    city City "city" "城市": String, SHORT_TEXT_CHARS_MAX;
    district District "district" "区县": String, SHORT_TEXT_CHARS_MAX;
    target_area TargetArea "target_area" "目标区域": String, SHORT_TEXT_CHARS_MAX;
    hukou_province HukouProvince "hukou_province" "户口所在省": String, SHORT_TEXT_CHARS_MAX;
    hukou_city HukouCity "hukou_city" "户口所在市": String, SHORT_TEXT_CHARS_MAX;
    house_car HouseCar "house_car" "房车情况": Code<HouseCar>, SHORT_TEXT_CHARS_MAX;
    children_plan ChildrenPlan "children_plan" "孩子需求": Code<ChildrenPlan>, SHORT_TEXT_CHARS_MAX;
    marriage_cert MarriageCert "marriage_cert" "领证需求": Code<MarriageCert>, SHORT_TEXT_CHARS_MAX;
    marriage_history MarriageHistory "marriage_history" "婚史": Code<MarriageHistory>, SHORT_TEXT_CHARS_MAX;
    sexual_orientation SexualOrientation "sexual_orientation" "性取向": Code<Orientation>, SHORT_TEXT_CHARS_MAX;
    self_description SelfDescription "self_description" "个人说明": String, LONG_TEXT_CHARS_MAX;
    partner_requirement PartnerRequirement "partner_requirement" "择偶要求": String, LONG_TEXT_CHARS_MAX;
    remaining_matches RemainingMatches "remaining_matches" "剩余匹配次数": i64, SHORT_TEXT_CHARS_MAX;
    notes Notes "notes" "备注": String, LONG_TEXT_CHARS_MAX;
    real_name RealName "real_name" "真实姓名": Private, SHORT_TEXT_CHARS_MAX;
    id_card IdCard "id_card" "身份证号": Private, SHORT_TEXT_CHARS_MAX;
    user_id UserId "user_id" "用户ID": String, SHORT_TEXT_CHARS_MAX;
    wechat_qrcode WechatQrcode "wechat_qrcode" "微信二维码": String, LONG_TEXT_CHARS_MAX;
}

impl MemberField {
    /// Whether no message shows it, in the program's words or in one's own (member-intake.md section 3).
    pub fn is_sensitive(self) -> bool {
        matches!(self, Self::RealName | Self::IdCard | Self::SexualOrientation)
    }

    /// Whether no log line and no error may show its value.
    fn is_hidden(self) -> bool {
        self.is_sensitive() || matches!(self, Self::Phone | Self::Wechat | Self::WechatQrcode)
    }
}

impl fmt::Display for MemberField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One column that changed. Its `Debug` shows no value that a log line may not show.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldChange {
    /// Which.
    pub field: MemberField,
    /// Before; absent when there was nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old: Option<FieldValue>,
    /// Now; absent when there is nothing any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new: Option<FieldValue>,
}

impl fmt::Debug for FieldChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.field.is_hidden() {
            return write!(f, "FieldChange({}: ***)", self.field);
        }
        write!(f, "FieldChange({}: {:?} -> {:?})", self.field, self.old, self.new)
    }
}

impl MemberFields {
    /// What differs, column by column. Nothing and something differ, in both directions (fault S-09).
    pub fn changes_to(&self, after: &Self) -> Vec<FieldChange> {
        let change = |field: &MemberField| {
            let (old, new) = (self.get(*field), after.get(*field));
            (old != new).then_some(FieldChange { field: *field, old, new })
        };
        MemberField::ALL.iter().filter_map(change).collect()
    }

    /// Folds changes in.
    pub fn apply(&mut self, changes: &[FieldChange]) {
        for change in changes {
            self.set(change.field, change.new.as_ref());
        }
    }
}
