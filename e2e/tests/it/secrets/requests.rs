//! Secrets that a job's requests carry beside its credentials: headers, a proxy's password, what opens
//! the key of a certificate. None is in a file of the service or an answer, and none in its memory
//! once the job is final.

use std::fs;

use bits_e2e::{Finished, Run, Service, peers, until};

use crate::notifications::receiver::Receiver;

use super::memory::{Forms, Memory};
use super::stalling::{Scheme, StallingServer};
use super::{PATIENCE, is_in_no_file_or_answer, secret_file, show, wait_for_state};

/// A service that tells much, and its process.
fn talkative() -> Option<(Service, i32)> {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: only root reads the memory of the service");
        return None;
    }
    let service = Service::new();
    service.configure("log_level = \"debug\"\n");
    service.bits(["service", "start"]).finish().expect_code(0);
    let pid = service.pid().expect("it runs").as_raw_nonzero().get();
    Some((service, pid))
}

/// Makes the job, and sees that making it repeats nothing of `secrets`; its id.
fn detached(get: Run, secrets: &[Forms]) -> String {
    let made: Finished = get.args(["--detach", "-v"]).finish().expect_code(0);
    for text in [&made.stdout, &made.stderr] {
        assert!(secrets.iter().all(|forms| forms.in_bytes(text.as_bytes()).is_none()), "{made}");
    }
    made.stdout.trim().to_owned()
}

/// Ends the job as `end` says, while `server` holds its answer back.
fn finish(service: &Service, server: &StallingServer, id: &str, end: &str) {
    if end == "complete" {
        server.go_on();
        wait_for_state(service, id, "acknowledged");
    } else {
        service.bits(["cancel", id]).finish().expect_code(0);
        server.go_on();
    }
}

#[test]
fn headers_that_are_secrets_are_in_memory_while_a_request_needs_them_and_nowhere_else() {
    let Some((service, pid)) = talkative() else { return };
    for end in ["complete", "cancel"] {
        let bearer = format!("Zx9-bearer-{end}-unlikely");
        let cookie = format!("Zx9-cookie-{end}-unlikely");
        let secrets = [&bearer, &cookie].map(|secret| Forms::of("", secret));
        let server = StallingServer::start(Scheme::Basic);
        let text = format!("Authorization: Bearer {bearer}\nCookie: session={cookie}\nX-Plain: told\n");
        let headers = secret_file(&service, "headers", &text);
        let get = service.bits(["get", server.url(), end, "--header", "@headers"]);
        let id = detached(get, &secrets);
        fs::remove_file(headers).expect("our own file");
        server.wait_until_proved();
        for forms in &secrets {
            let found = Memory::of(pid).find(forms);
            assert!(!found.is_empty(), "{end}: a header is in use, and not found: the search is no good");
            is_in_no_file_or_answer(&service, forms, &id, end);
        }
        let shown = show(&service, &id).to_string();
        assert!(shown.contains("X-Plain") && shown.contains("Cookie"), "names are no secrets: {shown}");
        finish(&service, &server, &id, end);
        for forms in &secrets {
            let found = Memory::of(pid).find(forms);
            assert!(found.is_empty(), "{end}: {found:#?}");
            is_in_no_file_or_answer(&service, forms, &id, end);
        }
    }
}

#[test]
fn a_password_for_a_proxy_is_in_memory_while_a_request_needs_it_and_nowhere_else() {
    let Some((service, pid)) = talkative() else { return };
    for (scheme, end) in [
        (Scheme::Basic, "complete"),
        (Scheme::Digest, "cancel"),
        (Scheme::Ntlm, "complete"),
        (Scheme::Negotiate, "cancel"),
    ] {
        let what = format!("{scheme:?}, {end}");
        let password = format!("Zx9-proxy-{}-ünlikely!", scheme.name());
        let secrets = [Forms::of("sentinel-user", &password)];
        let server = StallingServer::start_proxy(scheme);
        let proxy = server.url().trim_end_matches("/file").to_owned();
        let path = secret_file(&service, "password", &password);
        let get = service.bits(["get", "http://files.test/file", scheme.name(), "--proxy", &proxy]);
        let get = get.args(["--proxy-user", "sentinel-user", "--proxy-auth", scheme.name()]);
        let id = detached(get.arg("--proxy-password-file").arg(&path), &secrets);
        fs::remove_file(path).expect("our own file");
        server.wait_until_proved();
        let [forms] = &secrets;
        let found = Memory::of(pid).find(forms);
        assert!(!found.is_empty(), "{what}: the password is in use, and not found: the search is no good");
        is_in_no_file_or_answer(&service, forms, &id, &what);
        finish(&service, &server, &id, end);
        let found = Memory::of(pid).find(forms);
        assert!(found.is_empty(), "{what}: {found:#?}");
        is_in_no_file_or_answer(&service, forms, &id, &what);
    }
}

