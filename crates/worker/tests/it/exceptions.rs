//! Certificates with exceptions, and those that may have been revoked. The keys in `certificates` are
//! for these tests and secure nothing.

use bits_core::error::Code;
use bits_core::http_options::{ProxyUse, SecurityFlags};
use bits_worker::run::Settings;

use crate::broker::Broker;
use crate::origin::{Origin, Step, answer};
use crate::secure::{certificate, secure_origin, trusting, url};

const NAME: u32 = SecurityFlags::IGNORE_CERTIFICATE_NAME;
const DATE: u32 = SecurityFlags::IGNORE_CERTIFICATE_DATE;
const AUTHORITY: u32 = SecurityFlags::IGNORE_UNKNOWN_AUTHORITY;
const USAGE: u32 = SecurityFlags::IGNORE_CERTIFICATE_USAGE;
const REVOCATION: u32 = SecurityFlags::CHECK_REVOCATION;

fn trusting_the_second() -> Settings {
    Settings { extra_ca: Some(certificate("second-authority.pem")), ..Settings::default() }
}

fn flags(mask: u32) -> SecurityFlags {
    SecurityFlags::from_mask(mask).unwrap()
}

#[tokio::test]
async fn what_is_forgiven_is_no_error_and_all_else_still_is() {
    let nobody = Settings::default;
    for (host, shown, settings, mask, expected) in [
        ("localhost", "server.pem", trusting(), NAME | DATE | USAGE, None),
        ("127.0.0.1", "server.pem", trusting(), NAME, None),
        ("127.0.0.1", "server.pem", trusting(), DATE | AUTHORITY | USAGE, Some(0x8007_2F06)),
        ("localhost", "expired.pem", trusting(), DATE, None),
        ("localhost", "expired.pem", trusting(), NAME | AUTHORITY | USAGE, Some(0x8007_2F05)),
        ("localhost", "server.pem", nobody(), AUTHORITY, None),
        ("localhost", "server.pem", nobody(), NAME | DATE | USAGE, Some(0x8007_2F0D)),
        ("localhost", "for-clients.pem", trusting_the_second(), USAGE, None),
        ("localhost", "for-clients.pem", trusting_the_second(), NAME | DATE, Some(0x8007_2F8F)),
        ("localhost", "for-clients.pem", trusting_the_second(), 0, Some(0x8007_2F8F)),
        // Forgiving one thing does not hide another.
        ("localhost", "expired.pem", nobody(), DATE, Some(0x8007_2F0D)),
        ("localhost", "expired.pem", nobody(), AUTHORITY, Some(0x8007_2F05)),
        ("127.0.0.1", "expired.pem", nobody(), AUTHORITY | DATE, Some(0x8007_2F06)),
        ("localhost", "for-clients.pem", nobody(), AUTHORITY, Some(0x8007_2F8F)),
        ("127.0.0.1", "expired.pem", nobody(), AUTHORITY | DATE | NAME, None),
    ] {
        let origin = secure_origin(vec![vec![answer("200 OK", b"hello")]], shown).await;
        let mut broker = Broker::with(&[url(host, &origin)], settings);
        broker.http.security = flags(mask);
        let ended = broker.run().await;
        match expected {
            None => ended.ok(),
            Some(code) => {
                let error = ended.error();
                assert_eq!((error.code, error.transient), (Code(code), false), "{shown}: {}", error.message);
                assert_eq!(origin.requests(), Vec::<String>::new(), "{shown} {mask:#x}");
            }
        }
    }
}

#[tokio::test]
async fn a_revoked_certificate_is_refused_where_that_is_checked() {
    for (shown, mask, crl, expected) in [
        ("revoked.pem", 0, Some("list.pem"), None),
        ("revoked.pem", REVOCATION, Some("list.pem"), Some(0x8007_2F8A)),
        ("revoked.pem", REVOCATION, Some("list.crl"), Some(0x8007_2F8A)),
        ("unlisted.pem", REVOCATION, Some("list.pem"), None),
        // What is not known counts as bad.
        ("for-clients.pem", REVOCATION | USAGE, None, Some(0x8007_2F19)),
        ("unlisted.pem", REVOCATION, Some("client.pem"), Some(0x8007_2F19)),
        ("unlisted.pem", REVOCATION, Some("nowhere.pem"), Some(0x8007_2F19)),
    ] {
        let origin = secure_origin(vec![vec![answer("200 OK", b"hello")]], shown).await;
        let settings = Settings { crl: crl.map(certificate), ..trusting_the_second() };
        let mut broker = Broker::with(&[url("localhost", &origin)], settings);
        broker.http.security = flags(mask);
        let ended = broker.run().await;
        match expected {
            None => ended.ok(),
            Some(code) => {
                let error = ended.error();
                assert_eq!((error.code, error.transient), (Code(code), false), "{shown}: {}", error.message);
                assert_eq!(origin.requests(), Vec::<String>::new(), "{shown} {mask:#x}");
            }
        }
    }
}

#[tokio::test]
async fn the_list_that_a_certificate_names_is_fetched_before_anything_is_said() {
    let list = std::fs::read(certificate("list.crl")).unwrap();
    for (shown, answered, expected) in [
        ("unlisted.pem", answer("200 OK", &list), None),
        ("revoked.pem", answer("200 OK", &list), Some(0x8007_2F8A)),
        ("unlisted.pem", answer("404 Not Found", b""), Some(0x8007_2F19)),
        ("unlisted.pem", answer("200 OK", b"<html>"), Some(0x8007_2F19)),
        ("unlisted.pem", answer("200 OK", &list[..list.len() - 1]), Some(0x8007_2F19)),
    ] {
        let origin = secure_origin(vec![vec![answer("200 OK", b"hello")]], shown).await;
        // The proxies of the job serve lists, too; nobody else knows this host.
        let tunnel = Origin::start(vec![vec![Step::Tunnel(origin.port())]]).await;
        let lists = Origin::start(vec![vec![answered]]).await;
        let mut broker = Broker::with(&[url("localhost", &origin)], trusting_the_second());
        broker.http.security = flags(REVOCATION);
        broker.secret_headers = vec![("Authorization", "Bearer 123")];
        let list = format!("https=localhost:{} http=localhost:{}", tunnel.port(), lists.port());
        broker.http.proxy = ProxyUse::Override { list, bypass: String::new() };
        let ended = broker.run().await;
        assert!(lists.requests()[0].starts_with("GET http://lists.test/list.crl HTTP/1.1\r\n"));
        assert_eq!(lists.asked("Authorization"), [None]);
        match expected {
            None => ended.ok(),
            Some(code) => {
                let error = ended.error();
                assert_eq!((error.code, error.transient), (Code(code), false), "{shown}: {}", error.message);
                assert_eq!(origin.requests(), Vec::<String>::new(), "{shown}");
            }
        }
    }
}
