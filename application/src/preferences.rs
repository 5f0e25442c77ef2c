//! What a person's preferences and those of the person's role mean for one notice (notifications.md section 5).
//!
//! Three layers, the first that speaks decides: what the person said, what the role says, the default (told at once).
//! Two things stand above them: critical notices are told at once whatever was set, and the inbox is always on. Every
//! answer names the setting that caused it, so that "why was I not told" has an answer.

mod hold;
mod set;
#[cfg(test)]
mod tests;

use domain::notification::{Channel, Priority};
use domain::preferences::{Document, Language, Mode, QuietHours, Rule};

use crate::texts::kinds;

pub use hold::{Hold, HoldReason, decide_hold, quiet_until};
pub use set::{PreferencesRefusal, SettingReceipt, set};

/// Kinds that cannot be turned off, collected or held: who is not told of these may lose the account, or work with
/// rights that are gone.
///
/// A lead that was gained is not among them, urgent as it is: at three in the morning nobody calls a customer, the
/// inbox has it anyway, and the message that comes when the night is over is the one that is read.
pub const CRITICAL: [&str; 2] = [kinds::ACCOUNT_SECURITY, kinds::PERMISSION_CHANGED];

/// Whether notices of this kind pass whatever was set.
pub fn is_critical(scene: &str) -> bool {
    CRITICAL.contains(&scene)
}

/// What stands for "every type" or "every channel" in the name of a setting.
const EVERY: &str = "*";

/// Which setting decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting<'d> {
    /// The kind is critical.
    Critical,
    /// The inbox is always on.
    Inbox,
    /// The person's own rule.
    Own(&'d Rule),
    /// A rule of the person's role.
    Role(&'d Rule),
    /// The notice is urgent, and a digest was asked for without naming its kind.
    Urgent,
    /// Nobody said anything.
    Default,
}

impl std::fmt::Display for Setting<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let named = |f: &mut std::fmt::Formatter<'_>, layer, said: &Rule| {
            let scene = said.scene.as_deref().unwrap_or(EVERY);
            let channel = said.channel.map_or(EVERY, Channel::as_str);
            write!(f, "{layer}:{scene}×{channel}")
        };
        match self {
            Self::Critical => f.write_str("locked:critical"),
            Self::Inbox => f.write_str("locked:inbox"),
            Self::Own(said) => named(f, "preference", said),
            Self::Role(said) => named(f, "role_default", said),
            Self::Urgent => f.write_str("default:urgent"),
            Self::Default => f.write_str("default"),
        }
    }
}

/// How one kind of notice is told through one channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resolved<'d> {
    /// How.
    pub mode: Mode,
    /// Which setting said so.
    pub setting: Setting<'d>,
}

impl Resolved<'_> {
    /// Whether nothing the person sets can change it.
    pub fn is_locked(&self) -> bool {
        matches!(self.setting, Setting::Critical | Setting::Inbox)
    }
}

/// How a notice of this kind and urgency is told through this channel.
///
/// "Everything as a digest" is meant for what can wait: an urgent notice is collected only when a rule names its kind.
pub fn resolve<'d>(
    own: &'d Document,
    role: &'d Document,
    scene: &str,
    channel: Channel,
    priority: Priority,
) -> Resolved<'d> {
    if channel == Channel::InApp {
        return Resolved { mode: Mode::On, setting: Setting::Inbox };
    }
    if is_critical(scene) {
        return Resolved { mode: Mode::On, setting: Setting::Critical };
    }
    let found = own.rule(scene, channel).map(|said| (said, Setting::Own(said)));
    let found = found.or_else(|| role.rule(scene, channel).map(|said| (said, Setting::Role(said))));
    match found {
        Some((said, _))
            if said.mode == Mode::Digest && said.scene.is_none() && priority == Priority::High =>
        {
            Resolved { mode: Mode::On, setting: Setting::Urgent }
        }
        Some((said, setting)) => Resolved { mode: said.mode, setting },
        None => Resolved { mode: Mode::On, setting: Setting::Default },
    }
}

/// The channels to try for this kind, in order, and who said so; `None`: nobody did, the installation's route counts.
pub fn route<'d>(
    own: &'d Document,
    role: &'d Document,
    scene: &str,
) -> Option<(&'d [Channel], &'static str)> {
    let of = |document: &'d Document| document.routes.get(scene).map(Vec::as_slice);
    of(own).map(|route| (route, "preference")).or_else(|| of(role).map(|route| (route, "role_default")))
}

/// The language the person reads.
pub fn language(own: &Document, role: &Document) -> Language {
    own.locale.or(role.locale).unwrap_or_default()
}

/// The quiet hours that count for the person.
pub fn quiet_hours<'d>(own: &'d Document, role: &'d Document) -> Option<&'d QuietHours> {
    own.quiet.as_ref().or(role.quiet.as_ref())
}
