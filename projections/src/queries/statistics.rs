//! What became of the deliveries of a time, by channel, type or day (notifications.md section 6).
//!
//! A delivery counts for the moment at which its notice was requested, and for the state in which it is now: the
//! states of a group add up to what was planned. The read model is a fold of the log, so these are numbers from events.

mod figures;
mod times;

use std::collections::BTreeMap;

use chrono::{DateTime, TimeZone, Utc};
use domain::notification::DeliveryState;
use infrastructure::db::{Db, DbError};
use infrastructure::with_pool;
use serde::Serialize;
use sqlx::FromRow;

pub use figures::{Latencies, Percentiles, Rates, Tally};

use super::corrupt;

/// Longest time that is looked at, in days.
pub const STATISTICS_DAYS_MAX: i64 = 92;

/// Every zone's midnight is at the beginning of one of these.
const QUARTER_SECONDS: i64 = 900;

macro_rules! counts {
    ($dimension:literal) => {
        concat!(
            "SELECT ",
            $dimension,
            " AS dimension, state,
       CASE WHEN state = 'rejected' THEN failure_class WHEN state = 'suppressed' THEN reason END AS because,
       CASE WHEN attempts > 0 THEN 1 ELSE 0 END AS attempted, count(*) AS number
  FROM deliveries WHERE created_at >= $1 AND created_at < $2 GROUP BY 1, 2, 3, 4"
        )
    };
}

const BY_CHANNEL: &str = counts!("channel");
const BY_TYPE: &str = counts!("scene");
const BY_QUARTER_POSTGRES: &str =
    counts!("CAST(CAST(floor(extract(epoch FROM created_at) / 900) AS BIGINT) AS TEXT)");
const BY_QUARTER_SQLITE: &str = counts!("CAST(unixepoch(created_at) / 900 AS TEXT)");

/// A refusal counts for the template of the ledger's first consent.
const CONSENTS: &str = "
SELECT coalesce(c.template,
                (SELECT g.template FROM consents g WHERE g.ledger = c.ledger AND g.template IS NOT NULL
                  ORDER BY g.position LIMIT 1), '') AS template,
       c.kind, count(*) AS number
  FROM consents c WHERE c.at >= $1 AND c.at < $2 GROUP BY 1, 2 ORDER BY 1, 2";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[BY_CHANNEL, BY_TYPE, CONSENTS, times::TIMES];
#[cfg(test)]
pub(crate) const STATEMENTS_POSTGRES: &[&str] = &[BY_QUARTER_POSTGRES];
#[cfg(test)]
pub(crate) const STATEMENTS_SQLITE: &[&str] = &[BY_QUARTER_SQLITE];

/// What the groups are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// One for each channel.
    Channel,
    /// One for each type of notice.
    Type,
    /// One for each day of a zone.
    Day,
}

/// From an instant to another, which is not included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// The first instant.
    pub from: DateTime<Utc>,
    /// The first instant after it.
    pub until: DateTime<Utc>,
}

/// The figures of one channel, type or day.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Group {
    /// Which: a channel, a type, a day such as `2026-11-21`.
    pub key: String,
    /// How many stand where.
    #[serde(flatten)]
    pub tally: Tally,
    /// What the numbers say.
    pub rates: Rates,
    /// How long it took.
    pub latencies: Latencies,
}

/// How people answered when they were asked to allow messages of a template.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Authorisation {
    /// The template; empty when a person refused who had never consented.
    pub template: String,
    /// Consents.
    pub grants: i64,
    /// Refusals.
    pub refusals: i64,
    /// Consents among all answers.
    pub rate: Option<f64>,
}

#[derive(FromRow)]
struct Count {
    dimension: String,
    state: String,
    because: Option<String>,
    attempted: i32,
    number: i64,
}

/// The groups of a time, in order of their keys.
pub async fn of_deliveries<Z: TimeZone>(
    db: &Db,
    by: By,
    period: Period,
    zone: &Z,
) -> Result<Vec<Group>, DbError> {
    let statement = match (by, db) {
        (By::Channel, _) => BY_CHANNEL,
        (By::Type, _) => BY_TYPE,
        (By::Day, Db::Postgres(_)) => BY_QUARTER_POSTGRES,
        (By::Day, Db::Sqlite(_)) => BY_QUARTER_SQLITE,
    };
    let counts: Vec<Count> = with_pool!(db, pool => sqlx::query_as(statement)
        .bind(period.from)
        .bind(period.until)
        .fetch_all(pool)
        .await)?;
    let mut tallies: BTreeMap<String, Tally> = BTreeMap::new();
    for count in counts {
        let key = match by {
            By::Channel | By::Type => count.dimension,
            By::Day => day_of_quarter(&count.dimension, zone)?,
        };
        let state: DeliveryState =
            count.state.parse().map_err(|_| corrupt("deliveries", &key, "unknown code"))?;
        let tally = tallies.entry(key).or_default();
        tally.add(state, count.because.as_deref(), count.attempted > 0, count.number);
    }
    let mut latencies = times::read(db, by, period, zone).await?;
    let groups = tallies.into_iter().map(|(key, tally)| Group {
        rates: tally.rates(),
        latencies: latencies.remove(&key).unwrap_or_default(),
        key,
        tally,
    });
    Ok(groups.collect())
}

/// The answers of a time, by template.
pub async fn authorisations(db: &Db, period: Period) -> Result<Vec<Authorisation>, DbError> {
    let rows: Vec<(String, String, i64)> = with_pool!(db, pool => sqlx::query_as(CONSENTS)
        .bind(period.from)
        .bind(period.until)
        .fetch_all(pool)
        .await)?;
    let mut answers: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    for (template, kind, number) in rows {
        let (grants, refusals) = answers.entry(template).or_default();
        if kind == crate::read_models::consents::GRANT { *grants += number } else { *refusals += number }
    }
    let rated = answers.into_iter().map(|(template, (grants, refusals))| {
        let rate = figures::share(grants, grants + refusals);
        Authorisation { template, grants, refusals, rate }
    });
    Ok(rated.collect())
}

fn day_of_quarter<Z: TimeZone>(quarter: &str, zone: &Z) -> Result<String, DbError> {
    let begun = quarter.parse::<i64>().ok().and_then(|n| n.checked_mul(QUARTER_SECONDS));
    let at = begun.and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    at.map(|at| day(at, zone)).ok_or_else(|| corrupt("deliveries", quarter, "no time"))
}

fn day<Z: TimeZone>(at: DateTime<Utc>, zone: &Z) -> String {
    at.with_timezone(zone).date_naive().to_string()
}
