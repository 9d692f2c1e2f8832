//! Hardening changes the whole process, so it is tried in one of its own.

use std::process::Command;

use bits_platform::files::Umask;

/// Set for the child that runs one of the tests below alone.
const IN_CHILD: &str = "BITS_PLATFORM_TEST_CHILD";

#[test]
fn a_hardened_process_dumps_no_core_and_makes_private_files() {
    if std::env::var_os(IN_CHILD).is_none() {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "hardening::a_hardened_process_dumps_no_core_and_makes_private_files"])
            .env(IN_CHILD, "1")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
        return;
    }
    let before = Umask::of_this_process().unwrap();
    assert_eq!(bits_platform::hardening::make_files_private(), before);
    assert_eq!(Umask::of_this_process().unwrap(), Umask::new(0o077));

    bits_platform::hardening::forbid_core_dumps().unwrap();
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().filter(|word| *word == "0").count(), 2, "{core}");
    let dumpable = rustix::process::dumpable_behavior().unwrap();
    assert_eq!(dumpable, rustix::process::DumpableBehavior::NotDumpable);
}

#[test]
fn texts_that_grow_and_shrink_stay_whole_on_the_wiping_allocator() {
    let mut text = String::new();
    for number in 0..10_000 {
        text.push_str(&number.to_string());
    }
    text.shrink_to_fit();
    assert!(text.starts_with("0123") && text.ends_with("99989999"));
    text.truncate(4);
    text.shrink_to_fit();
    assert_eq!(text, "0123");
}
