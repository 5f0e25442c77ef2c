//! The statements about callbacks.

pub(super) const REMEMBER: &str = "
INSERT INTO callback_signatures (provider, app, signature, body_hash, expires_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (provider, app, signature) DO NOTHING";

pub(super) const REMEMBERED: &str =
    "SELECT body_hash FROM callback_signatures WHERE provider = $1 AND app = $2 AND signature = $3";

pub(super) const STORE: &str = "
INSERT INTO callbacks (id, provider, app, body_hash, body, state, times, attempts, received_at, due_at)
VALUES ($1, $2, $3, $4, $5, 'waiting', 1, 0, $6, $6)
ON CONFLICT (provider, app, body_hash) DO UPDATE SET times = callbacks.times + 1
RETURNING times";

/// The longest due first; the same order on both databases, with the locks each of them needs. Some conditions repeat
/// the words of the partial index: SQLite uses such an index only then.
macro_rules! claim {
    ($lock:literal) => {
        concat!(
            "
UPDATE callbacks SET lease_token = $1, lease_expires_at = $2, attempts = attempts + 1
 WHERE state = 'waiting' AND id IN (
   SELECT c.id FROM callbacks c
    WHERE c.state = 'waiting' AND c.due_at <= $3 AND (c.lease_expires_at IS NULL OR c.lease_expires_at <= $3)
    ORDER BY c.due_at, c.received_at, c.id
    LIMIT $4 ",
            $lock,
            ")
RETURNING id, provider, app, body_hash, body, received_at, attempts"
        )
    };
}

pub(super) const CLAIM_POSTGRES: &str = claim!("FOR UPDATE SKIP LOCKED");
pub(super) const CLAIM_SQLITE: &str = claim!("");

pub(super) const FINISH: &str = "
UPDATE callbacks SET state = $3, reason = $4, ended_at = $5, lease_token = NULL, lease_expires_at = NULL
 WHERE id = $1 AND lease_token = $2 AND state = 'waiting'";

pub(super) const WAIT: &str = "
UPDATE callbacks SET due_at = $3, reason = $4, lease_token = NULL, lease_expires_at = NULL
 WHERE id = $1 AND lease_token = $2 AND state = 'waiting'";

/// Where there is one process only, leases belong to the dead.
pub(super) const END_LEASES: &str = "UPDATE callbacks SET lease_token = NULL, lease_expires_at = NULL WHERE state = 'waiting' AND lease_token IS NOT NULL";

pub(super) const RETRY_PARKED: &str =
    "UPDATE callbacks SET state = 'waiting', due_at = $1, ended_at = NULL WHERE state = 'parked'";

pub(super) const NEXT_DUE: &str =
    "SELECT (SELECT due_at FROM callbacks WHERE state = 'waiting' ORDER BY due_at LIMIT 1)";

pub(super) const COUNT_DUE: &str = "SELECT count(*) FROM callbacks WHERE state = 'waiting' AND due_at <= $1";

pub(super) const COUNTS: &str =
    "SELECT provider, app, state, count(*), CAST(sum(times) AS BIGINT) FROM callbacks
 GROUP BY provider, app, state ORDER BY 1, 2, 3";

pub(super) const PURGE: &str = "DELETE FROM callbacks WHERE state = 'done' AND ended_at < $1";

pub(super) const FORGET: &str = "DELETE FROM callback_signatures WHERE expires_at < $1";

/// Every statement that is the same on both databases, for the test that prepares them.
pub const STATEMENTS: [&str; 12] = [
    REMEMBER,
    REMEMBERED,
    STORE,
    FINISH,
    WAIT,
    END_LEASES,
    RETRY_PARKED,
    NEXT_DUE,
    COUNT_DUE,
    COUNTS,
    PURGE,
    FORGET,
];

/// What only PostgreSQL is asked.
pub const POSTGRES_STATEMENTS: &[&str] = &[CLAIM_POSTGRES];

/// What only SQLite is asked.
pub const SQLITE_STATEMENTS: &[&str] = &[CLAIM_SQLITE];
