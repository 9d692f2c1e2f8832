-- Version 3: how the requests of a job are made, and secrets that are no credentials.
--
-- What nobody has set is NULL or 0, which costs a byte a column in rows that are written from now on
-- and nothing in those that are there.
-- `headers`: lines `Name: value` with CR LF between, none of them a secret.
-- `certificate_path`: a file, or with a fingerprint or a subject the folder to look in.
-- `proxy_usage`: the numbers BITS gives.

ALTER TABLE jobs ADD COLUMN http_method TEXT;
ALTER TABLE jobs ADD COLUMN headers TEXT;
ALTER TABLE jobs ADD COLUMN headers_write_only INTEGER NOT NULL DEFAULT 0
    CHECK (headers_write_only IN (0, 1));
ALTER TABLE jobs ADD COLUMN security_flags INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN certificate_path TEXT;
ALTER TABLE jobs ADD COLUMN certificate_key TEXT;
ALTER TABLE jobs ADD COLUMN certificate_fingerprint BLOB;
ALTER TABLE jobs ADD COLUMN certificate_subject TEXT;
ALTER TABLE jobs ADD COLUMN proxy_usage INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN proxy_list TEXT;
ALTER TABLE jobs ADD COLUMN proxy_bypass TEXT;
ALTER TABLE jobs ADD COLUMN stored_proxy_credentials INTEGER NOT NULL DEFAULT 0
    CHECK (stored_proxy_credentials IN (0, 1));
ALTER TABLE jobs ADD COLUMN no_ntlm INTEGER NOT NULL DEFAULT 0 CHECK (no_ntlm IN (0, 1));
ALTER TABLE jobs ADD COLUMN service_name TEXT;
ALTER TABLE jobs ADD COLUMN krb5_ccname TEXT;
ALTER TABLE jobs ADD COLUMN env_http_proxy TEXT;
ALTER TABLE jobs ADD COLUMN env_https_proxy TEXT;
ALTER TABLE jobs ADD COLUMN env_all_proxy TEXT;
ALTER TABLE jobs ADD COLUMN env_no_proxy TEXT;
ALTER TABLE jobs ADD COLUMN resumed INTEGER NOT NULL DEFAULT 0 CHECK (resumed IN (0, 1));
UPDATE jobs SET resumed = 1 WHERE attempt > 0 OR state <> 'suspended';

-- One place for all secrets of a job. A slot is `credential:TARGET:SCHEME` with the numbers BITS
-- gives, `header:NAME`, or `passphrase`: that of the client certificate.
CREATE TABLE secrets (
    job    BLOB NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    slot   TEXT NOT NULL COLLATE NOCASE,
    record BLOB NOT NULL,
    UNIQUE (job, slot)
) STRICT;
INSERT INTO secrets (job, slot, record)
    SELECT job, 'credential:' || target || ':' || scheme, record FROM credentials ORDER BY rowid;
DROP TABLE credentials;
