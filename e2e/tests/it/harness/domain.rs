//! The domain and those that ask it: who may sign in, by which name, and how attempts are counted.

use bits_e2e::{Domain, Finished, Peers, Proxy, Run, Service, peers};

use super::with_ticket;

/// What the domain says of each user with the right password.
const USERS: [(&str, &str); 8] = [
    ("alice", "NT_STATUS_OK"),
    ("bob", "NT_STATUS_OK"),
    ("carol", "NT_STATUS_OK"),
    ("umlaut", "NT_STATUS_OK"),
    ("zoë", "NT_STATUS_OK"),
    ("expired", "NT_STATUS_PASSWORD_MUST_CHANGE"),
    ("disabled", "NT_STATUS_ACCOUNT_DISABLED"),
    ("locked", "NT_STATUS_ACCOUNT_LOCKED_OUT"),
];

/// curl's request for `url`, which prints the status.
fn curl(world: &Service, url: &str) -> Run {
    world.run("curl").args(["-sS", "-o", "got", "-w", "%{http_code}", url])
}

/// Has `run` sign in by NTLM, within Negotiate, by the mechanism of gss-ntlmssp. Unlike curl's own
/// NTLM it sends what Windows does, and knows names and passwords that are not ASCII.
fn by_ntlm(world: &Service, run: Run, domain: &str, user: &str, password: &str) -> Run {
    let file = world.file("ntlm");
    std::fs::write(&file, format!("{domain}:{user}:{password}\n")).expect("a world can be written to");
    run.env("NTLM_USER_FILE", file).env("KRB5CCNAME", "FILE:/nonexistent")
}

fn share(world: &Service, domain: &Domain, user: &str, password: &str) -> Finished {
    let login = format!("{}\\{user}%{password}", domain.name());
    let address = domain.line("AD_IP");
    world
        .run("smbclient")
        .arg(format!("//{address}/files"))
        .args(["-U", &login, "-c", "ls hello.txt"])
        .finish()
}

/// Whether an attempt of `user` by `service` had this end.
fn ended(domain: &Domain, user: &str, service: &str, status: &str) -> bool {
    domain.sign_ins(user).iter().any(|each| each.service == service && each.status == status)
}

#[test]
fn each_user_of_the_domain_is_what_its_name_says_by_kerberos_ntlm_and_at_a_share() {
    let Some(peers) = peers() else { return };
    let Some(domain) = peers.domain() else { return };
    for (name, status) in USERS {
        let world = Service::new();
        let may = status == "NT_STATUS_OK";
        let password = &domain.account(name).password;
        let kinit = world.run("kinit").arg(name).env("KRB5_CONFIG", domain.config());
        kinit.stdin(format!("{password}\n")).finish().expect_code(i32::from(!may));
        assert!(ended(domain, name, "Kerberos KDC", status), "{name}: {:?}", domain.sign_ins(name));

        let run = curl(&world, &domain.apache.url("/any-ad/1k.bin")).args(["--negotiate", "-u", ":"]);
        let finished = by_ntlm(&world, run, domain.name(), name, password).finish().expect_code(0);
        assert_eq!(finished.stdout, if may { "200" } else { "401" }, "{name}: {finished}");
        assert!(ended(domain, name, "winbind", status), "{name}: {:?}", domain.sign_ins(name));

        let finished = share(&world, domain, name, password);
        assert_eq!(finished.code == Some(0), may, "{name}: {finished}");
        assert!(ended(domain, name, "SMB2", status), "{name}: {:?}", domain.sign_ins(name));
    }
}

#[test]
fn a_user_principal_name_is_as_good_as_the_name() {
    let Some(peers) = peers() else { return };
    let Some(domain) = peers.domain() else { return };
    let world = Service::new();
    let carol = domain.account("carol");
    let principal = carol.principal.as_deref().unwrap();
    assert!(!principal.starts_with("carol@"));

    let kinit = world.run("kinit").args(["-E", principal]).env("KRB5_CONFIG", domain.config());
    kinit.stdin(format!("{}\n", carol.password)).finish().expect_code(0);

    let target = domain.apache.unique("/any-ad/1k.bin");
    let run = curl(&world, &domain.apache.url(&target)).args(["--negotiate", "-u", ":"]);
    let finished = by_ntlm(&world, run, "", principal, &carol.password).finish();
    assert_eq!(finished.stdout, "200", "{finished}");
}

