//! `bits get` from the first byte to the last, and what it leaves when it is stopped.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::time::Duration;

use bits_e2e::{Finished, Service, Signal, peers, sha256, until};
use bits_testkit::UnkindOrigin;

/// Longer than any of these transfers takes.
const PATIENCE: Duration = Duration::from_secs(120);

fn names_in(service: &Service) -> Vec<String> {
    let folder = service.folder().join("files");
    let mut names: Vec<String> = fs::read_dir(folder)
        .expect("the folder")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
        .collect();
    names.sort();
    names
}

#[test]
fn a_file_gets_the_name_of_its_url_or_the_one_it_is_given() {
    let Some(peers) = peers() else { return };
    let service = Service::new();
    fs::create_dir(service.file("folder")).expect("a folder");
    let url = peers.nginx.url("/files/1k.bin");
    let spaced = peers.nginx.url("/files/sub%20dir/gr%C3%BC%C3%9Fe.txt");
    service.bits(["get", &url]).finish().expect_code(0);
    service.bits(["get", &url, "other.bin"]).finish().expect_code(0);
    service.bits(["get", &url, "folder"]).finish().expect_code(0);
    service.bits(["get", &spaced]).finish().expect_code(0);
    assert_eq!(names_in(&service), ["1k.bin", "folder", "grüße.txt", "other.bin"]);
    let expected = sha256(peers.nginx.file("1k.bin"));
    for name in ["1k.bin", "other.bin", "folder/1k.bin"] {
        assert_eq!(sha256(service.file(name)), expected, "{name}");
    }
    let nameless = service.bits(["get", &peers.nginx.url("/files/")]).finish().expect_code(2);
    assert!(nameless.stderr.contains("name"), "{nameless}");
}

#[test]
fn files_of_every_kind_of_server_arrive_whole() {
    let Some(peers) = peers() else { return };
    let service = Service::new();
    service.configure(&format!("extra_ca = \"{}\"\n", peers.ca().display()));
    let tls = |target: &str| format!("{}{target}", peers.line("NGINX_TLS_URL"));
    for (number, url) in [
        peers.nginx.url("/files/1m.bin"),
        peers.nginx.url("/norange/1m.bin"),
        peers.nginx.url("/novalidator/1m.bin"),
        peers.nginx.url("/nolength/1m.bin"),
        peers.nginx.url("/hop2/1m.bin"),
        peers.nginx.url("/cross/1m.bin"),
        peers.nginx.url("/to-tls/1m.bin"),
        tls("/files/1m.bin"),
    ]
    .into_iter()
    .enumerate()
    {
        let file = service.file(number.to_string());
        service.bits(["get", &url]).arg(&file).finish().expect_code(0);
        assert_eq!(sha256(&file), sha256(peers.nginx.file("1m.bin")), "{url}");
    }
    let empty = service.file("empty");
    service.bits(["get", &peers.nginx.url("/files/empty.bin")]).arg(&empty).finish().expect_code(0);
    assert_eq!(empty.metadata().expect("it is there").len(), 0);
}

#[test]
fn what_must_not_be_trusted_is_not() {
    let Some(peers) = peers() else { return };
    let service = Service::new();
    let tls = |name: &str| format!("{}/files/1k.bin", peers.line(name));
    for (url, expected) in [
        // Without the extra authority the peers' certificates are nobody's.
        (tls("NGINX_TLS_URL"), "0x80072F0D"),
        (tls("NGINX_TLS_EXPIRED_URL"), "0x80072F"),
        (tls("NGINX_TLS_WRONGNAME_URL"), "0x80072F"),
        (tls("NGINX_TLS_FOREIGN_URL"), "0x80072F0D"),
        (peers.nginx.url("/loop/1k.bin"), "0x"),
        (peers.nginx.url("/to-file/1k.bin"), "0x"),
        (peers.nginx.url("/gzip/1m.bin"), ""),
    ] {
        let finished = service.bits(["get", &url, "untrusted", "--rm-on-error"]).finish();
        if expected.is_empty() {
            // The server asks before it compresses, and was not asked to.
            finished.expect_code(0);
            assert_eq!(sha256(service.file("untrusted")), sha256(peers.nginx.file("1m.bin")));
            continue;
        }
        let finished = finished.expect_code(1);
        assert!(finished.stderr.contains(expected), "{url}: {finished}");
        assert!(!service.file("untrusted").exists(), "{url}");
    }
}

