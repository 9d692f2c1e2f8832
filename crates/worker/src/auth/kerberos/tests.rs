//! The client against KDCs that follow a script. What only a real KDC can give, a ticket, is not
//! here.

use std::sync::{Arc, Mutex};

use std::time::UNIX_EPOCH;

use super::talk::correction;
use super::*;
use crate::auth::binding::tests::some_binding;
use crate::auth::der;
use crate::auth::dns::tests::{local_record, name_server};
use crate::auth::krb_message::RequestKind;
use crate::auth::krb_message::tests::krb_error;
use crate::auth::krb5_conf::Transport;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// A KDC for EXAMPLE.TEST and OTHER.TEST that gives the answers it was told, one after the other.
struct ScriptedKdc {
    folder: tempfile::TempDir,
    name_servers: Vec<SocketAddr>,
    tickets: Tickets,
    port: u16,
    asked: Arc<Mutex<Vec<(RequestKind, String)>>>,
}

impl ScriptedKdc {
    async fn start(answers: Vec<Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(
            folder.path().join("krb5.conf"),
            format!(
                "[libdefaults]\ndefault_realm = EXAMPLE.TEST\n[realms]\n\
                 EXAMPLE.TEST = {{\nkdc = 127.0.0.1:{port}\n}}\nOTHER.TEST = {{\nkdc = 127.0.0.1:{port}\n}}\n"
            ),
        )
        .unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let record = Arc::clone(&asked);
        tokio::spawn(async move {
            for answer in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let length = stream.read_u32().await.unwrap();
                let mut message = vec![0; length as usize];
                stream.read_exact(&mut message).await.unwrap();
                record.lock().unwrap().push(krb_message::request(&message).unwrap());
                let length = u32::try_from(answer.len()).unwrap();
                stream.write_all(&length.to_be_bytes()).await.unwrap();
                stream.write_all(&answer).await.unwrap();
            }
        });
        Self { folder, name_servers: Vec::new(), tickets: Tickets::default(), port, asked }
    }

    fn client(&self, host: &str, user: &str) -> KerberosMechanism {
        let files = [self.folder.path().join("krb5.conf")];
        let user = UserName::read(user).unwrap();
        let password = Secret::new("sentinel-password".to_owned());
        let source = TicketSource {
            krb5_files: files.to_vec(),
            name_servers: Some(self.name_servers.clone()),
            tickets: Some(self.tickets.clone()),
        };
        KerberosMechanism::new(host, &format!("HTTP/{host}"), user, &password, source, None)
    }

    fn realms_asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().iter().map(|(_, realm)| realm.clone()).collect()
    }
}

/// A ticket as far as the way to the library looks at it.
fn ticket() -> Vec<u8> {
    der::wrap(der::application(11), &der::wrap(der::SEQUENCE, &[]))
}

fn error(number: u8) -> Vec<u8> {
    krb_error(number, None)
}

