//! `bitsadmin`, as its users type it: transcripts of whole sessions, letter by letter, and what needs a
//! terminal or a signal.
//!
//! A transcript is a text: `$ ` begins what is typed to a shell, the lines after it are what is printed on
//! standard output, `! ` begins a line of standard error, `[N]` is an exit code other than 0, and
//! `# wait JOB STATE` waits. What differs from run to run is written `ORIGIN`, `FOLDER`, `USER`, `LEVEL`,
//! `IS`, `TIME` and `{GUID-1}`. The banner is checked, and not repeated in the texts. With `OPENBITS_WRITE_TRANSCRIPTS=1`
//! they are written anew, to be read by whoever changes them.

mod transcript;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::time::Duration;

use bits_e2e::{Finished, Run, Service, Signal, Terminal, peers, program, sha256, until};

use transcript::Session;

/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A world in which `bitsadmin` is in the `PATH`.
struct World {
    service: Service,
    programs: PathBuf,
}

impl World {
    fn new() -> Self {
        let service = Service::new();
        let programs = service.folder().join("programs");
        fs::create_dir(&programs).expect("a world can be written to");
        symlink(program("bits"), programs.join("bitsadmin")).expect("a link");
        Self { service, programs }
    }

    fn bitsadmin(&self, words: &[&str]) -> Run {
        self.service.run(self.programs.join("bitsadmin")).args(words)
    }

    /// A line of a shell.
    fn shell(&self, line: &str) -> Run {
        let path = std::env::var("PATH").unwrap_or_default();
        let path = format!("{}:{path}", self.programs.display());
        self.service.run("sh").args(["-c", line]).env("PATH", path)
    }

    fn state(&self, job: &str) -> String {
        self.bitsadmin(&["/rawreturn", "/getstate", job]).finish().stdout
    }

    fn wait(&self, job: &str, state: &str) {
        until(PATIENCE, format_args!("{job} is {state}"), || (self.state(job) == state).then_some(()));
    }
}

/// Plays the transcript `name`.
fn play(name: &str) {
    let Some(peers) = peers() else { return };
    let origin = peers.nginx.url("");
    Session::of(&World::new(), name, origin.trim_end_matches('/')).check();
}

#[test]
fn the_life_of_a_job_is_printed_as_that_tool_prints_it() {
    play("life");
}

#[test]
fn a_transfer_is_one_line() {
    play("transfer");
}

#[test]
fn what_is_set_can_be_read() {
    play("properties");
}

#[test]
fn values_alone_are_for_scripts() {
    play("raw");
}

#[test]
fn what_cannot_be_meant_is_refused_with_its_code() {
    play("refusals");
}

#[test]
fn what_is_not_here_says_so() {
    play("absent");
}

#[test]
fn all_jobs_are_cancelled_by_one_word() {
    play("reset");
}

#[test]
fn parts_of_files_and_lists_of_them_are_added() {
    play("files");
}

#[test]
fn it_is_the_same_under_the_name_bits_admin() {
    let world = World::new();
    let one = world.bitsadmin(&["/help"]).finish().expect_code(0);
    let other = world.service.bits(["admin", "/help"]).finish().expect_code(0);
    assert_eq!(one.stdout, other.stdout);
    assert!(one.stdout.contains("/transfer <name>"), "{one}");
    assert!(world.service.status().is_none(), "no service is needed for it");
    let without = world.bitsadmin(&[]).finish().expect_code(2);
    assert_eq!(without.stdout, one.stdout, "who knows no switch is told all");
}

#[test]
fn where_nobody_answers_it_says_so_at_once() {
    let world = World::new();
    let run = world.bitsadmin(&["/list"]).env("BITS_SOCKET", world.service.file("none"));
    let refused = run.finish().expect_code(3);
    assert!(refused.stdout.contains("Unable to connect to BITS - 0x800706ba\n"), "{refused}");
}

#[test]
fn the_list_is_repeated_until_ctrl_c() {
    let world = World::new();
    let create = world.bitsadmin(&["/create", "watched"]).finish().expect_code(0);
    assert!(create.stdout.contains("Created job {"), "{create}");
    let monitor = world.bitsadmin(&["/monitor", "/refresh", "1"]).spawn();
    monitor.wait_for_stdout("'watched' SUSPENDED 0 / 0 0 / 0\nListed 1 job(s).\n");
    world.bitsadmin(&["/cancel", "watched"]).finish().expect_code(0);
    monitor.wait_for_stdout("MONITORING BACKGROUND COPY MANAGER(1 second refresh)\nListed 0 job(s).\n");
    monitor.signal(Signal::INT);
    let ended = monitor.finish().expect_code(130);
    assert!(!ended.stdout.contains('\u{1b}'), "without a terminal nothing is redrawn: {ended}");
}

#[test]
fn an_interrupted_transfer_goes_on_and_is_completed_by_name() {
    let Some(peers) = peers() else { return };
    let world = World::new();
    let url = peers.nginx.url("/slow/10m.bin?rate=2097152");
    let mut terminal = world.bitsadmin(&["/transfer", "slow", &url, "file"]).terminal();
    terminal.wait_for("STATE: TRANSFERRING");
    interrupt(&terminal);
    let left = terminal.finish().expect_code(130);
    for text in ["the job goes on", "bitsadmin /complete {"] {
        assert!(left.stdout.contains(text), "{text}: {left}");
    }
    world.wait("slow", "TRANSFERRED");
    assert!(!world.service.file("file").exists(), "it is for whoever comes back to complete it");
    world.bitsadmin(&["/complete", "slow"]).finish().expect_code(0);
    assert_eq!(sha256(world.service.file("file")), sha256(peers.nginx.file("10m.bin")));
}

