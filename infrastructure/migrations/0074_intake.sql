-- Tables of other databases that members are captured in: what Leadwire itself keeps about each.
CREATE TABLE intake_sources (
  source         TEXT        NOT NULL,           -- as the configuration calls it
  table_name     TEXT        NOT NULL,
  mode           TEXT        NOT NULL,           -- triggers, poll
  since          TIMESTAMPTZ NOT NULL,           -- when a run was first begun: older members are no news
  sweep          TEXT        NOT NULL,           -- where polling stands, as JSON; a moment and a key, nothing of a member
  begun_at       TIMESTAMPTZ,                    -- the last run
  ended_at       TIMESTAMPTZ,                    -- the last run that ended well
  failed_at      TIMESTAMPTZ,                    -- the last run that did not; gone after one that did
  failure        TEXT,                           -- why; no personal data
  reconciled_at  TIMESTAMPTZ,                    -- when source and store were last compared to the end
  looked_at      TIMESTAMPTZ,                    -- when the source last told the three below
  waiting        BIGINT      NOT NULL DEFAULT 0,
  aside          BIGINT      NOT NULL DEFAULT 0, -- rows put aside in the source's capture table
  oldest_seconds BIGINT,                         -- age of the oldest row that waited then
  rows_seen      BIGINT      NOT NULL DEFAULT 0, -- sums over all runs
  registered     BIGINT      NOT NULL DEFAULT 0,
  changed        BIGINT      NOT NULL DEFAULT 0,
  unchanged      BIGINT      NOT NULL DEFAULT 0,
  parked         BIGINT      NOT NULL DEFAULT 0,
  put_off        BIGINT      NOT NULL DEFAULT 0,
  contested      BIGINT      NOT NULL DEFAULT 0,
  PRIMARY KEY (source, table_name)
);

-- Rows put aside that no capture table holds: a poll or a comparison met them.
CREATE TABLE intake_aside (
  source     TEXT        NOT NULL,
  table_name TEXT        NOT NULL,
  row_key    TEXT        NOT NULL,
  reason     TEXT        NOT NULL,               -- names a column and a rule, never a value
  attempts   BIGINT      NOT NULL,
  first_at   TIMESTAMPTZ NOT NULL,
  last_at    TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (source, table_name, row_key)
);
