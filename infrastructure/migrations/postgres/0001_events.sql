-- The event log on PostgreSQL. Positions come from the appender under its advisory lock, never from a sequence:
-- a sequence gives numbers out before the commit, so readers would see holes and late arrivals.
CREATE TABLE events (
  position       BIGINT PRIMARY KEY,
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

CREATE FUNCTION refuse_change_of_events() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'events are append-only';
END;
$$;

CREATE TRIGGER events_refuse_update_and_delete BEFORE UPDATE OR DELETE ON events
  FOR EACH ROW EXECUTE FUNCTION refuse_change_of_events();

CREATE TRIGGER events_refuse_truncate BEFORE TRUNCATE ON events
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_events();