#[test]
fn a_password_in_the_url_of_a_proxy_is_a_credential_and_in_no_file_or_answer() {
    let Some((service, pid)) = talkative() else { return };
    let secret = "Zx9-in-a-url-unlikely";
    let secrets = [Forms::of("sentinel-user", secret)];
    let server = StallingServer::start_proxy(Scheme::Digest);
    let proxy = server.url().trim_end_matches("/file").replace("//", &format!("//sentinel-user:{secret}@"));
    let id = detached(service.bits(["get", "http://files.test/file", "file", "--proxy", &proxy]), &secrets);
    server.wait_until_proved();
    let [forms] = &secrets;
    is_in_no_file_or_answer(&service, forms, &id, "while it is needed");
    finish(&service, &server, &id, "complete");
    let found = Memory::of(pid).find(forms);
    assert!(found.is_empty(), "{found:#?}");
    is_in_no_file_or_answer(&service, forms, &id, "at the end");
}

#[test]
fn what_a_webhook_is_signed_with_is_in_no_file_or_answer_and_gone_with_the_last_webhook() {
    let Some((service, pid)) = talkative() else { return };
    for end in ["complete", "cancel"] {
        let secret = format!("Zx9-webhook-{end}-unlikely");
        let forms = Forms::of("", &secret);
        let receiver = Receiver::start();
        receiver.answer(500);
        fs::write(service.file("source"), "content").expect("a file of this world");
        let source = format!("file://{}", service.file("source").display());
        let made = service.bits(["create", end]).finish().expect_code(0);
        let id = made.stdout.trim();
        service.bits(["add", id, &source, end]).finish().expect_code(0);
        let path = secret_file(&service, "secret", &secret);
        let (url, by) = (
            format!("notify-webhook={}", receiver.url()),
            format!("notify-webhook-secret-file={}", path.display()),
        );
        let set = service.bits(["-v", "set", id, &url, &by]).finish().expect_code(0);
        assert!(forms.in_bytes(format!("{set}").as_bytes()).is_none(), "{set}");
        fs::remove_file(path).expect("our own file");
        service.bits(["resume", id]).finish().expect_code(0);
        assert!(receiver.next().is_signed_by(&secret), "{end}: it is in use, so it is the right one");
        is_in_no_file_or_answer(&service, &forms, id, end);
        wait_for_state(&service, id, "transferred");
        receiver.answer(200);
        service.bits([end, id]).finish().expect_code(0);
        until(PATIENCE, "all is told", || (show(&service, id)["notifications_pending"] == 0).then_some(()));
        let found = Memory::of(pid).find(&forms);
        assert!(found.is_empty(), "{end}: {found:#?}");
        is_in_no_file_or_answer(&service, &forms, id, end);
    }
}

#[test]
fn what_opens_the_key_of_a_certificate_is_gone_with_its_job() {
    let Some(peers) = peers() else { return };
    let Some((service, pid)) = talkative() else { return };
    service.configure(&format!("log_level = \"debug\"\nextra_ca = \"{}\"\n", peers.ca().display()));
    service.bits(["service", "restart"]).finish().expect_code(0);
    let pid = service.pid().map_or(pid, |pid| pid.as_raw_nonzero().get());
    let (certificate, key) = (peers.client_file("alice.pem"), peers.client_file("alice.key"));
    for (kind, words) in [
        ("pem", &["pkcs8", "-topk8", "-v2", "aes-256-cbc", "-passout", "file:passphrase"][..]),
        ("p12", &["pkcs12", "-export", "-passout", "file:passphrase"]),
    ] {
        let passphrase = format!("Zx9-passphrase-{kind}-unlikely");
        let secrets = [Forms::of("", &passphrase)];
        let path = secret_file(&service, "passphrase", &format!("{passphrase}\n"));
        let openssl = service.run("openssl").args(words).args(["-out", kind]);
        let (openssl, shown) = match kind {
            "pem" => (openssl.arg("-in").arg(&key), format!("{},pem", certificate.display())),
            _ => (openssl.arg("-in").arg(&certificate).arg("-inkey").arg(&key), "p12".to_owned()),
        };
        openssl.finish().expect_code(0);
        // Held back by a slow server, the job can be looked at while it runs.
        let url = format!("{}/slow/1m.bin?rate=64k", peers.line("NGINX_MTLS_URL"));
        let get = service.bits(["get", &url, &format!("got-{kind}"), "--client-cert", &shown]);
        let id = detached(get.arg("--client-cert-password-file").arg(&path), &secrets);
        fs::remove_file(path).expect("our own file");
        wait_for_state(&service, &id, "transferring");
        let [forms] = &secrets;
        is_in_no_file_or_answer(&service, forms, &id, kind);
        service.bits(["cancel", &id]).finish().expect_code(0);
        until(PATIENCE, format_args!("{kind}: what opens the key is gone"), || {
            Memory::of(pid).find(forms).is_empty().then_some(())
        });
        is_in_no_file_or_answer(&service, forms, &id, kind);
    }
}
