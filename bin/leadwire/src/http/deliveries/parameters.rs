//! What may stand behind the question mark: the list's filters, and a time.

use application::forms::{FieldError, Rule};
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use domain::notification::{Channel, DeliveryState, FailureClass};
use projections::queries::deliveries::{DELIVERIES_MAX, DeliveryFilter};
use projections::queries::statistics::{By, Period, STATISTICS_DAYS_MAX};
use utoipa::IntoParams;
use uuid::Uuid;

use crate::http::problem::{self, Problem};
use crate::http::query::Parameters;
use crate::http::reading::MIN_POSITION;

/// Rows of a page when the caller does not say.
const PAGE: i64 = 50;

/// Days of the statistics when the caller does not say.
const DAYS: i64 = 7;

/// Parameters of the delivery list.
#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub struct DeliveryListQuery {
    /// Where it stands: pending, `in_flight`, accepted, rejected, retry, unknown, delivered, dead, held, merged,
    /// suppressed or cancelled.
    pub state: Option<String>,
    /// The way.
    pub channel: Option<String>,
    /// Type of the notice, e.g. `CUSTOMER_ASSIGNED`.
    #[param(rename = "type")]
    pub kind: Option<String>,
    /// Whose.
    pub recipient: Option<Uuid>,
    /// Who must act on the last failure.
    pub class: Option<String>,
    /// Requested on this day (in China) or at this instant, or later.
    pub from: Option<String>,
    /// Requested on this day (in China) or at this instant, or earlier.
    pub to: Option<String>,
    /// `nextCursor` of the page before.
    pub cursor: Option<String>,
    /// Rows of a page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub limit: Option<u32>,
}

/// Parameters of the statistics.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct StatisticsQuery {
    /// channel, type or day.
    pub by: Option<String>,
    /// The first day, or instant; a week ago when it is missing.
    pub from: Option<String>,
    /// The last day, or instant; now when it is missing.
    pub to: Option<String>,
}

/// Reads the list's filters and how many rows are wanted.
pub(super) fn list(query: Option<&str>, zone: Tz) -> Result<(DeliveryFilter, u32), Problem> {
    let mut parameters = Parameters::of(query);
    parameters.text(MIN_POSITION); // read by its own extractor
    let filter = DeliveryFilter {
        state: parameters.code("state", DeliveryState::ALL),
        channel: parameters.code("channel", Channel::ALL),
        scene: parameters.text("type"),
        recipient: parameters.id("recipient"),
        class: parameters.code("class", FailureClass::ALL),
        from: parameters.first("from", zone),
        to: parameters.last("to", zone),
        cursor: parameters.read("cursor", |text| text.parse().map_err(|_| Rule::Cursor)),
    };
    let limit = parameters.whole("limit", 1..=i64::from(DELIVERIES_MAX)).unwrap_or(PAGE);
    parameters.finish()?;
    Ok((filter, u32::try_from(limit).unwrap_or(DELIVERIES_MAX)))
}

/// Reads what the statistics are about.
pub(super) fn statistics(query: Option<&str>, zone: Tz, now: DateTime<Utc>) -> Result<(By, Period), Problem> {
    let groups = [("channel", By::Channel), ("type", By::Type), ("day", By::Day)];
    let mut parameters = Parameters::of(query);
    parameters.text(MIN_POSITION);
    let by = parameters.word("by", &groups).unwrap_or(By::Channel);
    let until = parameters.last("to", zone).map_or(now, |last| last + TimeDelta::microseconds(1));
    let from = parameters.first("from", zone).unwrap_or(until - TimeDelta::days(DAYS));
    parameters.finish()?;
    if from >= until || until - from > TimeDelta::days(STATISTICS_DAYS_MAX) {
        let error = FieldError::new("from", Rule::OutOfRange { min: 1, max: STATISTICS_DAYS_MAX });
        return Err(Problem::fields(vec![error]).kind(&problem::INVALID_REQUEST));
    }
    Ok((by, Period { from, until }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZONE: Tz = Tz::Asia__Shanghai;

    #[test]
    fn the_list_takes_known_parameters_only() {
        let good = "state=dead&channel=wecom_app&type=CUSTOMER_ASSIGNED&class=busy&from=2026-11-01&limit=200";
        let (filter, limit) = list(Some(good), ZONE).unwrap();
        assert_eq!((filter.state, limit), (Some(DeliveryState::Dead), 200));
        for query in ["state=gone", "channel=fax", "recipient=me", "limit=201", "cursor=x", "page=1"] {
            assert_eq!(list(Some(query), ZONE).unwrap_err().kind.status, 400, "{query}");
        }
    }

    #[test]
    fn statistics_are_about_some_days() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let (by, period) = statistics(None, ZONE, now).unwrap();
        assert_eq!((by, period.until - period.from), (By::Channel, TimeDelta::days(7)));
        for query in
            ["by=moon", "from=2027-01-02&to=2027-01-01", "from=2020-01-01&to=2026-01-01", "to=2026-13-01"]
        {
            let refused = statistics(Some(query), ZONE, now).unwrap_err();
            assert_eq!(refused.kind.status, 400, "{query}");
        }
    }
}
