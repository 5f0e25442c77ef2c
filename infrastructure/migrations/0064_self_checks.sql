-- The nightly check of what was decided, requested and queued: one row for each day, and one process that does it.
CREATE TABLE self_checks (
  day        TEXT NOT NULL PRIMARY KEY,  -- of the configured zone, as 2026-11-21
  claimed_at TIMESTAMPTZ NOT NULL,
  ended_at   TIMESTAMPTZ,
  clean      BOOLEAN,                    -- whether nothing was missing and nothing doubled
  result     TEXT                        -- what was found, as JSON; ids and counts only
);
