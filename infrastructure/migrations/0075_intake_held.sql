-- A comparison that found so many rows gone that it deleted nobody; empty when the last one found nothing of the kind.
ALTER TABLE intake_sources ADD COLUMN held_gone BIGINT;  -- members whose rows are gone
ALTER TABLE intake_sources ADD COLUMN held_known BIGINT; -- members of the table that are known
