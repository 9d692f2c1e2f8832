//! What only a process of one thread may do, and so no test of the usual harness.

use std::process::{Command, ExitCode};

use bits_platform::process::{CALLER_VARIABLES, forget_caller_variables};

/// Set, with the caller's variables, for the process that is to forget them.
const IN_CHILD: &str = "BITS_PLATFORM_TEST_CHILD";

fn main() -> ExitCode {
    if std::env::var_os(IN_CHILD).is_some() {
        forget_caller_variables().expect("a program begins with one thread");
        let left: Vec<_> = CALLER_VARIABLES.iter().filter(|name| std::env::var_os(name).is_some()).collect();
        assert!(left.is_empty(), "{left:?} are left");
        return ExitCode::SUCCESS;
    }
    let this = std::env::current_exe().expect("a test knows its program");
    let status = Command::new(this)
        .env(IN_CHILD, "1")
        .envs(CALLER_VARIABLES.map(|name| (name, "set")))
        .status()
        .expect("a test can run its program");
    assert!(status.success(), "a process of one thread forgets its caller's variables");
    ExitCode::SUCCESS
}
