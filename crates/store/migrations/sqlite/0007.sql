-- Version 7: how long a job may download and be left alone, and what programs written for BITS say of it.
--
-- `maximum_download_time`, `ran_for`: milliseconds; the first NULL where the policy of the service counts.
-- `running_since`: since when the job is connecting or transferring; NULL when it is not.
-- `active_at`: when it last got further, or its owner last did something to it.
-- `notification_class`: 16 bytes as they are written; NULL for none.

ALTER TABLE jobs ADD COLUMN maximum_download_time INTEGER;
ALTER TABLE jobs ADD COLUMN ran_for INTEGER NOT NULL DEFAULT 0 CHECK (ran_for >= 0);
ALTER TABLE jobs ADD COLUMN running_since INTEGER;
ALTER TABLE jobs ADD COLUMN active_at INTEGER NOT NULL DEFAULT 0 CHECK (active_at >= 0);
ALTER TABLE jobs ADD COLUMN file_acl_flags INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN peer_caching_flags INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN helper_token_flags INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN notification_class BLOB;
UPDATE jobs SET active_at = modified;
