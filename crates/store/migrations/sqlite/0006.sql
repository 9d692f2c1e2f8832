-- Version 6: jobs have turns by host, and can be on demand.
--
-- `host`: which host a job's next files are on, as a number that tells hosts apart; jobs of before
-- share one, 0, until files are added to them.
-- `demands`: how often something was asked for; `demands_met`: how much of that has been dealt with.
-- `requested`, `filled`: `OFFSET:LENGTH` or, of what is requested, `OFFSET:eof`, with commas between;
-- NULL for none.

ALTER TABLE jobs ADD COLUMN host INTEGER NOT NULL DEFAULT 0 CHECK (host >= 0);
ALTER TABLE jobs ADD COLUMN on_demand INTEGER NOT NULL DEFAULT 0 CHECK (on_demand IN (0, 1));
ALTER TABLE jobs ADD COLUMN demands INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN demands_met INTEGER NOT NULL DEFAULT 0;
ALTER TABLE files ADD COLUMN requested TEXT;
ALTER TABLE files ADD COLUMN download_position INTEGER;
ALTER TABLE files ADD COLUMN filled TEXT;
