-- Version 8: a new job costs fewer pages. Each that it changes is written whole to the log.
--
-- New jobs are counted by whoever writes them (`writing.rs`), once for all of a turn: a trigger made
-- every insertion one of several changes, and SQLite kept a copy of each page for the case that it fails.
-- The start of an id is looked for in the index that keeps ids apart.

DROP TRIGGER job_added;
DROP INDEX jobs_live_by_id;
