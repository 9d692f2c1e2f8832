//! What is opened, what is refused, and what is set aside.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use bits_core::file::{BootId, FileIndex};
use bits_core::ports::Store;
use bits_store::sqlite::Looked;
use bits_store::{OpenError, SqliteStore};
use rusqlite::Connection;
use rusqlite::config::DbConfig;

use crate::sample::{a_job, commit_new};

#[test]
fn a_database_opens_again_with_what_was_written() {
    let (_folder, path) = a_place();
    let mut store = open_whole(&path);
    for number in 0..3 {
        commit_new(&mut store, &a_job(number));
    }
    drop(store);
    assert_eq!(files(&path).keys().collect::<Vec<_>>(), ["jobs.db"], "the log is written back on closing");
    let mut store = open_whole(&path);
    for number in 0..3 {
        assert_eq!(store.job(a_job(number).id), Ok(Some(a_job(number))));
    }
}

#[test]
fn a_newer_database_is_refused_and_not_touched() {
    for newest_is_in_the_log in [false, true] {
        let (_folder, path) = a_place();
        commit_new(&mut open_whole(&path), &a_job(1));
        let newer = Connection::open(&path).expect("a connection");
        newer
            .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, newest_is_in_the_log)
            .expect("a setting");
        let ours: u32 = newer.pragma_query_value(None, "user_version", |row| row.get(0)).expect("a version");
        newer.pragma_update(None, "user_version", 99).expect("a version");
        drop(newer);
        if newest_is_in_the_log {
            // A holder that shares nothing leaves no index of the log.
            fs::remove_file(path.with_file_name("jobs.db-shm")).expect("an index");
        }
        // The version is the big-endian number at byte 60 of the file.
        let in_the_file = fs::read(&path).expect("a file")[63];
        assert_eq!(u32::from(in_the_file), if newest_is_in_the_log { ours } else { 99 });

        let before = (files(&path), times(&path));
        let error = SqliteStore::open(&path).expect_err("it is newer");
        assert!(matches!(error, OpenError::Newer { found: 99, known, .. } if known == ours), "{error:?}");
        assert!(error.to_string().contains("nothing was changed: start that version again"), "{error}");
        assert!((files(&path), times(&path)) == before, "something was touched");
    }
}

#[test]
fn a_damaged_database_is_set_aside_whole_and_a_fresh_one_is_made() {
    for (damage, reason) in [
        (write_noise as fn(&Path), "not a database"),
        (overwrite_rows, "page"),
        (cut_off_the_end, "malformed"),
        (lose_the_file_but_not_the_log, "nothing that they change"),
        (empty_the_file_but_not_the_log, "nothing that they change"),
        (put_another_database, "it is not a queue"),
        (put_another_application, "it is not a queue"),
    ] {
        let (_folder, path) = a_place();
        let mut store = open_whole(&path);
        (0..50).for_each(|number| commit_new(&mut store, &a_job(number)));
        drop(store);
        damage(&path);
        let before = files(&path);

        let mut opened = SqliteStore::open(&path).expect("a fresh store");
        let set_aside = opened.set_aside.expect("something was in the way");
        assert_eq!(set_aside.path, path.with_file_name("jobs.db.damaged-1"), "{reason}");
        assert!(set_aside.reason.contains(reason), "{reason}: {}", set_aside.reason);
        let aside = files(&set_aside.path);
        for (name, bytes) in before {
            let name = name.replacen(".db", ".db.damaged-1", 1);
            assert!(aside.get(&name) == Some(&bytes), "{reason}: {name} is not as it was");
        }
        assert_eq!(opened.store.job(a_job(1).id), Ok(None));
        commit_new(&mut opened.store, &a_job(1));
        drop(opened.store);
        assert_eq!(open_whole(&path).job(a_job(1).id), Ok(Some(a_job(1))), "{reason}");
    }
}