#[test]
fn a_ticket_of_the_domain_opens_its_locations() {
    let Some(peers) = peers() else { return };
    let Some(domain) = peers.domain() else { return };
    for path in ["/negotiate-ad/1k.bin", "/multi-ad/1k.bin", "/any-ad/1k.bin"] {
        let (world, target) = (Service::new(), domain.apache.unique(path));
        let run = curl(&world, &domain.apache.url(&target)).args(["--negotiate", "-u", ":"]);
        let finished = with_ticket(&world, run, domain.config(), "zoë", "secret").finish();
        assert_eq!(finished.stdout, "200", "{finished}");
        let users: Vec<_> = domain.apache.requests(&target).into_iter().map(|request| request.user).collect();
        assert_eq!(users, [Some("zoë@AD.EXAMPLE.TEST".to_owned())], "{path}");
    }
    let finished =
        curl(&Service::new(), &domain.apache.url("/multi-ad/1k.bin")).args(["-u", "alice:secret"]).finish();
    assert_eq!(finished.stdout, "200", "by Basic: {finished}");
}

#[test]
fn a_location_of_ntlm_alone_offers_ntlm() {
    let Some(peers) = peers() else { return };
    let Some(domain) = peers.domain() else { return };
    let answer = Service::new().run("curl").args(["-sSi", &domain.apache.url("/ntlm-ad/1k.bin")]).finish();
    assert!(answer.stdout.contains("WWW-Authenticate: NTLM\r\n"), "{answer}");
    assert!(!answer.stdout.contains("Basic"), "{answer}");
}

#[test]
fn each_wrong_password_counts_once_and_the_third_locks_out_who_can_be() {
    let Some(peers) = peers() else { return };
    let Some(domain) = peers.domain() else { return };
    let world = Service::new();
    let user = domain.add_user_to_lock_out("right");
    let statuses = || domain.sign_ins(&user).into_iter().map(|each| each.status).collect::<Vec<_>>();
    assert_eq!(domain.lockout(), 3);

    let kinit = |password: &str| {
        let run = world.run("kinit").arg(&user).env("KRB5_CONFIG", domain.config());
        run.stdin(format!("{password}\n")).finish()
    };
    let web = |password: &str| {
        let run = curl(&world, &domain.apache.url("/any-ad/1k.bin")).args(["--negotiate", "-u", ":"]);
        by_ntlm(&world, run, domain.name(), &user, password).finish().stdout
    };
    kinit("wrong").expect_code(1);
    assert_eq!(domain.wrong_passwords(&user), 1);
    assert_eq!(web("wrong"), "401");
    assert_eq!(domain.wrong_passwords(&user), 2);
    share(&world, domain, &user, "wrong");
    assert_eq!(domain.wrong_passwords(&user), 3);
    assert_eq!(statuses(), ["NT_STATUS_WRONG_PASSWORD"; 3]);

    let refused = kinit("right").expect_code(1);
    assert!(refused.stderr.contains("revoked"), "{refused}");
    assert_eq!(web("right"), "401");
    assert_eq!(statuses()[3..], ["NT_STATUS_ACCOUNT_LOCKED_OUT"; 2]);
}

#[test]
fn a_user_who_cannot_be_locked_out_is_not() {
    let Some(peers) = peers() else { return };
    let Some(domain) = peers.domain() else { return };
    let world = Service::new();
    let user = domain.add_user("right");
    for wrong in 1..=domain.lockout() + 1 {
        share(&world, domain, &user, "wrong");
        assert_eq!(domain.wrong_passwords(&user), wrong);
    }
    share(&world, domain, &user, "right").expect_code(0);
    assert_eq!(domain.wrong_passwords(&user), 0);
}

