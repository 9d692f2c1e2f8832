//! KDCs answer as their users' names say, and tell who has tried; as kinit sees them.

use std::path::Path;

use bits_e2e::{Finished, Service, peers};

use super::with_ticket;

/// kinit's attempt.
fn kinit(world: &Service, config: &Path, user: &str, password: &str) -> Finished {
    let run = world.run("kinit").arg(user).env("KRB5_CONFIG", config).env("KRB5_TRACE", world.file("trace"));
    run.stdin(format!("{password}\n")).finish()
}

#[test]
fn each_user_of_the_kdc_is_what_its_name_says() {
    let Some(peers) = peers() else { return };
    for (name, code, outcome) in [
        ("alice", 0, "ISSUE"),
        ("bob", 0, "ISSUE"),
        ("nopreauth", 0, "ISSUE"),
        ("umlaut", 0, "ISSUE"),
        ("zoë", 0, "ISSUE"),
        ("expired", 1, "CLIENT KEY EXPIRED"),
        ("locked", 1, "CLIENT LOCKED OUT"),
    ] {
        let world = Service::new();
        let account = peers.kdc.account(name);
        kinit(&world, peers.kdc.config(), name, &account.password).expect_code(code);
        let outcomes = peers.kdc.sign_ins(name);
        assert!(outcomes.iter().any(|each| each == outcome), "{name}: {outcomes:?}");
        let asked = outcomes.iter().any(|each| each == "NEEDED_PREAUTH");
        // kinit goes on to change a password that has expired, and is asked there.
        assert_eq!(asked, !matches!(name, "nopreauth" | "locked"), "{name}: {outcomes:?}");
    }
}

#[test]
fn each_attempt_of_a_user_of_ones_own_is_counted() {
    let Some(peers) = peers() else { return };
    let world = Service::new();
    let user = peers.kdc.add_user("right");
    let failed = || peers.kdc.sign_ins(&user).iter().filter(|each| *each == "PREAUTH_FAILED").count();
    for wrong in 1..=2 {
        kinit(&world, peers.kdc.config(), &user, "wrong").expect_code(1);
        assert_eq!(failed(), wrong);
    }
    with_ticket(&world, world.run("klist"), peers.kdc.config(), &user, "right").finish().expect_code(0);
    assert_eq!(failed(), 2);
    assert_eq!(peers.kdc.sign_ins(&user).last().map(String::as_str), Some("ISSUE"));
}

#[test]
fn the_second_kdc_knows_the_users_of_the_first_and_logs_its_own_requests() {
    let Some(peers) = peers() else { return };
    let world = Service::new();
    let user = peers.kdc.add_user("right");
    let config = world.file("krb5.conf");
    let nobody = "127.0.0.1:1";
    std::fs::write(&config, peers.kdc.config_with_all(&[nobody, peers.kdc2.address()])).unwrap();
    kinit(&world, &config, &user, "right").expect_code(0);
    assert_eq!(peers.kdc.sign_ins(&user), [""; 0]);
    assert_eq!(peers.kdc2.sign_ins(&user), ["NEEDED_PREAUTH", "ISSUE"]);
}

#[test]
fn a_kdc_is_asked_by_udp_and_the_second_has_its_client_come_again_by_tcp() {
    let Some(peers) = peers() else { return };
    for (kdc, by_tcp) in [(&peers.kdc, false), (&peers.kdc2, true)] {
        let world = Service::new();
        let config = world.file("krb5.conf");
        std::fs::write(&config, kdc.config_by_udp()).unwrap();
        kinit(&world, &config, "alice", "secret").expect_code(0);
        let trace = std::fs::read_to_string(world.file("trace")).unwrap();
        assert!(trace.contains("UDP request"), "{trace}");
        assert_eq!(trace.contains("TCP request"), by_tcp, "{trace}");
    }
}

#[test]
fn without_its_kdc_a_client_says_so() {
    let Some(peers) = peers() else { return };
    let world = Service::new();
    let config = world.file("krb5.conf");
    std::fs::write(&config, peers.kdc.config_with("127.0.0.1:1")).unwrap();
    let refused = kinit(&world, &config, "alice", "secret");
    assert!(refused.stderr.contains("Cannot contact any KDC"), "{refused}");
}

#[test]
fn a_name_server_knows_the_kdc_that_a_configuration_does_not() {
    let Some(peers) = peers() else { return };
    let Some(names) = peers.name_server() else { return };
    let world = Service::new();
    let run = || {
        let cache = format!("FILE:{}", world.file("tickets").display());
        let run = world.run("kinit").arg("alice").stdin("secret\n").env("KRB5CCNAME", cache);
        run.env("KRB5_CONFIG", names.config())
    };
    let refused = run().finish().expect_code(1);
    assert!(refused.stderr.contains("Cannot find KDC"), "{refused}");
    let asked = || names.log_lines(&format!("query[SRV] _kerberos._tcp.{} ", peers.kdc.realm())).len();
    let before = asked();
    run().through(names.words()).finish().expect_code(0);
    assert!(asked() > before);
}
