-- Version 8: where each file goes, and whether its owner found its content right; and a new job costs
-- fewer pages, each of which is written whole to the log.
--
-- `destination`: a number that is the same however the path is written, so that no two files of a job
-- go to one place; all 64 bits are used; NULL for files of before, which come first in their jobs.
-- `valid`: 0 of a file that is not whole.

ALTER TABLE files ADD COLUMN destination INTEGER;
ALTER TABLE files ADD COLUMN valid INTEGER NOT NULL DEFAULT 0 CHECK (valid IN (0, 1));
-- Most jobs have one file, and it is found without an index.
CREATE INDEX files_by_destination ON files (job, destination) WHERE place > 0 AND destination IS NOT NULL;

-- New jobs are counted by whoever writes them (`writing.rs`), once for all of a turn: a trigger made
-- every insertion one of several changes, and SQLite kept a copy of each page for the case that it fails.
-- The start of an id is looked for in the index that keeps ids apart.
DROP TRIGGER job_added;
DROP INDEX jobs_live_by_id;
