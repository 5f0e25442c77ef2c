-- What WeChat and WeCom told us by themselves: stored before it is answered, worked on later by one process at a time.
-- The same body is one callback, however often it comes.
CREATE TABLE callbacks (
  id               UUID NOT NULL PRIMARY KEY,
  provider         TEXT NOT NULL,          -- wechat, wecom
  app              TEXT NOT NULL,
  body_hash        TEXT NOT NULL,          -- SHA-256 of the body, in hex
  body             TEXT NOT NULL,          -- decrypted; holds openids and is never logged
  state            TEXT NOT NULL,          -- waiting, done, parked
  times            BIGINT NOT NULL,        -- how often it came
  attempts         BIGINT NOT NULL,        -- how often it was worked on
  reason           TEXT,                   -- why it waits, was parked, or changed nothing
  received_at      TIMESTAMPTZ NOT NULL,
  due_at           TIMESTAMPTZ NOT NULL,
  ended_at         TIMESTAMPTZ,
  lease_token      UUID,
  lease_expires_at TIMESTAMPTZ
);

CREATE UNIQUE INDEX callbacks_body ON callbacks (provider, app, body_hash);
CREATE INDEX callbacks_due ON callbacks (due_at, received_at) WHERE state = 'waiting';
CREATE INDEX callbacks_ended ON callbacks (ended_at) WHERE state = 'done';

-- Signatures seen within the window in which they are good. A signature belongs to one body.
CREATE TABLE callback_signatures (
  provider   TEXT NOT NULL,
  app        TEXT NOT NULL,
  signature  TEXT NOT NULL,
  body_hash  TEXT NOT NULL,
  expires_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (provider, app, signature)
);

CREATE INDEX callback_signatures_age ON callback_signatures (expires_at);

-- Whose message a proof without a known id may be about.
CREATE INDEX outbox_ledger ON outbox (ledger) WHERE ledger IS NOT NULL AND state IN ('in_flight', 'unknown', 'pending', 'retry');