#[test]
fn a_database_is_examined_without_being_touched() {
    for (damage, reason) in [
        ((|_| {}) as fn(&Path), None),
        (leave_a_log, None),
        (write_noise, Some("not a database")),
        (overwrite_rows, Some("page")),
        (cut_off_the_end, Some("malformed")),
        (lose_the_file_but_not_the_log, Some("nothing that they change")),
        (put_another_application, Some("it is not a queue")),
    ] {
        let (_folder, path) = a_place();
        assert_eq!(SqliteStore::examine(&path, true).expect("examined"), None);
        let mut store = open_whole(&path);
        (0..50).for_each(|number| commit_new(&mut store, &a_job(number)));
        drop(store);
        damage(&path);
        let before = (files(&path), times(&path));
        let found = SqliteStore::examine(&path, true).expect("examined").expect("a database");
        match (&found.damage, reason) {
            (None, None) => assert_eq!(found.version, found.known),
            (Some(found), Some(reason)) => assert!(found.contains(reason), "{reason}: {found}"),
            (found, reason) => panic!("{found:?} {reason:?}"),
        }
        assert!((files(&path), times(&path)) == before, "{reason:?}: something was touched");
    }
    let (_folder, path) = a_place();
    let store = open_whole(&path);
    assert!(SqliteStore::examine(&path, false).expect("examined").is_some());
    let error = SqliteStore::examine(&path, true).expect_err("a service has it");
    assert!(matches!(error, OpenError::InUse { .. }), "{error:?}");
    drop(store);
    open_whole(&path);
}

#[test]
fn each_damaged_database_has_its_own_name_and_there_is_an_end_to_it() {
    let (_folder, path) = a_place();
    for number in 1..=100 {
        fs::write(&path, format!("noise {number}")).expect("noise");
        let set_aside = SqliteStore::open(&path).expect("a fresh store").set_aside.expect("noise");
        assert_eq!(fs::read_to_string(set_aside.path).expect("noise"), format!("noise {number}"));
    }
    fs::write(&path, "noise").expect("noise");
    let error = SqliteStore::open(&path).expect_err("too many");
    assert!(matches!(error, OpenError::TooManySetAside { .. }), "{error:?}");
    assert_eq!(fs::read_to_string(&path).expect("noise"), "noise");
}

#[test]
fn a_database_that_was_made_and_not_filled_is_simply_filled() {
    let (_folder, path) = a_place();
    fs::write(&path, "").expect("a file");
    commit_new(&mut open_whole(&path), &a_job(1));
}

#[test]
fn nothing_but_a_file_of_our_own_is_opened() {
    for ending in ["", "-wal", "-journal", "-shm", "-intake"] {
        let (folder, path) = a_place();
        drop(open_whole(&path));
        let file = folder.path().join(format!("jobs.db{ending}"));
        let elsewhere = folder.path().join("elsewhere");
        match fs::rename(&file, &elsewhere) {
            Ok(()) => {}
            Err(_) => fs::write(&elsewhere, "").expect("a file"),
        }
        symlink(&elsewhere, &file).expect("a link");
        let error = SqliteStore::open(&path).expect_err("a link");
        assert!(
            matches!(&error, OpenError::Link { path } if path.ends_with(file.file_name().unwrap())),
            "{error:?}"
        );

        fs::remove_file(&file).expect("the link");
        fs::create_dir(&file).expect("a folder");
        let error = SqliteStore::open(&path).expect_err("a folder");
        assert!(matches!(error, OpenError::NotAFile { .. }), "{error:?}");
    }
    let (_folder, ours) = a_place();
    drop(open_whole(&ours));
    // Only root can give a file away; all others find one of root's.
    let foreign = match chown(&ours, Some(12_345), None) {
        Ok(()) => ours,
        Err(_) => PathBuf::from("/etc/passwd"),
    };
    let error = SqliteStore::open(&foreign).expect_err("foreign");
    let owner = fs::metadata(&foreign).expect("a file").uid();
    assert!(matches!(error, OpenError::ForeignOwner { owner: found, .. } if found == owner), "{error:?}");
}

#[test]
fn a_folder_may_be_reached_by_a_link() {
    let (folder, path) = a_place();
    symlink(folder.path(), folder.path().join("link")).expect("a link");
    drop(open_whole(&folder.path().join("link/jobs.db")));
    assert!(path.exists());
}

#[test]
fn a_folder_that_is_not_there_is_not_made() {
    let (folder, _) = a_place();
    let error = SqliteStore::open(&folder.path().join("none/jobs.db")).expect_err("no folder");
    assert!(matches!(error, OpenError::Io { doing: "opened", .. }), "{error:?}");
}

#[test]
fn only_its_owner_can_read_it() {
    let (_folder, path) = a_place();
    for number in 0..2 {
        let mut store = open_whole(&path);
        commit_new(&mut store, &a_job(number));
        for name in files(&path).keys() {
            let mode = fs::metadata(path.with_file_name(name)).expect("a file").mode();
            assert_eq!(mode & 0o7777, 0o600, "{name}");
        }
        drop(store);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("a mode");
    }
}

