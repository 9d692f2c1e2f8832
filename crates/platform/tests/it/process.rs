//! Starting a service: small shell scripts stand in for it.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use bits_platform::process::{
    CALLER_VARIABLES, ServiceStart, StartError, StartReport, forget_caller_variables, report_start,
    start_service,
};

fn a_service(script: &str) -> ServiceStart {
    ServiceStart {
        program: "/bin/sh".into(),
        arguments: vec!["-c".into(), script.into()],
        environment: Vec::new(),
        log: None,
        patience: Duration::from_secs(30),
    }
}

/// What `script`, run as a service, reports after `failed`.
fn said_by(script: &str) -> String {
    match start_service(&a_service(script)).unwrap() {
        StartReport::Failed(sentence) => sentence,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_starter_hears_how_the_start_went() {
    for (script, expected) in [
        ("echo ready", StartReport::Ready),
        ("echo ready; echo more", StartReport::Ready),
        ("echo running 7", StartReport::AlreadyRunning { pid: Some(7) }),
        ("printf 'failed no '; echo room", StartReport::Failed("no room".into())),
        ("printf 'no line end'", StartReport::Failed("no line end".into())),
    ] {
        assert_eq!(start_service(&a_service(script)).unwrap(), expected, "{script}");
    }
}

#[test]
fn a_service_that_says_nothing_is_an_error_that_says_how_it_ended() {
    let error = start_service(&a_service("exit 3")).unwrap_err();
    assert!(
        matches!(error, StartError::Silent { status: Some(status), .. } if status.code() == Some(3)),
        "{error}"
    );
    let mut missing = a_service("");
    missing.program = "/no/such/bitsd".into();
    assert!(matches!(start_service(&missing), Err(StartError::Run { .. })));
}

#[test]
fn a_service_that_takes_too_long_is_left_alone() {
    let mut slow = a_service("read line < \"$FIFO\"; echo ready");
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    slow.environment = vec![("FIFO".into(), fifo.clone().into())];
    slow.patience = Duration::ZERO;
    assert!(matches!(start_service(&slow), Err(StartError::NotReady { .. })));
    // It lives: somebody reads what is written here, else the opening would wait for ever.
    std::fs::write(&fifo, "go on\n").unwrap();
}

#[test]
fn a_service_has_a_session_of_its_own_and_the_root_folder() {
    let said = said_by(
        "read -r pid comm state parent group session rest < /proc/self/stat; echo failed $$ $session $PWD",
    );
    let words: Vec<_> = said.split(' ').collect();
    assert_eq!(words[0], words[1], "{said}");
    assert_eq!(words[2], "/");
    assert_ne!(words[1], std::process::id().to_string());
}

#[test]
fn a_service_inherits_no_open_file() {
    let file = OpenOptions::new().read(true).open("/etc/passwd").unwrap();
    rustix::io::fcntl_setfd(&file, rustix::io::FdFlags::empty()).unwrap();
    let said = said_by(&format!(
        "test -e /proc/$$/fd/{} && echo failed open || echo failed closed",
        file.as_raw_fd()
    ));
    assert_eq!(said, "closed");
}

#[test]
fn a_service_keeps_nothing_of_its_first_callers_environment() {
    let mut start = a_service("echo failed \"$KRB5CCNAME$https_proxy$NO_PROXY,$OTHER\"");
    start.environment =
        CALLER_VARIABLES.iter().chain(&["OTHER"]).map(|name| (name.into(), OsString::from("set"))).collect();
    assert_eq!(start_service(&start).unwrap(), StartReport::Failed(",set".into()));
}

#[test]
fn what_a_service_complains_about_is_in_its_log_which_is_private() {
    use std::os::unix::fs::MetadataExt;
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("bitsd.log");
    std::fs::write(&log, "before\n").unwrap();
    let mut start = a_service("echo complaint >&2; echo ready");
    start.log = Some(log.clone());
    assert_eq!(start_service(&start).unwrap(), StartReport::Ready);
    assert_eq!(std::fs::read_to_string(&log).unwrap(), "before\ncomplaint\n");

    start.log = Some(folder.path().join("new.log"));
    start_service(&start).unwrap();
    assert_eq!(std::fs::metadata(folder.path().join("new.log")).unwrap().mode() & 0o077, 0);

    start.log = Some(Path::new("/no/such/folder/log").into());
    assert!(matches!(start_service(&start), Err(StartError::Log { .. })));
}

/// Set for the child that plays the service of one of the tests below.
const IN_CHILD: &str = "BITS_PLATFORM_TEST_CHILD";

/// This test program, about to run the test `name` alone.
fn in_child(name: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", name, "--nocapture"]).env(IN_CHILD, "1");
    command
}

#[test]
fn after_its_report_a_service_has_no_standard_output() {
    if std::env::var_os(IN_CHILD).is_some() {
        report_start(&StartReport::AlreadyRunning { pid: Some(7) }).unwrap();
        println!("this is for nobody");
        return;
    }
    let output = in_child("process::after_its_report_a_service_has_no_standard_output").output().unwrap();
    assert!(output.status.success());
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.ends_with("running 7\n"), "{said}");
}

#[test]
fn a_process_with_threads_cannot_forget_its_callers_variables() {
    // The test program's main thread waits for this one; a process of one thread is tried beside,
    // in `tests/alone`.
    let refusal = forget_caller_variables().unwrap_err();
    assert!(refusal.to_string().contains("more than one thread"), "{refusal}");
}
