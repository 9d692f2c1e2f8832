-- Version 6: which host a job's next files are on, as a number that tells hosts apart, so that hosts
-- can have their turns one after another. Jobs of before share one, 0, until files are added to them.

ALTER TABLE jobs ADD COLUMN host INTEGER NOT NULL DEFAULT 0 CHECK (host >= 0);
