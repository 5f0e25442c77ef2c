//! The six roles (domain.md section 3) and the Chinese words that mean them.

use crate::code_table;

code_table! {
    /// What a person is in the agency.
    Role {
        /// 系统管理员
        Admin = "admin",
        /// 经理
        Manager = "manager",
        /// 运营
        Operator = "operator",
        /// 派单老师
        Dispatch = "dispatch",
        /// 普通员工
        Employee = "employee",
        /// 招生老师
        Admissions = "admissions",
    }
}

impl Role {
    /// Accepts the code and the Chinese aliases of existing-systems.md section 8.2.
    pub fn from_alias(text: &str) -> Option<Self> {
        match text.trim() {
            "系统管理员" | "管理员" | "超级管理员" => Some(Self::Admin),
            "经理" | "主管" => Some(Self::Manager),
            "运营" | "运营专员" => Some(Self::Operator),
            "派单老师" | "派单" => Some(Self::Dispatch),
            "普通员工" | "员工" | "销售" | "staff" => Some(Self::Employee),
            "招生老师" | "招生" => Some(Self::Admissions),
            code => code.parse().ok(),
        }
    }

    /// The Chinese name on screens.
    pub fn label(self) -> &'static str {
        match self {
            Self::Admin => "系统管理员",
            Self::Manager => "经理",
            Self::Operator => "运营",
            Self::Dispatch => "派单老师",
            Self::Employee => "普通员工",
            Self::Admissions => "招生老师",
        }
    }
}
