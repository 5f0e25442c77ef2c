//! Which channels exist in this installation, and their settings. A channel that is not configured suppresses its
//! decisions with that reason and changes nothing else (product.md G7).

pub mod wechat_subscribe;

/// Every external channel that is configured.
#[derive(Debug, Clone, Default)]
pub struct ChannelSettings {
    /// The mini program's one-time subscribe messages; `None` when not configured.
    pub wechat_subscribe: Option<wechat_subscribe::Settings>,
}
