//! The texts, word for word those of existing-systems.md section 4.2 where system A had them.
//!
//! Differences, each on purpose: the link to the pool is one that exists (fault A-23e); batch summaries have a text
//! of their own, because A filled "3个客户" into a sentence about one customer and its phone; the two types A lacks.

use domain::notification::Priority::{self, High, Medium};

use super::{Template, Words, kinds};

const fn words(title: &'static str, content: &'static str, action_text: &'static str) -> Words {
    Words { title, content, action_text }
}

macro_rules! templates {
    ($($(#[$doc:meta])* $name:ident = $kind:ident v $version:literal, $priority:expr, $icon:literal $color:literal,
        $url:literal [$($variable:literal),*],
        $zh:expr,
        $en:expr;)+) => {
        $($(#[$doc])* pub const $name: Template = Template {
            key: stringify!($name),
            kind: kinds::$kind,
            version: $version,
            priority: { const P: Priority = $priority; P },
            icon: $icon,
            color: $color,
            action_url: $url,
            variables: &[$($variable),*],
            zh_cn: $zh,
            en: $en,
        };)+

        /// Every template.
        pub const CATALOGUE: &[&Template] = &[$(&$name),+];
    };
}

templates! {
    /// To admins, managers and operators.
    CREATED = CUSTOMER_CREATED v 1, Medium, "UserAddOutlined" "#52c41a",
        "/customers/{{customerId}}" ["creatorName", "customerName", "phone", "leadSource", "customerId"],
        words("新客户创建", "{{creatorName}} 创建了新客户：{{customerName}}（{{phone}}），来源：{{leadSource}}", "查看详情"),
        words("New customer", "{{creatorName}} created {{customerName}} ({{phone}}), source: {{leadSource}}", "View");
    /// To admins, managers and operators, of an import.
    CREATED_SUMMARY = CUSTOMER_CREATED v 1, Medium, "UserAddOutlined" "#52c41a",
        "/customers" ["creatorName", "count"],
        words("新客户创建", "{{creatorName}} 导入了 {{count}} 个新客户", "查看客户"),
        words("New customers", "{{creatorName}} imported {{count}} new customers", "View customers");
    /// To the new owner.
    ASSIGNED = CUSTOMER_ASSIGNED v 1, High, "BellOutlined" "#ff4d4f",
        "/customers/{{customerId}}" ["customerName", "phone", "leadSource", "customerId"],
        words("客户分配通知", "您有新的客户【{{customerName}}】，电话：{{phone}}，来源：{{leadSource}}，请及时跟进！", "立即跟进"),
        words("Customer assigned", "You have a new customer: {{customerName}}, phone {{phone}}, source: {{leadSource}}. Please follow up soon!", "Follow up");
    /// To the person who gained a batch.
    ASSIGNED_SUMMARY = CUSTOMER_ASSIGNED v 1, High, "BellOutlined" "#ff4d4f",
        "/customers" ["count", "source"],
        words("客户分配通知", "您有 {{count}} 个新的客户，来源：{{source}}，请及时跟进！", "立即跟进"),
        words("Customers assigned", "You have {{count}} new customers, source: {{source}}. Please follow up soon!", "Follow up");
    /// To the new owner.
    TRANSFERRED = CUSTOMER_TRANSFERRED v 1, High, "SwapOutlined" "#faad14",
        "/customers/{{customerId}}" ["customerName", "oldOwner", "customerId"],
        words("客户转移通知", "客户 {{customerName}} 已从 {{oldOwner}} 转移给您，请及时跟进", "查看客户"),
        words("Customer transferred to you", "{{customerName}} moved from {{oldOwner}} to you. Please follow up soon", "View customer");
    /// To the former owner, who may not open the customer any more: the link leads to the list.
    TRANSFERRED_OUT = CUSTOMER_TRANSFERRED_OUT v 1, Medium, "ExportOutlined" "#faad14",
        "/customers" ["customerName", "newOwner"],
        words("客户转出通知", "您的客户 {{customerName}} 已转移给 {{newOwner}}", "查看客户"),
        words("Customer transferred away", "Your customer {{customerName}} was given to {{newOwner}}", "View customers");
    /// To a person who lost customers to a batch.
    TRANSFERRED_OUT_SUMMARY = CUSTOMER_TRANSFERRED_OUT v 1, Medium, "ExportOutlined" "#faad14",
        "/customers" ["count", "newOwner"],
        words("客户转出通知", "您的 {{count}} 个客户已转移给 {{newOwner}}", "查看客户"),
        words("Customers transferred away", "{{count}} of your customers were given to {{newOwner}}", "View customers");
    /// To the former owner.
    RECLAIMED = CUSTOMER_RECLAIMED v 1, Medium, "WarningOutlined" "#ff7a45",
        "/customers/public-pool" ["customerName", "reason"],
        words("客户回收通知", "您的客户 {{customerName}} 已被回收到公海，原因：{{reason}}", "查看公海"),
        words("Customer reclaimed", "Your customer {{customerName}} went back to the pool: {{reason}}", "View pool");
    /// To a person who lost customers to a batch.
    RECLAIMED_SUMMARY = CUSTOMER_RECLAIMED v 1, Medium, "WarningOutlined" "#ff7a45",
        "/customers/public-pool" ["count", "reason"],
        words("客户回收通知", "您的 {{count}} 个客户已被回收到公海，原因：{{reason}}", "查看公海"),
        words("Customers reclaimed", "{{count}} of your customers went back to the pool: {{reason}}", "View pool");
    /// To the owner, before it happens.
    RECYCLE_WARNING = CUSTOMER_RECYCLE_WARNING v 1, High, "ClockCircleOutlined" "#ff7a45",
        "/customers/{{customerId}}" ["customerName", "time", "customerId"],
        words("客户回收预警", "您的客户 {{customerName}} 将于 {{time}} 回收到公海，请及时跟进", "立即跟进"),
        words("Customer about to be reclaimed", "Your customer {{customerName}} goes back to the pool at {{time}}. Please follow up soon", "Follow up");
    /// To the new owner.
    ASSIGNED_FROM_POOL = CUSTOMER_ASSIGNED_FROM_POOL v 1, High, "ThunderboltOutlined" "#1890ff",
        "/customers/{{customerId}}" ["customerName", "customerId"],
        words("公海客户分配", "管理员从公海分配了客户 {{customerName}} 给您，请及时跟进", "立即跟进"),
        words("Customer from the pool", "{{customerName}} was given to you from the pool. Please follow up soon", "Follow up");
    /// To the person who gained a batch out of the pool.
    ASSIGNED_FROM_POOL_SUMMARY = CUSTOMER_ASSIGNED_FROM_POOL v 1, High, "ThunderboltOutlined" "#1890ff",
        "/customers" ["count"],
        words("公海客户分配", "管理员从公海分配了 {{count}} 个客户给您，请及时跟进", "立即跟进"),
        words("Customers from the pool", "{{count}} customers were given to you from the pool. Please follow up soon", "Follow up");
    /// To the owner.
    STATUS_CHANGED = CUSTOMER_STATUS_CHANGED v 1, Medium, "SwapOutlined" "#1890ff",
        "/customers/{{customerId}}" ["customerName", "oldStatus", "newStatus", "customerId"],
        words("客户状态变更", "客户【{{customerName}}】状态由 {{oldStatus}} 变更为 {{newStatus}}", "查看客户"),
        words("Customer status changed", "{{customerName}} went from {{oldStatus}} to {{newStatus}}", "View customer");
    /// To the owner.
    FOLLOW_UP_DUE = CUSTOMER_FOLLOW_UP_DUE v 1, Medium, "ClockCircleOutlined" "#faad14",
        "/customers/{{customerId}}" ["customerName", "days", "customerId"],
        words("客户跟进提醒", "客户 {{customerName}} 已 {{days}} 天未跟进，请及时联系", "去跟进"),
        words("Follow-up due", "Nobody followed up on {{customerName}} for {{days}} days. Please get in touch", "Follow up");
    /// To the owner.
    FOLLOW_UP_ADDED = CUSTOMER_FOLLOW_UP_ADDED v 1, Medium, "CommentOutlined" "#faad14",
        "/customers/{{customerId}}" ["operatorName", "customerName", "summary", "customerId"],
        words("您的客户有新跟进记录", "{{operatorName}} 对客户【{{customerName}}】添加了跟进记录：{{summary}}", "查看详情"),
        words("New follow-up on your customer", "{{operatorName}} followed up on {{customerName}}: {{summary}}", "View");
    /// To a person who lost leads to a rule.
    AUTO_TRANSFER_OUT = LEAD_AUTO_TRANSFER_OUT v 1, Medium, "ExportOutlined" "#faad14",
        "/customers/lead-transfer-records" ["count", "time", "ruleName"],
        words("线索自动流出通知", "您有 {{count}} 条线索已于 {{time}} 自动流转给其他同事，规则：{{ruleName}}", "查看详情"),
        words("Leads moved away", "{{count}} of your leads went to colleagues at {{time}}, rule: {{ruleName}}", "View");
    /// To a person who gained leads by a rule.
    AUTO_TRANSFER_IN = LEAD_AUTO_TRANSFER_IN v 1, High, "ImportOutlined" "#52c41a",
        "/customers/lead-transfer-records" ["count", "time", "ruleName"],
        words("线索自动流入通知", "您有 {{count}} 条新线索已于 {{time}} 自动流转给您，规则：{{ruleName}}", "查看详情"),
        words("New leads", "{{count}} leads were moved to you at {{time}}, rule: {{ruleName}}", "View");
    /// To everybody.
    SYSTEM_ANNOUNCEMENT = SYSTEM_ANNOUNCEMENT v 1, High, "NotificationOutlined" "#ff4d4f",
        "{{actionUrl}}" ["content", "actionUrl"],
        words("系统公告", "{{content}}", "查看详情"),
        words("Announcement", "{{content}}", "View");
    /// To the person concerned.
    PERMISSION_CHANGED = PERMISSION_CHANGED v 1, High, "SafetyOutlined" "#fa8c16",
        "/profile" ["operatorName", "summary"],
        words("账号权限变更", "您的账号权限已被{{operatorName}}调整：{{summary}}", "查看详情"),
        words("Permissions changed", "{{operatorName}} changed your permissions: {{summary}}", "View");
    /// To the person concerned.
    ACCOUNT_SECURITY = ACCOUNT_SECURITY v 1, High, "LockOutlined" "#ff4d4f",
        "/profile" ["summary"],
        words("账号安全提醒", "{{summary}}", "查看详情"),
        words("Account security", "{{summary}}", "View");
    /// To the person who shared the form.
    FORM_SUBMISSION = FORM_SUBMISSION_RECEIVED v 1, High, "FormOutlined" "#1890ff",
        "/forms/{{formId}}/submissions" ["formTitle", "formId"],
        words("新表单提交", "您分享的表单【{{formTitle}}】收到新提交，请及时查看", "查看详情"),
        words("New form submission", "The form {{formTitle}} you shared was filled in", "View");
    /// To admins.
    FORM_SUBMISSION_ADMIN = FORM_SUBMISSION_RECEIVED_ADMIN v 1, Medium, "FormOutlined" "#1890ff",
        "/forms/{{formId}}/submissions" ["formTitle", "summary", "formId"],
        words("表单收到新提交", "表单【{{formTitle}}】收到新提交：{{summary}}", "查看详情"),
        words("Form filled in", "The form {{formTitle}} was filled in: {{summary}}", "View");
    /// To the parties of the contract.
    CONTRACT_SIGNED = CONTRACT_SIGNED v 1, High, "CheckCircleOutlined" "#52c41a",
        "/contracts/{{contractId}}" ["customerName", "contractNumber", "contractId"],
        words("合同签署完成", "客户 {{customerName}} 的合同已签署完成，合同编号：{{contractNumber}}", "查看合同"),
        words("Contract signed", "The contract of {{customerName}} was signed, number {{contractNumber}}", "View contract");
    /// To the inboxes of those who hear of members.
    MEMBER_REGISTERED = MEMBER_REGISTERED v 1, Medium, "TeamOutlined" "#52c41a",
        "/members/{{memberId}}" ["memberNo", "memberName", "brief", "memberId"],
        words("🎉 新会员登记通知", "新会员 {{memberName}}（编号 {{memberNo}}）已登记：{{brief}}。请及时跟进新会员的后续服务工作", "查看详情"),
        words("New member", "{{memberName}} (number {{memberNo}}) has registered: {{brief}}. Please follow up soon", "View");
    /// The same.
    MEMBER_ACTIVATED = MEMBER_ACTIVATED v 1, Medium, "TeamOutlined" "#52c41a",
        "/members/{{memberId}}" ["memberNo", "memberName", "brief", "memberId"],
        words("✅ 会员激活通知", "会员 {{memberName}}（编号 {{memberNo}}）已激活：{{brief}}。请及时跟进会员的后续服务工作", "查看详情"),
        words("Member activated", "{{memberName}} (number {{memberNo}}) takes part from now on: {{brief}}. Please follow up soon", "View");
    /// The same.
    MEMBER_UPDATED = MEMBER_UPDATED v 1, Medium, "EditOutlined" "#1890ff",
        "/members/{{memberId}}" ["memberNo", "memberName", "changes", "memberId"],
        words("用户资料更新通知", "会员 {{memberName}}（编号 {{memberNo}}）的资料已更新：{{changes}}", "查看会员"),
        words("Member updated", "What is known of {{memberName}} (number {{memberNo}}) has changed: {{changes}}", "View member");
    /// The same.
    MEMBER_UPGRADED = MEMBER_UPGRADED v 1, Medium, "RocketOutlined" "#722ed1",
        "/members/{{memberId}}" ["memberNo", "memberName", "oldType", "newType", "matches", "memberId"],
        words("🚀 会员升级通知", "会员 {{memberName}}（编号 {{memberNo}}）由 {{oldType}} 升级为 {{newType}}，匹配次数：{{matches}}", "查看会员"),
        words("Member upgraded", "{{memberName}} (number {{memberNo}}) went from {{oldType}} to {{newType}}, matches: {{matches}}", "View member");
    /// The same.
    MEMBER_REVOKED = MEMBER_REVOKED v 1, Medium, "WarningOutlined" "#ff7a45",
        "/members/{{memberId}}" ["memberNo", "memberName", "reason", "operatorName", "memberId"],
        words("⚠️ 会员撤销通知", "会员 {{memberName}}（编号 {{memberNo}}）已被撤销，原因：{{reason}}，操作人：{{operatorName}}", "查看会员"),
        words("Membership revoked", "The membership of {{memberName}} (number {{memberNo}}) was taken back: {{reason}}, by {{operatorName}}", "View member");
    /// To a person for whom several notices were held: one message instead of many.
    DIGEST = NOTICE_DIGEST v 1, Medium, "BellOutlined" "#1890ff",
        "/notifications" ["count", "list"],
        words("通知汇总", "您有 {{count}} 条通知：\n{{list}}", "查看通知"),
        words("Your notices", "You have {{count}} notices:\n{{list}}", "View notices");
}
