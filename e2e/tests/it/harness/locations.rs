//! The peers serve what they should, as curl sees it.

use bits_e2e::{Finished, Peers, Run, Server, Service, peers, sha256};

use super::with_ticket;

/// A scheme is asked for by curl as it is; the user is alice, with the right password.
const BY_PASSWORD: &[(&str, &str, &str)] = &[
    ("nginx", "/basic/1k.bin", "--basic"),
    ("apache", "/basic/1k.bin", "--basic"),
    ("apache", "/digest/1k.bin", "--digest"),
    ("apache", "/multi/1k.bin", "--basic"),
    ("apache", "/any/1k.bin", "--basic"),
    ("lighttpd", "/sha256/1k.bin", "--digest"),
    ("lighttpd", "/md5/1k.bin", "--digest"),
    ("lighttpd", "/both/1k.bin", "--digest"),
];

const OPEN: &[(&str, &str)] = &[
    ("nginx", "/files/1m.bin"),
    ("nginx", "/norange/1m.bin"),
    ("nginx", "/nolength/1m.bin"),
    ("nginx", "/novalidator/1m.bin"),
    ("nginx", "/hop2/1m.bin"),
    ("apache", "/open/1m.bin"),
    ("lighttpd", "/open/1m.bin"),
];

fn server<'a>(peers: &'a Peers, name: &str) -> &'a Server {
    match name {
        "nginx" => &peers.nginx,
        "apache" => &peers.apache,
        _ => &peers.lighttpd,
    }
}

/// curl's download of `url` to the file `got`, and the status it prints.
fn curl(world: &Service, url: &str) -> Run {
    world.run("curl").args(["-sSL", "-o", "got", "-w", "%{http_code}", url])
}

#[track_caller]
fn expect_file(world: &Service, server: &Server, name: &str, finished: &Finished) {
    assert_eq!(finished.stdout, "200", "{finished}");
    assert_eq!(sha256(world.file("got")), sha256(server.file(name)), "{finished}");
}

#[test]
fn every_open_location_serves_the_same_file() {
    let Some(peers) = peers() else { return };
    for (name, path) in OPEN {
        let (world, server) = (Service::new(), server(peers, name));
        let finished = curl(&world, &server.url(path)).finish().expect_code(0);
        expect_file(&world, server, "1m.bin", &finished);
    }
}

#[test]
fn every_location_with_a_password_wants_the_right_one() {
    let Some(peers) = peers() else { return };
    for (name, path, scheme) in BY_PASSWORD {
        let (world, server) = (Service::new(), server(peers, name));
        let ask = |login: &str| curl(&world, &server.url(path)).args([*scheme, "-u", login]).finish();
        let refused = ask("alice:bad").expect_code(0);
        assert_eq!(refused.stdout, "401", "{refused}");
        expect_file(&world, server, "1k.bin", &ask("alice:secret"));
    }
}

#[test]
fn a_kerberos_ticket_opens_the_locations_of_negotiate() {
    let Some(peers) = peers() else { return };
    for path in ["/negotiate/1k.bin", "/multi/1k.bin", "/any/1k.bin"] {
        let (world, target) = (Service::new(), peers.apache.unique(path));
        let run = curl(&world, &peers.apache.url(&target)).args(["--negotiate", "-u", ":"]);
        let finished = with_ticket(&world, run, peers.kdc.config(), "alice", "secret").finish();
        expect_file(&world, &peers.apache, "1k.bin", &finished);
        let users: Vec<_> = peers.apache.requests(&target).into_iter().map(|request| request.user).collect();
        assert_eq!(users, [Some("alice@EXAMPLE.TEST".to_owned())], "{path}");
    }
}

#[test]
fn ntlm_inside_negotiate_opens_the_locations_of_ntlm() {
    let Some(peers) = peers() else { return };
    let (world, target) = (Service::new(), peers.apache.unique("/any/1k.bin"));
    let finished = curl(&world, &peers.apache.url(&target))
        .args(["--negotiate", "-u", ":"])
        .env("NTLM_USER_FILE", peers.line("APACHE_NTLM_USER_FILE"))
        .env("KRB5CCNAME", "FILE:/nonexistent")
        .finish();
    expect_file(&world, &peers.apache, "1k.bin", &finished);
    let requests = peers.apache.requests(&target);
    assert_eq!(requests.iter().map(|request| request.status).collect::<Vec<_>>(), [401, 200], "{requests:?}");
    assert_eq!(requests[0].connection, requests[1].connection, "NTLM signs a connection in");
}

#[test]
fn a_location_of_ntlm_alone_offers_ntlm() {
    let Some(peers) = peers() else { return };
    let world = Service::new();
    let answer = world.run("curl").args(["-sSi", &peers.apache.url("/ntlm/1k.bin")]).finish().expect_code(0);
    assert!(answer.stdout.contains("WWW-Authenticate: NTLM\r\n"), "{answer}");
    assert!(!answer.stdout.contains("Basic"), "{answer}");
}

#[test]
fn tls_is_good_or_bad_as_its_name_says() {
    let Some(peers) = peers() else { return };
    let untrusted = 60; // of curl
    for (name, code) in [
        ("NGINX_TLS_URL", 0),
        ("APACHE_TLS_URL", 0),
        ("NGINX_TLS_EXPIRED_URL", untrusted),
        ("NGINX_TLS_WRONGNAME_URL", untrusted),
        ("NGINX_TLS_FOREIGN_URL", untrusted),
    ] {
        let world = Service::new();
        let path = if name.starts_with("APACHE") { "/open/1k.bin" } else { "/files/1k.bin" };
        let run = curl(&world, &format!("{}{path}", peers.line(name))).arg("--cacert").arg(peers.ca());
        run.finish().expect_code(code);
    }
}

