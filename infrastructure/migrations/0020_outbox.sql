-- Work that waits for a provider. A row is inserted in the transaction that appends the request, and every change of
-- its state commits with the event that says so. `state` uses the words of domain::notification::DeliveryState.
CREATE TABLE outbox (
  delivery_id      UUID NOT NULL PRIMARY KEY,
  notification_id  UUID NOT NULL,
  position         BIGINT NOT NULL,  -- of the request's event: keeps the order among rows due at the same moment
  correlation      TEXT NOT NULL,
  causation        UUID,
  channel          TEXT NOT NULL,
  app              TEXT NOT NULL,
  recipient_key    TEXT NOT NULL,    -- hash of app and openid: one delivery in flight per recipient
  ledger           TEXT,             -- stream of the recipient's credits, where the channel needs one
  request_body     TEXT,             -- the bytes every attempt sends; gone as soon as the message was accepted
  state            TEXT NOT NULL,
  due_at           TIMESTAMPTZ NOT NULL,
  attempt          BIGINT NOT NULL,
  busy_answers     BIGINT NOT NULL,
  maybe_arrived    BOOLEAN NOT NULL, -- an earlier attempt may have arrived, and an operator sent it again
  lease_owner      UUID,
  lease_token      UUID,             -- a new one with every lease; what finishes a row must know it
  lease_expires_at TIMESTAMPTZ,
  created_at       TIMESTAMPTZ NOT NULL,
  first_attempt_at TIMESTAMPTZ
);

CREATE INDEX outbox_due ON outbox (channel, app, state, due_at) WHERE state IN ('pending', 'retry');
CREATE INDEX outbox_in_flight ON outbox (channel, lease_expires_at) WHERE state = 'in_flight';
CREATE INDEX outbox_leased ON outbox (recipient_key) WHERE lease_token IS NOT NULL;

-- Access tokens, shared by all processes. The lease lets one of them refresh; the version makes the refresh a
-- compare-and-swap.
CREATE TABLE provider_tokens (
  provider      TEXT NOT NULL,
  app           TEXT NOT NULL,
  token         TEXT NOT NULL,
  expires_at    TIMESTAMPTZ NOT NULL,
  refresh_at    TIMESTAMPTZ NOT NULL,  -- from here on a new one is asked for, although this one still works
  refused_until TIMESTAMPTZ,           -- the provider refused this token and gave it out again: nobody tries before
  version       BIGINT NOT NULL,
  lease_owner   UUID,
  lease_expires_at TIMESTAMPTZ,
  PRIMARY KEY (provider, app)
);
