-- Version 7: what the owner of a job is to be told of it.
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
