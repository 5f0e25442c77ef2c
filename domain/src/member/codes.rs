//! The code tables of a member (existing-systems.md section 7.1) with the Chinese words for people (section 7.7).
//!
//! Other programs write these rows, so a column may hold a code that nobody told us of. It is kept as it stands
//! ([`Code::Unknown`]), shown as it stands, and counted.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Most characters of a code; what is longer is no code but a mistake in the row.
pub const CODE_CHARS_MAX: usize = 64;

/// One enumeration of a member's columns.
pub trait MemberCode: Copy + Eq + fmt::Debug + Send + Sync + 'static {
    /// Every value, in the order of the code table.
    const TABLE: &'static [Self];

    /// The code in the column.
    fn code(self) -> &'static str;

    /// The Chinese word on screens and in messages.
    fn label(self) -> &'static str;

    /// Other spellings of the code that system S's own parts use.
    fn aliases(self) -> &'static [&'static str];

    /// Reads a column: the code in any case, an alias, or the Chinese word that people write into a file.
    fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        let means = |value: &&Self| {
            text.eq_ignore_ascii_case(value.code())
                || text == value.label()
                || value.aliases().iter().any(|alias| text.eq_ignore_ascii_case(alias))
        };
        Self::TABLE.iter().find(means).copied()
    }
}

/// Declares a code table of members: `Variant = "CODE", "label"` and, after a bar, other spellings of the code.
macro_rules! member_codes {
    ($(#[$meta:meta])* $name:ident {
        $($variant:ident = $code:literal, $label:literal $(| $alias:literal)*;)+
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $name { $(#[doc = $label] #[serde(rename = $code)] $variant),+ }

        impl MemberCode for $name {
            const TABLE: &'static [Self] = &[$(Self::$variant),+];

            fn code(self) -> &'static str {
                match self { $(Self::$variant => $code),+ }
            }

            fn label(self) -> &'static str {
                match self { $(Self::$variant => $label),+ }
            }

            fn aliases(self) -> &'static [&'static str] {
                match self { $(Self::$variant => &[$($alias),*]),+ }
            }
        }
    };
}

member_codes! {
    /// What a member has paid for 会员类型. `VIP` is known to system S's reply texts only.
    MemberKind {
        Normal = "NORMAL", "普通会员";
        OneTime = "ONE_TIME", "一次性会员";
        Annual = "ANNUAL", "年费会员";
        Vip = "VIP", "VIP会员";
    }
}

impl MemberKind {
    /// Higher is more: a change to a higher rank is an upgrade, any other is a correction.
    pub fn rank(self) -> u8 {
        match self {
            Self::Normal => 0,
            Self::OneTime => 1,
            Self::Annual => 2,
            Self::Vip => 3,
        }
    }
}

member_codes! {
    /// Where a member stands 会员状态. `PENDING` is in no table of system S, yet rows begin with it (fault S-10).
    MemberStatus {
        Pending = "PENDING", "待激活";
        Active = "ACTIVE", "激活";
        Inactive = "INACTIVE", "未激活";
        Revoked = "REVOKED", "已撤销";
        Success = "SUCCESS", "已成功";
    }
}

member_codes! {
    /// Gender 性别.
    Gender {
        Male = "male", "男" | "m";
        Female = "female", "女" | "f";
    }
}

member_codes! {
    /// Education 学历. System S's form writes `PHD`, its messages read `DOCTOR`: both mean the same (fault S-23).
    MemberEducation {
        Primary = "PRIMARY_SCHOOL", "小学";
        Middle = "MIDDLE_SCHOOL", "初中";
        High = "HIGH_SCHOOL", "高中";
        College = "JUNIOR_COLLEGE", "大专";
        Bachelor = "BACHELOR", "本科";
        Master = "MASTER", "硕士";
        Phd = "PHD", "博士" | "DOCTOR";
    }
}

member_codes! {
    /// House and car 房车情况.
    HouseCar {
        Neither = "NEITHER", "无房无车";
        HouseOnly = "HOUSE_ONLY", "有房无车";
        CarOnly = "CAR_ONLY", "有车无房";
        Both = "BOTH", "有房有车";
    }
}

member_codes! {
    /// Children 孩子需求.
    ChildrenPlan {
        Both = "BOTH", "一起要";
        Separate = "SEPARATE", "各自要";
        Negotiate = "NEGOTIATE", "互相协商" | "NEGOTIABLE";
        None = "NONE", "不要孩子";
    }
}

member_codes! {
    /// The marriage certificate 领证需求. The schema's text says `NEGOTIABLE`, the form writes `NEGOTIATE`.
    MarriageCert {
        Want = "WANT", "要";
        DontWant = "DONT_WANT", "不要";
        Negotiate = "NEGOTIATE", "互相协商" | "NEGOTIABLE";
    }
}

member_codes! {
    /// Whether there was a marriage before 婚史.
    MarriageHistory {
        Yes = "YES", "有婚史";
        No = "NO", "无婚史";
    }
}

member_codes! {
    /// Orientation 性取向: told to nobody who did not ask for it by name (fault S-23).
    Orientation {
        StraightMale = "STRAIGHT_MALE", "直男";
        StraightFemale = "STRAIGHT_FEMALE", "直女";
        Les = "LES", "LES";
        Gay = "GAY", "GAY";
        Asexual = "ASEXUAL", "无性恋";
    }
}

/// What a column of codes holds: a value of its table, or a text that is in no table.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Code<T> {
    /// A value of the table.
    Known(T),
    /// Any other text, trimmed, as it stands in the row.
    Unknown(String),
}

impl<T: MemberCode> Code<T> {
    /// Reads a column. A blank is no code; the caller says what that means.
    pub fn read(text: &str) -> Self {
        T::read(text).map_or_else(|| Self::Unknown(text.trim().to_owned()), Self::Known)
    }

    /// The code: in its first spelling when it is known, as it stands when it is not.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Known(value) => value.code(),
            Self::Unknown(text) => text,
        }
    }

    /// The Chinese word; an unknown code as it stands (domain.md section 4).
    pub fn label(&self) -> &str {
        match self {
            Self::Known(value) => value.label(),
            Self::Unknown(text) => text,
        }
    }

    /// The value, when the table has it.
    pub fn known(&self) -> Option<T> {
        match self {
            Self::Known(value) => Some(*value),
            Self::Unknown(_) => None,
        }
    }
}

impl<T: MemberCode> From<T> for Code<T> {
    fn from(value: T) -> Self {
        Self::Known(value)
    }
}

impl<T: MemberCode> Serialize for Code<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de, T: MemberCode> Deserialize<'de> for Code<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self::read(&text))
    }
}