#[test]
fn http_2_is_spoken_where_it_is_offered_and_cannot_carry_ntlm() {
    let Some(peers) = peers() else { return };
    let world = Service::new();
    let ask = |name: &str, path: &str| {
        let url = format!("{}{path}", peers.line(name));
        let run = world.run("curl").args(["-sS", "-o", "got", "-w", "%{http_version} %{http_code}", &url]);
        run.arg("--cacert").arg(peers.ca())
    };
    for (name, path, expected) in [
        ("NGINX_TLS_URL", "/files/1k.bin", "1.1 200"),
        ("NGINX_H2_URL", "/files/1k.bin", "2 200"),
        ("NGINX_TLS12_URL", "/files/1k.bin", "1.1 200"),
        ("APACHE_TLS_URL", "/open/1k.bin", "1.1 200"),
        ("APACHE_H2_URL", "/open/1k.bin", "2 200"),
    ] {
        assert_eq!(ask(name, path).finish().stdout, expected, "{name}");
    }
    let negotiate = ask("APACHE_H2_URL", "/any/1k.bin").args(["--negotiate", "-u", ":"]);
    let by_kerberos = with_ticket(&world, negotiate.clone(), peers.kdc.config(), "alice", "secret");
    assert_eq!(by_kerberos.finish().stdout, "2 200");
    let by_ntlm = negotiate
        .env("NTLM_USER_FILE", peers.line("APACHE_NTLM_USER_FILE"))
        .env("KRB5CCNAME", "FILE:/nonexistent");
    assert_eq!(by_ntlm.finish().stdout, "2 401");
}

#[test]
fn a_server_that_speaks_tls_1_2_alone_refuses_1_3() {
    let Some(peers) = peers() else { return };
    let url = format!("{}/files/1k.bin", peers.line("NGINX_TLS12_URL"));
    let world = Service::new();
    let run = curl(&world, &url).arg("--cacert").arg(peers.ca()).arg("--tlsv1.3");
    let no_handshake = 35; // of curl
    run.finish().expect_code(no_handshake);
}

#[test]
fn a_client_certificate_is_taken_in_each_form_and_refused_for_each_reason() {
    let Some(peers) = peers() else { return };
    for (certificate, key, kind, expected) in [
        (None, None, "PEM", ("400", None)),
        (Some("alice.pem"), Some("alice.key"), "PEM", ("200", Some("CN=alice"))),
        (Some("alice.pem"), Some("alice-encrypted.key"), "PEM", ("200", Some("CN=alice"))),
        (Some("alice.p12"), None, "P12", ("200", Some("CN=alice"))),
        (Some("alice-3des.p12"), None, "P12", ("200", Some("CN=alice"))),
        (Some("bob.pem"), Some("bob.key"), "PEM", ("200", Some("CN=bob"))),
        (Some("mallory.pem"), Some("mallory.key"), "PEM", ("400", Some("CN=mallory"))),
        (Some("expired.pem"), Some("expired.key"), "PEM", ("400", Some("CN=expired"))),
    ] {
        let (world, target) = (Service::new(), peers.nginx.unique("/files/1k.bin"));
        let mut run = curl(&world, &format!("{}{target}", peers.line("NGINX_MTLS_URL")));
        run = run.arg("--cacert").arg(peers.ca()).args(["--cert-type", kind, "--pass", "secret"]);
        for (option, name) in [("--cert", certificate), ("--key", key)] {
            run = name.into_iter().fold(run, |run, name| run.arg(option).arg(peers.client_file(name)));
        }
        let finished = run.finish().expect_code(0);
        let users: Vec<_> = peers.nginx.requests(&target).into_iter().map(|request| request.user).collect();
        assert_eq!((finished.stdout.as_str(), users[0].as_deref()), expected, "{certificate:?} {finished}");
    }
}

#[test]
fn each_server_counts_the_requests_for_one_target() {
    let Some(peers) = peers() else { return };
    for (server, path) in [
        (&peers.nginx, "/files/1k.bin"),
        (&peers.apache, "/digest/1k.bin"),
        (&peers.lighttpd, "/sha256/1k.bin"),
    ] {
        let (world, target) = (Service::new(), server.unique(path));
        let ask = || {
            let run = curl(&world, &server.url(&target)).args(["-r", "0-9"]);
            run.args(["--anyauth", "-u", "alice:secret"]).finish().expect_code(0)
        };
        ask();
        let once = server.requests(&target);
        ask();
        assert_eq!(server.requests(&target).len(), 2 * once.len(), "{once:?}");

        let last = once.last().unwrap();
        let seen = (last.status, last.sent, last.range.as_deref());
        assert_eq!(seen, (206, 10, Some("bytes=0-9")), "{once:?}");
        let schemes: Vec<_> = once.iter().map(|request| request.scheme.as_deref()).collect();
        let expected: &[_] = if path == "/files/1k.bin" { &[None] } else { &[None, Some("Digest")] };
        assert_eq!(schemes, expected, "{once:?}");
    }
}

#[test]
fn a_faulty_proxy_cuts_a_download_short() {
    let Some(peers) = peers() else { return };
    let world = Service::new();
    let proxy = peers.faulty(&peers.nginx, &["--first", "1", "--drop-after", "500000", "--how", "fin"]);
    let partial = 18; // of curl
    curl(&world, &proxy.url("/files/1m.bin")).finish().expect_code(partial);
    let finished = curl(&world, &proxy.url("/files/1m.bin")).finish();
    expect_file(&world, &peers.nginx, "1m.bin", &finished);
}
