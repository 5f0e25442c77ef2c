-- Tokens of machine callers. The token itself is shown once and never kept: only its SHA-256, in hex.
CREATE TABLE service_tokens (
  id         UUID        NOT NULL PRIMARY KEY,
  name       TEXT        NOT NULL,
  scopes     TEXT        NOT NULL,
  token_hash TEXT        NOT NULL UNIQUE,
  created_by TEXT        NOT NULL,
  created_at TIMESTAMPTZ NOT NULL,
  expires_at TIMESTAMPTZ,
  revoked_at TIMESTAMPTZ
);
