//! The table of settings: what there is, and of what kind. Unknown keys are mistakes because of this table.

use std::sync::LazyLock;

use application::texts::kinds;

/// How a setting is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Text.
    Text,
    /// Text that must not stand in `leadwire.toml` and is never printed.
    Secret,
    /// Text that may hold a password and is printed without it.
    Address,
    /// A whole number.
    Number,
    /// Texts; in the environment separated by commas.
    Texts,
    /// Whole numbers; in the environment separated by commas.
    Numbers,
    /// Texts by name; in the environment `name=text` separated by commas.
    Table,
}

/// Every setting, in the order in which it is printed.
pub(super) const KEYS: &[(&str, Kind)] = &[
    ("server.listen", Kind::Text),
    ("server.allowed_origins", Kind::Texts),
    ("server.body_bytes_max", Kind::Number),
    ("server.public_url", Kind::Address),
    ("server.metrics_listen", Kind::Text),
    ("database.url", Kind::Address),
    ("database.url_file", Kind::Text),
    ("database.postgres_connections", Kind::Number),
    ("database.sqlite_readers", Kind::Number),
    ("auth.jwt_secret", Kind::Secret),
    ("auth.jwt_secret_file", Kind::Text),
    ("auth.token_seconds", Kind::Number),
    ("auth.issuer.name", Kind::Text),
    ("auth.issuer.audience", Kind::Text),
    ("auth.issuer.jwks_url", Kind::Address),
    ("auth.issuer.public_key_file", Kind::Text),
    ("auth.issuer.username_claim", Kind::Text),
    ("protection.login_per_minute", Kind::Number),
    ("protection.public_form_per_minute", Kind::Number),
    ("protection.registrations_per_minute", Kind::Number),
    ("protection.trusted_proxies", Kind::Texts),
    ("protection.hsts_seconds", Kind::Number),
    ("limits.holding_cap", Kind::Number),
    ("limits.holding_cap_by_role", Kind::Table),
    ("limits.cap_ignores_signed", Kind::Text),
    ("limits.assignments_held_to_cap", Kind::Text),
    ("limits.claims_per_day", Kind::Number),
    ("limits.claim_gap_seconds", Kind::Number),
    ("limits.cool_off_hours", Kind::Number),
    ("limits.awaited_moves", Kind::Number),
    ("limits.zone", Kind::Text),
    ("limits.website_owner", Kind::Text),
    ("wechat_subscribe.appid", Kind::Text),
    ("wechat_subscribe.secret", Kind::Secret),
    ("wechat_subscribe.secret_file", Kind::Text),
    ("wechat_subscribe.template", Kind::Text),
    ("wechat_subscribe.page", Kind::Text),
    ("wechat_subscribe.fields", Kind::Table),
    ("wechat_subscribe.miniprogram_state", Kind::Text),
    ("wechat_subscribe.base_url", Kind::Address),
    ("wechat_subscribe.connect_timeout_ms", Kind::Number),
    ("wechat_subscribe.request_timeout_ms", Kind::Number),
    ("wechat_cloud.appid", Kind::Text),
    ("wechat_cloud.secret", Kind::Secret),
    ("wechat_cloud.secret_file", Kind::Text),
    ("wechat_cloud.env", Kind::Text),
    ("wechat_cloud.function", Kind::Text),
    ("wechat_cloud.base_url", Kind::Address),
    ("wechat_cloud.connect_timeout_ms", Kind::Number),
    ("wechat_cloud.request_timeout_ms", Kind::Number),
    ("wechat_official.appid", Kind::Text),
    ("wechat_official.secret", Kind::Secret),
    ("wechat_official.secret_file", Kind::Text),
    ("wechat_official.kind", Kind::Text),
    ("wechat_official.template", Kind::Text),
    ("wechat_official.fields", Kind::Table),
    ("wechat_official.mini_program_appid", Kind::Text),
    ("wechat_official.mini_program_page", Kind::Text),
    ("wechat_official.base_url", Kind::Address),
    ("wechat_official.connect_timeout_ms", Kind::Number),
    ("wechat_official.request_timeout_ms", Kind::Number),
    ("wecom_app.corpid", Kind::Text),
    ("wecom_app.agentid", Kind::Number),
    ("wecom_app.secret", Kind::Secret),
    ("wecom_app.secret_file", Kind::Text),
    ("wecom_app.kind", Kind::Text),
    ("wecom_app.base_url", Kind::Address),
    ("wecom_app.connect_timeout_ms", Kind::Number),
    ("wecom_app.request_timeout_ms", Kind::Number),
    ("wecom_robot.key", Kind::Secret),
    ("wecom_robot.key_file", Kind::Text),
    ("wecom_robot.name", Kind::Text),
    ("wecom_robot.corpid", Kind::Text),
    ("wecom_robot.kind", Kind::Text),
    ("wecom_robot.base_url", Kind::Address),
    ("wecom_robot.connect_timeout_ms", Kind::Number),
    ("wecom_robot.request_timeout_ms", Kind::Number),
    (DEFAULT_ROUTE, Kind::Texts),
    ("callbacks.mini_program.token", Kind::Secret),
    ("callbacks.mini_program.token_file", Kind::Text),
    ("callbacks.mini_program.aes_key", Kind::Secret),
    ("callbacks.mini_program.aes_key_file", Kind::Text),
    ("callbacks.official.token", Kind::Secret),
    ("callbacks.official.token_file", Kind::Text),
    ("callbacks.official.aes_key", Kind::Secret),
    ("callbacks.official.aes_key_file", Kind::Text),
    ("callbacks.wecom.token", Kind::Secret),
    ("callbacks.wecom.token_file", Kind::Text),
    ("callbacks.wecom.aes_key", Kind::Secret),
    ("callbacks.wecom.aes_key_file", Kind::Text),
    ("webhook.secret", Kind::Secret),
    ("webhook.secret_file", Kind::Text),
    ("webhook.previous_secret", Kind::Secret),
    ("webhook.previous_secret_file", Kind::Text),
    ("delivery.retry_seconds", Kind::Numbers),
    ("delivery.jitter_percent", Kind::Number),
    ("delivery.busy_answers_max", Kind::Number),
    ("delivery.fallback_seconds", Kind::Number),
    ("delivery.unknown", Kind::Table),
    ("schedules.self_check", Kind::Text),
    ("schedules.lead_transfer", Kind::Text),
    ("schedules.transfer_runs", Kind::Text),
    ("schedules.recycle", Kind::Text),
    ("schedules.recycle_runs", Kind::Text),
    ("schedules.follow_up_due", Kind::Text),
    ("log.format", Kind::Text),
    ("log.filter", Kind::Text),
];

