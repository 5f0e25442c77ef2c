//! The events of a customer in words, for people who ask what happened to it (http-api.md section 2).
//!
//! The words name people, codes and fields, never what a field holds: whoever may see the row may read them. What a
//! field held before and after stands in the operation log, which administrators read.

use domain::customer::{
    AssignmentSource, CustomerCreated, CustomerEvent, CustomerReleased, FOLLOW_UP_REMINDER, ProfilePatch,
    RECYCLE_RULE, TRANSFER_RULE, is_system_note,
};
use domain::recycle_rule::RecycleKind;
use domain::{Actor, StaffId};

use crate::forms::label;

#[cfg(test)]
mod tests;

/// What stands before the name of a part of the system that acted, as in system A's `系统-官网`.
pub const SYSTEM_PREFIX: &str = "系统-";

/// Somebody whose account nobody can find.
const UNKNOWN: Line<'static> = Line { zh: "未知", en: "somebody unknown" };

struct Line<'t> {
    zh: &'t str,
    en: &'t str,
}

/// The same sentence in both languages; its subject is whoever acted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// 中文.
    pub zh: String,
    /// English.
    pub en: String,
}

impl Words {
    fn of(zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self { zh: zh.into(), en: en.into() }
    }

    /// With the reason that was given, if one was.
    fn because(mut self, reason: Option<&str>) -> Self {
        if let Some(reason) = reason.map(str::trim).filter(|reason| !reason.is_empty()) {
            self = self.because_in(reason, reason);
        }
        self
    }

    /// With a reason that is said otherwise in each language.
    fn because_in(mut self, zh: &str, en: &str) -> Self {
        self.zh.extend(["，原因：", zh]);
        self.en.extend([", reason: ", en]);
        self
    }
}

domain::code_table! {
    /// System A's word for what happened (existing-systems.md section 1.2).
    OperationType {
        /// 创建客户
        Create = "create",
        /// 更新客户
        Update = "update",
        /// 删除客户
        Delete = "delete",
        /// 分配客户
        Assign = "assign",
        /// 释放到公海
        ReleaseToPool = "release_to_pool",
        /// 从公海领取
        ClaimFromPool = "claim_from_pool",
        /// 添加跟进记录
        CreateFollowUp = "create_follow_up",
        /// 变更客户状态
        ChangeStatus = "change_status",
        /// 变更线索等级
        ChangeLeadLevel = "change_lead_level",
        /// 批量分配客户
        BatchAssign = "batch_assign",
        /// 冻结线索
        Freeze = "freeze",
        /// 解冻线索
        Unfreeze = "unfreeze",
        /// 自动流转与提醒
        Other = "other",
    }
}

impl OperationType {
    /// What an event was.
    pub fn of(event: &CustomerEvent) -> Self {
        match event {
            CustomerEvent::Created(_) => Self::Create,
            CustomerEvent::Updated(_) => Self::Update,
            CustomerEvent::StatusChanged(_) => Self::ChangeStatus,
            CustomerEvent::LevelChanged(_) => Self::ChangeLeadLevel,
            CustomerEvent::Assigned(e) => Self::of_assignment(e.source),
            CustomerEvent::Transferred(e) => Self::of_assignment(e.source),
            CustomerEvent::Claimed(_) => Self::ClaimFromPool,
            CustomerEvent::Released(_) | CustomerEvent::Recycled(_) => Self::ReleaseToPool,
            CustomerEvent::Frozen(_) => Self::Freeze,
            CustomerEvent::Unfrozen(_) => Self::Unfreeze,
            CustomerEvent::AutoTransferEnabled(_)
            | CustomerEvent::AutoTransferDisabled(_)
            | CustomerEvent::RecycleWarned(_)
            | CustomerEvent::FollowUpDue(_) => Self::Other,
            CustomerEvent::FollowedUp(_) => Self::CreateFollowUp,
            CustomerEvent::Deleted(_) => Self::Delete,
        }
    }

    fn of_assignment(source: AssignmentSource) -> Self {
        match source {
            AssignmentSource::Batch(_) | AssignmentSource::PoolBatch(_) => Self::BatchAssign,
            AssignmentSource::Create
            | AssignmentSource::Manual
            | AssignmentSource::MiniProgram
            | AssignmentSource::Pool
            | AssignmentSource::Import(_)
            | AssignmentSource::Rule(_) => Self::Assign,
        }
    }

