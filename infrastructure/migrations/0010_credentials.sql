-- Passwords of staff, hashed with argon2id. Operational state, not events: a hash must be replaceable without a trace.
CREATE TABLE credentials (
  staff_id      UUID NOT NULL PRIMARY KEY,
  password_hash TEXT NOT NULL,
  updated_at    TIMESTAMPTZ NOT NULL
);
