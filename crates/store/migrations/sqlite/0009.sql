-- Version 9: a new job touches fewer pages.
--
-- What is written of a new job is added at the end: `number` counts up, and files and secrets are kept by it
-- instead of by the id, which is at another place each time. No number is told to anybody, so that one of a
-- job that is gone may be given again: what was kept by it went with the job.
--
-- `jobs_by_id` keeps ids apart. It begins with their last byte, which jobs of one call share: so their ids
-- lie beside each other, wherever their beginnings would put them. The start of an id is looked for at each
-- of the 256 places where it can be.
--
-- A list of all that is live is put together from `jobs_by_state`, which is in the order of each.
--
-- Whatever is not said of a new job or file is what its column has as a default. For a list of more than two
-- values SQLite makes a table each time it looks whether a value is among them; here they are compared.

ALTER TABLE jobs RENAME TO old_jobs;
ALTER TABLE files RENAME TO old_files;
ALTER TABLE secrets RENAME TO old_secrets;
DROP TRIGGER job_moved;
DROP TRIGGER job_gone;
DROP INDEX jobs_live;
DROP INDEX jobs_by_state;
DROP INDEX jobs_live_by_name;
DROP INDEX jobs_forgettable;
DROP INDEX jobs_unfinished;
DROP INDEX jobs_queued;
DROP INDEX jobs_retrying;
DROP INDEX jobs_by_activity;

CREATE TABLE jobs (
    number              INTEGER NOT NULL PRIMARY KEY,
    id                  BLOB    NOT NULL CHECK (length(id) = 16),
    revision            INTEGER NOT NULL,
    owner               INTEGER NOT NULL,
    state               TEXT    NOT NULL CHECK (
                            state = 'queued' OR state = 'connecting' OR state = 'transferring' OR
                            state = 'suspended' OR state = 'error' OR state = 'transient_error' OR
                            state = 'transferred' OR state = 'acknowledged' OR state = 'cancelled'),
    retry_at            INTEGER CHECK ((retry_at IS NOT NULL) = (state = 'transient_error')),

    display_name        TEXT    NOT NULL,
    description         TEXT    NOT NULL DEFAULT '',
    priority            INTEGER NOT NULL,
    minimum_retry_delay INTEGER,
    no_progress_timeout INTEGER NOT NULL,
    maximum_download_time INTEGER, -- NULL where the policy of the service counts
    complete_when_done  INTEGER NOT NULL DEFAULT 0 CHECK (complete_when_done IN (0, 1)),
    keep_going          INTEGER NOT NULL DEFAULT 0 CHECK (keep_going IN (0, 1)),
    dynamic_content     INTEGER NOT NULL DEFAULT 0 CHECK (dynamic_content IN (0, 1)),
    high_performance    INTEGER NOT NULL DEFAULT 0 CHECK (high_performance IN (0, 1)),
    on_demand           INTEGER NOT NULL DEFAULT 0 CHECK (on_demand IN (0, 1)),
    max_download_size   INTEGER,
    cost_flags          INTEGER CHECK (cost_flags > 0), -- BITS's mask; NULL for what the settings say
    rate_limit          INTEGER CHECK (rate_limit > 0), -- bytes per second

    -- How requests are made; see version 3.
    http_method         TEXT,
    headers             TEXT,
    headers_write_only  INTEGER NOT NULL DEFAULT 0 CHECK (headers_write_only IN (0, 1)),
    security_flags      INTEGER NOT NULL DEFAULT 0,
    certificate_path    TEXT,
    certificate_key     TEXT,
    certificate_fingerprint BLOB,
    certificate_subject TEXT,
    proxy_usage         INTEGER NOT NULL DEFAULT 0,
    proxy_list          TEXT,
    proxy_bypass        TEXT,
    stored_proxy_credentials INTEGER NOT NULL DEFAULT 0 CHECK (stored_proxy_credentials IN (0, 1)),
    no_ntlm             INTEGER NOT NULL DEFAULT 0 CHECK (no_ntlm IN (0, 1)),
    service_name        TEXT,
    krb5_config         TEXT,
    krb5_ccname         TEXT,
    umask               INTEGER,
    env_http_proxy      TEXT,
    env_https_proxy     TEXT,
    env_all_proxy       TEXT,
    env_no_proxy        TEXT,
    way                 INTEGER NOT NULL CHECK (way BETWEEN 0 AND 2), -- see version 8

    -- What programs written for BITS say; see version 7.
    file_acl_flags      INTEGER NOT NULL DEFAULT 0,
    peer_caching_flags  INTEGER NOT NULL DEFAULT 0,
    helper_token_flags  INTEGER NOT NULL DEFAULT 0,
    notification_class  BLOB,

    -- What its owner is to be told; see version 7.
    notify_flags        INTEGER NOT NULL DEFAULT 3 CHECK (notify_flags BETWEEN 0 AND 63),
    notify_program      TEXT,
    notify_arguments    TEXT,
    notify_webhook      TEXT,
    notify_interval     INTEGER NOT NULL DEFAULT 500 CHECK (notify_interval >= 0),
    notices             TEXT,
    notices_made        INTEGER NOT NULL DEFAULT 0,
    notice_failure      TEXT,

    host                INTEGER NOT NULL CHECK (host >= 0), -- see version 6
    resumed             INTEGER NOT NULL DEFAULT 0 CHECK (resumed IN (0, 1)),
    files_total         INTEGER NOT NULL,
    files_transferred   INTEGER NOT NULL DEFAULT 0,
    files_passed_over   INTEGER NOT NULL DEFAULT 0,
    demands             INTEGER NOT NULL DEFAULT 0,
    demands_met         INTEGER NOT NULL DEFAULT 0,

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

    error_count         INTEGER NOT NULL DEFAULT 0,
    failures_in_a_row   INTEGER NOT NULL DEFAULT 0,
    same_failures       INTEGER NOT NULL DEFAULT 0,
    stalled_since       INTEGER,
    attempt             INTEGER NOT NULL DEFAULT 0,
    beginnings          INTEGER NOT NULL DEFAULT 0,
    created             INTEGER NOT NULL,
    modified            INTEGER NOT NULL,
    active_at           INTEGER NOT NULL CHECK (active_at >= 0),
    transfer_completed  INTEGER,
    ran_for             INTEGER NOT NULL DEFAULT 0 CHECK (ran_for >= 0),
    running_since       INTEGER,
    discard_pending     INTEGER NOT NULL DEFAULT 0 CHECK (discard_pending IN (0, 1)),

    -- Sums over the files of the job (`sums.rs`), so that a list of jobs reads no files.
    sum_files           INTEGER NOT NULL DEFAULT 0,
    sum_whole           INTEGER NOT NULL DEFAULT 0,
    sum_unsized         INTEGER NOT NULL DEFAULT 0,
    sum_size_high       INTEGER NOT NULL DEFAULT 0,
    sum_size_low        INTEGER NOT NULL DEFAULT 0,
    sum_durable_high    INTEGER NOT NULL DEFAULT 0,
    sum_durable_low     INTEGER NOT NULL DEFAULT 0
) STRICT;