#[tokio::test]
async fn a_kdcs_refusal_is_final_and_keeps_its_meaning() {
    use FailureClass::*;
    // user, the KDC's answers, what comes of it, what the sentence says
    let rows: Vec<(&str, Vec<Vec<u8>>, FailureClass, &str)> = vec![
        ("alice", vec![error(25), error(24)], Secret, "refused the password"),
        ("alice", vec![error(6)], Secret, "does not know this user"),
        ("EXAMPLE.TEST\\alice", vec![error(6)], Secret, "does not know this user"),
        ("alice@EXAMPLE.TEST", vec![error(6), error(6)], Secret, "does not know this user"),
        ("alice@EXAMPLE.TEST", vec![error(6), error(25), error(24)], Secret, "refused the password"),
        ("alice@EXAMPLE.TEST", vec![error(25), error(24)], Secret, "refused the password"),
        ("alice", vec![error(18)], Account, "locked or disabled"),
        ("alice", vec![error(23)], Expired, "expired"),
        ("alice", vec![error(14)], Config, "encryption type"),
        ("alice", vec![error(25), error(37), error(24)], Secret, "refused the password"),
        ("alice", vec![error(25), error(37), error(37)], Skew, "clock too far"),
        ("alice", vec![error(25), error(25)], Config, "error 25"),
        // A ticket unasked: the secret is proved all the same.
        ("alice", vec![ticket(), error(24)], Secret, "refused the password"),
        ("alice", vec![der::wrap(der::application(11), &[])], NoAuthority, "does not answer in Kerberos"),
        ("älice", vec![error(25), error(24)], Secret, "refused the password"),
        ("alice", vec![error(16)], Config, "in a way that is not spoken"),
        ("alice", vec![error(29)], NoAuthority, "cannot serve us now"),
        ("alice", vec![b"HTTP/1.1 400 Bad".to_vec()], NoAuthority, "not answer in Kerberos"),
        ("alice", vec![error(68)], Config, "names no realm"),
        ("alice@EXAMPLE.TEST", vec![krb_error(68, Some("OTHER.TEST")), error(18)], Account, "OTHER.TEST"),
        ("alice", vec![krb_error(68, Some("NOWHERE.TEST"))], NoKdcKnown, "NOWHERE.TEST"),
        (
            "alice",
            (0..5).flat_map(|_| ["OTHER.TEST", "EXAMPLE.TEST"].map(|r| krb_error(68, Some(r)))).collect(),
            Config,
            "without an end",
        ),
    ];
    for (user, answers, class, says) in rows {
        let count = answers.len();
        let kdc = ScriptedKdc::start(answers).await;
        let mut client = kdc.client("host.test", user);
        let fault = client.step(Incoming::Begin).await.unwrap_err();
        assert_eq!(fault.class, class, "{user}: {}", fault.message);
        assert!(fault.message.contains(says), "{user}: {}", fault.message);
        assert_eq!(kdc.realms_asked().len(), count, "{user}: {}", fault.message);
        assert!(!fault.message.contains("sentinel") && !fault.message.contains("lice"), "{}", fault.message);
    }
}

#[tokio::test]
async fn another_realm_is_asked_when_the_kdc_names_it() {
    let kdc = ScriptedKdc::start(vec![krb_error(68, Some("OTHER.TEST")), error(18)]).await;
    kdc.client("host.test", "alice@EXAMPLE.TEST").step(Incoming::Begin).await.unwrap_err();
    assert_eq!(kdc.realms_asked(), ["EXAMPLE.TEST", "OTHER.TEST"]);
}

#[tokio::test]
async fn kdcs_that_the_file_does_not_name_are_looked_for_in_the_dns() {
    let mut kdc = ScriptedKdc::start(vec![error(18)]).await;
    kdc.name_servers = vec![name_server(vec![local_record(kdc.port)], false).await];
    let fault = kdc.client("host.test", "alice@NOWHERE.TEST").step(Incoming::Begin).await.unwrap_err();
    assert_eq!(fault.class, FailureClass::Account, "{}", fault.message);
    assert_eq!(kdc.realms_asked(), ["NOWHERE.TEST"]);

    kdc.name_servers = vec![name_server(vec![], false).await];
    let fault = kdc.client("host.test", "alice@NOWHERE.TEST").step(Incoming::Begin).await.unwrap_err();
    assert_eq!(fault.class, FailureClass::NoKdcKnown);
    assert!(fault.message.contains("or in the DNS"), "{}", fault.message);

    let file = kdc.folder.path().join("krb5.conf");
    std::fs::write(&file, "[libdefaults]\ndns_lookup_kdc = false\n").unwrap();
    kdc.name_servers = vec![name_server(vec![local_record(kdc.port)], false).await];
    let fault = kdc.client("host.test", "alice@NOWHERE.TEST").step(Incoming::Begin).await.unwrap_err();
    assert_eq!(fault.class, FailureClass::NoKdcKnown);
    assert!(!fault.message.contains("DNS"), "{}", fault.message);
}

