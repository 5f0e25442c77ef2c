-- A row in state 'pending' or 'retry' that the dispatcher put off says why in held_for (quiet_hours) until it is leased
-- again; who ends the quiet hours makes it due at once.
CREATE INDEX outbox_put_off ON outbox (recipient) WHERE held_for IS NOT NULL AND state IN ('pending', 'retry');

-- A standby that was dismissed and keeps its body may still be called, so it is taken back too.
DROP INDEX outbox_recall;
CREATE INDEX outbox_recall ON outbox (lead, lead_owner)
 WHERE lead IS NOT NULL AND state IN ('pending', 'retry', 'held', 'cancelled');
