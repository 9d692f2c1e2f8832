-- Version 8: where each file goes, as a number that is the same however its path is written, so that no
-- two files of a job go to one place.
--
-- `destination`: all 64 bits are used; NULL for files of before, which come first in their jobs.
-- Most jobs have one file, and it is found without an index.

ALTER TABLE files ADD COLUMN destination INTEGER;
CREATE INDEX files_by_destination ON files (job, destination) WHERE place > 0 AND destination IS NOT NULL;
