//! How long each part of the way from the commit to the reader took.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeZone, Utc};
use infrastructure::db::{Db, DbError};
use infrastructure::with_pool;
use sqlx::FromRow;

use super::{By, Latencies, Percentiles, Period, day};

pub(super) const TIMES: &str = "
SELECT d.channel, d.scene, d.created_at, d.called_at, d.accepted_at, d.delivered_at, i.read_at
  FROM deliveries d LEFT JOIN inbox i ON i.id = d.notification
 WHERE d.created_at >= $1 AND d.created_at < $2 AND d.state IN ('accepted', 'delivered')";

#[derive(FromRow)]
struct Times {
    channel: String,
    scene: String,
    created_at: DateTime<Utc>,
    called_at: Option<DateTime<Utc>>,
    accepted_at: Option<DateTime<Utc>>,
    delivered_at: Option<DateTime<Utc>>,
    read_at: Option<DateTime<Utc>>,
}

#[derive(Default)]
struct Measured {
    called: Vec<i64>,
    accepted: Vec<i64>,
    delivered: Vec<i64>,
    read: Vec<i64>,
}

impl Measured {
    fn add(&mut self, times: &Times) {
        // The inbox takes every notice at once: measured with the others it would only hide how long they took.
        if times.called_at.is_some() {
            self.called.extend(between(Some(times.created_at), times.called_at));
            self.accepted.extend(between(Some(times.created_at), times.accepted_at));
            self.delivered.extend(between(times.accepted_at, times.delivered_at));
        }
        self.read.extend(between(times.delivered_at.or(times.accepted_at), times.read_at));
    }

    fn latencies(self) -> Latencies {
        Latencies {
            called: Percentiles::of(self.called),
            accepted: Percentiles::of(self.accepted),
            delivered: Percentiles::of(self.delivered),
            read: Percentiles::of(self.read),
        }
    }
}

/// Milliseconds; 0 when the later one came first, as with a notice that was read before WeChat took it.
fn between(from: Option<DateTime<Utc>>, to: Option<DateTime<Utc>>) -> Option<i64> {
    Some((to? - from?).num_milliseconds().max(0))
}

pub(super) async fn read<Z: TimeZone>(
    db: &Db,
    by: By,
    period: Period,
    zone: &Z,
) -> Result<BTreeMap<String, Latencies>, DbError> {
    let rows: Vec<Times> = with_pool!(db, pool => sqlx::query_as(TIMES)
        .bind(period.from)
        .bind(period.until)
        .fetch_all(pool)
        .await)?;
    let mut measured: BTreeMap<String, Measured> = BTreeMap::new();
    for times in rows {
        let key = match by {
            By::Channel => times.channel.clone(),
            By::Type => times.scene.clone(),
            By::Day => day(times.created_at, zone),
        };
        measured.entry(key).or_default().add(&times);
    }
    Ok(measured.into_iter().map(|(key, measured)| (key, measured.latencies())).collect())
}