#[test]
fn ctrl_c_stops_watching_and_never_the_job() {
    let Some(peers) = peers() else { return };
    let service = Service::new();
    let url = peers.nginx.url(&peers.nginx.unique("/slow/1m.bin?rate=512k"));
    let running = service.bits(["get", &url]).spawn();
    until(PATIENCE, "the job runs", || {
        let jobs = service.bits(["list", "--json"]).finish().json();
        (jobs[0]["state"] == "transferring").then_some(())
    });
    running.signal(Signal::INT);
    let finished: Finished = running.finish();
    assert_eq!(finished.code, Some(130), "{finished}");
    assert!(finished.stderr.contains("bits watch") && finished.stderr.contains("bits cancel"), "{finished}");
    until(PATIENCE, "the file arrives all the same", || service.file("1m.bin").exists().then_some(()));
    assert_eq!(sha256(service.file("1m.bin")), sha256(peers.nginx.file("1m.bin")));
}

#[test]
fn detach_prints_the_id_and_the_file_arrives() {
    let Some(peers) = peers() else { return };
    let service = Service::new();
    let url = peers.nginx.url("/files/1m.bin");
    let detached = service.bits(["get", &url, "--detach"]).finish().expect_code(0);
    let id = detached.stdout.trim().to_owned();
    service.bits(["watch", &id]).finish().expect_code(0);
    let job = service.bits(["show", &id, "--json"]).finish().expect_code(0).json();
    assert_eq!(job["state"], "acknowledged");
    assert_eq!(job["files"][0]["completed"], true);
    assert_eq!(sha256(service.file("1m.bin")), sha256(peers.nginx.file("1m.bin")));
}

#[test]
fn max_time_ends_the_wait_and_leaves_the_job() {
    let Some(peers) = peers() else { return };
    let service = Service::new();
    let url = peers.nginx.url(&peers.nginx.unique("/slow/1m.bin?rate=256k"));
    let finished = service.bits(["get", &url, "--max-time", "1", "--json"]).finish().expect_code(6);
    let job = finished.json();
    assert!(["transferring", "connecting"].contains(&job["state"].as_str().expect("a state")), "{finished}");
    service.bits(["watch", job["id"].as_str().expect("an id")]).finish().expect_code(0);
    assert!(service.file("1m.bin").exists());
}

#[test]
fn a_job_that_somebody_else_stops_is_exit_7() {
    let Some(peers) = peers() else { return };
    for command in ["suspend", "cancel"] {
        let service = Service::new();
        let url = peers.nginx.url(&peers.nginx.unique("/slow/1m.bin?rate=256k"));
        let running = service.bits(["get", &url, "--name", "mine"]).spawn();
        until(PATIENCE, "the job runs", || {
            let jobs = service.bits(["list", "--json"]).finish().json();
            (jobs[0]["state"] == "transferring").then_some(())
        });
        service.bits([command, "mine"]).finish().expect_code(0);
        running.finish().expect_code(7);
        assert!(!names_in(&service).contains(&"1m.bin".to_owned()));
        if command == "cancel" {
            assert_eq!(names_in(&service), Vec::<String>::new(), "the partial file is gone");
        }
    }
}

#[test]
fn a_connection_that_breaks_is_shown_and_resumed_where_it_broke() {
    let Some(peers) = peers() else { return };
    let service = Service::new();
    let target = peers.nginx.unique("/files/10m.bin");
    let proxy = peers.faulty(&peers.nginx, &["--first", "2", "--drop-after", "3000000", "--how", "rst"]);
    let finished = service.bits(["get", &proxy.url(&target), "file"]).finish().expect_code(0);
    assert!(finished.stderr.contains("retrying"), "{finished}");
    assert_eq!(sha256(service.file("file")), sha256(peers.nginx.file("10m.bin")));
    let resumed = peers.nginx.requests(&target).into_iter().filter(|request| request.range.is_some());
    let resumed: Vec<_> = resumed.collect();
    assert!(!resumed.is_empty() && resumed.iter().all(|request| request.if_range.is_some()), "{resumed:?}");
}