    /// What it is called on screens.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Create => "创建客户",
            Self::Update => "更新客户",
            Self::Delete => "删除客户",
            Self::Assign => "分配客户",
            Self::ReleaseToPool => "释放到公海",
            Self::ClaimFromPool => "从公海领取",
            Self::CreateFollowUp => "添加跟进记录",
            Self::ChangeStatus => "变更客户状态",
            Self::ChangeLeadLevel => "变更线索等级",
            Self::BatchAssign => "批量分配客户",
            Self::Freeze => "冻结线索",
            Self::Unfreeze => "解冻线索",
            Self::Other => "自动流转与提醒",
        }
    }
}

/// What a part of the system is called on screens.
pub fn part(name: &str) -> &str {
    match name {
        TRANSFER_RULE => "自动流转",
        RECYCLE_RULE => "自动回收",
        FOLLOW_UP_REMINDER => "跟进提醒",
        other => other,
    }
}

/// Who acted.
pub fn actor(event: &CustomerEvent) -> Actor {
    match event {
        CustomerEvent::Created(e) => e.by.clone(),
        CustomerEvent::Updated(e) => e.by.clone(),
        CustomerEvent::StatusChanged(e) => e.by.clone(),
        CustomerEvent::LevelChanged(e) => e.by.clone(),
        CustomerEvent::Assigned(e) => e.by.clone(),
        CustomerEvent::Transferred(e) => e.by.clone(),
        CustomerEvent::Claimed(e) => Actor::Staff(e.by),
        CustomerEvent::Released(e) => e.by.clone(),
        CustomerEvent::Recycled(_) | CustomerEvent::RecycleWarned(_) => {
            Actor::System(RECYCLE_RULE.to_owned())
        }
        CustomerEvent::FollowUpDue(_) => Actor::System(FOLLOW_UP_REMINDER.to_owned()),
        CustomerEvent::Frozen(e) => e.by.clone(),
        CustomerEvent::Unfrozen(e) => e.by.clone(),
        CustomerEvent::AutoTransferEnabled(e) => e.by.clone(),
        CustomerEvent::AutoTransferDisabled(e) => e.by.clone(),
        CustomerEvent::FollowedUp(e) => e.by.clone(),
        CustomerEvent::Deleted(e) => e.by.clone(),
    }
}

/// The people whose names the words need, whoever acted included.
pub fn people(event: &CustomerEvent) -> Vec<StaffId> {
    let others = match event {
        CustomerEvent::Assigned(e) => vec![e.to],
        CustomerEvent::Transferred(e) => vec![e.from, e.to],
        CustomerEvent::Released(e) => vec![e.from],
        CustomerEvent::Recycled(e) => vec![e.from],
        CustomerEvent::RecycleWarned(e) => vec![e.to],
        CustomerEvent::FollowUpDue(e) => vec![e.to],
        _ => vec![],
    };
    actor(event).staff().into_iter().chain(others).collect()
}

