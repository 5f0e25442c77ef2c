-- When the first lease of a row that waits ends, without a look at every lease.
CREATE INDEX outbox_waiting_leases ON outbox (channel, app, lease_expires_at)
 WHERE lease_token IS NOT NULL AND state IN ('pending', 'retry');
