-- Version 7: files can come in parts.
--
-- `in_parts`: whether parts of the version may have come before what lies in front of them, so that the
-- length of the partial file tells nothing, and `filled` what is there.
-- `sources_beside`: from where parts came last beside `source_in_use`, a bit for each line of `sources`,
-- the lowest for line 0.

ALTER TABLE files ADD COLUMN in_parts INTEGER NOT NULL DEFAULT 0 CHECK (in_parts IN (0, 1));
ALTER TABLE files ADD COLUMN sources_beside INTEGER NOT NULL DEFAULT 0 CHECK (sources_beside >= 0);
