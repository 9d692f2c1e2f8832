//! Forward proxies let through whom they should, for http and https, and tell whom; as curl sees it.

use bits_e2e::{Peers, Proxy, Run, Service, peers, sha256};

use super::with_ticket;

/// The same file by way of the proxy for http, and in a tunnel for https.
struct Way {
    url: String,
    /// What the proxy's log calls it.
    target: String,
    is_tunnel: bool,
}

fn ways(peers: &Peers) -> [Way; 2] {
    let target = peers.nginx.unique("/files/1k.bin");
    let plain = peers.nginx.url(&target);
    let (tunnelled, host) = peers.tunnelled(&target);
    [
        Way { target: plain.clone(), url: plain, is_tunnel: false },
        Way { url: tunnelled, target: host, is_tunnel: true },
    ]
}

impl Way {
    fn curl(&self, world: &Service, peers: &Peers, proxy: &Proxy) -> Run {
        let run = world.run("curl").args(["-sS", "-o", "got", "-w", "%{http_code} %{http_connect}"]);
        run.arg("--cacert").arg(peers.ca()).args(["-x", proxy.url(), &self.url])
    }

    /// What curl prints when all went well, or when the proxy refused.
    fn says(&self, good: bool) -> &'static str {
        match (good, self.is_tunnel) {
            (true, true) => "200 200",
            (true, false) => "200 000",
            (false, true) => "000 407",
            (false, false) => "407 000",
        }
    }
}

/// The scheme and status of each request in the proxy's log.
fn logged(proxy: &Proxy, way: &Way) -> Vec<(Option<String>, u16)> {
    proxy.requests(&way.target).into_iter().map(|request| (request.scheme, request.status)).collect()
}

#[test]
fn every_proxy_lets_through_who_may_and_logs_each_request() {
    let Some(peers) = peers() else { return };
    let Some(proxies) = peers.proxies() else { return };
    let one: &[_] = &["200"];
    for (proxy, words, statuses, scheme, user) in [
        (&proxies.none, &[][..], one, None, None),
        (&proxies.basic, &["-U", "alice:secret"], one, Some("Basic"), Some("alice")),
        (
            &proxies.digest,
            &["--proxy-digest", "-U", "alice:secret"],
            &["407", "200"],
            Some("Digest"),
            Some("alice"),
        ),
        (
            &proxies.negotiate,
            &["--proxy-negotiate", "-U", ":"],
            one,
            Some("Negotiate"),
            Some("alice@EXAMPLE.TEST"),
        ),
        (&proxies.multi, &["--proxy-basic", "-U", "alice:secret"], one, Some("Basic"), Some("alice")),
        (
            &proxies.multi,
            &["--proxy-digest", "-U", "alice:secret"],
            &["407", "200"],
            Some("Digest"),
            Some("alice"),
        ),
        (
            &proxies.multi,
            &["--proxy-anyauth", "-U", ":"],
            &["407", "200"],
            Some("Negotiate"),
            Some("alice@EXAMPLE.TEST"),
        ),
    ] {
        for way in ways(peers) {
            let world = Service::new();
            let run = way.curl(&world, peers, proxy).args(words);
            let run = with_ticket(&world, run, peers.kdc.config(), "alice", "secret");
            let finished = run.finish().expect_code(0);
            assert_eq!(finished.stdout, way.says(true), "{finished}");
            assert_eq!(sha256(world.file("got")), sha256(peers.nginx.file("1k.bin")), "{finished}");

            let requests = proxy.requests(&way.target);
            let seen: Vec<_> = requests.iter().map(|request| request.status.to_string()).collect();
            assert_eq!(seen, statuses, "{requests:?}");
            let last = requests.last().unwrap();
            assert_eq!((last.scheme.as_deref(), last.user.as_deref()), (scheme, user), "{requests:?}");
            assert_eq!(last.method, if way.is_tunnel { "CONNECT" } else { "GET" });
            assert!(if way.is_tunnel { last.sent > 1024 } else { last.sent == 1024 }, "{last:?}");
        }
    }
}

#[test]
fn a_wrong_password_is_one_attempt_and_a_refusal() {
    let Some(peers) = peers() else { return };
    let Some(proxies) = peers.proxies() else { return };
    for (proxy, option, scheme, attempts) in
        [(&proxies.basic, "--proxy-basic", "Basic", 1), (&proxies.digest, "--proxy-digest", "Digest", 1)]
    {
        for way in ways(peers) {
            let world = Service::new();
            let run = way.curl(&world, peers, proxy).args([option, "-U", "alice:bad"]);
            let finished = run.finish();
            assert_eq!(finished.stdout, way.says(false), "{finished}");
            let logged = logged(proxy, &way);
            let with_scheme = logged.iter().filter(|each| **each == (Some(scheme.to_owned()), 407)).count();
            assert_eq!(with_scheme, attempts, "{logged:?}");
        }
    }
}

#[test]
fn a_proxy_with_several_schemes_offers_them_in_its_order() {
    let Some(peers) = peers() else { return };
    let Some(proxies) = peers.proxies() else { return };
    let world = Service::new();
    let run = world.run("curl").args(["-sSI", "-x", proxies.multi.url()]);
    let finished = run.arg(peers.nginx.url("/files/1k.bin")).finish().expect_code(0);
    let offered: Vec<_> = finished
        .stdout
        .lines()
        .filter_map(|line| line.strip_prefix("Proxy-Authenticate: ")?.split_whitespace().next())
        .collect();
    assert_eq!(offered, ["Negotiate", "Digest", "Basic"], "{finished}");
}
