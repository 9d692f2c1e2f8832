-- Version 8: a start reads of jobs that wait for their turn only what whose turn it is depends on, in
-- the order of their priorities and in parts; those that nobody cares for are found by when something
-- last happened to them.
--
-- `jobs_queued` has all that is read of such jobs, so that no row is; also the state, which is always the
-- same there, as SQLite would look at the row for it.

DROP INDEX jobs_unfinished;
CREATE INDEX jobs_unfinished ON jobs (created, id)
    WHERE state IN ('connecting', 'transferring')
       OR discard_pending = 1
       OR notices IS NOT NULL
       OR (state = 'queued' AND challenge_target IS NOT NULL)
       OR (state = 'transferred' AND complete_when_done = 1);
CREATE INDEX jobs_queued ON jobs (priority, created, id, owner, host, cost_flags, state)
    WHERE state = 'queued';
CREATE INDEX jobs_retrying ON jobs (created, id)
    WHERE state = 'transient_error';
CREATE INDEX jobs_by_activity ON jobs (active_at, id)
    WHERE state NOT IN ('acknowledged', 'cancelled');
