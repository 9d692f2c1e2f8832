-- Version 5: a file whose sums stay does not touch its job, which is a long row. That it has its
-- name now is the change of which there are most at a time.

DROP TRIGGER file_changed;
CREATE TRIGGER file_changed AFTER UPDATE OF size, durable, stage ON files
    WHEN OLD.size IS NOT NEW.size OR OLD.durable <> NEW.durable
      OR (OLD.stage = 'waiting') <> (NEW.stage = 'waiting')
BEGIN
    UPDATE jobs SET
        sum_whole        = sum_whole + (NEW.stage <> 'waiting') - (OLD.stage <> 'waiting'),
        sum_unsized      = sum_unsized + (NEW.size IS NULL) - (OLD.size IS NULL),
        sum_size_high    = sum_size_high + (ifnull(NEW.size, 0) >> 32) - (ifnull(OLD.size, 0) >> 32),
        sum_size_low     = sum_size_low + (ifnull(NEW.size, 0) & 0xFFFFFFFF)
                                        - (ifnull(OLD.size, 0) & 0xFFFFFFFF),
        sum_durable_high = sum_durable_high + (NEW.durable >> 32) - (OLD.durable >> 32),
        sum_durable_low  = sum_durable_low + (NEW.durable & 0xFFFFFFFF) - (OLD.durable & 0xFFFFFFFF)
    WHERE id = NEW.job;
END;
