//! How events that older programs wrote are read today: one step for each version that an event has left behind.

use infrastructure::upcasters::Upcasters;
use serde_json::Value;

/// Every step there is.
pub(super) fn upcasters() -> Upcasters {
    Upcasters::none().step("RecycleRuleEnabled", 1, begins_at_the_earliest_when_it_was_switched_on)
}

/// At first a rule counted from the moment on at which it was switched on again, and its event said nothing of it.
fn begins_at_the_earliest_when_it_was_switched_on(mut event: Value) -> Value {
    let at = event["at"].clone();
    if let Some(event) = event.as_object_mut() {
        event.entry("effective_from").or_insert(at);
    }
    event
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use domain::recycle_rule::RecycleRuleEvent;
    use serde_json::value::RawValue;

    use super::*;

    /// What stands in people's databases: `domain/tests/event_samples.rs`.
    fn stored(sample: &str) -> Box<RawValue> {
        let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../domain/tests/samples");
        let text = std::fs::read_to_string(samples.join(sample)).unwrap();
        let (_, payload) = text.split_once("\n---\n").unwrap();
        RawValue::from_string(payload.trim().to_owned()).unwrap()
    }

    fn enabled(version: i32, sample: &str) -> RecycleRuleEvent {
        upcasters().payload("RecycleRuleEnabled", version, &stored(sample)).unwrap()
    }

    #[test]
    fn a_rule_that_was_switched_on_before_anybody_was_warned_counts_from_then_on() {
        let RecycleRuleEvent::Enabled(event) = enabled(1, "RecycleRuleEnabled.v1.snap") else { panic!() };
        assert_eq!(event.effective_from, event.at);
    }

    #[test]
    fn a_moment_that_the_first_version_named_stays() {
        let today = enabled(2, "RecycleRuleEnabled.v2.snap");
        assert_eq!(enabled(1, "RecycleRuleEnabled.v1.warned.snap"), today);
        let RecycleRuleEvent::Enabled(event) = today else { panic!() };
        assert!(event.effective_from > event.at);
    }
}
