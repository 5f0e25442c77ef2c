-- What the releaser of held messages and the retention need.

-- The digest that tells of a held row: set when the digest was requested, before the row itself becomes 'merged'.
ALTER TABLE outbox ADD COLUMN digest UUID;

CREATE INDEX outbox_held_for ON outbox (recipient, channel, due_at) WHERE state = 'held' AND held_for <> 'standby';
CREATE INDEX outbox_merging ON outbox (digest, delivery_id) WHERE digest IS NOT NULL AND state = 'held';

-- Retention differs by final state.
DROP INDEX outbox_settled;
CREATE INDEX outbox_settled ON outbox (state, settled_at) WHERE settled_at IS NOT NULL;
CREATE INDEX outbox_bodies ON outbox (settled_at) WHERE settled_at IS NOT NULL AND request_body IS NOT NULL;

CREATE INDEX outbox_undated ON outbox (delivery_id)
 WHERE settled_at IS NULL AND state IN ('accepted', 'rejected', 'delivered', 'dead', 'merged', 'cancelled');

CREATE INDEX channel_health_age ON channel_health (updated_at);

-- Work that one of the processes does for all of them, once in a while.
CREATE TABLE chores (
  name    TEXT NOT NULL PRIMARY KEY,
  done_at TIMESTAMPTZ NOT NULL      -- when somebody last took it on
);