#[tokio::test]
async fn a_realm_is_asked_for_as_the_caller_writes_it() {
    let kdc = ScriptedKdc::start(vec![error(18)]).await;
    let file = kdc.folder.path().join("krb5.conf");
    let port = kdc.port;
    std::fs::write(&file, format!("[realms]\nlower.test = {{\nkdc = 127.0.0.1:{port}\n}}\n")).unwrap();
    let fault = kdc.client("host.test", "LOWER.TEST\\alice").step(Incoming::Begin).await.unwrap_err();
    assert_eq!(fault.class, FailureClass::Account, "{}", fault.message);
    assert_eq!(kdc.realms_asked(), ["lower.test"]);
}

#[tokio::test]
async fn answers_that_were_kept_and_do_not_serve_are_asked_for_again() {
    let kdc = ScriptedKdc::start(vec![error(25), error(24)]).await;
    let alice = Client { name: "alice".to_owned(), realm: "EXAMPLE.TEST".to_owned() };
    let kept = |reply| Exchange { kind: RequestKind::Logon, realm: "EXAMPLE.TEST".to_owned(), reply };
    // Of another password: the ticket does not open.
    kdc.tickets.keep(&alice, "HTTP/host.test", vec![kept(error(25)), kept(ticket())]);
    let fault = kdc.client("host.test", "alice").step(Incoming::Begin).await.unwrap_err();
    assert_eq!(fault.class, FailureClass::Secret, "{}", fault.message);
    assert_eq!(kdc.realms_asked().len(), 2);
    assert!(!kdc.tickets.has(&alice));
}

#[tokio::test]
async fn a_clock_that_was_corrected_is_told_of_once() {
    let kdc = ScriptedKdc::start(vec![error(25), error(37), error(24)]).await;
    let mut client = kdc.client("host.test", "alice");
    client.step(Incoming::Begin).await.unwrap_err();
    let notes = client.notes();
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(notes[0].contains("EXAMPLE.TEST") && notes[0].contains("time was used"), "{notes:?}");
    assert!(client.notes().is_empty());
}

#[tokio::test]
async fn where_kerberos_cannot_work_no_kdc_is_asked() {
    use FailureClass::*;
    for (host, user, class, says) in [
        ("127.0.0.1", "alice", Config, "127.0.0.1 is an address"),
        ("[::1]", "alice", Config, "address"),
        ("host.test", ".\\alice", Config, "has no Kerberos realm"),
        ("host.test", "alice@NOWHERE.TEST", NoKdcKnown, "NOWHERE.TEST"),
        ("host.test", "NOWHERE\\alice", UnknownDomain, "realm NOWHERE"),
        (
            "host.test",
            "NOWHERE\\alice",
            UnknownDomain,
            "if NOWHERE is the short name of a domain, give user@",
        ),
    ] {
        let kdc = ScriptedKdc::start(Vec::new()).await;
        let fault = kdc.client(host, user).step(Incoming::Begin).await.unwrap_err();
        assert_eq!(fault.class, class, "{host} {user}: {}", fault.message);
        assert!(fault.message.contains(says), "{host} {user}: {}", fault.message);
    }
}

#[tokio::test]
async fn an_unreachable_kdc_is_named_with_its_realm() {
    let kdc = ScriptedKdc::start(Vec::new()).await;
    let fault = kdc.client("host.test", "alice").step(Incoming::Begin).await.unwrap_err();
    assert_eq!(fault.class, FailureClass::NoAuthority);
    for says in ["realm EXAMPLE.TEST", "127.0.0.1:"] {
        assert!(fault.message.contains(says), "{}", fault.message);
    }
}

#[test]
fn a_user_name_says_which_clients_to_ask_for() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("krb5.conf");
    std::fs::write(
        &file,
        "[realms]\nCORP.TEST = {\nkdc = a\n}\n[domain_realm]\nCORP = CORP.TEST\nweb.test = WEB.TEST\n",
    )
    .unwrap();
    let conf = Krb5Conf::load(&[file]);
    for (user, host, expected) in [
        ("a@corp.test", "x.test", &[("a@corp.test", "CORP.TEST"), ("a", "CORP.TEST")][..]),
        ("a@b@new.test", "x.test", &[("a@b@new.test", "NEW.TEST"), ("a@b", "NEW.TEST")]),
        ("CORP\\a", "x.test", &[("a", "CORP.TEST")]),
        ("new\\a", "x.test", &[("a", "NEW")]),
        ("a", "web.test", &[("a", "WEB.TEST")]),
        ("a", "x.test", &[]),
    ] {
        let found = clients(&UserName::read(user).unwrap(), host, &conf).unwrap_or_default();
        let found: Vec<_> = found.iter().map(|c| (c.name.as_str(), c.realm.as_str())).collect();
        assert_eq!(found, expected, "{user} at {host}");
    }
}

