//! The columns of a file: their titles, the form's members they fill, and what the template says about them.

use std::collections::HashSet;

use domain::customer::{ContractStatus, Education, LeadLevel, LeadSource, RestSchedule, ServiceCategory};

use super::{COLUMNS_MAX, Cell};

/// Most characters of an unknown title that are repeated to the sender.
const TITLE_CHARS_MAX: usize = 32;

/// How a cell of a column is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text; a number stands for its digits.
    Text,
    /// A number, or text that is one.
    Number,
    /// A day.
    Day,
}

/// One column.
#[derive(Debug)]
pub struct Column {
    /// The member of the create form; `owner` is read by the import itself.
    pub key: &'static str,
    /// Its title, as system A has it.
    pub title: &'static str,
    /// Its English title.
    pub english: &'static str,
    /// Other titles people use.
    pub(super) aliases: &'static [&'static str],
    /// How its cells are read.
    pub kind: Kind,
    /// Whether the file must have it and every row must fill it.
    pub required: bool,
    /// What an empty cell means.
    pub default: Option<&'static str>,
    /// The values it may have, when it is an enumeration.
    pub codes: Option<fn() -> Vec<&'static str>>,
    /// What the template shows in its example row.
    pub example: &'static str,
    /// What the template explains, in Chinese and in English.
    pub explanation: (&'static str, &'static str),
}

macro_rules! codes {
    ($table:ident) => {
        Some(|| $table::ALL.iter().map(|code| code.as_str()).collect())
    };
}

const fn text(
    key: &'static str,
    title: &'static str,
    english: &'static str,
    example: &'static str,
    explanation: (&'static str, &'static str),
) -> Column {
    Column {
        key,
        title,
        english,
        aliases: &[],
        kind: Kind::Text,
        required: false,
        default: None,
        codes: None,
        example,
        explanation,
    }
}

/// The key of the column that names the owner.
pub(super) const OWNER: &str = "owner";

/// Text with at most 100 characters.
const SHORT: (&str, &str) = ("最多100个字符", "At most 100 characters");
/// A day.
const DAY: (&str, &str) =
    ("日期，例如 2025-12-01、2025/12/1、2025年12月1日", "A date such as 2025-12-01 or 2025/12/1");
/// One of a list.
const CHOICE: (&str, &str) = ("请从下拉列表中选择", "Choose from the list");

