//! What people call the fields.

/// JSON name and Chinese name of every field of every form.
const LABELS: &[(&str, &str)] = &[
    ("name", "客户姓名"),
    ("phone", "电话"),
    ("wechatId", "微信号"),
    ("idCardNumber", "身份证号"),
    ("leadSource", "线索来源"),
    ("serviceCategory", "需求品类"),
    ("serviceType", "需求品类"),
    ("contractStatus", "客户状态"),
    ("leadLevel", "线索等级"),
    ("salaryBudget", "薪资预算"),
    ("expectedStartDate", "期望上户日期"),
    ("expectedDeliveryDate", "预产期"),
    ("homeArea", "家庭面积"),
    ("familySize", "家庭人口"),
    ("restSchedule", "休息制度"),
    ("address", "地址"),
    ("area", "区域"),
    ("ageRequirement", "年龄要求"),
    ("genderRequirement", "性别要求"),
    ("originRequirement", "籍贯要求"),
    ("educationRequirement", "学历要求"),
    ("serviceDays", "服务天数"),
    ("remarks", "备注"),
    ("notes", "备注"),
    ("dealAmount", "成交金额"),
    ("needOrderType", "需求订单类型"),
    ("needWorkingHours", "工作时间"),
    ("needSalary", "薪资"),
    ("needRestTime", "休息时间"),
    ("needFamilyMembers", "家庭成员"),
    ("needServiceAddress", "服务地址"),
    ("needHouseArea", "房屋面积"),
    ("needWorkContent", "工作内容"),
    ("needRemarks", "需求备注"),
    ("needServicePeriod", "服务周期"),
    ("needOnboardingTime", "上户时间"),
    ("assignedTo", "负责人"),
    ("assignmentReason", "分配原因"),
    ("customerIds", "客户ID"),
    ("notificationIds", "通知ID"),
    ("username", "用户名"),
    ("password", "密码"),
];

/// The Chinese name of the field at `path`, of a list entry's list too; a field without one is called by its path.
pub(super) fn label(path: &str) -> &str {
    let field = path.split_once('[').map_or(path, |(field, _)| field);
    LABELS.iter().find(|(name, _)| *name == field).map_or(path, |(_, label)| label)
}
