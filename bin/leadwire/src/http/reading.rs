//! How fresh a read is: it waits for the position the client names, or for the reader's own last command.

use std::time::Duration;

use application::access::Caller;
use axum::extract::FromRequestParts;
use axum::http::HeaderName;
use axum::http::request::Parts;
use domain::{Position, StaffId};
use moka::ops::compute::Op;
use moka::sync::Cache;
use projections::ReadModel;
use url::form_urlencoded;

use super::problem::Problem;
use crate::app::{App, SharedApp};

/// Longest wait for a position that the client names (http-api.md section 1).
const NAMED_WAIT: Duration = Duration::from_secs(2);

/// Longest wait for the reader's own last command.
const OWN_WAIT: Duration = Duration::from_millis(500);

/// People whose last command is remembered.
const WRITERS_MAX: u64 = 50_000;

/// How long a command is remembered: every read model that works has taken it in long before.
const REMEMBERED: Duration = Duration::from_mins(1);

/// The position a read must have reached.
pub const X_MIN_POSITION: HeaderName = HeaderName::from_static("x-min-position");

/// The same as a query parameter.
pub const MIN_POSITION: &str = "minPosition";

/// Position of each person's last command on this node.
#[derive(Debug, Clone)]
pub struct RecentWrites(Cache<StaffId, Position>);

impl Default for RecentWrites {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(WRITERS_MAX).time_to_live(REMEMBERED).build())
    }
}

impl RecentWrites {
    /// A person's command has written up to `position`.
    pub fn noted(&self, staff: StaffId, position: Position) {
        self.0.entry(staff).and_compute_with(|entry| match entry {
            Some(entry) if *entry.value() >= position => Op::Nop,
            _ => Op::Put(position),
        });
    }

    fn last(&self, staff: StaffId) -> Option<Position> {
        self.0.get(&staff)
    }
}

/// The position that the client wants to read at least.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MinPosition(Option<Position>);

impl FromRequestParts<SharedApp> for MinPosition {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &SharedApp) -> Result<Self, Problem> {
        let bad = || {
            Problem::bad_header("X-Min-Position", "必须是非负整数", "must be a whole number, not negative")
        };
        let header = parts.headers.get(&X_MIN_POSITION).map(|value| value.to_str().map_err(|_| bad()));
        let query = parts.uri.query().unwrap_or_default();
        let query = form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == MIN_POSITION);
        let text = match (header.transpose()?, &query) {
            (Some(header), _) => header,
            (None, Some((_, value))) => value,
            (None, None) => return Ok(Self(None)),
        };
        match text.trim().parse() {
            Ok(position) if position >= 0 => Ok(Self(Some(position))),
            _ => Err(bad()),
        }
    }
}

/// Waits until the read model is as fresh as it should be. `Some` is the position that is read when it is
/// not.
pub async fn fresh(app: &App, caller: &Caller, model: ReadModel, min: MinPosition) -> Option<Position> {
    let (position, limit) = match (min.0, app.writes.last(caller.id)) {
        (Some(named), own) => (named.max(own.unwrap_or(0)), NAMED_WAIT),
        (None, Some(own)) => (own, OWN_WAIT),
        (None, None) => return None,
    };
    let progress = app.projections.progress();
    let waiting = progress.wait_for(model.name(), position, limit);
    let reached = tokio::select! {
        reached = waiting => reached,
        () = app.stop.cancelled() => false, // a stop waits for nobody
    };
    if reached { None } else { Some(progress.position(model.name()).await) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_writer_is_remembered_with_the_last_position() {
        let writes = RecentWrites::default();
        let staff = StaffId(uuid::Uuid::from_u128(1));
        assert_eq!(writes.last(staff), None);
        for (position, last) in [(5, 5), (3, 5), (9, 9)] {
            writes.noted(staff, position);
            assert_eq!(writes.last(staff), Some(last));
        }
    }
}
