-- Version 2: what is to be known of the store as a whole.
--
-- `key_id`: the name of the key that credentials are sealed with, eight bytes.
-- `key_source`: where that key is kept, by a word spelled out in `rows.rs`.
-- Both are there or neither: a store that has not chosen yet, or is from before this version.

CREATE TABLE meta (
    name  TEXT NOT NULL PRIMARY KEY,
    value ANY  NOT NULL
) STRICT, WITHOUT ROWID;