#[test]
fn what_was_summed_up_once_is_not_read_again_by_later_attempts() {
    const PART: u64 = 8_000_000;
    let origin = UnkindOrigin::start();
    let service = Service::new();
    let target = format!("/stall?at={PART}&size=48000000&first=4");
    let sum = format!("sha256:{}", origin.first(&target).sha256_hex());
    let get = ["get", &origin.url(&target), "large", "--checksum", &sum, "--detach"];
    let id = service.bits(get).finish().expect_code(0).stdout.trim().to_owned();
    let pid = service.pid().expect("it runs").as_raw_nonzero();
    let read = || -> u64 {
        let told = fs::read_to_string(format!("/proc/{pid}/io")).expect("root may look at it");
        let line = told.lines().find_map(|line| line.strip_prefix("rchar: "));
        line.expect("a count").parse().expect("a number")
    };
    let mut before = None;
    for part in 1..=4 {
        until(PATIENCE, format_args!("part {part} has come"), || {
            let job = service.bits(["show", &id, "--json"]).finish().expect_code(0).json();
            (job["progress"]["bytes_transferred"] == part * PART).then_some(())
        });
        if part == 4 {
            break;
        }
        before.get_or_insert_with(read);
        service.bits(["suspend", &id]).finish().expect_code(0);
        service.bits(["resume", &id]).finish().expect_code(0);
    }
    let read = read() - before.expect("a part has come");
    assert!(read < PART, "{read} bytes were read while parts of {PART} bytes came");
    // Once more by a service that has no sum of the part that is there.
    service.kill();
    service.bits(["watch", &id]).within(PATIENCE).finish().expect_code(0);
    assert!(origin.first(&target).is(&fs::read(service.file("large")).expect("it has arrived")));
}

#[test]
fn a_file_that_changes_on_the_way_is_fetched_anew_and_never_joined() {
    let Some(peers) = peers() else { return };
    let service = Service::new();
    let name = format!("changing-{}.bin", std::process::id());
    let file = peers.nginx.file(&name);
    fs::write(&file, vec![b'a'; 2 << 20]).expect("the peer's folder");
    fs::set_permissions(&file, Permissions::from_mode(0o644)).expect("our own file");
    let url = peers.nginx.url(&format!("/slow/{name}?rate=256k"));
    let id = service.bits(["get", &url, "file", "--detach"]).finish().expect_code(0).stdout;
    let id = id.trim();
    until(PATIENCE, "a part has come", || {
        let job = service.bits(["show", id, "--json"]).finish().json();
        (job["progress"]["bytes_transferred"].as_u64()? > 300_000).then_some(())
    });
    service.bits(["suspend", id]).finish().expect_code(0);
    fs::write(&file, vec![b'b'; (2 << 20) + 5]).expect("the peer's folder");
    service.bits(["resume", id]).finish().expect_code(0);
    service.bits(["watch", id]).finish().expect_code(0);
    let bytes = fs::read(service.file("file")).expect("it has arrived");
    fs::remove_file(&file).expect("the peer's folder");
    assert_eq!(bytes.len(), (2 << 20) + 5);
    assert!(bytes.iter().all(|byte| *byte == b'b'), "all of one version");
}

#[test]
fn an_existing_file_is_replaced_only_on_complete_and_keeps_its_mode() {
    let Some(peers) = peers() else { return };
    let service = Service::new();
    let file = service.file("there");
    fs::write(&file, "old").expect("a file");
    fs::set_permissions(&file, Permissions::from_mode(0o640)).expect("our own file");
    let url = peers.nginx.url("/files/1k.bin");
    let refused = service.bits(["get", &url, "there", "--no-clobber"]).finish().expect_code(4);
    assert!(refused.stderr.contains("there"), "{refused}");
    assert_eq!(fs::read_to_string(&file).expect("the file"), "old");
    service.bits(["get", &peers.nginx.url("/status/404"), "there", "--rm-on-error"]).finish().expect_code(1);
    assert_eq!(fs::read_to_string(&file).expect("the file"), "old");
    service.bits(["get", &url, "there"]).finish().expect_code(0);
    assert_eq!(sha256(&file), sha256(peers.nginx.file("1k.bin")));
    let mode = |name: &str| service.file(name).metadata().expect("a file").permissions().mode() & 0o777;
    assert_eq!(mode("there"), 0o640);
    service
        .run("sh")
        .args(["-c", "umask 027 && exec \"$0\" get \"$1\" fresh"])
        .arg(bits_e2e::program("bits"))
        .arg(&url)
        .finish()
        .expect_code(0);
    assert_eq!(mode("fresh"), 0o640, "the umask of the caller, not of the service");
}