#[tokio::test]
async fn a_second_401_means_that_the_ticket_was_refused() {
    let kdc = ScriptedKdc::start(Vec::new()).await;
    let mut client = kdc.client("host.test", "alice");
    let kerberos = [0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x12, 0x01, 0x02, 0x02, 0x03, 0x00];
    let in_token = der::wrap(der::application(0), &[&kerberos[..], &error(37)].concat());
    for (incoming, says) in [
        (Incoming::NoToken, "gave out for it"),
        (Incoming::Token(&[0xA1, 0x07, 0x30, 0x05, 0xA0, 0x03, 0x0A, 0x01, 0x02]), "gave out for it"),
        (Incoming::Token(&in_token), "its clock is too far from the KDC's: Kerberos error 37"),
        (Incoming::Token(b"x"), "gave out for it"),
    ] {
        let fault = client.step(incoming).await.unwrap_err();
        assert_eq!(fault.class, FailureClass::TicketRefused);
        assert!(fault.message.contains(says), "{}", fault.message);
    }
}

#[tokio::test]
async fn a_wrong_proof_of_the_server_is_noticed() {
    let completed = [0xA1, 0x07, 0x30, 0x05, 0xA0, 0x03, 0x0A, 0x01, 0x00];
    let mut rejected = completed;
    rejected[8] = 2;
    let with_nonsense = spnego::wrapped(&der::wrap(der::application(0), b"x"), State::Completed);
    for (token, expected) in [
        (None, Ok(PeerProof::Missing)),
        (Some(&completed[..]), Ok(PeerProof::Missing)),
        (Some(&rejected[..]), Err(FailureClass::Peer)),
        (Some(&with_nonsense[..]), Err(FailureClass::Peer)),
        (Some(b"x"), Err(FailureClass::Peer)),
    ] {
        let kdc = ScriptedKdc::start(Vec::new()).await;
        let mut client = kdc.client("host.test", "alice");
        let asked_for = Client { name: "alice".to_owned(), realm: "EXAMPLE.TEST".to_owned() };
        let password = Secret::new("secret".to_owned());
        client.begun = Some(Context::new(&asked_for, &password, "HTTP/host.test", None).ok().unwrap());
        assert_eq!(client.accepted(token).await.map_err(|fault| fault.class), expected, "{token:02x?}");
    }
}

#[test]
fn the_difference_of_clocks_is_said_in_words() {
    let kdc = KdcAddress { host: "kdc.test".to_owned(), port: 88, transport: Transport::Any };
    let now = UNIX_EPOCH + std::time::Duration::from_secs(10_000_000);
    for (theirs, says) in [
        (Some(10_000_000 - 1_201), "20 min 1 s ahead of the KDC kdc.test:88"),
        (Some(10_000_000 + 7_380), "2 h 3 min behind the KDC"),
        (Some(10_000_000), "0 s behind"),
        (None, "too far from the KDC"),
    ] {
        let said = correction(&kdc, "EXAMPLE.TEST", theirs, now);
        assert!(said.contains(says), "{said}");
    }
}

#[tokio::test]
async fn tickets_that_were_kept_serve_with_a_fresh_proof_each_time() {
    let log_on = || recorded::log_on(&[recorded::DEMAND, recorded::LOGON], &[recorded::SERVICE], None);
    let (_, first) = log_on().await.unwrap();
    let (_, second) = log_on().await.unwrap();
    assert_ne!(first, second);
    let fault = recorded::log_on(&[recorded::DEMAND, recorded::LOGON], &[], None).await.err().unwrap();
    assert_eq!(fault.class, FailureClass::NoKdcKnown, "{}", fault.message);
}

