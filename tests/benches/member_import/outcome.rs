//! What was measured, as a table for people and as a line for machines.

use std::fmt;

use chrono::TimeDelta;
use serde_json::{Value, json};
use tests::scratch::Backend;

use super::fresh::{Delays, RATE};
use super::{Entered, Way, milliseconds};

/// The bar: from the moment the members are there to the first card.
const FIRST_BAR: TimeDelta = TimeDelta::seconds(5);
/// The bar: the longest that a fresh lead waits from its commit to its call.
const FRESH_BAR: TimeDelta = TimeDelta::seconds(2);

/// Those that were told together.
pub(crate) struct Told {
    /// Cards of one member.
    pub(crate) alone: usize,
    /// Members in digests.
    pub(crate) together: usize,
    /// Digests.
    pub(crate) digests: usize,
    /// How long after its time the first digest was at the provider.
    pub(crate) after: TimeDelta,
    /// How long after that time every member belonged to one.
    pub(crate) marked: TimeDelta,
    /// Fresh leads meanwhile.
    pub(crate) meanwhile: Delays,
}

/// What was measured on one database and by one way.
pub(crate) struct Outcome {
    pub(crate) backend: Backend,
    pub(crate) way: Way,
    pub(crate) rows: usize,
    pub(crate) entered: Entered,
    pub(crate) told: Told,
}

impl Outcome {
    pub(crate) fn holds(&self) -> bool {
        let fresh = [&self.entered.meanwhile, &self.told.meanwhile];
        self.entered.first_card < FIRST_BAR && fresh.iter().all(|delays| delays.quantile(1.0) < FRESH_BAR)
    }

    fn parts(&self) -> [(&'static str, &Delays); 3] {
        let Entered { quiet, meanwhile, .. } = &self.entered;
        [
            ("before", quiet),
            ("while members enter", meanwhile),
            ("while a digest is made", &self.told.meanwhile),
        ]
    }

    /// The same for machines; times in whole milliseconds.
    pub(crate) fn document(&self) -> Value {
        let Entered { first_card, registered, answered, shown, .. } = &self.entered;
        let whole = |time: TimeDelta| time.num_milliseconds();
        let fresh = self.parts().map(|(when, delays)| {
            let [p50, p99, max] = [0.5, 0.99, 1.0].map(|quantile| whole(delays.quantile(quantile)));
            json!({ "when": when, "leads": delays.len(), "p50": p50, "p99": p99, "max": max })
        });
        json!({
            "database": self.backend.name(),
            "way": format!("{:?}", self.way).to_lowercase(),
            "rows": self.rows,
            "firstCard": whole(*first_card),
            "registered": whole(*registered),
            "answered": whole(*answered),
            "shown": whole(*shown),
            "alone": self.told.alone,
            "together": self.told.together,
            "digests": self.told.digests,
            "digestAfter": whole(self.told.after),
            "digestMarked": whole(self.told.marked),
            "fresh": fresh,
            "held": self.holds(),
        })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { backend, rows, entered, told, .. } = self;
        let way = match self.way {
            Way::Table => "rows of a captured table",
            Way::File => "rows of a file",
        };
        let seconds = |time: TimeDelta| milliseconds(time) / 1000.0;
        let each = f64::from(u32::try_from(*rows).unwrap_or(u32::MAX)) / seconds(entered.registered);
        writeln!(f, "{}, {rows} {way}, {RATE} fresh leads a second", backend.name())?;
        writeln!(
            f,
            "  the first card after {:.2} s; all registered after {:.2} s, {each:.0} a second; answered after {:.2} s, in the \
             read models after {:.2} s",
            seconds(entered.first_card),
            seconds(entered.registered),
            seconds(entered.answered),
            seconds(entered.shown)
        )?;
        writeln!(
            f,
            "  {} told by themselves, {} together in {} digests, {:.2} s after its time (all marked after {:.2} s)",
            told.alone,
            told.together,
            told.digests,
            seconds(told.after),
            seconds(told.marked)
        )?;
        writeln!(f, "  fresh leads, from the commit to the call (ms):")?;
        for (when, delays) in self.parts() {
            writeln!(
                f,
                "    {when:<24} {:>6} leads   p50 {:>8.1}   p99 {:>8.1}   max {:>8.1}",
                delays.len(),
                milliseconds(delays.quantile(0.5)),
                milliseconds(delays.quantile(0.99)),
                milliseconds(delays.quantile(1.0))
            )?;
        }
        let word = if self.holds() { "held" } else { "MISSED" };
        writeln!(
            f,
            "  bars: the first card within {} s, no fresh lead waits for {} s: {word}",
            FIRST_BAR.num_seconds(),
            FRESH_BAR.num_seconds()
        )
    }
}