INSERT INTO jobs (
    number, id, revision, owner, state, retry_at,
    display_name, description, priority, minimum_retry_delay, no_progress_timeout, maximum_download_time,
    complete_when_done, keep_going, dynamic_content, high_performance, on_demand, max_download_size,
    cost_flags, rate_limit,
    http_method, headers, headers_write_only, security_flags, certificate_path, certificate_key,
    certificate_fingerprint, certificate_subject, proxy_usage, proxy_list, proxy_bypass,
    stored_proxy_credentials, no_ntlm, service_name, krb5_config, krb5_ccname, umask,
    env_http_proxy, env_https_proxy, env_all_proxy, env_no_proxy, way,
    file_acl_flags, peer_caching_flags, helper_token_flags, notification_class,
    notify_flags, notify_program, notify_arguments, notify_webhook, notify_interval,
    notices, notices_made, notice_failure,
    host, resumed, files_total, files_transferred, files_passed_over, demands, demands_met,
    error_code, error_context, error_transient, error_message, error_file, error_retry_after,
    challenge_target, challenge_host, challenge_realm, challenge_schemes, challenge_refused,
    error_count, failures_in_a_row, same_failures, stalled_since, attempt, beginnings,
    created, modified, active_at, transfer_completed, ran_for, running_since, discard_pending,
    sum_files, sum_whole, sum_unsized, sum_size_high, sum_size_low, sum_durable_high, sum_durable_low)
SELECT
    rowid, id, revision, owner, state, retry_at,
    display_name, description, priority, minimum_retry_delay, no_progress_timeout, maximum_download_time,
    complete_when_done, keep_going, dynamic_content, high_performance, on_demand, max_download_size,
    cost_flags, rate_limit,
    http_method, headers, headers_write_only, security_flags, certificate_path, certificate_key,
    certificate_fingerprint, certificate_subject, proxy_usage, proxy_list, proxy_bypass,
    stored_proxy_credentials, no_ntlm, service_name, krb5_config, krb5_ccname, umask,
    env_http_proxy, env_https_proxy, env_all_proxy, env_no_proxy, way,
    file_acl_flags, peer_caching_flags, helper_token_flags, notification_class,
    notify_flags, notify_program, notify_arguments, notify_webhook, notify_interval,
    notices, notices_made, notice_failure,
    host, resumed, files_total, files_transferred, files_passed_over, demands, demands_met,
    error_code, error_context, error_transient, error_message, error_file, error_retry_after,
    challenge_target, challenge_host, challenge_realm, challenge_schemes, challenge_refused,
    error_count, failures_in_a_row, same_failures, stalled_since, attempt, beginnings,
    created, modified, active_at, transfer_completed, ran_for, running_since, discard_pending,
    sum_files, sum_whole, sum_unsized, sum_size_high, sum_size_low, sum_durable_high, sum_durable_low
