-- Which lead a waiting delivery tells its recipient to have gained, so that it can be taken back when the lead moves on
-- before the message left (docs/adr/0010-recall.md). Empty for everything that is never taken back.
ALTER TABLE outbox ADD COLUMN lead UUID;
ALTER TABLE outbox ADD COLUMN lead_owner UUID;
ALTER TABLE outbox ADD COLUMN cause_position BIGINT; -- of the event by which the lead was gained

CREATE INDEX outbox_recall ON outbox (lead, lead_owner) WHERE lead IS NOT NULL AND state IN ('pending', 'retry');
