//! What this process counts about its work, for Prometheus. Labels are code tables: channels, outcomes, classes; never a
//! person, an openid or an id.
//!
//! Counters and histograms live here from the start of the process. What the database knows better (queues, consumers,
//! health) is asked for when somebody looks: [`crate::http::metrics`].

use std::time::Duration;

use application::delivery::Outcome;
use chrono::{DateTime, Utc};
use domain::notification::{Channel, FailureClass};
use infrastructure::dispatcher::Observer;
use infrastructure::signed_messages::SignedWith;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

/// First bucket of a time: 5 ms.
const FIRST_BUCKET_SECONDS: f64 = 0.005;
/// Buckets, each twice as long as the one before: up to 82 s.
const BUCKETS: u16 = 15;

/// One channel.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfChannel {
    channel: &'static str,
}

/// One channel and how an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    channel: &'static str,
    outcome: &'static str,
    class: &'static str,
}

/// One channel and who must act.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Rested {
    channel: &'static str,
    class: &'static str,
}

/// Why a message of members is not believed, or cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotBelieved {
    /// No service token, or none that is good.
    NoToken,
    /// The token is for something else.
    OtherScope,
    /// No secret is configured.
    NotConfigured,
    /// Timestamp or signature is missing or is none.
    Incomplete,
    /// It was sent too long ago, or will be.
    OutsideWindow,
    /// The signature is not that of whoever knows the secret.
    Forged,
    /// The signature was used before.
    Replayed,
    /// It is signed, and no message.
    Malformed,
}

impl NotBelieved {
    /// Every reason, in the order of the checks.
    const ALL: [Self; 8] = [
        Self::NoToken,
        Self::OtherScope,
        Self::NotConfigured,
        Self::Incomplete,
        Self::OutsideWindow,
        Self::Forged,
        Self::Replayed,
        Self::Malformed,
    ];

    /// The name in metrics, logs and details.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoToken => "no_token",
            Self::OtherScope => "other_scope",
            Self::NotConfigured => "not_configured",
            Self::Incomplete => "incomplete",
            Self::OutsideWindow => "outside_window",
            Self::Forged => "forged",
            Self::Replayed => "replayed",
            Self::Malformed => "malformed",
        }
    }
}

/// Why something was refused.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refused {
    reason: &'static str,
}

/// With which secret something was signed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Believed {
    secret: &'static str,
}

/// The counters of this process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    attempts: Family<Ended, Counter>,
    waited: Family<OfChannel, Histogram>,
    calls: Family<OfChannel, Histogram>,
    rests: Family<Rested, Counter>,
    recoveries: Family<OfChannel, Counter>,
    believed: Family<Believed, Counter>,
    not_believed: Family<Refused, Counter>,
}

fn seconds() -> Histogram {
    Histogram::new(exponential_buckets(FIRST_BUCKET_SECONDS, 2.0, BUCKETS))
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("leadwire");
        let (attempts, rests) = (Family::<Ended, Counter>::default(), Family::<Rested, Counter>::default());
        let waited = Family::<OfChannel, Histogram>::new_with_constructor(seconds);
        let calls = Family::<OfChannel, Histogram>::new_with_constructor(seconds);
        let recoveries = Family::<OfChannel, Counter>::default();
        registry.register("delivery_attempts", "Attempts by how they ended", attempts.clone());
        let help = "From the moment a delivery was due until the provider was called";
        registry.register_with_unit("delivery_wait", help, Unit::Seconds, waited.clone());
        let help = "How long the provider took to answer";
        registry.register_with_unit("provider_call", help, Unit::Seconds, calls.clone());
        registry.register("channel_rests", "How often a channel was left alone for a while", rests.clone());
        let help = "How often a channel worked again after a rest";
        registry.register("channel_recoveries", help, recoveries.clone());
        let not_believed = Family::<Refused, Counter>::default();
        let help = "Messages of members that were not believed, or could not be read";
        registry.register("member_messages_refused", help, not_believed.clone());
        for why in NotBelieved::ALL {
            // There from the start, so that an alarm sees the first one.
            drop(not_believed.get_or_create(&Refused { reason: why.as_str() }));
        }
        let believed = Family::<Believed, Counter>::default();
        let help = "Messages of members that were believed, by the secret they are signed with";
        registry.register("member_messages_believed", help, believed.clone());
        for secret in SignedWith::ALL {
            drop(believed.get_or_create(&Believed { secret: secret.as_str() }));
        }
        Self { registry, attempts, waited, calls, rests, recoveries, believed, not_believed }
    }
}

impl Metrics {
    /// What is written down when somebody looks.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Counts a message of members that is believed: as long as the previous secret counts, somebody signs with it.
    pub fn believed(&self, signed_with: SignedWith) {
        self.believed.get_or_create(&Believed { secret: signed_with.as_str() }).inc();
    }

    /// Counts a message of members that is not believed.
    pub fn not_believed(&self, why: NotBelieved) {
        self.not_believed.get_or_create(&Refused { reason: why.as_str() }).inc();
    }
}

/// Outcome and class as labels.
fn labels(outcome: &Outcome) -> (&'static str, &'static str) {
    match outcome {
        Outcome::Accepted { .. } => ("accepted", ""),
        Outcome::Rejected(failure) => ("rejected", failure.class.as_str()),
        Outcome::Retry { failure, .. } => ("retry", failure.class.as_str()),
        Outcome::Unknown(failure) => ("unknown", failure.class.as_str()),
    }
}

impl Observer for Metrics {
    fn started(&self, channel: Channel, waited: Duration) {
        let channel = OfChannel { channel: channel.as_str() };
        self.waited.get_or_create(&channel).observe(waited.as_secs_f64());
    }

    fn ended(&self, channel: Channel, outcome: &Outcome, took: Duration) {
        let channel = channel.as_str();
        let (outcome, class) = labels(outcome);
        self.attempts.get_or_create(&Ended { channel, outcome, class }).inc();
        self.calls.get_or_create(&OfChannel { channel }).observe(took.as_secs_f64());
    }

    fn rested(&self, channel: Channel, class: FailureClass, _until: DateTime<Utc>) {
        let rested = Rested { channel: channel.as_str(), class: class.as_str() };
        self.rests.get_or_create(&rested).inc();
    }

    fn recovered(&self, channel: Channel) {
        self.recoveries.get_or_create(&OfChannel { channel: channel.as_str() }).inc();
    }
}

#[cfg(test)]
mod tests {
    use domain::notification::Failure;
    use prometheus_client::encoding::text::encode;

    use super::*;

    #[test]
    fn attempts_are_counted_by_channel_outcome_and_class() {
        let metrics = Metrics::default();
        let failure = Failure { class: FailureClass::Busy, code: Some(-1), detail: "oABC-openid".to_owned() };
        metrics.started(Channel::WecomApp, Duration::from_millis(7));
        metrics.ended(Channel::WecomApp, &Outcome::Unknown(failure), Duration::from_secs(2));
        metrics.rested(Channel::WecomApp, FailureClass::Token, DateTime::UNIX_EPOCH);
        let mut text = String::new();
        encode(&mut text, metrics.registry()).unwrap();
        for line in [
            r#"leadwire_delivery_attempts_total{channel="wecom_app",outcome="unknown",class="busy"} 1"#,
            r#"leadwire_delivery_wait_seconds_bucket{le="0.01",channel="wecom_app"} 1"#,
            r#"leadwire_provider_call_seconds_count{channel="wecom_app"} 1"#,
            r#"leadwire_channel_rests_total{channel="wecom_app",class="token"} 1"#,
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
        assert!(!text.contains("openid"));
    }
}
