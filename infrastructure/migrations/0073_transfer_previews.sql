-- What previews of transfer rules were made of, so that exactly that plan can be carried out. Operational state: a
-- preview that is gone is made again.
CREATE TABLE transfer_previews (
  hash       TEXT        NOT NULL PRIMARY KEY,
  inputs     TEXT        NOT NULL,
  kept_at    TIMESTAMPTZ NOT NULL,
  expires_at TIMESTAMPTZ NOT NULL
);
