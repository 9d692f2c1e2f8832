//! The disk that loses power, through the kernel as programs use it.

use std::fs::{self, File};
use std::io::Write as _;

use bits_testkit::power::Disk;

/// Whether a file system can be mounted here; a sentence where not.
fn can_mount() -> bool {
    let can = rustix::process::geteuid().is_root()
        && File::options().read(true).write(true).open("/dev/fuse").is_ok();
    if !can {
        println!("skipped: only root mounts, and FUSE has to be there");
    }
    can
}

#[test]
fn what_was_synced_is_there_when_the_power_is_back_and_what_was_not_may_be_gone() {
    if !can_mount() {
        return;
    }
    let mut lost = 0;
    for seed in 0..20 {
        let place = tempfile::tempdir().expect("a folder");
        let at = |name: &str| place.path().join(name);
        let disk = Disk::new(seed);
        let mounted = disk.mount(place.path()).expect("mounted");
        let mut synced = File::create(at("part")).expect("made");
        synced.write_all(&vec![1; 100_000]).expect("written");
        synced.sync_all().expect("synced");
        fs::rename(at("part"), at("synced")).expect("renamed");
        File::open(place.path()).expect("a folder").sync_all().expect("synced");
        fs::write(at("unsynced"), vec![2; 100_000]).expect("written");
        drop(synced);

        disk.cut();
        assert!(fs::write(at("late"), "x").is_err(), "there is no power");
        mounted.unmount().expect("nobody has it open");
        disk.give_power();
        let mounted = disk.mount(place.path()).expect("mounted again");
        assert_eq!(fs::read(at("synced")).expect("it was synced"), vec![1; 100_000], "seed {seed}");
        assert!(!at("part").exists(), "the renaming was synced");
        lost += usize::from(fs::read(at("unsynced")).ok() != Some(vec![2; 100_000]));
        mounted.unmount().expect("nobody has it open");
    }
    assert!((3..20).contains(&lost), "{lost} of 20 lost what was not synced");
}
