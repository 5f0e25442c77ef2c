//! The table of settings: what there is, and of what kind. Unknown keys are mistakes because of this table.

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
    ("database.url", Kind::Address),
    ("database.url_file", Kind::Text),
    ("database.postgres_connections", Kind::Number),
    ("database.sqlite_readers", Kind::Number),
    ("auth.jwt_secret", Kind::Secret),
    ("auth.jwt_secret_file", Kind::Text),
    ("auth.token_seconds", Kind::Number),
    ("auth.issuer.name", Kind::Text),
    ("auth.issuer.audience", Kind::Text),
    ("auth.issuer.jwks_url", Kind::Text),
    ("auth.issuer.public_key_file", Kind::Text),
    ("auth.issuer.username_claim", Kind::Text),
    ("protection.login_per_minute", Kind::Number),
    ("protection.public_form_per_minute", Kind::Number),
    ("protection.trusted_proxies", Kind::Texts),
    ("protection.hsts_seconds", Kind::Number),
    ("limits.holding_cap", Kind::Number),
    ("limits.holding_cap_by_role", Kind::Table),
    ("limits.assignments_held_to_cap", Kind::Text),
    ("limits.claims_per_day", Kind::Number),
    ("limits.claim_gap_seconds", Kind::Number),
    ("limits.cool_off_hours", Kind::Number),
    ("limits.zone", Kind::Text),
    ("limits.website_owner", Kind::Text),
    ("wechat_subscribe.appid", Kind::Text),
    ("wechat_subscribe.secret", Kind::Secret),
    ("wechat_subscribe.secret_file", Kind::Text),
    ("wechat_subscribe.template", Kind::Text),
    ("wechat_subscribe.page", Kind::Text),
    ("wechat_subscribe.fields", Kind::Table),
    ("wechat_subscribe.miniprogram_state", Kind::Text),
    ("wechat_subscribe.base_url", Kind::Text),
    ("wechat_subscribe.connect_timeout_ms", Kind::Number),
    ("wechat_subscribe.request_timeout_ms", Kind::Number),
    ("delivery.retry_seconds", Kind::Numbers),
    ("delivery.jitter_percent", Kind::Number),
    ("delivery.busy_answers_max", Kind::Number),
    ("log.format", Kind::Text),
    ("log.filter", Kind::Text),
];

/// Names that system A gave its variables; Leadwire's own name wins.
pub(super) const NAMES_OF_A: [(&str, &str); 2] =
    [("MINIPROGRAM_APPID", "wechat_subscribe.appid"), ("MINIPROGRAM_APPSECRET", "wechat_subscribe.secret")];

/// What Leadwire's own variables begin with.
pub(super) const PREFIX: &str = "LEADWIRE_";

/// What stands between section and key in a variable; a variable without it is none of ours.
pub(super) const SEPARATOR: &str = "__";

/// The kind of a setting; `None` when there is no such setting.
pub(super) fn kind(path: &str) -> Option<Kind> {
    KEYS.iter().find(|(known, _)| *known == path).map(|(_, kind)| *kind)
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