/// The route of what somebody now has to act on.
pub(super) const DEFAULT_ROUTE: &str = "routes.default";

/// The routes of single types of notices; beside those in [`KEYS`], one for every type there is.
static ROUTES: LazyLock<Vec<String>> =
    LazyLock::new(|| kinds::ALL.iter().map(|scene| format!("routes.{scene}")).collect());

/// The settings of single types of notices, e.g. `routes.CUSTOMER_ASSIGNED`.
pub(super) fn route_keys() -> impl Iterator<Item = &'static str> {
    ROUTES.iter().map(String::as_str)
}

/// Names that system A gave its variables; Leadwire's own name wins.
pub(super) const NAMES_OF_A: [(&str, &str); 6] = [
    ("MINIPROGRAM_APPID", "wechat_subscribe.appid"),
    ("MINIPROGRAM_APPSECRET", "wechat_subscribe.secret"),
    ("MINIPROGRAM_CLOUD_ENV", "wechat_cloud.env"),
    ("WECHAT_APPID", "wechat_official.appid"),
    ("WECHAT_APPSECRET", "wechat_official.secret"),
    ("WECHAT_TPL_LEAD_ASSIGN", "wechat_official.template"),
];

/// What Leadwire's own variables begin with.
pub(super) const PREFIX: &str = "LEADWIRE_";

/// What stands between section and key in a variable; a variable without it is none of ours.
pub(super) const SEPARATOR: &str = "__";

/// Every setting there is, those of [`KEYS`] first.
pub(super) fn all() -> impl Iterator<Item = (&'static str, Kind)> {
    KEYS.iter().copied().chain(route_keys().map(|path| (path, Kind::Texts)))
}

/// The section that holds one section for each source of members.
const SOURCES: &str = "intake.";

/// The settings of every source of members: `intake.NAME.url` and so on, under the names that the operator gives them.
pub(super) const SOURCE_KEYS: [(&str, Kind); 12] = [
    ("url", Kind::Address),
    ("url_file", Kind::Text),
    ("table", Kind::Text),
    ("mapping", Kind::Text),
    ("mode", Kind::Text),
    ("batch", Kind::Number),
    ("attempts", Kind::Number),
    ("lease_seconds", Kind::Number),
    ("interval_seconds", Kind::Number),
    ("retention_days", Kind::Number),
    ("reconcile_hours", Kind::Number),
    ("alarm_seconds", Kind::Number),
];

/// The kind of a setting of a source; `None` when the path is none.
pub(super) fn source_kind(path: &str) -> Option<Kind> {
    let (_, key) = path.strip_prefix(SOURCES)?.split_once('.')?;
    SOURCE_KEYS.iter().find(|(known, _)| *known == key).map(|(_, kind)| *kind)
}

/// The kind of a setting; `None` when there is no such setting.
pub(super) fn kind(path: &str) -> Option<Kind> {
    all().find(|(known, _)| *known == path).map(|(_, kind)| kind).or_else(|| source_kind(path))
}

/// The variable that sets a setting.
pub(super) fn variable(path: &str) -> String {
    format!("{PREFIX}{}", path.replace('.', SEPARATOR).to_uppercase())
}

/// The setting that a variable sets, whether it exists or not; `None` when the variable is none of ours.
pub(super) fn path(variable: &str) -> Option<String> {
    let rest = variable.strip_prefix(PREFIX)?;
    rest.contains(SEPARATOR).then(|| rest.to_lowercase().replace(SEPARATOR, "."))
}
