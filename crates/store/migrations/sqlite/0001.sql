-- Version 1: jobs, their files, their credentials.
--
-- This file never changes once a release has it; the next change is 0002.sql.
-- Words and numbers that stand for something are spelled out in `rows.rs`; those of priority,
-- error_context, target and scheme are the numbers BITS gives them.
-- Times are milliseconds since 1970 (UTC), durations milliseconds, sizes bytes.

CREATE TABLE jobs (
    id                  BLOB    NOT NULL UNIQUE CHECK (length(id) = 16),
    revision            INTEGER NOT NULL,
    owner               INTEGER NOT NULL,
    state               TEXT    NOT NULL CHECK (state IN (
                            'queued', 'connecting', 'transferring', 'suspended', 'error',
                            'transient_error', 'transferred', 'acknowledged', 'cancelled')),
    retry_at            INTEGER CHECK ((retry_at IS NOT NULL) = (state = 'transient_error')),

    display_name        TEXT    NOT NULL,
    description         TEXT    NOT NULL,
    priority            INTEGER NOT NULL,
    minimum_retry_delay INTEGER,
    no_progress_timeout INTEGER NOT NULL,
    complete_when_done  INTEGER NOT NULL CHECK (complete_when_done IN (0, 1)),
    krb5_config         TEXT,
    umask               INTEGER,

    files_total         INTEGER NOT NULL,
    files_transferred   INTEGER NOT NULL,

    error_code          INTEGER,
    error_context       INTEGER,
    error_transient     INTEGER CHECK (error_transient IN (0, 1)),
    error_message       TEXT,
    error_file          INTEGER,
    error_retry_after   INTEGER, -- seconds, as the server said it
    challenge_target    INTEGER,
    challenge_host      TEXT,
    challenge_realm     TEXT,
    challenge_schemes   TEXT,    -- numbers with commas between, in the order they are preferred
    challenge_refused   INTEGER CHECK (challenge_refused IN (0, 1)),

    error_count         INTEGER NOT NULL,
    failures_in_a_row   INTEGER NOT NULL,
    stalled_since       INTEGER,
    attempt             INTEGER NOT NULL,
    created             INTEGER NOT NULL,
    modified            INTEGER NOT NULL,
    transfer_completed  INTEGER,
    discard_pending     INTEGER NOT NULL CHECK (discard_pending IN (0, 1)),

    -- Sums over the files of the job, kept by the triggers on `files`, so that a list of jobs
    -- reads no files. What servers promise can add up to more than 64 bits hold: sums of bytes
    -- are kept in two halves, each the sum of the 32-bit halves of its terms.
    sum_files           INTEGER NOT NULL DEFAULT 0,
    sum_whole           INTEGER NOT NULL DEFAULT 0,
    sum_unsized         INTEGER NOT NULL DEFAULT 0,
    sum_size_high       INTEGER NOT NULL DEFAULT 0,
    sum_size_low        INTEGER NOT NULL DEFAULT 0,
    sum_durable_high    INTEGER NOT NULL DEFAULT 0,
    sum_durable_low     INTEGER NOT NULL DEFAULT 0
) STRICT;

-- A live job is one that can still change. Each list has an index in the order it is shown.
CREATE INDEX jobs_live ON jobs (owner, created, id)
    WHERE state NOT IN ('acknowledged', 'cancelled');
CREATE INDEX jobs_by_state ON jobs (owner, state, created, id);
CREATE INDEX jobs_live_by_name ON jobs (owner, display_name, created, id)
    WHERE state NOT IN ('acknowledged', 'cancelled');
CREATE INDEX jobs_live_by_id ON jobs (owner, id, created)
    WHERE state NOT IN ('acknowledged', 'cancelled');
CREATE INDEX jobs_unfinished ON jobs (created, id)
    WHERE state IN ('queued', 'connecting', 'transferring', 'transient_error')
       OR discard_pending = 1
       OR (state = 'transferred' AND complete_when_done = 1);
CREATE INDEX jobs_forgettable ON jobs (modified)
    WHERE state IN ('acknowledged', 'cancelled') AND discard_pending = 0;

