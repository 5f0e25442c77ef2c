//! The statements about leases, each written once for both databases where that is possible.

/// The advisory lock under which leases are given out; its key is "outbox" in ASCII. A lease need not survive the
/// database's own death: nothing is sent before a commit that does, and that one is fenced by the lease.
macro_rules! lock_leases {
    () => {
        "SELECT set_config('synchronous_commit', 'off', true), pg_advisory_xact_lock(122550254464888)"
    };
}

pub(super) const LOCK_LEASES: &str = lock_leases!();

/// PostgreSQL only, one round trip; on SQLite the write transaction is this lock.
pub(super) const BEGIN_LEASES: &str = concat!("BEGIN ISOLATION LEVEL READ COMMITTED; ", lock_leases!());

macro_rules! row {
    () => {
        "delivery_id, notification_id, correlation, causation, recipient, recipient_key, ledger, request_body, state, attempt, busy_answers,
       maybe_arrived, first_attempt_at, fallback_at, lease_token, lease_expires_at, due_at, position,
       created_at"
    };
}

// Some conditions repeat the words of a partial index's own condition: SQLite uses such an index only then.

/// The first due row of each recipient, the longest due first, where nobody is sending to the recipient and nothing
/// earlier about the same customer waits, chosen among the candidates that are due longest: sorting a whole backlog for
/// each handful of rows would be its end. A recipient with more rows than there are candidates takes one place in one
/// round and none in the next, being busy. What was put off is judged anew, so nothing is left of the reason. The
/// recipients this process is sending to are named, which spares a look at each of their waiting rows. The conditions of
/// the row itself stand outside once more, because PostgreSQL checks only those again when the row was changed in between.
macro_rules! lease {
    ($busy:literal, $lock:literal, $unlock:literal) => {
        concat!(
            "
UPDATE outbox SET lease_owner = $1, lease_token = $2, lease_expires_at = $3, held_for = NULL
 WHERE state = $6 AND (lease_expires_at IS NULL OR lease_expires_at <= $7) AND delivery_id IN (",
            $lock,
            "
   SELECT delivery_id FROM (
     SELECT c.delivery_id, c.due_at, c.position,
            row_number() OVER (PARTITION BY c.recipient_key ORDER BY c.due_at, c.position, c.delivery_id) AS place
       FROM (
         SELECT o.delivery_id, o.due_at, o.position, o.recipient_key
           FROM outbox o
          WHERE o.channel = $4 AND o.app = $5 AND o.state = $6 AND o.state IN ('pending', 'retry') AND o.due_at <= $7
            AND o.request_body IS NOT NULL AND (o.lease_expires_at IS NULL OR o.lease_expires_at <= $7) AND ",
            $busy,
            "
            AND NOT EXISTS (
              SELECT 1 FROM outbox b
               WHERE b.recipient_key = o.recipient_key AND b.lease_token IS NOT NULL
                 AND (b.state = 'in_flight' OR b.lease_expires_at > $7))
            AND (o.subject IS NULL OR NOT EXISTS (
              SELECT 1 FROM outbox e
               WHERE e.recipient_key = o.recipient_key AND e.subject = o.subject AND e.subject IS NOT NULL
                 AND e.state IN ('pending', 'retry') AND e.channel = o.channel AND e.position < o.position))
          ORDER BY o.due_at, o.position
          LIMIT $10) AS c) AS due
    WHERE place = 1
    ORDER BY due_at, position
    LIMIT $8",
            $unlock,
            ")
RETURNING ",
            row!()
        )
    };
}

pub(super) const LEASE_POSTGRES: &str = lease!(
    "o.recipient_key <> ALL($9)",
    "SELECT delivery_id FROM outbox WHERE delivery_id IN (",
    ") FOR UPDATE SKIP LOCKED"
);
pub(super) const LEASE_SQLITE: &str =
    lease!("o.recipient_key NOT IN (SELECT value FROM json_each($9))", "", "");

/// Rows whose process died after bytes may have left: somebody has ended their leases, for no clock may say that. The
/// recipients this process is sending to are left out: it lives.
macro_rules! take_over {
    ($busy:literal, $lock:literal) => {
        concat!(
            "
UPDATE outbox SET lease_owner = $1, lease_token = $2, lease_expires_at = $3
 WHERE state = 'in_flight' AND lease_expires_at <= $5 AND delivery_id IN (
   SELECT o.delivery_id FROM outbox o
    WHERE o.channel = $4 AND o.state = 'in_flight' AND o.lease_expires_at <= $5 AND ",
            $busy,
            "
    ORDER BY o.lease_expires_at
    LIMIT $6 ",
            $lock,
            ")
RETURNING ",
            row!()
        )
    };
}

/// Waiting rows whose time is over: the next channel of their route speaks. Nothing is left of the reason of what was put
/// off, here too: somebody may ask for it again.
macro_rules! late {
    ($lock:literal) => {
        concat!(
            "
UPDATE outbox SET lease_owner = $1, lease_token = $2, lease_expires_at = $3, held_for = NULL
 WHERE state IN ('pending', 'retry') AND (lease_expires_at IS NULL OR lease_expires_at <= $5) AND delivery_id IN (
   SELECT o.delivery_id FROM outbox o
    WHERE o.channel = $4 AND o.state IN ('pending', 'retry') AND o.fallback_at IS NOT NULL AND o.fallback_at <= $5
      AND (o.lease_expires_at IS NULL OR o.lease_expires_at <= $5)
    ORDER BY o.fallback_at
    LIMIT $6 ",
            $lock,
            ")
RETURNING ",
            row!()
        )
    };
}

pub(super) const LATE_POSTGRES: &str = late!("FOR UPDATE SKIP LOCKED");
pub(super) const LATE_SQLITE: &str = late!("");

pub(super) const TAKE_OVER_POSTGRES: &str =
    take_over!("o.recipient_key <> ALL($7)", "FOR UPDATE SKIP LOCKED");
pub(super) const TAKE_OVER_SQLITE: &str =
    take_over!("o.recipient_key NOT IN (SELECT value FROM json_each($7))", "");

/// Longer leases for everything an owner still works on. A lease that was ended is not brought back: somebody may have
/// decided on it. Rows that a commit holds at this moment are skipped, or two batches could wait for one another.
macro_rules! renew {
    ($lock:literal) => {
        concat!(
            "
UPDATE outbox SET lease_expires_at = $1
 WHERE delivery_id IN (
   SELECT o.delivery_id FROM outbox o
    WHERE o.lease_token IS NOT NULL AND o.lease_owner = $2 AND o.lease_expires_at > $3 ",
            $lock,
            ")"
        )
    };
}

pub(super) const RENEW_POSTGRES: &str = renew!("FOR UPDATE SKIP LOCKED");
pub(super) const RENEW_SQLITE: &str = renew!("");

/// Gives a row back that was not started.
pub(super) const RELEASE: &str = "
UPDATE outbox SET lease_owner = NULL, lease_token = NULL, lease_expires_at = NULL
 WHERE delivery_id = $1 AND lease_token = $2 AND state IN ('pending', 'retry')";

/// Gives a row back that may not be sent before a limit of its app has room again.
pub(super) const DEFER: &str = "
UPDATE outbox SET due_at = $3, lease_owner = NULL, lease_token = NULL, lease_expires_at = NULL
 WHERE delivery_id = $1 AND lease_token = $2 AND state IN ('pending', 'retry')";

/// Nothing to this receiver is due before that either: their order stays.
pub(super) const DEFER_RECEIVER: &str = "
UPDATE outbox SET due_at = $3
 WHERE channel = $1 AND recipient_key = $2 AND state IN ('pending', 'retry') AND due_at < $3
   AND lease_token IS NULL";

/// More time for a started row; nothing when the lease is lost.
pub(super) const EXTEND: &str = "
UPDATE outbox SET lease_expires_at = $3 WHERE delivery_id = $1 AND lease_token = $2 AND state = 'in_flight'
   AND attempt = $4";

/// Everybody else who works on rows of a channel, and the latest end of their leases: it moves while they live. Started rows
/// count by themselves: a waiting one may be taken by whoever's clock is ahead, which is no sign of life of its owner.
pub(super) const OTHERS: &str = "
SELECT lease_owner, state = 'in_flight' AS started, max(lease_expires_at) AS until FROM outbox
 WHERE lease_token IS NOT NULL AND channel = $1 AND lease_owner <> $2 AND lease_expires_at > $3
 GROUP BY lease_owner, state = 'in_flight'";

/// Nobody has seen a sign of life of that owner for longer than a lease. Rows that a commit holds at this moment are
/// skipped: whoever commits lives, and two batches could wait for one another.
macro_rules! end_dead {
    ($lock:literal) => {
        concat!(
            "
UPDATE outbox SET lease_expires_at = $1
 WHERE delivery_id IN (
   SELECT o.delivery_id FROM outbox o
    WHERE o.lease_token IS NOT NULL AND o.channel = $2 AND o.lease_owner = $3 AND o.lease_expires_at > $1
      AND o.lease_expires_at <= $4 AND (o.state = 'in_flight') = $5 ",
            $lock,
            ")"
        )
    };
}

pub(super) const END_DEAD_POSTGRES: &str = end_dead!("FOR UPDATE SKIP LOCKED");
pub(super) const END_DEAD_SQLITE: &str = end_dead!("");

/// What an owner holds.
pub(super) const HELD: &str = "
SELECT delivery_id, lease_token FROM outbox
 WHERE lease_token IS NOT NULL AND channel = $1 AND lease_owner = $2 AND lease_expires_at > $3";

/// One lease that nobody works under.
pub(super) const END_HELD: &str = "
UPDATE outbox SET lease_expires_at = $1 WHERE delivery_id = $2 AND lease_token = $3";

/// Where there is one process only, leases of others belong to the dead.
pub(super) const END_ALL_OTHERS: &str = "
UPDATE outbox SET lease_expires_at = $1
 WHERE lease_token IS NOT NULL AND channel = $2 AND lease_owner <> $3 AND lease_expires_at > $1";

/// When there may be something to do: a fresh row or a retry falls due, a lease of a waiting row or of a started
/// one ends. Each is the first entry of an index; as `min(…)` a backlog would be read whole wherever the planner
/// believes that it is small.
pub(super) const NEXT_DUE: &str = "
SELECT (SELECT due_at FROM outbox
         WHERE channel = $1 AND app = $2 AND state = 'pending' AND state IN ('pending', 'retry')
           AND request_body IS NOT NULL AND (lease_expires_at IS NULL OR lease_expires_at <= $3)
         ORDER BY due_at LIMIT 1) AS fresh,
       (SELECT due_at FROM outbox
         WHERE channel = $1 AND app = $2 AND state = 'retry' AND state IN ('pending', 'retry')
           AND request_body IS NOT NULL AND (lease_expires_at IS NULL OR lease_expires_at <= $3)
         ORDER BY due_at LIMIT 1) AS retry,
       (SELECT lease_expires_at FROM outbox
         WHERE lease_token IS NOT NULL AND channel = $1 AND app = $2 AND state IN ('pending', 'retry')
           AND lease_expires_at > $3
         ORDER BY lease_expires_at LIMIT 1) AS waiting_lease,
       (SELECT lease_expires_at FROM outbox WHERE channel = $1 AND state = 'in_flight'
         ORDER BY lease_expires_at LIMIT 1) AS started_lease,
       (SELECT fallback_at FROM outbox
         WHERE channel = $1 AND fallback_at IS NOT NULL AND state IN ('pending', 'retry')
         ORDER BY fallback_at LIMIT 1) AS late,
       (SELECT count(*) FROM channel_pauses WHERE channel = $1) AS pauses";
