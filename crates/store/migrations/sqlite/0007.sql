-- Version 7: jobs have a limit of their own.
--
-- `rate_limit`: bytes per second; NULL for none.

ALTER TABLE jobs ADD COLUMN rate_limit INTEGER CHECK (rate_limit > 0);
