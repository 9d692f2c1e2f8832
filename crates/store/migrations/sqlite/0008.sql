-- Version 8: a start and a new job cost less; where each file goes, and whether its owner found its content
-- right.
--
-- A start reads of jobs that wait for their turn only what whose turn it is depends on, in the order of
-- their priorities and in parts; those that nobody cares for are found by when something last happened to
-- them.
--
-- `way`: by what way the requests of a job go as far as its own properties say: 0 by a network, 1 by a
-- proxy on this machine, 2 as the settings have it.
-- `jobs_queued` has all that is read of such jobs, so that no row is; also the state, which is always the
-- same there, as SQLite would look at the row for it.

ALTER TABLE jobs ADD COLUMN way INTEGER NOT NULL DEFAULT 0 CHECK (way IN (0, 1, 2));
-- Of those with proxies in their own environment it is known when they are written again.
UPDATE jobs SET way = 2
    WHERE proxy_usage = 0 AND env_http_proxy IS NULL AND env_https_proxy IS NULL
      AND env_all_proxy IS NULL AND env_no_proxy IS NULL;

DROP INDEX jobs_unfinished;
CREATE INDEX jobs_unfinished ON jobs (created, id)
    WHERE state IN ('connecting', 'transferring')
       OR discard_pending = 1
       OR notices IS NOT NULL
       OR (state = 'queued' AND challenge_target IS NOT NULL)
       OR (state = 'transferred' AND complete_when_done = 1);
CREATE INDEX jobs_queued ON jobs (priority, created, id, owner, host, cost_flags, way, state)
    WHERE state = 'queued';
CREATE INDEX jobs_retrying ON jobs (created, id)
    WHERE state = 'transient_error';
CREATE INDEX jobs_by_activity ON jobs (active_at, id)
    WHERE state NOT IN ('acknowledged', 'cancelled');

-- New jobs are counted by whoever writes them (`writing.rs`), once for all of a turn: a trigger made
-- every insertion one of several changes, and SQLite kept a copy of each page for the case that it fails.
-- The start of an id is looked for in the index that keeps ids apart.
DROP TRIGGER job_added;
DROP INDEX jobs_live_by_id;

-- `destination`: a number that is the same however the path is written, so that no two files of a job
-- go to one place; all 64 bits are used; NULL for files of before, which come first in their jobs.
-- `valid`: 0 of a file that is not whole.

ALTER TABLE files ADD COLUMN destination INTEGER;
ALTER TABLE files ADD COLUMN valid INTEGER NOT NULL DEFAULT 0 CHECK (valid IN (0, 1));
-- Most jobs have one file, and it is found without an index.
CREATE INDEX files_by_destination ON files (job, destination) WHERE place > 0 AND destination IS NOT NULL;