#[test]
fn an_unknown_user_is_counted_by_the_name_it_gave() {
    let Some(peers) = peers() else { return };
    let Some(domain) = peers.domain() else { return };
    let world = Service::new();
    let kinit = world.run("kinit").arg("nobody-at-all").env("KRB5_CONFIG", domain.config());
    kinit.stdin("x\n").finish().expect_code(1);
    share(&world, domain, "nobody-at-all", "x");
    let seen: Vec<_> =
        domain.sign_ins("nobody-at-all").into_iter().map(|each| (each.status, each.service)).collect();
    let unknown = |service: &str| ("NT_STATUS_NO_SUCH_USER".to_owned(), service.to_owned());
    assert_eq!(seen, [unknown("Kerberos KDC"), unknown("SMB2")]);
}

/// A request by way of `proxy`, for http and https, and what curl prints: of the server, of the proxy.
fn proxied(peers: &Peers, world: &Service, proxy: &Proxy) -> [(String, Run); 2] {
    let target = peers.nginx.unique("/files/1k.bin");
    let plain = peers.nginx.url(&target);
    let (tunnelled, host) = peers.tunnelled(&target);
    [(plain.clone(), plain), (host, tunnelled)].map(|(logged, url)| {
        let run = world.run("curl").args(["-sS", "-o", "got", "-w", "%{http_code} %{http_connect}"]);
        (logged, run.arg("--cacert").arg(peers.ca()).args(["-x", proxy.url(), &url]))
    })
}

#[test]
fn a_ticket_of_the_domain_opens_its_proxies() {
    let Some(peers) = peers() else { return };
    let Some(domain) = peers.domain() else { return };
    for (proxy, user) in [
        (&domain.negotiate, "carol@AD.EXAMPLE.TEST"),
        (&domain.spnego, r"ADTEST\carol"),
        (&domain.multi, "carol@AD.EXAMPLE.TEST"),
    ] {
        let world = Service::new();
        for (logged, run) in proxied(peers, &world, proxy) {
            let run = run.args(["--proxy-negotiate", "-U", ":"]);
            let finished =
                with_ticket(&world, run, domain.config(), "carol", "secret").finish().expect_code(0);
            assert!(finished.stdout.starts_with("200 "), "{finished}");
            let requests = proxy.requests(&logged);
            let seen: Vec<_> =
                requests.iter().map(|request| (request.status, request.user.as_deref())).collect();
            assert_eq!(seen, [(200, Some(user))], "{requests:?}");
        }
    }
}

#[test]
fn ntlm_opens_the_proxies_of_the_domain_in_two_legs_on_one_connection() {
    let Some(peers) = peers() else { return };
    let Some(domain) = peers.domain() else { return };
    for (proxy, option, scheme) in [
        (&domain.ntlm, "--proxy-ntlm", "NTLM"),
        (&domain.multi, "--proxy-ntlm", "NTLM"),
        (&domain.spnego, "--proxy-negotiate", "Negotiate"),
    ] {
        for (password, status) in [("secret", 200), ("bad", 407)] {
            let world = Service::new();
            for (logged, run) in proxied(peers, &world, proxy) {
                // curl's own NTLM takes the name and password from -U, gss-ntlmssp from its file.
                let login = if scheme == "NTLM" {
                    format!(r"{}\alice:{password}", domain.name())
                } else {
                    ":".to_owned()
                };
                let run = run.args([option, "-U", &login]);
                by_ntlm(&world, run, domain.name(), "alice", password).finish();
                let requests = proxy.requests(&logged);
                let seen: Vec<_> =
                    requests.iter().map(|request| (request.status, request.scheme.as_deref())).collect();
                assert_eq!(seen, [(407, Some(scheme)), (status, Some(scheme))], "{requests:?}");
                assert_eq!(requests[0].connection, requests[1].connection);
                let user = requests[1].user.as_deref();
                assert!(
                    status != 200 || user == Some(r"ADTEST\alice") || user == Some("alice"),
                    "{requests:?}"
                );
            }
        }
    }
}