#[test]
fn a_destination_that_cannot_be_is_refused_before_anything_is_made() {
    let Some(peers) = peers() else { return };
    let service = Service::new();
    let url = peers.nginx.url("/files/1k.bin");
    symlink("/etc/hostname", service.file("link")).expect("a link");
    fs::create_dir(service.file("folder")).expect("a folder");
    fs::create_dir(service.file("folder/1k.bin")).expect("a folder");
    for (destination, expected) in [("missing/file", "missing"), ("link", "link"), ("folder", "1k.bin")] {
        let refused = service.bits(["get", &url, destination]).finish();
        assert!(matches!(refused.code, Some(2 | 4)), "{refused}");
        assert!(refused.stderr.contains(expected), "{refused}");
    }
    assert_eq!(service.bits(["list", "--json"]).finish().expect_code(0).json(), serde_json::json!([]));
    service.bits(["get", &url, "missing/file", "--create-dirs"]).finish().expect_code(0);
    assert_eq!(sha256(service.file("missing/file")), sha256(peers.nginx.file("1k.bin")));
}

#[test]
fn a_list_of_urls_is_one_job() {
    let Some(peers) = peers() else { return };
    let service = Service::new();
    let list = format!(
        "# two files\n{} first\n\n{}\n",
        peers.nginx.url("/files/1k.bin"),
        peers.nginx.url("/files/hello.txt")
    );
    let finished = service.bits(["get", "-i", "-", "--json"]).stdin(&list).finish().expect_code(0);
    assert_eq!(finished.json()["progress"]["files_transferred"], 2);
    assert_eq!(names_in(&service), ["first", "hello.txt"]);
    let bad = format!("{list}not-a-url\n");
    let refused = service.bits(["get", "-i", "-"]).stdin(&bad).finish();
    assert!(matches!(refused.code, Some(2 | 4)), "{refused}");
    assert!(refused.stderr.contains("line 5") && refused.stderr.contains("not-a-url"), "{refused}");
}

#[test]
fn a_list_is_added_to_a_job_that_is_there() {
    let Some(peers) = peers() else { return };
    let service = Service::new();
    let list =
        format!("{}\n{} other name\n", peers.nginx.url("/files/1k.bin"), peers.nginx.url("/files/hello.txt"));
    let id = service.bits(["create", "listed"]).finish().expect_code(0).stdout.trim().to_owned();
    let bad = service.bits(["add", &id, "-i", "-"]).stdin(format!("{list}not-a-url\n")).finish();
    assert!(bad.code == Some(2) && bad.stderr.contains("line 3"), "{bad}");
    service.bits(["add", &id, "-i", "-"]).stdin(&list).finish().expect_code(0);
    service.bits(["resume", &id]).finish().expect_code(0);
    service.bits(["watch", &id]).finish().expect_code(0);
    service.bits(["complete", &id]).finish().expect_code(0);
    assert_eq!(names_in(&service), ["1k.bin", "other name"]);
    assert_eq!(sha256(service.file("1k.bin")), sha256(peers.nginx.file("1k.bin")));
}

#[test]
fn a_full_disk_is_an_error_that_names_it_and_nothing_is_left_half() {
    let Some(peers) = peers() else { return };
    if !rustix::process::geteuid().is_root() {
        println!("skipped: only root can mount a small file system");
        return;
    }
    let service = Service::new();
    let small = service.file("small");
    fs::create_dir(&small).expect("a folder");
    service.run("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(&small).finish().expect_code(0);
    let url = peers.nginx.url("/files/10m.bin");
    let finished = service.bits(["get", &url, "small/file", "--max-time", "3", "--json"]).finish();
    let job = finished.json();
    let shown = job["error"].clone();
    service.bits(["cancel", job["id"].as_str().expect("an id")]).finish().expect_code(0);
    let left = fs::read_dir(&small).expect("the folder").count();
    service.run("umount").arg(&small).finish().expect_code(0);
    assert_eq!(shown["code"], "0x80070070", "{finished}");
    assert!(shown["message"].as_str().expect("a sentence").contains("small"), "{finished}");
    assert_eq!(left, 0, "the partial file is gone with the job");
}
