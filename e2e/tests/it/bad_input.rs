//! Bad input gets an error that names the thing, and loses nothing.

use bits_e2e::{Service, peers};

#[test]
fn every_refusal_names_the_thing_and_carries_its_code() {
    let service = Service::new();
    let id = service.bits(["create", "a job"]).finish().expect_code(0).stdout;
    let id = id.trim().to_owned();
    let long_name = "x".repeat(257);
    let long_url = format!("http://h.test/{}", "x".repeat(70_000));
    let before = service.bits(["show", &id, "--json"]).finish().expect_code(0).stdout;
    let rows: &[(&[&str], &[i32], &[&str])] = &[
        (&["get", "not a url"], &[2, 4], &["not a url"]),
        (&["get", "ftp://h.test/f"], &[2, 4], &["ftp"]),
        (&["get", &long_url, "file"], &[2, 4], &["65536"]),
        (&["get", "http://h.test/f", "--checksum", "sha256:00"], &[2], &["--checksum"]),
        (&["get", "http://h.test/f", "--system"], &[2], &["--system"]),
        (&["put", "f", "http://h.test/f"], &[2], &["put"]),
        (&["create", "x", "--type", "upload"], &[2], &["upload"]),
        (&["create", "x", "--priority", "urgent"], &[2], &["urgent"]),
        (&["create", ""], &[2, 4], &["name"]),
        (&["create", &long_name], &[4], &["256", "0x80200021"]),
        (&["add", &id, "nonsense", "/tmp/f"], &[2, 4], &["nonsense"]),
        (&["add", &id, "http://h.test/f", "/no/such/folder/f"], &[4], &["/no/such/folder", "0x80070003"]),
        (&["add", &id, "http://h.test/f", "/proc"], &[4], &["/proc"]),
        (&["resume", &id], &[4], &["0x80200003", "BG_E_EMPTY"]),
        (&["show", "no such job"], &[4], &["no such job", "0x80200001"]),
        (&["show", "00000000-0000-4000-8000-000000000000"], &[4], &["0x80200001"]),
        (&["set", &id, "colour=red"], &[2], &["colour"]),
        (&["set", &id, "priorty=low"], &[2], &["priority"]),
        (&["set", &id, "priority=urgent"], &[2, 4], &["urgent"]),
        (&["set", &id, "minimum-retry-delay=soon"], &[2, 4], &["soon"]),
        (&["set", &id, "priority"], &[2], &["priority"]),
        (&["credentials", "set", &id, "--scheme", "kerberos", "--user", "u"], &[2], &["kerberos"]),
        (&["credentials", "set", &id, "--target", "moon", "--user", "u"], &[2], &["moon"]),
        (&["credentials", "set", &id, "--user", "u", "--password-file", "absent"], &[2, 4], &["absent"]),
        (&["get", "http://h.test/f", "--password-stdin"], &[2], &["--user"]),
        (&["list", "--state", "lost"], &[2, 4], &["lost"]),
        (&["error", "nonsense"], &[2, 4], &["nonsense"]),
    ];
    for (words, codes, named) in rows {
        let refused = service.bits(*words).finish();
        let code = refused.code.expect("it ends by itself");
        assert!(codes.contains(&code), "{words:?}: {refused}");
        for text in *named {
            assert!(refused.stderr.contains(text), "{words:?} does not say `{text}`: {refused}");
        }
        assert_eq!(refused.stdout, "", "{words:?}: results alone go to stdout");
    }
    let after = service.bits(["show", &id, "--json"]).finish().expect_code(0).stdout;
    assert_eq!(after, before, "nothing has changed");
    let jobs = service.bits(["list", "--json"]).finish().expect_code(0).json();
    assert_eq!(jobs.as_array().map(Vec::len), Some(1), "no refused job is left: {jobs}");
}

