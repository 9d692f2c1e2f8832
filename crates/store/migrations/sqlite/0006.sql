-- Version 6: jobs have turns by host and can be on demand; files have mirrors; the sums over the files
-- of a job are kept by whoever writes files (`sums.rs`), for all the files of a turn at once: a trigger
-- wrote the job, which is a long row, anew for each of them.
--
-- `host`: which host a job's next files are on, as a number that tells hosts apart; jobs of before
-- share one, 0, until files are added to them.
-- `demands`: how often something was asked for; `demands_met`: how much of that has been dealt with.
-- `requested`, `filled`: `OFFSET:LENGTH` or, of what is requested, `OFFSET:eof`, with commas between;
-- NULL for none.
-- `sources`: a line for each, the original first and without its name:
-- `original|given|link`, `ready|refused|broken|slow|other|lied`, the URL, why it is not asked, with tabs
-- between; NULL for a file without mirrors of which all is well.
-- `source_in_use`, `served_source`: the number of a line, from 0: where the last bytes came from, and
-- what the validator is of.
-- `expected_size`: as the owner gave it.

ALTER TABLE jobs ADD COLUMN host INTEGER NOT NULL DEFAULT 0 CHECK (host >= 0);
ALTER TABLE jobs ADD COLUMN on_demand INTEGER NOT NULL DEFAULT 0 CHECK (on_demand IN (0, 1));
ALTER TABLE jobs ADD COLUMN demands INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN demands_met INTEGER NOT NULL DEFAULT 0;
ALTER TABLE files ADD COLUMN sources TEXT;
ALTER TABLE files ADD COLUMN source_in_use INTEGER NOT NULL DEFAULT 0;
ALTER TABLE files ADD COLUMN served_source INTEGER NOT NULL DEFAULT 0;
ALTER TABLE files ADD COLUMN expected_size INTEGER;
ALTER TABLE files ADD COLUMN requested TEXT;
ALTER TABLE files ADD COLUMN download_position INTEGER;
ALTER TABLE files ADD COLUMN filled TEXT;

DROP TRIGGER file_added;
DROP TRIGGER file_changed;
