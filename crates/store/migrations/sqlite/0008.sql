-- Version 8: the sums over the files of a job are kept by whoever writes files (`sums.rs`), for all the
-- files of a turn at once. A trigger wrote the job, which is a long row, anew for each of them.

DROP TRIGGER file_added;
DROP TRIGGER file_changed;
