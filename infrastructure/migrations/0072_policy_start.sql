-- Where a policy began: it answers nothing of before, so nothing of before is missing, and a repair announces none of it.
CREATE TABLE policy_start (
  consumer TEXT NOT NULL PRIMARY KEY,
  position BIGINT NOT NULL  -- the log's head when it was registered
);

-- A policy of an earlier version did not write it down; its first decision tells.
INSERT INTO policy_start (consumer, position)
SELECT 'policy', min(position) - 1 FROM decisions HAVING min(position) IS NOT NULL;
