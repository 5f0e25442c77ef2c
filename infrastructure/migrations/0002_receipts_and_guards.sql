-- What was answered to a keyed command. Ids and sequences only, never personal data.
CREATE TABLE command_receipts (
  command_id  UUID NOT NULL PRIMARY KEY,
  fingerprint TEXT NOT NULL,
  position    BIGINT NOT NULL,
  result      TEXT NOT NULL,
  recorded_at TIMESTAMPTZ NOT NULL
);

-- Values that only one stream may hold at a time. Written by the appender under the append lock only.
CREATE TABLE guards (
  kind   TEXT NOT NULL,
  key    TEXT NOT NULL,
  holder TEXT NOT NULL,
  PRIMARY KEY (kind, key)
);