CREATE TABLE files (
    job           BLOB    NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    place         INTEGER NOT NULL, -- in the job, from 0
    remote_name   TEXT    NOT NULL,
    local_name    TEXT    NOT NULL,
    no_clobber    INTEGER NOT NULL CHECK (no_clobber IN (0, 1)),
    size          INTEGER CHECK (size >= 0),
    etag          TEXT,
    last_modified TEXT,
    durable       INTEGER NOT NULL CHECK (durable >= 0),
    boot          BLOB    CHECK (length(boot) = 16),
    stage         TEXT    NOT NULL CHECK (stage IN ('waiting', 'transferred', 'completed')),
    UNIQUE (job, place)
) STRICT;

CREATE TABLE credentials (
    job    BLOB    NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    target INTEGER NOT NULL,
    scheme INTEGER NOT NULL,
    record BLOB    NOT NULL, -- sealed; this database cannot read it
    UNIQUE (job, target, scheme)
) STRICT;

-- How many jobs of an owner are in a state, kept by the triggers on `jobs`.
CREATE TABLE job_counts (
    owner INTEGER NOT NULL,
    state TEXT    NOT NULL,
    jobs  INTEGER NOT NULL CHECK (jobs >= 0),
    PRIMARY KEY (owner, state)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER job_added AFTER INSERT ON jobs BEGIN
    INSERT INTO job_counts (owner, state, jobs) VALUES (NEW.owner, NEW.state, 1)
        ON CONFLICT (owner, state) DO UPDATE SET jobs = jobs + 1;
END;

CREATE TRIGGER job_moved AFTER UPDATE OF owner, state ON jobs
    WHEN OLD.owner <> NEW.owner OR OLD.state <> NEW.state
BEGIN
    UPDATE job_counts SET jobs = jobs - 1 WHERE owner = OLD.owner AND state = OLD.state;
    INSERT INTO job_counts (owner, state, jobs) VALUES (NEW.owner, NEW.state, 1)
        ON CONFLICT (owner, state) DO UPDATE SET jobs = jobs + 1;
END;

CREATE TRIGGER job_gone AFTER DELETE ON jobs BEGIN
    UPDATE job_counts SET jobs = jobs - 1 WHERE owner = OLD.owner AND state = OLD.state;
END;

-- Files go only together with their job; that needs no trigger.
CREATE TRIGGER file_added AFTER INSERT ON files BEGIN
    UPDATE jobs SET
        sum_files        = sum_files + 1,
        sum_whole        = sum_whole + (NEW.stage <> 'waiting'),
        sum_unsized      = sum_unsized + (NEW.size IS NULL),
        sum_size_high    = sum_size_high + (ifnull(NEW.size, 0) >> 32),
        sum_size_low     = sum_size_low + (ifnull(NEW.size, 0) & 0xFFFFFFFF),
        sum_durable_high = sum_durable_high + (NEW.durable >> 32),
        sum_durable_low  = sum_durable_low + (NEW.durable & 0xFFFFFFFF)
    WHERE id = NEW.job;
END;

CREATE TRIGGER file_changed AFTER UPDATE OF size, durable, stage ON files BEGIN
    UPDATE jobs SET
        sum_whole        = sum_whole + (NEW.stage <> 'waiting') - (OLD.stage <> 'waiting'),
        sum_unsized      = sum_unsized + (NEW.size IS NULL) - (OLD.size IS NULL),
        sum_size_high    = sum_size_high + (ifnull(NEW.size, 0) >> 32) - (ifnull(OLD.size, 0) >> 32),
        sum_size_low     = sum_size_low + (ifnull(NEW.size, 0) & 0xFFFFFFFF)
                                        - (ifnull(OLD.size, 0) & 0xFFFFFFFF),
        sum_durable_high = sum_durable_high + (NEW.durable >> 32) - (OLD.durable >> 32),
        sum_durable_low  = sum_durable_low + (NEW.durable & 0xFFFFFFFF) - (OLD.durable & 0xFFFFFFFF)
    WHERE id = NEW.job;
END;