#[test]
fn a_transfer_goes_on_through_the_end_of_the_service() {
    let Some(peers) = peers() else { return };
    let world = World::new();
    let url = peers.nginx.url("/slow/10m.bin?rate=4194304");
    let mut terminal = world.bitsadmin(&["/transfer", "outlived", &url, "file"]).terminal();
    terminal.wait_for("STATE: TRANSFERRING");
    world.service.kill();
    let done = terminal.finish().expect_code(0);
    assert!(lines(&done).ends_with(&["Transfer complete.".to_owned()]), "{done}");
    assert_eq!(sha256(world.service.file("file")), sha256(peers.nginx.file("10m.bin")));
}

/// Ctrl-C.
fn interrupt(terminal: &Terminal) {
    terminal.signal(Signal::INT);
}

#[test]
fn on_a_terminal_progress_is_drawn_in_place() {
    let Some(peers) = peers() else { return };
    let world = World::new();
    let url = peers.nginx.url("/slow/10m.bin?rate=8388608");
    let done = world.bitsadmin(&["/transfer", "drawn", &url, "file"]).terminal().finish().expect_code(0);
    assert!(done.stdout.contains("\u{1b}[2A\r\u{1b}[J"), "{done}");
    assert!(lines(&done).ends_with(&["Transfer complete.".to_owned()]), "{done}");
    let monitor = world.bitsadmin(&["/monitor"]);
    let mut terminal = monitor.terminal();
    terminal.wait_for("\u{1b}[H\u{1b}[2JMONITORING BACKGROUND COPY MANAGER(5 second refresh)");
    terminal.wait_for("Listed 0 job(s).");
    interrupt(&terminal);
    terminal.finish().expect_code(130);
}

fn lines(finished: &Finished) -> Vec<String> {
    finished.stdout.lines().map(str::to_owned).collect()
}

#[test]
fn a_job_in_trouble_is_waited_for_and_its_error_is_shown() {
    let Some(peers) = peers() else { return };
    let world = World::new();
    let url = peers.nginx.url("/status/503");
    let mut terminal = world.bitsadmin(&["/transfer", "troubled", &url, "file"]).terminal();
    terminal.wait_for("STATE: TRANSIENT_ERROR");
    terminal.wait_for("ERROR CODE:    0x801901f7");
    let delay = world.bitsadmin(&["/rawreturn", "/getminretrydelay", "troubled"]).finish().stdout;
    assert_eq!(delay, "600", "as that tool's jobs wait");
    world.bitsadmin(&["/cancel", "troubled"]).finish().expect_code(0);
    let ended = terminal.finish().expect_code(7);
    assert!(ended.stdout.contains("The job was canceled."), "{ended}");
}

#[test]
fn a_star_asks_for_the_password_and_a_literal_one_is_warned_about() {
    let Some(peers) = peers() else { return };
    let world = World::new();
    for (name, password) in [("asked", "*"), ("literal", "secret")] {
        world.bitsadmin(&["/create", name]).finish().expect_code(0);
        let url = peers.nginx.url("/basic/hello.txt");
        world.bitsadmin(&["/addfile", name, &url, name]).finish().expect_code(0);
        let set = world.bitsadmin(&["/setcredentials", name, "SERVER", "BASIC", "alice", password]);
        if password == "*" {
            let mut terminal = set.terminal();
            terminal.wait_for("User name [alice]").types("\n");
            terminal.wait_for("Password").types_secret("secret\n");
            let set = terminal.finish().expect_code(0);
            assert!(set.stdout.contains("Credentials set."), "{set}");
            assert!(!set.stdout.contains("warning: others on this machine"), "{set}");
        } else {
            let set = set.finish().expect_code(0);
            let warning = "warning: others on this machine can read a password on the command line";
            assert!(set.stderr.starts_with(warning), "{set}");
        }
        world.bitsadmin(&["/resume", name]).finish().expect_code(0);
        world.wait(name, "TRANSFERRED");
        world.bitsadmin(&["/complete", name]).finish().expect_code(0);
        assert_eq!(fs::read_to_string(world.service.file(name)).expect("it has come"), "hello\n");
    }
    let nobody = world.bitsadmin(&["/create", "nobody"]).finish().expect_code(0);
    assert!(nobody.stdout.contains("Created job"), "{nobody}");
    let asked = world.bitsadmin(&["/setcredentials", "nobody", "SERVER", "NTLM", "alice", "*"]).finish();
    let asked = asked.expect_code(5);
    assert!(asked.stdout.contains("Unable to set credentials - 0x80070520"), "{asked}");
}

#[test]
fn lines_are_broken_at_the_width_of_a_console_unless_that_is_not_wanted() {
    let world = World::new();
    let long = "a name of many words ".repeat(8);
    world.bitsadmin(&["/create", long.trim()]).finish().expect_code(0);
    let longest = |words: &[&str]| {
        let listed = world.bitsadmin(words).finish().expect_code(0);
        listed.stdout.lines().map(|line| line.chars().count()).max().expect("a line")
    };
    assert!(longest(&["/wrap", "/list"]) <= 80);
    assert!(longest(&["/nowrap", "/list"]) > 160);
    assert!(longest(&["/list"]) > 160, "a pipe is no console");
}
