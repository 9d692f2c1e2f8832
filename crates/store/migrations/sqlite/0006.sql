-- Version 6: mirrors of a file, and what is known of each source.
--
-- `sources`: a line for each, the original first and without its name:
-- `original|given|link`, `ready|refused|broken|slow|other|lied`, the URL, why it is not asked, with tabs
-- between; NULL for a file without mirrors of which all is well.
-- `source_in_use`, `served_source`: the number of a line, from 0: where the last bytes came from, and
-- what the validator is of.
-- `expected_size`: as the owner gave it.

ALTER TABLE files ADD COLUMN sources TEXT;
ALTER TABLE files ADD COLUMN source_in_use INTEGER NOT NULL DEFAULT 0;
ALTER TABLE files ADD COLUMN served_source INTEGER NOT NULL DEFAULT 0;
ALTER TABLE files ADD COLUMN expected_size INTEGER;
