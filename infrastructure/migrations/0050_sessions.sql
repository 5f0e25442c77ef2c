-- Sessions that ended before their tokens did: logged out, rotated away, or all of a person's at once. Operational
-- state, not events: it means nothing once the tokens have ended by themselves.
--
-- Every change takes the next number of session_changes while it holds that row, so numbers become visible in the
-- order in which they were given out: whoever read up to a number has missed nothing.
CREATE TABLE session_changes (
  id      BIGINT NOT NULL PRIMARY KEY,
  version BIGINT NOT NULL
);
INSERT INTO session_changes (id, version) VALUES (1, 0);

-- A session or a single token of one.
CREATE TABLE ended_sessions (
  id           UUID        NOT NULL PRIMARY KEY,
  effective_at TIMESTAMPTZ NOT NULL,
  expires_at   TIMESTAMPTZ NOT NULL,
  version      BIGINT      NOT NULL
);
CREATE INDEX ended_sessions_by_version ON ended_sessions (version);
CREATE INDEX ended_sessions_by_expiry ON ended_sessions (expires_at);

-- How often all sessions of a person were ended at once; a token that was made before the last time is refused.
CREATE TABLE session_generations (
  staff_id   UUID   NOT NULL PRIMARY KEY,
  generation BIGINT NOT NULL,
  version    BIGINT NOT NULL
);
CREATE INDEX session_generations_by_version ON session_generations (version);
