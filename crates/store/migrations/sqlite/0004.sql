-- Version 4: parts, checksums and what else is to be known of a file; jobs that keep going.
--
-- `ranges`: `OFFSET:LENGTH` or `OFFSET:eof`, with commas between; NULL for all of the file.
-- `checksum`, `served_checksum`: `sha256:HEX`, as the owner and as the server gave it.
-- `headers`: lines `Name: value`.
-- `partial_device`, `partial_inode`: of the boot that `boot` names; all 64 bits are used.

ALTER TABLE files ADD COLUMN ranges TEXT;
ALTER TABLE files ADD COLUMN checksum TEXT;
ALTER TABLE files ADD COLUMN resume_by INTEGER NOT NULL DEFAULT 0;
ALTER TABLE files ADD COLUMN moved INTEGER NOT NULL DEFAULT 0 CHECK (moved IN (0, 1));
ALTER TABLE files ADD COLUMN served_checksum TEXT;
ALTER TABLE files ADD COLUMN headers TEXT;
ALTER TABLE files ADD COLUMN partial_device INTEGER;
ALTER TABLE files ADD COLUMN partial_inode INTEGER;
ALTER TABLE files ADD COLUMN error_code INTEGER;
ALTER TABLE files ADD COLUMN error_message TEXT;

ALTER TABLE jobs ADD COLUMN keep_going INTEGER NOT NULL DEFAULT 0 CHECK (keep_going IN (0, 1));
ALTER TABLE jobs ADD COLUMN dynamic_content INTEGER NOT NULL DEFAULT 0 CHECK (dynamic_content IN (0, 1));
ALTER TABLE jobs ADD COLUMN high_performance INTEGER NOT NULL DEFAULT 0 CHECK (high_performance IN (0, 1));
ALTER TABLE jobs ADD COLUMN max_download_size INTEGER;
ALTER TABLE jobs ADD COLUMN files_passed_over INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN same_failures INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN beginnings INTEGER NOT NULL DEFAULT 0;
