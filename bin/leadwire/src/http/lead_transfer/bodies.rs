//! Bodies, for the OpenAPI document; [`application::forms`] reads them.

use utoipa::ToSchema;
use uuid::Uuid;

/// A new rule. System A's values stand for what is missing.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransferCreateRuleBody {
    /// What people call it.
    #[schema(max_length = 100)]
    pub rule_name: String,
    /// Everything else.
    #[serde(flatten)]
    pub rest: TransferRuleBody,
}

/// What changes of a rule; what is missing stays.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransferUpdateRuleBody {
    /// What people call it.
    #[schema(max_length = 100)]
    pub rule_name: Option<String>,
    /// Everything else.
    #[serde(flatten)]
    pub rest: TransferRuleBody,
}

/// What a rule says, but for its name.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransferRuleBody {
    /// What it is for, in words.
    #[schema(max_length = 500)]
    pub description: Option<String>,
    /// Whether it runs.
    pub enabled: Option<bool>,
    /// `customer` or `training`.
    pub target_module: Option<String>,
    /// Which leads.
    pub trigger_conditions: Option<TransferConditionsBody>,
    /// When.
    pub execution_window: Option<TransferWindowBody>,
    /// Whose leads are handed on: the whole list.
    pub source_user_ids: Option<Vec<Uuid>>,
    /// Who gets them: the whole list. Somebody may be in both.
    pub target_user_ids: Option<Vec<Uuid>>,
    /// How they are dealt.
    pub distribution_config: Option<TransferDistributionBody>,
}

/// Which leads a rule hands on.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransferConditionsBody {
    /// Hours it must be idle for.
    #[schema(minimum = 1, maximum = 720, default = 48)]
    pub inactive_hours: Option<u32>,
    /// Hours it rests after a move.
    #[schema(minimum = 0, maximum = 720, default = 24)]
    pub transfer_cooldown_hours: Option<u32>,
    /// How often it may move; 0: any number.
    #[schema(minimum = 0, maximum = 99, default = 0)]
    pub max_transfer_count: Option<u32>,
    /// How far its contract may be; a rule has at least one.
    pub contract_statuses: Option<Vec<String>>,
    /// Where it may come from; empty: from anywhere. 转介绍 never moves.
    pub lead_sources: Option<Vec<String>>,
    /// When it was created; `null`: whenever that was.
    pub created_date_range: Option<TransferDateRangeBody>,
}

/// Days in the zone of the rule, both included.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransferDateRangeBody {
    /// The first day, or an instant on it.
    pub start_date: Option<String>,
    /// The last day, or an instant on it.
    pub end_date: Option<String>,
}

/// When a rule runs.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransferWindowBody {
    /// `false`: at any time.
    #[schema(default = true)]
    pub enabled: Option<bool>,
    /// The first minute, e.g. `09:30`.
    pub start_time: Option<String>,
    /// The last minute, included; before `startTime` it is on the next day.
    pub end_time: Option<String>,
    /// Whose wall clock, e.g. `Asia/Shanghai`.
    pub zone: Option<String>,
}

/// How leads are dealt.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransferDistributionBody {
    /// `balanced-random` or `round-robin`.
    pub strategy: Option<String>,
    /// Whether who gave more than they got is drawn more often.
    #[schema(default = true)]
    pub enable_compensation: Option<bool>,
    /// How much more often.
    #[schema(minimum = 1, maximum = 10, default = 5)]
    pub compensation_priority: Option<u32>,
}

/// Whether a rule runs.
#[derive(ToSchema)]
pub struct TransferToggleBody {
    /// `true`: it does.
    pub enabled: bool,
}

/// What is run by hand.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransferExecuteBody {
    /// This rule, whatever the hour; without it every rule that is on, in its hours.
    pub rule_id: Option<Uuid>,
    /// Most leads of each rule; 0, less or missing: as many as a run takes (10000). A plan has its own number.
    #[schema(minimum = -1, maximum = 10_000)]
    pub batch_size: Option<i64>,
    /// `planHash` of a preview: exactly that plan, or a 409 that lists what changed since.
    #[schema(min_length = 64, max_length = 64)]
    pub plan_hash: Option<String>,
}

/// A rule that is tried on the last days: one that is there, or one as it would be written, not both.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransferWhatIfBody {
    /// How many days.
    #[schema(minimum = 1, maximum = 31)]
    pub days: u32,
    /// A rule that is there; then nothing else is said.
    pub rule_id: Option<Uuid>,
    /// What people would call it. It and its `triggerConditions.contractStatuses` are needed where no rule is named.
    #[schema(max_length = 100)]
    pub rule_name: Option<String>,
    /// Everything else.
    #[serde(flatten)]
    pub rest: TransferRuleBody,
}
