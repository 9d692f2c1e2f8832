-- Version 8: what the owner of a job has said of the content of its files.
--
-- `valid`: whether it was found to be right; 0 of a file that is not whole.

ALTER TABLE files ADD COLUMN valid INTEGER NOT NULL DEFAULT 0 CHECK (valid IN (0, 1));
