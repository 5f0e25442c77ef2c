-- Numbers that limits are held to: leads a person owns, leads claimed on a day, the time of the last claim. Written
-- by the appender under the append lock only, in the transaction of the events that they count.
CREATE TABLE counts (
  kind  TEXT NOT NULL,
  key   TEXT NOT NULL,
  value BIGINT NOT NULL,
  PRIMARY KEY (kind, key)
);
