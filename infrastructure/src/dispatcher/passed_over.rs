//! When to try again for abandoned rows that could not be had: this process was still sending to their recipients.

use chrono::TimeDelta;

/// The last try that got nothing.
#[derive(Debug, Default)]
pub(super) struct PassedOver(Option<Vain>);

#[derive(Debug)]
struct Vain {
    /// To whom this process was sending then.
    busy: Vec<String>,
    /// By the stopwatch.
    at: TimeDelta,
}

impl PassedOver {
    /// Whether a try may get more than the last one: a recipient is free again, or so much time went by that other rows may
    /// have been abandoned. Each try is a transaction that writes.
    pub(super) fn is_worth_a_try(&self, busy: &[String], at: TimeDelta, pause: TimeDelta) -> bool {
        let Some(vain) = &self.0 else { return true };
        at - vain.at >= pause || vain.busy.iter().any(|recipient| !busy.contains(recipient))
    }

    /// Notes what came of a try.
    pub(super) fn tried(&mut self, got: usize, busy: Vec<String>, at: TimeDelta) {
        // Where nobody was spared, somebody else was faster: nothing tells when that is over.
        self.0 = (got == 0 && !busy.is_empty()).then_some(Vain { busy, at });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: TimeDelta = TimeDelta::seconds(1);

    fn after(got: usize, busy: &[&str]) -> PassedOver {
        let mut passed_over = PassedOver::default();
        passed_over.tried(got, names(busy), TimeDelta::zero());
        passed_over
    }

    fn names(recipients: &[&str]) -> Vec<String> {
        recipients.iter().map(|one| (*one).to_owned()).collect()
    }

    #[test]
    fn nobody_tries_in_vain_until_a_recipient_is_free_or_time_went_by() {
        for (passed_over, busy, milliseconds, expected) in [
            (PassedOver::default(), &["a"][..], 0, true),
            (after(1, &["a"]), &["a"], 0, true),
            (after(0, &[]), &[], 0, true),
            (after(0, &["a", "b"]), &["a", "b"], 1, false),
            (after(0, &["a", "b"]), &["a", "b", "c"], 999, false),
            (after(0, &["a", "b"]), &["b"], 1, true),
            (after(0, &["a", "b"]), &["b", "c"], 1, true),
            (after(0, &["a", "b"]), &["a", "b"], 1000, true),
        ] {
            let at = TimeDelta::milliseconds(milliseconds);
            let found = passed_over.is_worth_a_try(&names(busy), at, PAUSE);
            assert_eq!(found, expected, "{passed_over:?} {busy:?} {milliseconds}");
        }
    }
}
