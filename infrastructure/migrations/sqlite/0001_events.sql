-- The event log on SQLite. Differs from PostgreSQL in two places only: INTEGER PRIMARY KEY makes the position the
-- table's own key (one B-tree less to write and to read through), and triggers speak another language.
CREATE TABLE events (
  position       INTEGER PRIMARY KEY NOT NULL,
  event_id       UUID NOT NULL UNIQUE,
  stream_id      TEXT NOT NULL,
  stream_type    TEXT NOT NULL,
  sequence       BIGINT NOT NULL,
  event_type     TEXT NOT NULL,
  schema_version INTEGER NOT NULL,
  payload        TEXT NOT NULL,
  metadata       TEXT NOT NULL,
  recorded_at    TIMESTAMPTZ NOT NULL,
  UNIQUE (stream_id, sequence)
);

CREATE INDEX events_by_type ON events (event_type, position);

CREATE TRIGGER events_refuse_update BEFORE UPDATE ON events
BEGIN
  SELECT RAISE(ABORT, 'events are append-only');
END;

CREATE TRIGGER events_refuse_delete BEFORE DELETE ON events
BEGIN
  SELECT RAISE(ABORT, 'events are append-only');
END;
