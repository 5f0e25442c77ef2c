-- What the delivery engine needs beside a row's own attempt (notifications.md section 4).

-- Why a row in state 'held' waits: standby, quiet_hours, digest_daily, digest_burst. A standby waits for the channel
-- before it in the route, everything else for due_at.
ALTER TABLE outbox ADD COLUMN held_for TEXT;
ALTER TABLE outbox ADD COLUMN recipient UUID;             -- the person, for digests; empty in rows older than this column
ALTER TABLE outbox ADD COLUMN subject UUID;               -- the one customer it is about: what is said of it keeps its order
ALTER TABLE outbox ADD COLUMN fallback_seconds BIGINT;    -- how long the channel has before the next one speaks; empty: none stands by
ALTER TABLE outbox ADD COLUMN fallback_at TIMESTAMPTZ;    -- when it speaks; set as soon as the row may leave
ALTER TABLE outbox ADD COLUMN settle_at TIMESTAMPTZ;      -- state 'unknown': when the channel's policy decides
ALTER TABLE outbox ADD COLUMN settled_at TIMESTAMPTZ;     -- when a final state was reached, for the retention

CREATE INDEX outbox_held ON outbox (due_at) WHERE state = 'held' AND held_for <> 'standby';
CREATE INDEX outbox_late ON outbox (channel, fallback_at) WHERE fallback_at IS NOT NULL AND state IN ('pending', 'retry');
CREATE INDEX outbox_unknown ON outbox (settle_at) WHERE settle_at IS NOT NULL AND state = 'unknown';
CREATE INDEX outbox_subject ON outbox (recipient_key, subject) WHERE subject IS NOT NULL AND state IN ('pending', 'retry');
CREATE INDEX outbox_route ON outbox (notification_id);
CREATE INDEX outbox_settled ON outbox (settled_at) WHERE settled_at IS NOT NULL;

-- Channels an operator paused; the row commits with its ChannelPaused and goes with ChannelResumed.
CREATE TABLE channel_pauses (
  channel   TEXT NOT NULL PRIMARY KEY,
  reason    TEXT NOT NULL,
  paused_at TIMESTAMPTZ NOT NULL
);

-- How each process finds each channel: what its breaker and its token say. Overwritten, not a history.
CREATE TABLE channel_health (
  channel       TEXT NOT NULL,
  app           TEXT NOT NULL,
  owner         UUID NOT NULL,     -- the dispatcher; a new one with every start
  state         TEXT NOT NULL,     -- open (works), resting, probing
  until         TIMESTAMPTZ,       -- of a rest
  failure_class TEXT,
  failure_code  BIGINT,
  detail        TEXT,
  updated_at    TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (channel, app, owner)
);

-- How much was sent lately, in buckets of ten seconds: one key for an app, one for each receiver of it.
CREATE TABLE send_buckets (
  send_key TEXT NOT NULL,
  bucket   BIGINT NOT NULL,        -- unix seconds / 10
  sends    BIGINT NOT NULL,
  PRIMARY KEY (send_key, bucket)
);

CREATE INDEX send_buckets_age ON send_buckets (bucket);

-- What is held is taken back too.
DROP INDEX outbox_recall;
CREATE INDEX outbox_recall ON outbox (lead, lead_owner) WHERE lead IS NOT NULL AND state IN ('pending', 'retry', 'held');

-- The order of rows that fall due at the same moment is that of their requests.
DROP INDEX outbox_due;
CREATE INDEX outbox_due ON outbox (channel, app, state, due_at, position) WHERE state IN ('pending', 'retry');