#[test]
fn a_second_holder_is_kept_out() {
    let (_folder, path) = a_place();
    let store = open_whole(&path);
    let error = SqliteStore::open(&path).expect_err("in use");
    assert!(matches!(error, OpenError::InUse { .. }), "{error:?}");
    drop(store);
    open_whole(&path);
}

fn write_noise(path: &Path) {
    fs::write(path, "no database at all, but long enough to be looked at".repeat(200)).expect("noise");
}

fn overwrite_rows(path: &Path) {
    let mut bytes = fs::read(path).expect("a file");
    // The last page of a table's rows: each begins with this byte, and those of the schema come before.
    let at = bytes.chunks(4096).rposition(|page| page[0] == 0x0D).expect("there are rows") * 4096;
    bytes[at..at + 4096].fill(0xA5);
    fs::write(path, bytes).expect("a file");
}

fn cut_off_the_end(path: &Path) {
    let bytes = fs::read(path).expect("a file");
    fs::write(path, &bytes[..bytes.len() / 2]).expect("a file");
}

fn lose_the_file_but_not_the_log(path: &Path) {
    leave_a_log(path);
    fs::remove_file(path).expect("a file");
}

fn empty_the_file_but_not_the_log(path: &Path) {
    leave_a_log(path);
    fs::write(path, "").expect("a file");
}

fn leave_a_log(path: &Path) {
    let connection = Connection::open(path).expect("a connection");
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).expect("a setting");
    connection.execute("DELETE FROM jobs", []).expect("a change");
    drop(connection);
    // The index of the log is made anew each time and not kept.
    fs::remove_file(path.with_file_name("jobs.db-shm")).expect("an index");
}

fn put_another_database(path: &Path) {
    fs::remove_file(path).expect("a file");
    Connection::open(path).and_then(|other| other.execute_batch("CREATE TABLE t (x)")).expect("a database");
}

fn put_another_application(path: &Path) {
    let connection = Connection::open(path).expect("a connection");
    connection.pragma_update(None, "application_id", 7).expect("another");
}

fn a_place() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("jobs.db");
    (folder, path)
}

#[track_caller]
fn open_whole(path: &Path) -> SqliteStore {
    let opened = SqliteStore::open(path).expect("a store");
    assert_eq!(opened.set_aside, None);
    opened.store
}

/// The files in the folder of `path`, with their content.
fn files(path: &Path) -> BTreeMap<String, Vec<u8>> {
    each_file(path, |path| fs::read(path).expect("a file"))
}

fn times(path: &Path) -> BTreeMap<String, SystemTime> {
    each_file(path, |path| fs::metadata(path).expect("a file").modified().expect("a time"))
}

fn each_file<T>(path: &Path, what: impl Fn(&Path) -> T) -> BTreeMap<String, T> {
    let folder = fs::read_dir(path.parent().expect("a folder")).expect("a folder");
    folder
        .map(|entry| entry.expect("an entry"))
        .map(|entry| (entry.file_name().into_string().expect("a name"), what(&entry.path())))
        .collect()
}

#[test]
fn what_a_start_does_not_look_at_is_found_beside_it_and_set_aside_by_the_next() {
    let (_folder, path) = a_place();
    let mut store = open_whole(&path);
    (0..50).for_each(|number| commit_new(&mut store, &a_job(number)));
    drop(store);
    overwrite_rows(&path);
    let opened = SqliteStore::open_quickly(&path, Some(BOOT)).expect("it is not looked at");
    assert_eq!((&opened.set_aside, SqliteStore::suspicion(&path)), (&None, None));
    let found = opened.check.expect("it is to be run").run().expect_err("a page is no page");
    assert!(found.contains("page"), "{found}");
    drop(opened.store);
    assert_eq!(SqliteStore::suspicion(&path), Some(found.clone()));
    let damage = SqliteStore::examine(&path, false).expect("examined").expect("there").damage;
    assert_eq!(damage, Some(found.clone()), "without a look at all of it");

    let opened = SqliteStore::open_quickly(&path, Some(BOOT)).expect("a fresh store");
    let aside = opened.set_aside.expect("it was looked at now");
    assert_eq!((aside.reason, SqliteStore::suspicion(&path)), (found, None));
    let mut store = opened.store;
    assert_eq!(store.job(a_job(1).id), Ok(None));
    commit_new(&mut store, &a_job(1));
}