#[tokio::test]
async fn a_proof_is_bound_to_the_certificate_in_both_places() {
    let binding = some_binding();
    let answers = (&[recorded::DEMAND, recorded::LOGON], &[recorded::SERVICE]);
    let (_, token) = recorded::log_on(answers.0, answers.1, Some(binding.clone())).await.unwrap();
    let (checksum, options) = authenticator(&token);
    assert_eq!(checksum[..4], [16, 0, 0, 0], "the length of what follows");
    assert_eq!(checksum[4..20], binding.md5());
    // AP-OPTIONS (143): 0x4000, four octets, the lowest first.
    let element = [
        der::wrap(der::field(0), &der::wrap(der::INTEGER, &[0, 143])),
        der::wrap(der::field(1), &der::wrap(der::OCTET_STRING, &[0, 0x40, 0, 0])),
    ];
    assert_eq!(options, Some(der::wrap(der::SEQUENCE, &element.concat())));

    let (_, token) = recorded::log_on(answers.0, answers.1, None).await.unwrap();
    let (checksum, options) = authenticator(&token);
    assert_eq!((&checksum[4..20], options), (&[0; 16][..], None));
}

/// The checksum in the authenticator of a first token, and its authorization data.
fn authenticator(token: &[u8]) -> (Vec<u8>, Option<Vec<u8>>) {
    use picky_krb::constants::key_usages::AP_REQ_AUTHENTICATOR;
    use picky_krb::crypto::CipherSuite;
    use sspi::kerberos::client::extractors;

    const SALT: &str = "EXAMPLE.TESTalice";
    let cipher = CipherSuite::Aes256CtsHmacSha196;
    let mut encryption = sspi::kerberos::EncryptionParams::default_for_client();
    encryption.encryption_type = Some(cipher.clone());
    let logon = picky_asn1_der::from_bytes(recorded::LOGON).unwrap();
    let key = extractors::extract_session_key_from_as_rep(&logon, SALT, "secret", &encryption).unwrap();
    let service = picky_asn1_der::from_bytes(recorded::SERVICE).unwrap();
    let key = extractors::extract_session_key_from_tgs_rep(&service, &key, &encryption).unwrap();

    // KRB_AP_REQ behind the mechanism's name and 01 00.
    let start = token.windows(3).position(|window| window == [0x01, 0x00, der::application(14)]).unwrap();
    let fields =
        der::open(der::open(&token[start + 2..], der::application(14)).unwrap(), der::SEQUENCE).unwrap();
    let sealed = der::open(der::find(fields, der::field(4)).unwrap(), der::SEQUENCE).unwrap();
    let sealed = der::open(der::find(sealed, der::field(2)).unwrap(), der::OCTET_STRING).unwrap();
    let opened = cipher.cipher().decrypt(key.as_ref(), AP_REQ_AUTHENTICATOR, sealed).unwrap();

    let fields = der::open(der::open(&opened, der::application(2)).unwrap(), der::SEQUENCE).unwrap();
    let checksum = der::open(der::find(fields, der::field(3)).unwrap(), der::SEQUENCE).unwrap();
    let checksum = der::open(der::find(checksum, der::field(1)).unwrap(), der::OCTET_STRING).unwrap();
    let options =
        der::find(fields, der::field(8)).map(|data| der::open(data, der::SEQUENCE).unwrap().to_vec());
    (checksum.to_vec(), options)
}

#[tokio::test]
async fn tickets_are_shared_by_all_who_got_the_environment_unless_a_proof_is_insisted_on() {
    let environment = KerberosEnvironment::default();
    let source = |require_peer_proof| {
        let policy = Policy { require_peer_proof, ..Policy::default() };
        TicketSource::new(environment.clone(), policy).tickets
    };
    let alice = Client { name: "alice".to_owned(), realm: "EXAMPLE.TEST".to_owned() };
    source(false).unwrap().keep(&alice, "HTTP/localhost", Vec::new());
    assert!(source(false).unwrap().has(&alice));
    assert!(source(true).is_none());
}