FROM old_jobs ORDER BY rowid;

CREATE TABLE files (
    job               INTEGER NOT NULL REFERENCES jobs (number) ON DELETE CASCADE,
    place             INTEGER NOT NULL, -- in the job, from 0
    remote_name       TEXT    NOT NULL,
    local_name        TEXT    NOT NULL,
    destination       INTEGER, -- see version 8
    no_clobber        INTEGER NOT NULL DEFAULT 0 CHECK (no_clobber IN (0, 1)),

    -- What is wanted of it; see versions 4 and 6.
    ranges            TEXT,
    checksum          TEXT,
    resume_by         INTEGER NOT NULL DEFAULT 0,
    expected_size     INTEGER,
    requested         TEXT,
    download_position INTEGER,
    sources           TEXT,

    -- What there is of it; see versions 4, 6 and 7.
    size              INTEGER CHECK (size >= 0),
    etag              TEXT,
    last_modified     TEXT,
    served_checksum   TEXT,
    headers           TEXT,
    served_source     INTEGER NOT NULL DEFAULT 0,
    source_in_use     INTEGER NOT NULL DEFAULT 0,
    sources_beside    INTEGER NOT NULL DEFAULT 0 CHECK (sources_beside >= 0),
    in_parts          INTEGER NOT NULL DEFAULT 0 CHECK (in_parts IN (0, 1)),
    filled            TEXT,
    moved             INTEGER NOT NULL DEFAULT 0 CHECK (moved IN (0, 1)),
    boot              BLOB    CHECK (length(boot) = 16),
    partial_device    INTEGER,
    partial_inode     INTEGER,
    durable           INTEGER NOT NULL DEFAULT 0 CHECK (durable >= 0),
    stage             TEXT    NOT NULL DEFAULT 'waiting'
                        CHECK (stage = 'waiting' OR stage = 'transferred' OR stage = 'completed'),
    valid             INTEGER NOT NULL DEFAULT 0 CHECK (valid IN (0, 1)),
    error_code        INTEGER,
    error_message     TEXT,
    PRIMARY KEY (job, place)
) STRICT, WITHOUT ROWID;

INSERT INTO files (
    job, place, remote_name, local_name, destination, no_clobber,
    ranges, checksum, resume_by, expected_size, requested, download_position, sources,
    size, etag, last_modified, served_checksum, headers, served_source, source_in_use, sources_beside,
    in_parts, filled, moved, boot, partial_device, partial_inode, durable, stage, valid,
    error_code, error_message)
SELECT
    old_jobs.rowid, place, remote_name, local_name, destination, no_clobber,
    ranges, checksum, resume_by, expected_size, requested, download_position, sources,
    size, etag, last_modified, served_checksum, old_files.headers, served_source, source_in_use, sources_beside,
    in_parts, filled, moved, boot, partial_device, partial_inode, durable, stage, valid,
    old_files.error_code, old_files.error_message
-- One job after the other, as they lie there from now on.
FROM old_jobs CROSS JOIN old_files ON old_files.job = old_jobs.id ORDER BY old_jobs.rowid, place;

CREATE TABLE secrets (
    job    INTEGER NOT NULL REFERENCES jobs (number) ON DELETE CASCADE,
    slot   TEXT NOT NULL COLLATE NOCASE,
    record BLOB NOT NULL,
    UNIQUE (job, slot)
) STRICT;

INSERT INTO secrets (job, slot, record)
    SELECT old_jobs.rowid, slot, record
    FROM old_secrets JOIN old_jobs ON old_jobs.id = old_secrets.job ORDER BY old_secrets.rowid;

DROP TABLE old_files;
DROP TABLE old_secrets;
DROP TABLE old_jobs;

CREATE UNIQUE INDEX jobs_by_id ON jobs (substr(id, 16), id);
CREATE INDEX jobs_by_state ON jobs (owner, state, created, id);
CREATE INDEX jobs_live_by_name ON jobs (owner, display_name, created, id)
    WHERE state NOT IN ('acknowledged', 'cancelled');
CREATE INDEX jobs_forgettable ON jobs (modified)
    WHERE state IN ('acknowledged', 'cancelled') AND discard_pending = 0;
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
CREATE INDEX files_by_destination ON files (job, destination) WHERE place > 0 AND destination IS NOT NULL;

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
