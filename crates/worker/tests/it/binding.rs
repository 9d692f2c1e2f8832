//! That a proof is tied to the certificate of the server it is for, however that is reached: seen on
//! the wire, in the last message of NTLM.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bits_core::credentials::{AuthScheme, AuthTarget, Credential};
use bits_core::http_options::ProxyUse;
use bits_core::secret::Secret;
use md5::{Digest as _, Md5};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use sha2::Sha256;

use crate::broker::Broker;
use crate::origin::{Origin, Step, answer};
use crate::secure::{certificate, secure_origin, trusting, url};

/// A challenge of NTLM with a domain and a time in its target info.
fn challenge() -> String {
    const FLAGS: u32 = 0xE28A_8215;
    const TARGET_AT: u32 = 56;
    let domain: Vec<u8> = "D".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut info = Vec::new();
    for (id, value) in [(2u16, domain.as_slice()), (7, &[0x80; 8]), (0, &[])] {
        info.extend(id.to_le_bytes());
        info.extend((value.len() as u16).to_le_bytes());
        info.extend(value);
    }
    let field = |length: usize, at: u32| {
        let length = (length as u16).to_le_bytes();
        [&length[..], &length, &at.to_le_bytes()].concat()
    };
    let parts = [
        b"NTLMSSP\0\x02\0\0\0".to_vec(),
        field(domain.len(), TARGET_AT),
        FLAGS.to_le_bytes().to_vec(),
        b"8 bytes.".to_vec(),
        vec![0; 8],
        field(info.len(), TARGET_AT + domain.len() as u32),
        vec![10, 0, 0, 0, 0, 0, 0, 15],
        domain,
        info,
    ];
    STANDARD.encode(parts.concat())
}

fn script() -> Vec<Step> {
    let ask = |token: &str| answer(&format!("401 Unauthorized\r\nWWW-Authenticate: NTLM{token}"), b"");
    vec![ask(""), ask(&format!(" {}", challenge())), answer("200 OK", b"hello")]
}

/// The entry of target info that holds the binding to the certificate of `secure_origin`, which is
/// signed with SHA-256.
fn entry() -> Vec<u8> {
    let certificate = CertificateDer::from_pem_file(certificate("server.pem")).unwrap();
    let data = [b"tls-server-end-point:".to_vec(), Sha256::digest(&certificate).to_vec()].concat();
    let structure = [vec![0; 16], (data.len() as u32).to_le_bytes().to_vec(), data].concat();
    [&[10, 0, 16, 0][..], &Md5::digest(structure)].concat()
}

async fn last_message(broker: &mut Broker, origin: &Origin) -> Vec<u8> {
    let credential = Credential {
        target: AuthTarget::Server,
        scheme: AuthScheme::Ntlm,
        scheme_is_explicit: true,
        user: r"D\alice".to_owned(),
        password: Secret::new("secret".to_owned()),
    };
    broker.run_as(vec![credential]).await.ok();
    let last = origin.asked("Authorization").pop().flatten().expect("a proof");
    STANDARD.decode(last.strip_prefix("NTLM ").expect("of NTLM")).unwrap()
}

fn holds(message: &[u8], part: &[u8]) -> bool {
    message.windows(part.len()).any(|window| window == part)
}

#[tokio::test]
async fn a_proof_over_tls_is_bound_to_the_certificate_of_the_server() {
    for by_proxy in [false, true] {
        let origin = secure_origin(vec![script()], "server.pem").await;
        let mut broker = Broker::with(&[url("localhost", &origin)], trusting());
        let proxy = Origin::start(vec![vec![Step::Tunnel(origin.port())]]).await;
        if by_proxy {
            let list = format!("localhost:{}", proxy.port());
            broker.http.proxy = ProxyUse::Override { list, bypass: String::new() };
        }
        let message = last_message(&mut broker, &origin).await;
        assert!(holds(&message, &entry()), "by a proxy: {by_proxy}");
    }
}

#[tokio::test]
async fn without_tls_there_is_nothing_to_bind_a_proof_to() {
    let origin = Origin::start(vec![script()]).await;
    let mut broker = Broker::new(&[origin.url("/a")]);
    let message = last_message(&mut broker, &origin).await;
    assert!(!holds(&message, &entry()) && !holds(&message, &[10, 0, 16, 0]));
}

#[tokio::test]
async fn what_a_proxy_that_reads_along_has_shown_is_not_taken_for_the_servers() {
    let proxy = secure_origin(vec![script()], "server.pem").await;
    let mut broker = Broker::with(&["http://h.test/a".to_owned()], trusting());
    let list = format!("https://localhost:{}", proxy.port());
    broker.http.proxy = ProxyUse::Override { list, bypass: String::new() };
    let message = last_message(&mut broker, &proxy).await;
    assert!(!holds(&message, &entry()));
}

#[tokio::test]
async fn ntlm_is_not_spoken_where_the_owner_forbids_it() {
    let origin = Origin::start(vec![script()]).await;
    let mut broker = Broker::new(&[origin.url("/a")]);
    broker.http.no_ntlm = true;
    let credential = Credential {
        target: AuthTarget::Server,
        scheme: AuthScheme::Ntlm,
        scheme_is_explicit: true,
        user: r"D\alice".to_owned(),
        password: Secret::new("secret".to_owned()),
    };
    let error = broker.run_as(vec![credential]).await.error();
    assert!(error.message.contains("NTLM is not allowed"), "{}", error.message);
    assert_eq!(origin.asked("Authorization"), [None]);
}

#[tokio::test]
async fn a_service_name_that_is_none_ends_the_attempt() {
    let mut broker = Broker::new(&["http://h.test/a".to_owned()]);
    broker.http.service_name = Some("no name".to_owned());
    let error = broker.run().await.error();
    assert_eq!((error.code, error.transient), (bits_core::error::Code::SECURITY_INVALID_PARAMETER, false));
    assert!(error.message.contains("no name"), "{}", error.message);
}
