-- What was decided for every event, recipient and channel, and why (product.md G9). Written in the transaction that
-- appends the notices. Not a read model: a merged or suppressed notice leaves no event, so nothing could rebuild it.
CREATE TABLE decisions (
  event_id        UUID NOT NULL,
  position        BIGINT NOT NULL,  -- of the event
  recipient       UUID NOT NULL,
  scene           TEXT NOT NULL,
  channel         TEXT NOT NULL,
  decision        TEXT NOT NULL,    -- deliver, merge, hold, suppress
  reason          TEXT,             -- what it was merged into, until when it is held, why it was suppressed
  notification_id UUID,             -- the notice, when one was requested
  recorded_at     TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (event_id, recipient, scene, channel)
);

CREATE INDEX decisions_notification ON decisions (notification_id) WHERE notification_id IS NOT NULL;
CREATE INDEX decisions_position ON decisions (position);

-- Events a reactor could not answer, and later events of their streams. Rows go away when a retry succeeds.
CREATE TABLE parked (
  consumer   TEXT NOT NULL,
  position   BIGINT NOT NULL,
  event_id   UUID NOT NULL,
  stream_id  TEXT NOT NULL,
  event_type TEXT NOT NULL,
  reason     TEXT NOT NULL,
  attempts   BIGINT NOT NULL,
  parked_at  TIMESTAMPTZ NOT NULL,
  tried_at   TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (consumer, position)
);
