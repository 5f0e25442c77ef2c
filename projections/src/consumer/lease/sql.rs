//! The statements about the table `consumers`, each valid on both databases.

/// The table.
pub(super) const CREATE: &str = "
CREATE TABLE IF NOT EXISTS consumers (
  name             TEXT NOT NULL PRIMARY KEY,
  version          BIGINT NOT NULL,
  position         BIGINT NOT NULL,
  state            TEXT NOT NULL,
  lease_owner      UUID,
  lease_epoch      BIGINT NOT NULL,
  lease_expires_at TIMESTAMPTZ,
  error            TEXT,
  updated_at       TIMESTAMPTZ NOT NULL
)";

/// The first generation of a consumer's tables is 1 (`schema::FIRST_VERSION`).
pub(super) const REGISTER: &str = "
INSERT INTO consumers (name, version, position, state, lease_epoch, updated_at)
VALUES ($1, 1, $2, 'new', 0, $3) ON CONFLICT (name) DO NOTHING";

pub(super) const SIGN: &str =
    "SELECT lease_owner, lease_epoch, lease_expires_at FROM consumers WHERE name = $1";

/// Only as the lease was seen: a sign of life in between means that its owner is alive.
pub(super) const ACQUIRE: &str = "
UPDATE consumers
   SET lease_owner = $2, lease_epoch = lease_epoch + 1, lease_expires_at = $3, updated_at = $4,
       state = CASE WHEN state = 'new' THEN 'booting' ELSE state END
 WHERE name = $1 AND state NOT IN ('paused', 'error', 'detached')
   AND (lease_owner IS NULL OR lease_owner = $2 OR (lease_epoch = $5 AND lease_expires_at = $6))
RETURNING version, position, lease_epoch";

pub(super) const SIGNS: &str =
    "SELECT name, lease_owner, lease_epoch, lease_expires_at FROM consumers WHERE lease_owner IS NOT NULL";

/// Where there is one process only, leases of others belong to the dead.
pub(super) const END_ALL_OTHERS: &str = "
UPDATE consumers SET lease_owner = NULL, lease_expires_at = NULL, updated_at = $2
 WHERE lease_owner <> $1";

pub(super) const RENEW: &str = "
UPDATE consumers SET lease_expires_at = $4, updated_at = $5
 WHERE name = $1 AND lease_owner = $2 AND lease_epoch = $3";

pub(super) const RELEASE: &str = "
UPDATE consumers SET lease_owner = NULL, lease_expires_at = NULL, updated_at = $4
 WHERE name = $1 AND lease_owner = $2 AND lease_epoch = $3";

/// The fence. Also gives a sign of life.
pub(super) const ADVANCE: &str = "
UPDATE consumers SET position = $5, lease_expires_at = $6, updated_at = $7, state = $8
 WHERE name = $1 AND lease_owner = $2 AND lease_epoch = $3 AND position = $4";

pub(super) const FAIL: &str = "
UPDATE consumers SET state = 'error', error = $4, lease_owner = NULL, lease_expires_at = NULL, updated_at = $5
 WHERE name = $1 AND lease_owner = $2 AND lease_epoch = $3";

/// Raises the epoch, so that whoever works at this moment writes nothing more.
pub(super) const HALT: &str = "
UPDATE consumers
   SET state = $2, lease_epoch = lease_epoch + 1, lease_owner = NULL, lease_expires_at = NULL, updated_at = $3
 WHERE name = $1 AND state NOT IN ('rebuilding')";

pub(super) const RESUME: &str = "
UPDATE consumers SET state = 'booting', error = NULL, updated_at = $2
 WHERE name = $1 AND state IN ('paused', 'error', 'detached')";

/// The end of a consumer that is done for good.
pub(super) const REMOVE: &str =
    "DELETE FROM consumers WHERE name = $1 AND lease_owner = $2 AND lease_epoch = $3";

pub(crate) const POSITION: &str = "SELECT position FROM consumers WHERE name = $1";

pub(super) const STATUS: &str = "
SELECT name, version, position, state, lease_owner, error, updated_at
  FROM consumers ORDER BY name";

/// Every statement of this table; prepared on both databases by a test.
pub const STATEMENTS: &[&str] = &[
    REGISTER,
    SIGN,
    ACQUIRE,
    SIGNS,
    END_ALL_OTHERS,
    RENEW,
    RELEASE,
    ADVANCE,
    FAIL,
    HALT,
    RESUME,
    REMOVE,
    POSITION,
    STATUS,
];
