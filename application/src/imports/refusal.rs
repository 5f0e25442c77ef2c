//! Why a row did not go in, in system A's words (existing-systems.md section 2.6).

use serde::{Deserialize, Serialize};

use crate::forms::FieldError;

/// One row that did not go in.
#[derive(Debug, Clone, PartialEq)]
pub struct RowError {
    /// Its number in the sheet.
    pub row: u32,
    /// Why.
    pub refusal: RowRefusal,
}

/// Why a row did not go in.
#[derive(Debug, Clone, PartialEq)]
pub enum RowRefusal {
    /// Required cells are empty: their columns' titles.
    Missing(Vec<&'static str>),
    /// A cell holds an error of the spreadsheet's own.
    Fault {
        /// Its column's title.
        title: &'static str,
    },
    /// The create form refuses.
    Invalid(Vec<FieldError>),
    /// An earlier row has the same value.
    Repeats {
        /// Which value.
        unique: Unique,
        /// The earlier row.
        row: u32,
    },
    /// The row is good by itself, but not at this moment.
    Stored(StoreRefusal),
}

/// A value that only one customer may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unique {
    /// The phone.
    Phone,
    /// The WeChat id.
    Wechat,
}

/// Why a good row was not stored; remembered in the receipt of its chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum StoreRefusal {
    /// Another customer has the phone.
    DuplicatePhone,
    /// Another customer has the WeChat id.
    DuplicateWechat,
    /// Nobody is called like the wanted owner.
    StaffNotFound,
    /// More than one person is called like the wanted owner.
    StaffAmbiguous,
    /// The wanted owner's account is cut off.
    StaffInactive,
    /// The wanted owner's role may not own leads.
    StaffNotAssignable,
    /// The importer may not pick owners.
    Forbidden,
    /// The import was ended before this row's turn.
    Interrupted,
}

impl StoreRefusal {
    fn code(self) -> &'static str {
        match self {
            Self::DuplicatePhone => "DUPLICATE_PHONE",
            Self::DuplicateWechat => "DUPLICATE_WECHAT",
            Self::StaffNotFound => "STAFF_NOT_FOUND",
            Self::StaffAmbiguous => "STAFF_AMBIGUOUS",
            Self::StaffInactive => "STAFF_INACTIVE",
            Self::StaffNotAssignable => "STAFF_NOT_ASSIGNABLE",
            Self::Forbidden => "FORBIDDEN",
            Self::Interrupted => "INTERRUPTED",
        }
    }

    fn texts(self) -> (&'static str, &'static str) {
        match self {
            Self::DuplicatePhone => ("该手机号已存在客户记录", "a customer with this phone exists already"),
            Self::DuplicateWechat => {
                ("该微信号已存在客户记录", "a customer with this WeChat id exists already")
            }
            Self::StaffNotFound => ("指定的负责人不存在", "the assignee does not exist"),
            Self::StaffAmbiguous => (
                "有多个同名的负责人，请填写用户名",
                "more than one person has this name, please give the user name",
            ),
            Self::StaffInactive => ("指定的负责人未激活", "the assignee's account is not active"),
            Self::StaffNotAssignable => {
                ("指定的负责人角色不允许被分配", "the assignee's role may not own customers")
            }
            Self::Forbidden => ("无权限指定负责人", "you are not permitted to pick an assignee"),
            Self::Interrupted => (
                "导入中断，请重新上传剩余的行",
                "the import was interrupted, please upload the remaining rows again",
            ),
        }
    }
}

impl RowRefusal {
    /// A stable name for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing(_) => "MISSING_REQUIRED",
            Self::Fault { .. } | Self::Invalid(_) => "VALIDATION_FAILED",
            Self::Repeats { .. } => "DUPLICATE_IN_FILE",
            Self::Stored(refusal) => refusal.code(),
        }
    }

    /// The reason in Chinese.
    pub fn zh(&self) -> String {
        match self {
            Self::Missing(titles) => format!("缺少必填字段：{}", titles.join("、")),
            Self::Fault { title } => format!("{title}的单元格是错误值"),
            Self::Invalid(errors) => joined(errors, |error| &error.message_zh),
            Self::Repeats { unique: Unique::Phone, row } => format!("电话与第 {row} 行重复"),
            Self::Repeats { unique: Unique::Wechat, row } => format!("微信号与第 {row} 行重复"),
            Self::Stored(refusal) => refusal.texts().0.to_owned(),
        }
    }

    /// The reason in English.
    pub fn en(&self) -> String {
        match self {
            Self::Missing(titles) => format!("required cells are empty: {}", titles.join(", ")),
            Self::Fault { title } => format!("the cell of {title} holds an error"),
            Self::Invalid(errors) => joined(errors, |error| &error.message_en),
            Self::Repeats { unique: Unique::Phone, row } => format!("row {row} has the same phone"),
            Self::Repeats { unique: Unique::Wechat, row } => format!("row {row} has the same WeChat id"),
            Self::Stored(refusal) => refusal.texts().1.to_owned(),
        }
    }
}

fn joined(errors: &[FieldError], message: fn(&FieldError) -> &str) -> String {
    errors.iter().map(message).collect::<Vec<_>>().join("; ")
}

impl RowError {
    /// The line that system A shows.
    pub fn zh(&self) -> String {
        match &self.refusal {
            RowRefusal::Missing(_) => format!("第 {} 行缺少必填字段", self.row),
            refusal => format!("第 {} 行导入失败: {}", self.row, refusal.zh()),
        }
    }

    /// The same in English.
    pub fn en(&self) -> String {
        match &self.refusal {
            RowRefusal::Missing(_) => format!("Row {} lacks required fields", self.row),
            refusal => format!("Row {} was not imported: {}", self.row, refusal.en()),
        }
    }
}
