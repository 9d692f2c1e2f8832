//! HTTP/2 at real servers: when it is spoken, what it shares, and where it is left. What is wrong with
//! frames is in `unkind`.

use std::collections::BTreeSet;
use std::fs;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;

use bits_e2e::{Peers, Request, Server, Service, peers, sha256};

/// A world that trusts the peers' authority, with a password in a file.
fn world(peers: &Peers, settings: &str) -> Service {
    let service = Service::new();
    service.configure(&format!("{settings}extra_ca = \"{}\"\n", peers.ca().display()));
    let password = service.file("password");
    fs::write(&password, "secret").expect("a file of this world");
    fs::set_permissions(&password, Permissions::from_mode(0o600)).expect("our own file");
    service
}

/// Gets `targets` of the server at `base`, each under its number, and what that server was asked.
fn get(service: &Service, server: &Server, base: &str, targets: &[String], words: &[&str]) -> Vec<Request> {
    let lines = targets.iter().enumerate().map(|(number, target)| format!("{base}{target} {number}\n"));
    fs::write(service.file("list"), lines.collect::<String>()).expect("a file of this world");
    service.bits(["get", "-i", "list"]).args(words).finish().expect_code(0);
    for (number, target) in targets.iter().enumerate() {
        let name = target.rsplit('/').next().and_then(|name| name.split('?').next()).expect("a name");
        assert_eq!(sha256(service.file(number.to_string())), sha256(server.file(name)), "{target}");
    }
    let targets: BTreeSet<_> = targets.iter().collect();
    targets.into_iter().flat_map(|target| server.requests(target)).collect()
}

fn unique(server: &Server, path: &str, count: usize) -> Vec<String> {
    (0..count).map(|_| server.unique(path)).collect()
}

fn versions(requests: &[Request]) -> Vec<&str> {
    requests.iter().map(|request| request.version.as_str()).collect()
}

#[test]
fn many_small_files_from_far_away_share_one_connection_and_one_large_file_goes_over_http_1() {
    let Some(peers) = peers() else { return };
    let port = peers.line("NGINX_H2_URL").rsplit(':').next().expect("a port");
    let far_away =
        peers.faulty_address(&format!("127.0.0.1:{port}"), &["--latency", "0.03", "--side", "both"]);
    let port = far_away.address().rsplit(':').next().expect("a port");
    let base = &format!("https://localhost:{port}");
    let nginx = &peers.nginx;
    let service = world(peers, "");
    let _bitsd = service.start();

    let large = get(&service, nginx, base, &unique(nginx, "/files/10m.bin", 1), &[]);
    assert_eq!(versions(&large), ["HTTP/1.1"], "{large:?}");

    let target = nginx.unique("/files/1k.bin");
    let small = get(&service, nginx, base, &vec![target; 300], &[]);
    let over_2: Vec<_> = small.iter().filter(|request| request.version == "HTTP/2.0").collect();
    let connections: BTreeSet<_> = over_2.iter().map(|request| &request.connection).collect();
    assert_eq!((small.len(), connections.len()), (300, 1), "{connections:?}");
    assert!(over_2.len() > 100, "{} of 300 over HTTP/2", over_2.len());
}

#[test]
fn with_http_2_on_all_files_of_all_jobs_share_a_connection_and_with_it_off_none_does() {
    let Some(peers) = peers() else { return };
    let base = peers.line("NGINX_H2_URL");
    let nginx = &peers.nginx;
    for (settings, version) in [("http2 = \"on\"\n", "HTTP/2.0"), ("http2 = \"off\"\n", "HTTP/1.1")] {
        let service = world(peers, settings);
        let _bitsd = service.start();
        let mut requests = get(&service, nginx, base, &unique(nginx, "/files/1m.bin", 3), &[]);
        // A range, a redirect, a file without a length: all the same.
        for path in ["/norange/1m.bin", "/nolength/1m.bin", "/r307/10m.bin", "/files/empty.bin"] {
            requests.extend(get(&service, nginx, base, &unique(nginx, path, 1), &[]));
        }
        requests.extend(get(
            &service,
            nginx,
            base,
            &unique(nginx, "/basic/1k.bin", 20),
            &["--user", "alice", "--password-file", "password"],
        ));
        assert!(versions(&requests).iter().all(|found| *found == version), "{version}: {requests:?}");
        if version == "HTTP/2.0" {
            let shared = requests.iter().filter(|request| request.scheme.is_none());
            let connections: BTreeSet<_> = shared.map(|request| &request.connection).collect();
            // One for all who say nothing of themselves, and one for the job that has a password.
            assert_eq!(connections.len(), 2, "{requests:?}");
        }
    }
}

#[test]
fn schemes_of_requests_are_spoken_over_http_2_and_those_of_connections_leave_it() {
    let Some(peers) = peers() else { return };
    let base = peers.line("APACHE_H2_URL");
    let apache = &peers.apache;
    let service = world(peers, "http2 = \"on\"\n");
    let _bitsd = service.start();
    let signed = |path: &str, user: &str| {
        let targets = unique(apache, path, 2);
        let words = ["--user", user, "--password-file", "password"];
        get(&service, apache, base, &targets, &words)
    };
    for path in ["/basic/1k.bin", "/digest/1k.bin"] {
        let requests = signed(path, "alice");
        assert!(versions(&requests).iter().all(|version| *version == "HTTP/2.0"), "{requests:?}");
        let connections: BTreeSet<_> = requests.iter().map(|request| &request.connection).collect();
        assert_eq!(connections.len(), 1, "{requests:?}");
    }
    // The question comes over HTTP/2, the proof goes over HTTP/1.1, and so does all that follows.
    let requests = signed("/ntlm/1k.bin", r"TESTDOM\alice");
    assert_eq!(versions(&requests)[..2], ["HTTP/2.0", "HTTP/1.1"], "{requests:?}");
    assert!(versions(&requests)[2..].iter().all(|version| *version == "HTTP/1.1"), "{requests:?}");
    let again = signed("/ntlm/1k.bin", r"TESTDOM\alice");
    assert!(versions(&again).iter().all(|version| *version == "HTTP/1.1"), "{again:?}");
}

#[test]
fn http_2_is_spoken_within_the_tunnel_of_a_proxy_that_is_signed_in_to_over_http_1() {
    let Some(peers) = peers() else { return };
    let Some(proxies) = peers.proxies() else { return };
    let (base, tunnel) = peers.tunnelled_to(peers.line("NGINX_H2_URL"), "");
    let proxy = &proxies.digest;
    let service = world(peers, &format!("http2 = \"on\"\nproxy = \"{}\"\n", proxy.url()));
    let bitsd = service.start();
    let targets = unique(&peers.nginx, "/files/1k.bin", 3);
    let words = ["--proxy-user", "alice", "--proxy-password-file", "password"];
    let requests = get(&service, &peers.nginx, &base, &targets, &words);
    assert_eq!(versions(&requests), ["HTTP/2.0"; 3], "{requests:?}");
    drop(bitsd);
    let tunnels = proxy.requests(&tunnel);
    assert_eq!(tunnels.iter().filter(|request| request.scheme.is_some()).count(), 1, "{tunnels:?}");
}