/// Every column, in the order of the template.
pub static COLUMNS: [Column; 22] = [
    Column {
        required: true,
        aliases: &["客户姓名", "客户名称", "名字"],
        ..text("name", "姓名", "name", "王女士", ("必填，最多50个字符", "Required, at most 50 characters"))
    },
    Column {
        required: true,
        aliases: &["电话号码", "手机", "手机号", "手机号码", "联系电话", "mobile"],
        ..text(
            "phone",
            "电话",
            "phone",
            "13812345678",
            (
                "必填，中国手机号或固定电话，不能与已有客户重复",
                "Required, a Chinese phone number that no customer has yet",
            ),
        )
    },
    Column {
        required: true,
        aliases: &["来源", "lead source", "source"],
        codes: codes!(LeadSource),
        ..text(
            "leadSource",
            "线索来源",
            "leadSource",
            "抖音",
            ("必填，不在列表中的来源记为“其他”", "Required; an unknown source is stored as 其他"),
        )
    },
    Column {
        default: Some("待定"),
        aliases: &["状态", "contract status", "status"],
        codes: codes!(ContractStatus),
        ..text(
            "contractStatus",
            "客户状态",
            "contractStatus",
            "匹配中",
            ("不填为“待定”", "待定 when left empty"),
        )
    },
    Column {
        default: Some("O类"),
        aliases: &["等级", "客户等级", "lead level", "level"],
        codes: codes!(LeadLevel),
        ..text("leadLevel", "线索等级", "leadLevel", "A类", ("不填为“O类”", "O类 when left empty"))
    },
    Column {
        aliases: &["微信", "微信账号", "wechat", "wechat id"],
        ..text(
            "wechatId",
            "微信号",
            "wechatId",
            "wang_2025",
            ("最多64个字符，不能与已有客户重复", "At most 64 characters; no customer has it yet"),
        )
    },
    Column {
        aliases: &["身份证", "身份证号码", "id card number", "id card"],
        ..text("idCardNumber", "身份证号", "idCardNumber", "", ("最多32个字符", "At most 32 characters"))
    },
    Column {
        aliases: &["服务类别", "服务品类", "service category", "serviceType"],
        codes: codes!(ServiceCategory),
        ..text("serviceCategory", "需求品类", "serviceCategory", "月嫂", CHOICE)
    },
    Column {
        kind: Kind::Number,
        aliases: &["预算", "salary budget"],
        ..text(
            "salaryBudget",
            "薪资预算",
            "salaryBudget",
            "8000",
            ("元/月，0到50000的整数", "Yuan a month, 0 to 50000"),
        )
    },
    Column {
        kind: Kind::Day,
        aliases: &["上户日期", "期望上户时间", "expected start date"],
        ..text("expectedStartDate", "期望上户日期", "expectedStartDate", "2025-12-01", DAY)
    },
    Column {
        kind: Kind::Day,
        aliases: &["预产日期", "expected delivery date", "due date"],
        ..text("expectedDeliveryDate", "预产期", "expectedDeliveryDate", "2026-01-15", DAY)
    },
    Column {
        kind: Kind::Number,
        aliases: &["房屋面积", "面积", "home area"],
        ..text(
            "homeArea",
            "家庭面积",
            "homeArea",
            "120",
            ("平方米，0到1000的整数", "Square metres, 0 to 1000"),
        )
    },
    Column {
        kind: Kind::Number,
        aliases: &["家庭成员数", "人口", "family size"],
        ..text("familySize", "家庭人口", "familySize", "4", ("0到20的整数", "0 to 20"))
    },
    Column {
        aliases: &["休息方式", "rest schedule"],
        codes: codes!(RestSchedule),
        ..text("restSchedule", "休息制度", "restSchedule", "单休", CHOICE)
    },
    Column {
        aliases: &["服务地址", "客户地址"],
        ..text("address", "地址", "address", "杭州市西湖区", ("最多200个字符", "At most 200 characters"))
    },
    Column {
        aliases: &["age requirement"],
        ..text("ageRequirement", "年龄要求", "ageRequirement", "35-50岁", SHORT)
    },
    Column {
        aliases: &["gender requirement"],
        ..text("genderRequirement", "性别要求", "genderRequirement", "女", SHORT)
    },
    Column {
        aliases: &["origin requirement"],
        ..text("originRequirement", "籍贯要求", "originRequirement", "不限", SHORT)
    },
    Column {
        aliases: &["education requirement", "学历"],
        codes: codes!(Education),
        ..text("educationRequirement", "学历要求", "educationRequirement", "高中", CHOICE)
    },
    Column {
        kind: Kind::Number,
        aliases: &["deal amount"],
        ..text("dealAmount", "成交金额", "dealAmount", "", ("元，0到10000000", "Yuan, 0 to 10000000"))
    },
    Column {
        aliases: &["说明", "notes"],
        ..text("remarks", "备注", "remarks", "晚上联系", ("最多2000个字符", "At most 2000 characters"))
    },
    Column {
        aliases: &["跟进人", "当前跟进人", "assignedTo", "assigned to"],
        ..text(
            OWNER,
            "负责人",
            "owner",
            "",
            (
                "用户名或姓名；不填为导入人；需要指定负责人的权限",
                "User name or name; the importer when left empty; needs the permission to pick an assignee",
            ),
        )
    },
];

/// Required columns that the header lacks, by their titles.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("缺少必填列：{}", .0.join("、"))]
pub struct MissingColumns(pub Vec<&'static str>);

/// Which column stands where.
#[derive(Debug)]
pub struct Header {
    /// Place in the sheet and column.
    pub(super) places: Vec<(usize, &'static Column)>,
    /// Titles that nothing is read from.
    pub ignored: Vec<String>,
}

impl Header {
    /// Reads row 1. Of two columns for the same member the first one counts.
    pub fn read(titles: &[Cell]) -> Result<Self, MissingColumns> {
        let mut places = Vec::new();
        let mut ignored = Vec::new();
        let mut seen = HashSet::new();
        for (place, cell) in titles.iter().enumerate().take(COLUMNS_MAX).filter(|(_, cell)| !cell.is_blank())
        {
            let title = cell.text();
            match column(&title).filter(|column| seen.insert(column.key)) {
                Some(column) => places.push((place, column)),
                None => ignored.push(shown(&title)),
            }
        }
        let lacks = |column: &&Column| column.required && !seen.contains(column.key);
        let missing: Vec<_> = COLUMNS.iter().filter(lacks).map(|column| column.title).collect();
        if missing.is_empty() { Ok(Self { places, ignored }) } else { Err(MissingColumns(missing)) }
    }
}

fn column(title: &str) -> Option<&'static Column> {
    let title = plain(title);
    let is_called = |name: &str| plain(name) == title;
    COLUMNS.iter().find(|column| {
        [column.title, column.english].into_iter().chain(column.aliases.iter().copied()).any(is_called)
    })
}

/// A title without blanks, marks of being required and what stands in parentheses behind it.
fn plain(title: &str) -> String {
    let bare = title.split(['(', '（', '[', '【']).next().unwrap_or_default();
    let decoration =
        |c: &char| !c.is_whitespace() && !matches!(c, '*' | '＊' | '\u{feff}' | '_' | ':' | '：');
    bare.chars().filter(decoration).collect::<String>().to_lowercase()
}

fn shown(title: &str) -> String {
    title.chars().filter(|c| !c.is_control()).take(TITLE_CHARS_MAX).collect()
}
