//! What other tools make of the faults that `bits get` has to survive, as a table:
//! `cargo run -p bits-e2e --example other_tools`, after `cargo build --workspace --bins`.
//!
//! Every tool is told to go on where it stopped, and is run again until it says that all is well or
//! has been run often enough, as a script would. Nothing is judged and nothing fails: tools that are
//! not there are left out.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use bits_e2e::{Run, Service};
use bits_testkit::UnkindOrigin;

/// Where a file is cut, changed, or both, and what else has halves of two files joined.
const TARGETS: &[&str] = &[
    "cut?at=100000",
    "no-length?cut=100000&how=rst",
    "chunked?cut=100000",
    "chunked-no-end?first=1",
    "long-length?first=1",
    "changed?cut=100000",
    "changed?cut=100000&grows=1000",
    "changed-dates-only?cut=100000",
    "changed-weak?cut=100000",
    "changed-no-validators?cut=100000",
    "changed-no-validators?cut=100000&grows=1000",
    "changed-same-tag?cut=100000&grows=1000",
    "if-range-ignored?cut=100000",
    "if-range-ignored?cut=100000&grows=1000",
    "if-range-ignored-old-tag?cut=100000&grows=1000",
    "rotating-tag?cut=100000",
    "wrong-range?cut=100000",
    "early-range?cut=100000",
    "no-content-range?cut=100000",
    "other-total?cut=100000",
    "multipart?cut=100000",
    "range-not-satisfiable?cut=100000",
    "no-ranges?cut=100000",
    "gzip?from=1&cut=100000",
    "portal?from=1&cut=100000",
    "kind?digest=repr-digest&wrong=1",
];

/// A tool, and the words before the URL; the file is `file`.
const TOOLS: &[(&str, &[&str])] = &[
    ("bits", &["get", "--max-time", "15"]),
    ("curl", &["-sSf", "-C", "-", "-o", "file", "--max-time", "10"]),
    ("wget", &["-q", "-c", "-O", "file", "--tries=3", "--waitretry=1", "--timeout=5"]),
    ("wget2", &["-q", "-c", "-O", "file", "--tries=3", "--waitretry=1", "--timeout=5"]),
    ("aria2c", &["-q", "-c", "-o", "file", "--max-tries=3", "--retry-wait=1", "--timeout=5"]),
];
/// How often a tool is run for one file.
const RUNS_MAX: u32 = 3;
/// How long one run may take.
const DEADLINE: Duration = Duration::from_secs(30);
/// How wide a column is.
const WIDTH: usize = 16;

fn main() {
    let origin = UnkindOrigin::start();
    let service = Service::new();
    service.configure("response_timeout = 2\nidle_timeout = 2\n");
    let _bitsd = service.start();
    let tools: Vec<_> =
        TOOLS.iter().filter(|(tool, _)| *tool == "bits" || is_there(&service, tool)).collect();
    let results: BTreeMap<&str, Vec<String>> = std::thread::scope(|scope| {
        let running: Vec<_> = tools
            .iter()
            .map(|(tool, words)| {
                let world = (&origin, &service);
                let tried = move || {
                    let targets = TARGETS.iter().copied().enumerate();
                    targets.map(|target| try_one(world, tool, words, target)).collect()
                };
                (*tool, scope.spawn(tried))
            })
            .collect();
        running
            .into_iter()
            .map(|(tool, thread)| (tool, thread.join().expect("every run is counted")))
            .collect()
    });
    let head: String = tools.iter().map(|(tool, _)| format!(" {tool:<WIDTH$}")).collect();
    println!("{:<48}{head}", "fault");
    for (place, target) in TARGETS.iter().enumerate() {
        let cells: String =
            tools.iter().map(|(tool, _)| format!(" {:<WIDTH$}", results[tool][place])).collect();
        println!("{target:<48}{cells}");
    }
}

fn is_there(service: &Service, tool: &str) -> bool {
    service.run("sh").args(["-c", "command -v \"$0\" >/dev/null"]).arg(tool).finish().code == Some(0)
}

/// Runs `tool` until it is content; what it says, and what is in the file.
fn try_one(
    (origin, service): (&UnkindOrigin, &Service),
    tool: &str,
    words: &[&str],
    (place, target): (usize, &str),
) -> String {
    let target = format!("/{target}&id={tool}-{place}");
    let name: String = target.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let folder = service.file(name);
    fs::create_dir(&folder).expect("a target for each tool");
    let mut code = None;
    for _ in 0..RUNS_MAX {
        let run = if tool == "bits" {
            service.bits(words).arg(origin.url(&target)).arg("file")
        } else {
            service.run(tool).args(words).arg(origin.url(&target))
        };
        code = in_folder(run, &folder);
        if code == Some(0) || tool == "bits" {
            break;
        }
    }
    let served = origin.served(&target);
    let bytes = match fs::read(folder.join("file")) {
        Err(_) => "nothing",
        Ok(bytes) if served.last().is_some_and(|content| content.is(&bytes)) => "right",
        Ok(bytes) if served.iter().any(|content| content.is(&bytes)) => "outdated",
        Ok(_) if code == Some(0) => "WRONG",
        Ok(_) => "a part",
    };
    match code {
        Some(0) => format!("{bytes}, says 0"),
        Some(code) => format!("{bytes}, says {code}"),
        None => format!("{bytes}, killed"),
    }
}

fn in_folder(run: Run, folder: &Path) -> Option<i32> {
    run.folder(folder).within(DEADLINE).finish().code
}
