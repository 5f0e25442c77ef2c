//! What Prometheus learns of the sources of members.

use infrastructure::db::DbError;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::documents;
use crate::app::App;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfSource {
    source: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfRows {
    source: String,
    outcome: &'static str,
}

/// Ages, rows that wait, rows put aside, when the last run ended, and sums.
pub(in crate::http) async fn measure(app: &App, registry: &mut Registry) -> Result<(), DbError> {
    let gauges = Family::<OfSource, Gauge>::default;
    let (oldest, waiting, parked, ended, alarm) = (gauges(), gauges(), gauges(), gauges(), gauges());
    let rows = Family::<OfRows, Gauge>::default();
    let help = "For how long the oldest captured row could have been worked on";
    registry.register_with_unit("intake_oldest_age", help, Unit::Seconds, oldest.clone());
    registry.register("intake_waiting", "Captured rows that wait", waiting.clone());
    registry.register("intake_parked", "Rows of members that were put aside", parked.clone());
    let help = "When the last run on a source ended well, in seconds since 1970";
    registry.register_with_unit("intake_ended", help, Unit::Seconds, ended.clone());
    let help = "1 while somebody should look: a row waits or no run ends well for longer than alarm_seconds, or deletions are held";
    registry.register("intake_alarm", help, alarm.clone());
    registry.register("intake_rows", "Rows of all runs by what came of them", rows.clone());
    for source in documents(app).await? {
        let of = OfSource { source: source.source.clone() };
        oldest.get_or_create(&of).set(source.oldest_seconds.unwrap_or(0));
        waiting.get_or_create(&of).set(source.waiting);
        parked.get_or_create(&of).set(source.parked);
        alarm.get_or_create(&of).set(i64::from(source.alarm));
        if let Some(at) = source.ended_at {
            ended.get_or_create(&of).set(at.0.timestamp());
        }
        for (outcome, count) in [
            ("registered", source.registered),
            ("changed", source.changed),
            ("unchanged", source.unchanged),
            ("contested", source.contested),
        ] {
            rows.get_or_create(&OfRows { source: source.source.clone(), outcome }).set(count);
        }
    }
    Ok(())
}
