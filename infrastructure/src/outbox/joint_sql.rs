//! The fences of attempts for many rows at once, on PostgreSQL: what `fences` and `budget` say row by row.
//!
//! Each row is found by its key. Conditions on state and lease are worded so that no partial index answers them: one
//! that was small when the plan was made would be read whole for as long as the plan is kept.

/// Attempts begin whose rows are still theirs and whose limits have room for all that ask here; each limit is counted
/// once for what began. Who finds no room, or not enough for all, is asked alone.
pub(super) const START_JOINTLY: &str = "
WITH asked AS MATERIALIZED (
  SELECT * FROM jsonb_to_recordset($1::text::jsonb)
      AS a(id uuid, token uuid, attempt bigint, expires_at timestamptz, at timestamptz, bucket bigint, limits jsonb)),
held_to AS MATERIALIZED (
  SELECT a.id, a.bucket, l.* FROM asked a, jsonb_to_recordset(a.limits) AS l(key text, stretch bigint, most bigint)),
used_up AS (
  SELECT key FROM (
    SELECT key, stretch, most, min(bucket) AS bucket, count(*) AS more FROM held_to GROUP BY key, stretch, most) AS l
   WHERE (SELECT coalesce(sum(sends), 0) FROM send_buckets s
           WHERE s.send_key = l.key AND s.bucket >= l.bucket - l.stretch) + more > most),
begun AS (
  UPDATE outbox SET state = 'in_flight', attempt = a.attempt, lease_expires_at = a.expires_at,
         first_attempt_at = coalesce(first_attempt_at, a.at)
    FROM asked a
   WHERE delivery_id = a.id AND lease_token IS NOT DISTINCT FROM a.token AND state || '' IN ('pending', 'retry')
     AND outbox.attempt = a.attempt - 1
     AND NOT EXISTS (SELECT 1 FROM held_to h JOIN used_up u ON u.key = h.key WHERE h.id = a.id)
  RETURNING delivery_id),
counted AS (
  INSERT INTO send_buckets (send_key, bucket, sends)
  SELECT h.key, h.bucket, count(DISTINCT h.id) FROM held_to h JOIN begun b ON b.delivery_id = h.id
   GROUP BY h.key, h.bucket
  ON CONFLICT (send_key, bucket) DO UPDATE SET sends = send_buckets.sends + excluded.sends)
SELECT delivery_id FROM begun";

/// Attempts end whose rows are still theirs.
pub(super) const CLOSE_JOINTLY: &str = "
UPDATE outbox SET state = r.state, due_at = r.due_at, busy_answers = r.busy_answers,
       request_body = CASE WHEN r.keeps_body THEN request_body END,
       maybe_arrived = (outbox.maybe_arrived OR r.maybe_arrived), settle_at = r.settle_at, settled_at = r.settled_at,
       lease_owner = NULL, lease_token = NULL, lease_expires_at = NULL
  FROM jsonb_to_recordset($1::text::jsonb)
    AS r(id uuid, token uuid, attempt bigint, state text, due_at timestamptz, busy_answers bigint, keeps_body boolean,
         maybe_arrived boolean, settle_at timestamptz, settled_at timestamptz)
 WHERE delivery_id = r.id AND lease_token IS NOT DISTINCT FROM r.token AND outbox.attempt = r.attempt
   AND outbox.state || '' IN ('pending', 'retry', 'in_flight')
RETURNING delivery_id";
