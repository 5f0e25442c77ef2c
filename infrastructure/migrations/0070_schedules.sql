-- Jobs that run at the moments of a cron grid: one row each, whatever number of processes. A period is a moment of the
-- grid; it is run by whoever claims it, and an unfinished one is carried on by somebody else.
CREATE TABLE schedules (
  name         TEXT NOT NULL PRIMARY KEY,
  cron         TEXT NOT NULL,             -- as the process has it that started last
  zone         TEXT NOT NULL,
  misfire      TEXT NOT NULL,
  period       TIMESTAMPTZ NOT NULL,      -- the last one that was claimed, or passed over when the job was new
  done         BOOLEAN NOT NULL,          -- whether nothing is left to do for it
  attempt      BIGINT NOT NULL,           -- how often it was begun
  started_at   TIMESTAMPTZ,               -- when it was last begun
  retry_at     TIMESTAMPTZ,               -- when it may be begun again after a failure
  owner        UUID,                      -- the process that works on it
  lease_token  BIGINT NOT NULL,           -- grows with every claim and every end: whoever holds an older one has lost it
  lease_beat   BIGINT NOT NULL,           -- grows while the owner lives
  ended_period TIMESTAMPTZ,               -- of the last attempt that ended
  ended_at     TIMESTAMPTZ,
  took_ms      BIGINT,
  succeeded    BOOLEAN,
  outcome      TEXT                       -- one sentence; no personal data
);