#[test]
fn damage_that_is_met_makes_the_next_start_look_at_all_of_it() {
    let (_folder, path) = a_place();
    let mut store = open_whole(&path);
    (0..50).for_each(|number| commit_new(&mut store, &a_job(number)));
    drop(store);
    overwrite_rows(&path);
    let mut opened = SqliteStore::open_quickly(&path, Some(BOOT)).expect("it is not looked at");
    let met = (0..50)
        .map(|number| a_job(number).id)
        .any(|id| opened.store.job(id).is_err() || opened.store.files(id, FileIndex(0), 9).is_err());
    assert!(met, "nobody met it");
    drop(opened);
    let opened = SqliteStore::open_quickly(&path, Some(BOOT)).expect("a fresh store");
    assert!(opened.set_aside.is_some());
}

#[test]
fn a_suspicion_that_was_wrong_is_taken_back_and_nothing_is_lost() {
    let (_folder, path) = a_place();
    commit_new(&mut open_whole(&path), &a_job(1));
    fs::write(path.with_file_name("jobs.db-suspect"), "somebody thought so").expect("a file");
    let mut opened = SqliteStore::open_quickly(&path, Some(BOOT)).expect("a store");
    assert_eq!((opened.set_aside, SqliteStore::suspicion(&path)), (None, None));
    assert!(opened.check.is_none(), "it was gone through");
    assert_eq!(opened.store.job(a_job(1).id), Ok(Some(a_job(1))));
}

#[test]
fn a_database_that_was_not_closed_is_gone_through_after_another_boot_and_only_then() {
    for (closed, boot, is_gone_through) in [
        (true, Some(BOOT), false),
        (true, Some(OTHER_BOOT), false),
        (true, None, false),
        (false, Some(BOOT), false),
        (false, Some(OTHER_BOOT), true),
        (false, None, true),
    ] {
        let (folder, path) = a_place();
        let mut opened = SqliteStore::open_quickly(&path, Some(BOOT)).expect("a store");
        drop(opened.check.take());
        commit_new(&mut opened.store, &a_job(1));
        let path = if closed {
            drop(opened.store);
            path
        } else {
            // As a kill leaves it.
            let left = folder.path().join("left");
            fs::create_dir(&left).expect("a folder");
            for name in ["jobs.db", "jobs.db-wal"] {
                fs::copy(folder.path().join(name), left.join(name)).expect("a copy");
            }
            left.join("jobs.db")
        };
        let mut again = SqliteStore::open_quickly(&path, boot).expect("a store");
        assert_eq!(again.check.is_none(), is_gone_through, "closed: {closed}, {boot:?}");
        assert_eq!(again.store.job(a_job(1).id), Ok(Some(a_job(1))));
    }
}

#[test]
fn a_check_does_not_take_for_damage_what_is_written_meanwhile() {
    let (_folder, path) = a_place();
    let mut store = open_whole(&path);
    (0..100).for_each(|number| commit_new(&mut store, &a_job(number)));
    drop(store);
    let opened = SqliteStore::open_quickly(&path, Some(BOOT)).expect("a store");
    let (check, mut store) = (opened.check.expect("it is to be run"), opened.store);
    let before = fs::read(&path).expect("a file");
    for number in 100..150 {
        commit_new(&mut store, &a_job(number));
    }
    assert!(fs::read(&path).expect("a file") == before, "it stays as it is while it is checked");
    let checking = std::thread::spawn(|| check.run());
    for number in 150..250 {
        commit_new(&mut store, &a_job(number));
    }
    // The file is written at the end of the service at the latest.
    drop(store);
    // To it the file is being written from then on, so it may have looked in vain.
    checking.join().expect("no panic").expect("nothing is wrong with it");
    assert_eq!(SqliteStore::suspicion(&path), None);
    open_whole(&path);
}

#[test]
fn the_log_is_emptied_again_once_the_check_is_over() {
    let (_folder, path) = a_place();
    drop(open_whole(&path));
    let opened = SqliteStore::open_quickly(&path, Some(BOOT)).expect("a store");
    let mut store = opened.store;
    assert_eq!(opened.check.expect("it is to be run").run(), Ok(Looked::Through));
    let before = fs::metadata(&path).expect("a file").len();
    // Each adds more than two pages to the log, which is emptied at 4096.
    let is_emptied = (0..2000).any(|number| {
        commit_new(&mut store, &a_job(number));
        store.settle().expect("settled");
        fs::metadata(&path).expect("a file").len() > before
    });
    assert!(is_emptied, "nothing of the log has reached the file");
}

const BOOT: BootId = BootId([1; 16]);
const OTHER_BOOT: BootId = BootId([2; 16]);
