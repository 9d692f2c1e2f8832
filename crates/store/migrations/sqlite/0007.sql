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
-- Of jobs that were there before nobody knows; their time begins now.
UPDATE jobs SET active_at = CAST(strftime('%s', 'now') AS INTEGER) * 1000;

-- What the owner of a job is to be told of it.
--
-- `notify_flags`: BITS's mask; 3 is JOB_TRANSFERRED and JOB_ERROR.
-- `notify_arguments`: each ends with a zero byte; NULL without a program.
-- `notify_interval`: milliseconds.
-- `notices`: what is still to be told, a line for each: number, `command|webhook`,
-- `transferred|error`, when it happened, the code or `-`, tries, when it is tried next, and of a
-- command whether a callback was there (`0|1`) and has failed (`0|1`), with spaces between; NULL for
-- none. Times are milliseconds since 1970.
-- `notices_made`: how many there ever were.
-- `notice_failure`: why the last try has failed.

ALTER TABLE jobs ADD COLUMN notify_flags INTEGER NOT NULL DEFAULT 3 CHECK (notify_flags BETWEEN 0 AND 63);
ALTER TABLE jobs ADD COLUMN notify_program TEXT;
ALTER TABLE jobs ADD COLUMN notify_arguments TEXT;
ALTER TABLE jobs ADD COLUMN notify_webhook TEXT;
ALTER TABLE jobs ADD COLUMN notify_interval INTEGER NOT NULL DEFAULT 500 CHECK (notify_interval >= 0);
ALTER TABLE jobs ADD COLUMN notices TEXT;
ALTER TABLE jobs ADD COLUMN notices_made INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN notice_failure TEXT;

DROP INDEX jobs_unfinished;
CREATE INDEX jobs_unfinished ON jobs (created, id)
    WHERE state IN ('queued', 'connecting', 'transferring', 'transient_error')
       OR discard_pending = 1
       OR notices IS NOT NULL
       OR (state = 'transferred' AND complete_when_done = 1);

-- Jobs say in which states of the network's cost they may transfer.
--
-- `cost_flags`: `BITS_JOB_PROPERTY_ID_COST_FLAGS` as a mask; NULL for what the settings say for the
-- priority.

ALTER TABLE jobs ADD COLUMN cost_flags INTEGER CHECK (cost_flags > 0);

-- Jobs have a limit of their own.
--
-- `rate_limit`: bytes per second; NULL for none.

ALTER TABLE jobs ADD COLUMN rate_limit INTEGER CHECK (rate_limit > 0);

-- Files can come in parts.
--
-- `in_parts`: whether parts of the version may have come before what lies in front of them, so that the
-- length of the partial file tells nothing, and `filled` what is there.
-- `sources_beside`: from where parts came last beside `source_in_use`, a bit for each line of `sources`,
-- the lowest for line 0.

ALTER TABLE files ADD COLUMN in_parts INTEGER NOT NULL DEFAULT 0 CHECK (in_parts IN (0, 1));
ALTER TABLE files ADD COLUMN sources_beside INTEGER NOT NULL DEFAULT 0 CHECK (sources_beside >= 0);
