//! Every store passes the one contract.

use bits_core::ports::Store;
use bits_store::{MemoryStore, SqliteStore, contract};

#[test]
fn the_memory_store_fulfils_the_contract() {
    contract::check(&mut || Box::new(MemoryStore::new()));
}

#[test]
fn the_sqlite_store_fulfils_the_contract() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut made = 0;
    contract::check(&mut || -> Box<dyn Store> {
        made += 1;
        let opened = SqliteStore::open(&folder.path().join(format!("{made}.db"))).expect("a store");
        assert_eq!(opened.set_aside, None);
        Box::new(opened.store)
    });
}
