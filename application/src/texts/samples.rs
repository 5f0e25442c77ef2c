//! A value for every variable of every template, as long as real ones usually are: for previews without an event, and
//! to see before a publication whether a filled text still fits.

use super::{Template, Variables};
use crate::forms::{ORDER_CONTENT_CHARS_MAX, ORDER_VALUE_CHARS_MAX};

/// The samples. A test holds this list against the variables of the catalogue.
const SAMPLES: &[(&str, &str)] = &[
    ("actionUrl", "/announcements/1"),
    ("brief", "女，1995年，本科，浙江省 杭州市 西湖区"),
    ("changes", "身高：165 → 168；职业：教师 → 医生"),
    ("content", "系统将于今晚22:00至23:00维护，期间可能无法使用，请提前保存您的工作。"),
    ("contractId", "01937f00-0000-7000-8000-000000000002"),
    ("contractNumber", "HT20260115001"),
    ("count", "12"),
    ("creatorName", "李经理"),
    ("customerId", "01937f00-0000-7000-8000-000000000001"),
    ("customerName", "王女士"),
    ("days", "7"),
    ("formId", "01937f00-0000-7000-8000-000000000003"),
    ("formTitle", "育儿嫂需求登记"),
    ("leadSource", "美团"),
    (
        "list",
        "1. 客户分配通知：您有新的客户【王女士】，请及时跟进！\n2. 客户状态变更：客户【赵女士】状态由 匹配中 变更为 已签约",
    ),
    ("matches", "6"),
    ("memberId", "01937f00-0000-7000-8000-000000000004"),
    ("memberName", "小王"),
    ("memberNo", "M12345"),
    ("newOwner", "张老师"),
    ("newStatus", "已签约"),
    ("newType", "年费会员"),
    ("oldOwner", "刘老师"),
    ("oldStatus", "匹配中"),
    ("oldType", "普通会员"),
    ("operatorName", "李经理"),
    ("phone", "138****8999"),
    ("reason", "超过7天未跟进"),
    ("ruleName", "七天未跟进流转"),
    ("source", "手动分配"),
    ("summary", "已电话沟通，客户希望下周一上门面试，预算8000元，需要住家，有二胎护理经验者优先。"),
    ("time", "2026-01-15 09:30"),
];

/// A value for every variable of `template`.
pub fn samples(template: &Template) -> Variables<'static> {
    SAMPLES
        .iter()
        .filter(|(name, _)| template.variables.contains(name))
        .map(|(name, value)| (*name, (*value).into()))
        .collect()
}

/// A character of as many bytes as there are.
const WIDE: &str = "🧧";

/// The longest value that an order may give to every variable of `template`.
pub(super) fn longest(template: &Template) -> Variables<'static> {
    let chars = |name| if name == "content" { ORDER_CONTENT_CHARS_MAX } else { ORDER_VALUE_CHARS_MAX };
    template.variables.iter().map(|name| (*name, WIDE.repeat(chars(*name)).into())).collect()
}
