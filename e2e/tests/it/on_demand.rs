//! A job on demand: its file comes by the parts that are asked for, and a kill loses none of them.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use bits_e2e::{Service, peers, sha256, until};
use serde_json::{Value, json};

/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(60);

struct OnDemand<'a> {
    service: &'a Service,
    id: String,
}

impl OnDemand<'_> {
    fn filled(&self) -> Value {
        let listed = self.service.bits(["ranges", "list", &self.id, "--json"]).finish().expect_code(0);
        listed.json()["filled"].clone()
    }

    fn show(&self) -> Value {
        self.service.bits(["show", &self.id, "--json"]).finish().expect_code(0).json()
    }

    /// Lets it run until it rests.
    fn run(&self) -> String {
        self.service.bits(["resume", &self.id]).finish().expect_code(0);
        self.service.bits(["watch", &self.id]).within(PATIENCE).finish().expect_code(0).stderr
    }

    fn request(&self, ranges: &[&str]) {
        let words = ["ranges", "request", &self.id].into_iter().chain(ranges.iter().copied());
        self.service.bits(words.collect::<Vec<_>>()).finish().expect_code(0);
    }
}

fn job<'a>(service: &'a Service, url: &str) -> OnDemand<'a> {
    let id = service.bits(["create", "by parts"]).finish().expect_code(0).stdout.trim().to_owned();
    service.bits(["set", &id, "on-demand=true"]).finish().expect_code(0);
    service.bits(["add", &id, url, "file"]).finish().expect_code(0);
    OnDemand { service, id }
}

/// Whether the bytes from `from` on are those of the server's file, in the partial file.
fn same(partial: &Path, whole: &Path, from: u64, length: usize) -> bool {
    let read = |path: &Path| {
        let mut bytes = vec![0; length];
        File::open(path).and_then(|file| file.read_exact_at(&mut bytes, from)).expect("the bytes are there");
        bytes
    };
    read(partial) == read(whole)
}

#[test]
fn only_what_is_asked_for_comes_and_at_last_all_of_it() {
    let Some(peers) = peers() else { return };
    let service = Service::new();
    let (target, source) = (peers.nginx.unique("/files/10m.bin"), peers.nginx.file("10m.bin"));
    let job = job(&service, &peers.nginx.url(&target));
    let size = source.metadata().expect("the server's file").len();

    assert!(job.run().contains("all that was asked for"), "it rests at once");
    assert_eq!((job.filled(), peers.nginx.requests(&target).len()), (json!([]), 0));

    job.request(&["5000000:100000", "10:90"]);
    job.run();
    let filled = json!([{ "offset": 10, "length": 90 }, { "offset": 5_000_000, "length": 100_000 }]);
    assert_eq!(job.filled(), filled);
    let shown = job.show();
    assert_eq!((&shown["state"], &shown["wait"]["reason"]), (&json!("suspended"), &json!("demand")));
    assert_eq!(shown["progress"]["bytes_transferred"], 100_090);
    let told = service.bits(["show", &job.id]).finish().expect_code(0).stdout;
    assert!(told.contains("here: 10:90, 5000000:100000"), "{told}");
    let partial = std::fs::read_dir(service.folder().join("files")).expect("the folder");
    let partial = partial.map(|entry| entry.expect("an entry").path()).next().expect("a partial file");
    assert!(same(&partial, &source, 10, 90) && same(&partial, &source, 5_000_000, 100_000));

    // What it does not have is refused by now that its size is known.
    let beyond = service.bits(["ranges", "request", &job.id, &format!("{size}:1")]).finish().expect_code(4);
    assert!(beyond.stderr.contains("BG_E_INVALID_RANGE"), "{beyond}");

    service.bits(["ranges", "position", &job.id, "7000000"]).finish().expect_code(0);
    job.run();
    assert_eq!(job.show()["state"], "transferred");
    service.bits(["complete", &job.id]).finish().expect_code(0);
    assert_eq!(sha256(service.file("file")), sha256(source));
    let sent: u64 = peers.nginx.requests(&target).iter().map(|request| request.sent).sum();
    assert!(sent < size + 100_000, "each byte came once: {sent} of {size}");
}

#[test]
fn a_kill_loses_no_range_that_was_said_to_be_there() {
    let Some(peers) = peers() else { return };
    let service = Service::new();
    let target = peers.nginx.unique("/slow/64m.bin?rate=4194304");
    let job = job(&service, &peers.nginx.url(&target));
    job.request(&["40000000:2000000"]);
    job.run();
    service.bits(["ranges", "position", &job.id, "1000000"]).finish().expect_code(0);
    service.bits(["resume", &job.id]).finish().expect_code(0);
    let before = until(PATIENCE, "more of it is there", || {
        let filled = job.filled();
        (filled.as_array()?.len() == 2).then_some(filled)
    });
    service.kill();
    let after = job.filled();
    assert_eq!(after[1], before[1], "what was requested");
    let length = |filled: &Value| filled[0]["length"].as_u64().expect("a length");
    assert!(after[0]["offset"] == 1_000_000 && length(&after) >= length(&before), "{before} {after}");

    // Something more urgent comes first, while the rest is under way.
    job.request(&["60000000:65536"]);
    until(PATIENCE, "what is urgent has come", || {
        let filled = job.filled();
        let is_there = |range: &Value| range["offset"] == 60_000_000 && range["length"] == 65_536;
        filled.as_array()?.iter().any(is_there).then_some(())
    });
    let size = peers.nginx.file("64m.bin").metadata().expect("the server's file").len();
    let come = job.show()["progress"]["bytes_transferred"].as_u64().expect("a count");
    assert!(come < size / 2, "long before the rest: {come} of {size}");
    service.bits(["watch", &job.id]).within(PATIENCE).finish().expect_code(0);
    service.bits(["complete", &job.id]).finish().expect_code(0);
    assert_eq!(sha256(service.file("file")), sha256(peers.nginx.file("64m.bin")));
}
