-- Version 7: jobs say in which states of the network's cost they may transfer.
--
-- `cost_flags`: `BITS_JOB_PROPERTY_ID_COST_FLAGS` as a mask; NULL for what the settings say for the
-- priority.

ALTER TABLE jobs ADD COLUMN cost_flags INTEGER CHECK (cost_flags > 0);