#[test]
fn two_files_of_a_job_never_go_to_one_place_however_its_path_is_written() {
    let service = Service::new();
    let create = || service.bits(["create", "a job"]).finish().expect_code(0).stdout.trim().to_owned();
    let (id, other) = (create(), create());
    for folder in ["a", "b"] {
        std::fs::create_dir(service.file(folder)).expect("a folder");
    }
    std::os::unix::fs::symlink("a", service.file("link")).expect("a link");
    std::fs::write(service.file("list"), "http://h.test/8 new\nhttp://h.test/9 b/../a/first\n")
        .expect("a list");
    let add = |job: &str, path: &str| service.bits(["add", job, "http://h.test/f", path]).finish();
    let files = |job: &str| -> Vec<String> {
        let job = service.bits(["show", job, "--json"]).finish().expect_code(0).json();
        let names = job["files"].as_array().expect("a list").iter().map(|file| file["local_name"].as_str());
        names.map(|name| name.expect("a name").to_owned()).collect()
    };
    let refused = |path: &str| {
        let refused = add(&id, path).expect_code(4);
        for text in [path.rsplit('/').next().expect("a name"), "0x80070057", "another file of the job"] {
            assert!(refused.stderr.contains(text), "{path} does not say `{text}`: {refused}");
        }
    };
    add(&id, "a/first").expect_code(0);
    add(&id, "a/second").expect_code(0);
    let absolute = service.file("a/second").to_str().expect("UTF-8").to_owned();
    for path in ["a/first", "./a/first", "b/../a/first", "link/first", "link/../a/second", &absolute] {
        refused(path);
    }
    let list = service.file("list");
    let list = list.to_str().expect("UTF-8");
    service.bits(["add", &id, "--input", list]).finish().expect_code(4);
    assert_eq!(files(&id).len(), 2, "of a list nothing is added either");
    add(&id, "link/third").expect_code(0);
    add(&id, "b/first").expect_code(0);
    // What is known of them lasts.
    service.kill();
    refused("a/third");
    refused("link/second");
    assert_eq!(files(&id).len(), 4);
    // Two jobs may: whichever is completed last has it.
    add(&other, "a/first").expect_code(0);
}

#[test]
fn a_job_is_found_by_the_start_of_its_id_or_by_a_name_that_is_its_own() {
    let service = Service::new();
    let create = |name: &str| service.bits(["create", name]).finish().expect_code(0).stdout.trim().to_owned();
    let (one, _two) = (create("alone"), create("twin"));
    create("twin");
    for name in [&one[..], &one[..23], "alone"] {
        let shown = service.bits(["show", name, "--json"]).finish().expect_code(0).json();
        assert_eq!(shown["id"], one.as_str());
    }
    let ambiguous = service.bits(["show", "twin"]).finish().expect_code(4);
    assert!(ambiguous.stderr.contains("twin"), "{ambiguous}");
    service.bits(["show", &one[..3]]).finish().expect_code(4);
}

#[test]
fn an_error_of_the_server_is_told_in_words_with_what_to_do() {
    let Some(peers) = peers() else { return };
    let service = Service::new();
    let url = peers.nginx.url("/status/404");
    let finished = service.bits(["get", &url, "file"]).finish().expect_code(1);
    for text in ["404", "0x80190194", &url, "hint"] {
        assert!(finished.stderr.contains(text), "{text}: {finished}");
    }
    let jobs = service.bits(["list", "--json"]).finish().expect_code(0).json();
    assert_eq!(jobs[0]["state"], "error", "the job stays");
    let finished = service.bits(["get", &url, "file", "--rm-on-error"]).finish().expect_code(1);
    assert!(finished.stderr.contains("404"), "{finished}");
    let jobs = service.bits(["list", "--json"]).finish().expect_code(0).json();
    assert_eq!(jobs.as_array().map(Vec::len), Some(1), "this one does not");
}

#[test]
fn user_info_in_a_url_signs_in_and_is_shown_nowhere() {
    let Some(peers) = peers() else { return };
    let service = Service::new();
    let url = peers.apache.url("/digest/hello.txt").replacen("http://", "http://alice:secret@", 1);
    let finished = service.bits(["get", &url, "file", "--json", "-v"]).finish().expect_code(0);
    assert!(!finished.stdout.contains("secret") && !finished.stderr.contains("secret"), "{finished}");
    assert_eq!(std::fs::read_to_string(service.file("file")).expect("it has arrived"), "hello\n");
    assert!(!service.log().contains("secret"), "{}", service.log());
}

#[test]
fn the_meaning_of_a_code_is_told_for_every_form_of_it() {
    let service = Service::new();
    for form in ["0x80190194", "BG_E_HTTP_ERROR_404", "-2145844844", "404"] {
        let told = service.bits(["error", form]).finish().expect_code(0);
        assert!(told.stdout.contains("0x80190194"), "{form}: {told}");
    }
    assert!(service.status().is_none(), "no service is needed for it");
}