/// The event in words. `name` finds what people are called.
pub fn words(event: &CustomerEvent, name: &dyn Fn(StaffId) -> Option<String>) -> Words {
    match event {
        CustomerEvent::Created(e) => created(e),
        CustomerEvent::Updated(e) => updated(&e.changes),
        CustomerEvent::StatusChanged(e) => Words::of(
            format!("客户状态：{} → {}", e.from, e.to),
            format!("contract status: {} → {}", e.from, e.to),
        ),
        CustomerEvent::LevelChanged(e) => Words::of(
            format!("线索等级：{} → {}", e.from, e.to),
            format!("lead level: {} → {}", e.from, e.to),
        ),
        CustomerEvent::Assigned(e) => {
            let (zh, en) = named(e.to, name);
            let (from_zh, from_en) =
                if e.out_of_pool { ("从公海", " out of the public pool") } else { ("", "") };
            let (how_zh, how_en) = path(e.source);
            Words::of(
                format!("{from_zh}{how_zh}分配给 {zh}"),
                format!("assigned it{from_en} to {en}{how_en}"),
            )
            .because(e.reason.as_deref())
        }
        CustomerEvent::Transferred(e) => {
            let ((from_zh, from_en), (to_zh, to_en)) = (named(e.from, name), named(e.to, name));
            let (how_zh, how_en) = path(e.source);
            let zh = format!("{how_zh}由 {from_zh} 转给 {to_zh}");
            Words::of(zh, format!("handed it on from {from_en} to {to_en}{how_en}"))
                .because(e.reason.as_deref())
        }
        CustomerEvent::Claimed(_) => Words::of("从公海领取了客户", "claimed it from the public pool"),
        CustomerEvent::Released(e) => released(e, name),
        CustomerEvent::Recycled(e) => {
            let (zh, en) = named(e.from, name);
            let en = format!("recycled {en}'s customer to the public pool");
            Words::of(format!("将 {zh} 的客户回收到公海"), en).because_in(
                &e.reason,
                &RecycleKind::reason_in_english(&e.reason).unwrap_or_else(|| e.reason.clone()),
            )
        }
        CustomerEvent::RecycleWarned(e) => {
            let ((zh, en), hours) = (named(e.to, name), e.offset_hours);
            Words::of(
                format!("提前 {hours} 小时提醒 {zh}：客户将被回收到公海"),
                format!("warned {en} that it goes back to the public pool in {hours} hours"),
            )
        }
        CustomerEvent::FollowUpDue(e) => {
            let (zh, en) = named(e.to, name);
            Words::of(format!("提醒 {zh} 跟进客户"), format!("reminded {en} to follow up"))
        }
        CustomerEvent::Frozen(e) => Words::of("冻结了线索", "froze it").because(e.reason.as_deref()),
        CustomerEvent::Unfrozen(e) => Words::of("解冻了线索", "unfroze it").because(e.reason.as_deref()),
        CustomerEvent::AutoTransferEnabled(_) => Words::of("允许自动流转", "allowed automatic moves"),
        CustomerEvent::AutoTransferDisabled(_) => Words::of("禁止自动流转", "forbade automatic moves"),
        CustomerEvent::FollowedUp(e) if is_system_note(e.kind, &e.content) => {
            Words::of("写入了系统备注", "left a system note")
        }
        CustomerEvent::FollowedUp(e) => {
            Words::of(format!("添加了跟进记录（{}）", e.kind.label()), format!("followed up ({})", e.kind))
        }
        CustomerEvent::Deleted(_) => Words::of("删除了客户", "deleted it"),
    }
}

fn created(e: &CustomerCreated) -> Words {
    let words = match e.import {
        Some(_) => Words::of("通过文件导入了客户", "imported it with a file"),
        None => Words::of("创建了客户", "created it"),
    };
    match e.pooled.as_deref() {
        Some(reason) => {
            let Words { zh, en } = words;
            Words::of(format!("{zh}并放入公海"), format!("{en} in the public pool")).because(Some(reason))
        }
        None => words,
    }
}

fn updated(changes: &ProfilePatch) -> Words {
    let fields = serde_json::to_value(changes).ok();
    let fields: Vec<&String> =
        fields.as_ref().and_then(|fields| fields.as_object()).into_iter().flat_map(|f| f.keys()).collect();
    let zh: Vec<&str> = fields.iter().map(|field| label(field)).collect();
    let en: Vec<&str> = fields.iter().map(|field| field.as_str()).collect();
    Words::of(format!("修改了{}", zh.join("、")), format!("changed {}", en.join(", ")))
}

fn released(e: &CustomerReleased, name: &dyn Fn(StaffId) -> Option<String>) -> Words {
    let own = e.by == Actor::Staff(e.from);
    let words = if own {
        Words::of("释放到公海", "released it to the public pool")
    } else {
        let (zh, en) = named(e.from, name);
        Words::of(format!("将 {zh} 的客户释放到公海"), format!("released {en}'s customer to the public pool"))
    };
    words.because(Some(&e.reason))
}

/// By which path somebody was given it.
fn path(source: AssignmentSource) -> (&'static str, &'static str) {
    match source {
        AssignmentSource::Create => ("创建时", " with its creation"),
        AssignmentSource::Manual | AssignmentSource::Pool => ("", ""),
        AssignmentSource::MiniProgram => ("在小程序中", " in the mini program"),
        AssignmentSource::Batch(_) | AssignmentSource::PoolBatch(_) => ("批量", " with a batch"),
        AssignmentSource::Import(_) => ("导入时", " with the import"),
        AssignmentSource::Rule(_) => ("按流转规则", " by a transfer rule"),
    }
}

fn named(id: StaffId, name: &dyn Fn(StaffId) -> Option<String>) -> (String, String) {
    match name(id) {
        Some(name) => (name.clone(), name),
        None => (UNKNOWN.zh.to_owned(), UNKNOWN.en.to_owned()),
    }
}
