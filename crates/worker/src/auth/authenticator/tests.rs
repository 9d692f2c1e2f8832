//! Scenarios: what a server answers, and what follows. The mechanisms follow a script; what they
//! really do is tested beside them.

use std::sync::{Arc, Mutex};

use super::token::LENIENT;
use super::*;
use crate::auth::mechanism::Pending;
use bits_core::error::Code;
use bits_core::secret::Secret;

/// Mechanisms that name the tokens they would send, and fail where they are told to.
#[derive(Default)]
struct Script {
    /// How Kerberos fails when it begins, if it does.
    kerberos_fails: Option<FailureClass>,
    /// Whether Kerberos says that its ticket was kept from before.
    kept: bool,
    /// The bindings that exchanges have begun with.
    bindings: Arc<Mutex<Vec<Option<ChannelBinding>>>>,
}

impl Mechanisms for Script {
    fn begin(&self, method: Method, _: &Credential, aim: Aim<'_>) -> Result<Box<dyn Mechanism>, Fault> {
        let fails = self.kerberos_fails.filter(|_| method == Method::Kerberos);
        self.bindings.lock().unwrap().push(aim.binding.cloned());
        Ok(Box::new(ScriptedMechanism { method, fails, kept: self.kept, made: 0 }))
    }
}

struct ScriptedMechanism {
    method: Method,
    fails: Option<FailureClass>,
    kept: bool,
    made: u8,
}

impl ScriptedMechanism {
    fn next(&mut self, incoming: Incoming<'_>) -> Result<Vec<u8>, Fault> {
        let fault = |class| Err(Fault::new(class, format!("{class:?} in the script")));
        let kerberos = self.method == Method::Kerberos;
        match (incoming, self.fails) {
            (Incoming::Begin, Some(class)) => return fault(class),
            (Incoming::Token(_), None) if !kerberos && self.made == 1 => {}
            (Incoming::Begin, None) => {}
            _ if kerberos => return fault(FailureClass::TicketRefused),
            _ if self.made == 1 => return fault(FailureClass::NotSpoken),
            _ => return fault(FailureClass::Secret),
        }
        self.made += 1;
        Ok(format!("{}{}", self.method.name(), self.made).into_bytes())
    }
}

impl Mechanism for ScriptedMechanism {
    fn step<'a>(&'a mut self, incoming: Incoming<'a>) -> Pending<'a, Result<Vec<u8>, Fault>> {
        Box::pin(std::future::ready(self.next(incoming)))
    }

    fn is_complete(&self) -> bool {
        self.made == if self.method == Method::Kerberos { 1 } else { 2 }
    }

    fn accepted<'a>(&'a mut self, token: Option<&'a [u8]>) -> Pending<'a, Result<PeerProof, Fault>> {
        Box::pin(std::future::ready(match token {
            Some(b"good") => Ok(PeerProof::Proved),
            Some(_) => Err(Fault::new(FailureClass::Peer, "a wrong proof")),
            None if self.method == Method::Kerberos => Ok(PeerProof::Missing),
            None => Ok(PeerProof::NotPossible),
        }))
    }

    fn has_shown_proof(&self) -> bool {
        self.method != Method::Kerberos && self.made == 2
    }

    fn may_begin_afresh(&self) -> bool {
        self.kept && self.method == Method::Kerberos
    }
}

fn stored(words: &str) -> Vec<Credential> {
    words
        .split_whitespace()
        .map(|word| Credential {
            target: AuthTarget::Server,
            scheme: AuthScheme::named(word.trim_end_matches(['!', '?'])).unwrap(),
            scheme_is_explicit: word.ends_with('!'),
            user: unless(word, "alice"),
            password: Secret::new(unless(word, "sentinel-password")),
        })
        .collect()
}

/// Nothing for `negotiate?`, which is implicit.
fn unless(word: &str, text: &str) -> String {
    if word.contains('?') { String::new() } else { text.to_owned() }
}

struct Setting {
    stored: &'static str,
    tls: bool,
    kerberos_fails: Option<FailureClass>,
    policy: Policy,
    target: AuthTarget,
    kept: bool,
}

const PLAIN: Setting = Setting {
    stored: "negotiate ntlm digest basic",
    tls: false,
    kerberos_fails: None,
    policy: Policy { fall_back: true, require_peer_proof: false, ntlm: true },
    target: AuthTarget::Server,
    kept: false,
};
const TLS: Setting = Setting { tls: true, ..PLAIN };
const PROXY: Setting = Setting { target: AuthTarget::Proxy, ..PLAIN };

fn authenticator(setting: &Setting) -> Authenticator {
    let origin = Origin { tls: setting.tls, host: "host.test".to_owned(), port: 80 };
    let script = Script { kerberos_fails: setting.kerberos_fails, kept: setting.kept, ..Script::default() };
    with_script(setting, origin, script)
}

fn with_script(setting: &Setting, origin: Origin, script: Script) -> Authenticator {
    let mut credentials = stored(setting.stored);
    credentials.iter_mut().for_each(|credential| credential.target = setting.target);
    Authenticator::with_mechanisms(setting.target, origin, credentials, setting.policy, Box::new(script))
}

/// What was sent, shortly: `nothing`, `basic`, `digest 00000001 nonce`, or the scripted token.
fn shown(header: Option<Authorization>) -> String {
    let Some(header) = header else { return "nothing".to_owned() };
    let read = challenge::challenges([header.expose()]);
    match read[0].known().unwrap() {
        AuthScheme::Basic => "basic".to_owned(),
        AuthScheme::Digest => {
            format!("digest {} {}", read[0].parameter("nc").unwrap(), read[0].parameter("nonce").unwrap())
        }
        scheme @ (AuthScheme::Ntlm | AuthScheme::Negotiate) => {
            let token = LENIENT.decode(read[0].token().unwrap()).unwrap();
            format!("{} {}", scheme.name(), String::from_utf8(token).unwrap())
        }
    }
}

/// Performs the left half of each line and expects the right half. `TOKEN` is a token of the server,
/// `GOOD` and `BAD` are its final proof.
async fn check(setting: &Setting, script: &str) {
    let mut auth = authenticator(setting);
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (action, expected) = line.split_once("->").expect("a line is `what -> what follows`");
        let (verb, rest) = action.trim().split_once(' ').unwrap_or((action.trim(), ""));
        let rest = rest.replace("TOKEN", "VA==").replace("GOOD", "Z29vZA==").replace("BAD", "YmFk");
        let challenges: Vec<&str> = rest.split('|').map(str::trim).filter(|c| !c.is_empty()).collect();
        let failed = |failure: AuthFailure| {
            assert!(!failure.message.contains("sentinel"), "{failure:?}");
            let time = if failure.transient { ", transient" } else { "" };
            format!("failed {:?} {}{time}", failure.class, failure.code)
        };
        let happened = match verb {
            "GET" | "CONNECT" | "PUT" => auth.authorization(verb, &rest).map_or_else(failed, shown),
            "prepare" => auth.prepare().await.map_or_else(failed, |()| "fine".to_owned()),
            "connected" => {
                auth.connected(None);
                "fine".to_owned()
            }
            "401" | "407" => auth.challenged(&challenges).await.map_or_else(failed, |again| {
                if again.same_connection { "again, here".to_owned() } else { "again".to_owned() }
            }),
            "info" => {
                let answer = Answer { status: 200, challenges: &[], info: &challenges };
                auth.accepted(answer).await.map_or_else(failed, |()| "fine".to_owned())
            }
            "lost" => auth.connection_lost().map_or_else(failed, |()| "fine".to_owned()),
            "bound" => auth.is_connection_bound().to_string(),
            status => {
                let answer = Answer { status: status.parse().unwrap(), challenges: &challenges, info: &[] };
                auth.accepted(answer).await.map_or_else(failed, |()| "fine".to_owned())
            }
        };
        assert_eq!(happened, expected.trim(), "after `{}` of\n{script}", action.trim());
    }
}

#[tokio::test]
async fn nothing_is_sent_before_it_is_asked_for() {
    check(&PLAIN, "GET / -> nothing\n 200 -> fine\n GET / -> nothing\n bound -> false").await;
}

#[tokio::test]
async fn kerberos_proves_itself_in_one_request_and_holds_for_the_connection() {
    check(
        &PLAIN,
        "GET / -> nothing
         401 Negotiate -> again
         bound -> true
         GET / -> negotiate Kerberos1
         200 Negotiate GOOD -> fine
         bound -> true
         GET /next -> nothing
         200 -> fine
         lost -> fine
         bound -> false
         GET /next -> nothing",
    )
    .await;
}

#[tokio::test]
async fn a_server_that_asks_on_every_request_gets_a_fresh_token_each_time() {
    check(
        &PLAIN,
        "GET / -> nothing
         401 Negotiate -> again
         GET / -> negotiate Kerberos1
         200 Negotiate GOOD -> fine
         GET / -> nothing
         401 Negotiate -> again
         GET / -> negotiate Kerberos1
         200 Negotiate GOOD -> fine",
    )
    .await;
}

#[tokio::test]
async fn ntlm_takes_three_requests_on_one_connection() {
    check(
        &Setting { stored: "ntlm", ..PLAIN },
        "GET / -> nothing
         401 NTLM -> again
         GET / -> ntlm NTLM1
         401 NTLM TOKEN -> again, here
         GET / -> ntlm NTLM2
         404 -> fine
         bound -> true
         GET /next -> nothing
         200 -> fine",
    )
    .await;
}

#[tokio::test]
async fn a_refused_secret_ends_it_at_once_whatever_else_is_offered() {
    let all = "Negotiate | NTLM | Digest realm=x, nonce=n, qop=auth | Basic realm=x";
    let secret = "failed Secret 0x80190191";
    for (stored, first, proof) in [
        ("digest basic", "Digest realm=x, nonce=n, qop=auth", "digest 00000001 n"),
        ("basic digest", "Basic realm=x", "basic"),
    ] {
        check(
            &Setting { stored, ..TLS },
            &format!(
                "GET / -> nothing
                 401 {first} -> again
                 GET / -> {proof}
                 401 {all} -> {secret}
                 GET / -> {secret}
                 401 {all} -> {secret}"
            ),
        )
        .await;
    }
    check(
        &Setting { stored: "ntlm digest basic", ..TLS },
        &format!(
            "GET / -> nothing
             401 {all} -> again
             GET / -> ntlm NTLM1
             401 NTLM TOKEN -> again, here
             GET / -> ntlm NTLM2
             401 {all} -> {secret}
             GET / -> {secret}"
        ),
    )
    .await;
    let refused = Setting { kerberos_fails: Some(FailureClass::Secret), ..TLS };
    check(&refused, &format!("GET / -> nothing\n 401 {all} -> {secret}\n GET / -> {secret}")).await;
    let locked = Setting { kerberos_fails: Some(FailureClass::Account), ..TLS };
    check(&locked, &format!("GET / -> nothing\n 401 {all} -> failed Account 0x80190191")).await;
}

#[tokio::test]
async fn ntlm_takes_the_place_of_kerberos_where_kerberos_cannot_work() {
    for class in
        [FailureClass::NoAuthority, FailureClass::NoKdcKnown, FailureClass::Target, FailureClass::Skew]
    {
        check(
            &Setting { kerberos_fails: Some(class), ..PLAIN },
            "GET / -> nothing
             401 Negotiate -> again
             GET / -> negotiate NTLM1
             401 Negotiate TOKEN -> again, here
             GET / -> negotiate NTLM2
             200 -> fine
             bound -> true",
        )
        .await;
    }
}

#[tokio::test]
async fn a_refusal_after_a_fallback_keeps_the_first_reason() {
    use FailureClass::*;
    for (class, expected) in [
        (NoAuthority, "failed NoAuthority 0x80090311, transient"),
        (Skew, "failed Skew 0x80090324, transient"),
        (Target, "failed Target 0x80190191"),
        // Where Kerberos could never have worked, waiting would have the secret tested again.
        (NoKdcKnown, "failed Secret 0x80190191"),
        (UnknownDomain, "failed Secret 0x80190191"),
        (Config, "failed Secret 0x80190191"),
    ] {
        let setting = Setting { kerberos_fails: Some(class), ..PLAIN };
        check(
            &setting,
            &format!(
                "GET / -> nothing
                 401 Negotiate -> again
                 GET / -> negotiate NTLM1
                 401 Negotiate TOKEN -> again, here
                 GET / -> negotiate NTLM2
                 401 Negotiate -> {expected}
                 GET / -> {expected}"
            ),
        )
        .await;
    }
    let mut auth = authenticator(&Setting { kerberos_fails: Some(NoAuthority), ..PLAIN });
    for challenge in ["Negotiate", "Negotiate VA=="] {
        auth.authorization("GET", "/").unwrap();
        auth.challenged(&[challenge]).await.unwrap();
    }
    auth.authorization("GET", "/").unwrap();
    let failure = auth.challenged(&["Negotiate"]).await.unwrap_err();
    assert!(failure.refused_proof);
    assert_eq!(
        failure.message,
        "NoAuthority in the script; NTLM was tried instead, and host.test refused it"
    );
}

#[tokio::test]
async fn an_unjudged_secret_goes_on_to_the_next_scheme() {
    // The refusal in the middle repeats only Negotiate; what was offered at first still counts.
    check(
        &Setting { kerberos_fails: Some(FailureClass::NoAuthority), ..TLS },
        "GET / -> nothing
         401 Negotiate | Basic realm=x -> again
         GET / -> negotiate NTLM1
         401 Negotiate TOKEN -> again, here
         lost -> fine
         GET / -> nothing
         401 Negotiate | Basic realm=x -> again
         GET / -> negotiate NTLM1
         401 Negotiate -> again
         GET / -> basic
         200 -> fine",
    )
    .await;
    check(
        &Setting { stored: "negotiate basic", ..TLS },
        "GET / -> nothing
         401 Negotiate | Basic realm=x -> again
         GET / -> negotiate Kerberos1
         401 Negotiate -> again
         GET / -> basic
         401 Basic realm=x -> failed TicketRefused 0x80190191",
    )
    .await;
}

#[tokio::test]
async fn nothing_takes_the_place_of_kerberos_where_the_policy_forbids_it() {
    let policy = Policy { fall_back: false, ..Policy::default() };
    check(
        &Setting { kerberos_fails: Some(FailureClass::NoAuthority), policy, ..TLS },
        "GET / -> nothing
         401 Negotiate | NTLM | Basic realm=x -> failed NoAuthority 0x80090311, transient",
    )
    .await;
}

#[tokio::test]
async fn what_cannot_be_answered_is_a_failure_without_a_proof() {
    let none = "failed NoCandidate 0x80190191";
    for (stored, offered) in [
        ("negotiate", ""),
        ("negotiate", "NTLM"),
        ("ntlm", "Negotiate"),
        ("", "Negotiate | Basic realm=x"),
        ("basic", "Basic realm=x"),
        ("digest", "Digest realm=x, nonce=n, algorithm=X"),
        ("negotiate", "Bearer"),
    ] {
        let setting = Setting { stored, ..PLAIN };
        check(&setting, &format!("GET / -> nothing\n 401 {offered} -> {none}\n GET / -> {none}")).await;
    }
}

#[tokio::test]
async fn a_failure_names_host_schemes_and_realm() {
    let mut auth = authenticator(&Setting { stored: "", ..PLAIN });
    auth.authorization("GET", "/").unwrap();
    let failure = auth.challenged(&["Negotiate", "Basic realm=\"the office\""]).await.unwrap_err();
    assert_eq!(failure.offered, [AuthScheme::Negotiate, AuthScheme::Basic]);
    assert_eq!(failure.realm.as_deref(), Some("the office"));
    assert_eq!(failure.message, "host.test asks for credentials (negotiate, basic), and there are none");
    assert!(failure.class.asks_for_credentials());
    assert!(!failure.refused_proof);

    let mut auth = authenticator(&Setting { stored: "basic", ..PLAIN });
    auth.authorization("GET", "/").unwrap();
    let failure = auth.challenged(&["Basic realm=x"]).await.unwrap_err();
    assert!(failure.message.contains("plain http"), "{failure}");
}

#[tokio::test]
async fn basic_in_the_clear_needs_to_be_asked_for_and_is_warned_of() {
    let mut auth = authenticator(&Setting { stored: "basic!", ..PLAIN });
    auth.authorization("GET", "/").unwrap();
    auth.challenged(&["Basic realm=x"]).await.unwrap();
    assert_eq!(shown(auth.authorization("GET", "/").unwrap()), "basic");
    let notes = auth.notes();
    assert!(notes.len() == 1 && notes[0].contains("host.test over plain http"), "{notes:?}");
}

#[tokio::test]
async fn basic_is_sent_unasked_only_below_where_it_was_accepted() {
    check(
        &Setting { stored: "basic", ..TLS },
        "GET /a/one -> nothing
         401 Basic realm=x -> again
         GET /a/one -> basic
         200 -> fine
         GET /a/two -> basic
         200 -> fine
         GET /b -> nothing
         401 Basic realm=x -> again
         GET /b -> basic
         200 -> fine",
    )
    .await;
}

#[tokio::test]
async fn a_stale_nonce_is_no_refusal_but_has_an_end() {
    let stale = "Digest realm=x, nonce=m, qop=auth, stale=true";
    check(
        &Setting { stored: "digest", ..PLAIN },
        &format!(
            "GET / -> nothing
             401 Digest realm=x, nonce=n, qop=auth -> again
             GET / -> digest 00000001 n
             200 -> fine
             GET / -> digest 00000002 n
             401 {stale} -> again
             GET / -> digest 00000001 m
             info nextnonce=o -> fine
             GET / -> digest 00000001 o
             401 {stale} -> again
             GET / -> digest 00000001 m
             401 {stale} -> again
             GET / -> digest 00000001 m
             401 {stale} -> again
             GET / -> digest 00000001 m
             401 {stale} -> failed Config 0x80190191"
        ),
    )
    .await;
}

#[tokio::test]
async fn a_server_whose_proof_is_wrong_is_not_believed() {
    let peer = "failed Peer 0x80090363";
    check(
        &Setting { stored: "digest", ..PLAIN },
        &format!(
            "GET / -> nothing
             401 Digest realm=x, nonce=n, qop=auth -> again
             GET / -> digest 00000001 n
             info rspauth=00 -> {peer}
             GET / -> {peer}"
        ),
    )
    .await;
    check(
        &PLAIN,
        &format!(
            "GET / -> nothing
             401 Negotiate -> again
             GET / -> negotiate Kerberos1
             200 Negotiate BAD -> {peer}
             GET / -> {peer}"
        ),
    )
    .await;
}

#[tokio::test]
async fn a_missing_proof_is_warned_of_or_refused_as_the_policy_says() {
    for (setting, status, notes) in [
        (PLAIN, "fine", 1),
        (TLS, "fine", 0),
        (Setting { policy: Policy { require_peer_proof: true, ..Policy::default() }, ..TLS }, "failed", 0),
    ] {
        let mut auth = authenticator(&setting);
        auth.authorization("GET", "/").unwrap();
        auth.challenged(&["Negotiate"]).await.unwrap();
        auth.authorization("GET", "/").unwrap();
        let outcome = auth.accepted(Answer { status: 200, challenges: &[], info: &[] }).await;
        assert_eq!(
            outcome.map_or_else(|failure| failure.class == FailureClass::Peer, |()| false),
            status == "failed"
        );
        assert_eq!(auth.notes().len(), notes);
    }
}

#[tokio::test]
async fn an_exchange_that_loses_its_connection_starts_over_once() {
    check(
        &Setting { stored: "ntlm", ..PLAIN },
        "GET / -> nothing
         401 NTLM -> again
         lost -> fine
         GET / -> ntlm NTLM1
         lost -> fine
         bound -> false
         GET / -> nothing
         401 NTLM -> again
         GET / -> ntlm NTLM1
         401 NTLM TOKEN -> again, here
         lost -> failed Transport 0x80072EFE, transient",
    )
    .await;
}

#[tokio::test]
async fn a_server_error_in_the_middle_authenticates_nothing() {
    check(
        &Setting { stored: "ntlm", ..PLAIN },
        "GET / -> nothing
         401 NTLM -> again
         GET / -> ntlm NTLM1
         503 -> fine
         bound -> false
         GET / -> nothing
         401 NTLM -> again
         GET / -> ntlm NTLM1
         302 -> fine
         bound -> false",
    )
    .await;
}

#[tokio::test]
async fn a_token_that_is_too_large_for_the_server_is_told_of() {
    let mut auth = authenticator(&PLAIN);
    auth.authorization("GET", "/").unwrap();
    auth.challenged(&["Negotiate"]).await.unwrap();
    auth.authorization("GET", "/").unwrap();
    auth.accepted(Answer { status: 431, challenges: &[], info: &[] }).await.unwrap();
    assert!(!auth.is_connection_bound());
    let notes = auth.notes();
    assert!(notes.len() == 1 && notes[0].contains("too large"), "{notes:?}");
}

#[tokio::test]
async fn a_server_that_never_stops_sending_tokens_is_left() {
    check(
        &Setting { stored: "ntlm", ..PLAIN },
        "GET / -> nothing
         401 NTLM -> again
         GET / -> ntlm NTLM1
         401 NTLM TOKEN -> again, here
         GET / -> ntlm NTLM2
         401 NTLM TOKEN -> failed Secret 0x80190191",
    )
    .await;
}

#[tokio::test]
async fn a_proxy_is_answered_with_the_proxys_credentials() {
    let mut credentials = stored("basic!");
    credentials[0].target = AuthTarget::Proxy;
    for (target, sent) in [(AuthTarget::Proxy, true), (AuthTarget::Server, false)] {
        let origin = Origin { tls: false, host: "proxy.test".to_owned(), port: 3128 };
        let credentials = credentials
            .iter()
            .map(|c| Credential { password: c.password.duplicate(), user: c.user.clone(), ..*c })
            .collect();
        let mut auth = Authenticator::new(
            target,
            origin,
            credentials,
            KerberosEnvironment::default(),
            Policy::default(),
        );
        auth.authorization("GET", "/").unwrap();
        let outcome = auth.challenged(&["Basic realm=x"]).await;
        assert_eq!(outcome.is_ok(), sent, "{target:?}");
        if let Err(failure) = outcome {
            assert_eq!(failure.code, Code(0x8019_0191));
        }
    }
}

#[tokio::test]
async fn a_secret_is_in_no_debug_output() {
    let mut auth = authenticator(&Setting { stored: "basic", ..TLS });
    auth.authorization("GET", "/").unwrap();
    auth.challenged(&["Basic realm=x"]).await.unwrap();
    let header = auth.authorization("GET", "/").unwrap().unwrap();
    let secret = header.expose().trim_start_matches("Basic ").to_owned();
    let shown = format!("{auth:?} {header:?}");
    assert!(!shown.contains(&secret) && !shown.contains("sentinel"), "{shown}");
    assert!(shown.contains("Authorization(Basic, "), "{shown}");
}

#[test]
fn an_authenticator_can_be_moved_between_threads_while_it_waits() {
    fn sent(_: impl Send) {}
    let mut auth = authenticator(&PLAIN);
    sent(auth.challenged(&[]));
    sent(auth.prepare());
}

#[tokio::test]
async fn where_kerberos_was_accepted_the_next_connection_begins_with_it() {
    check(
        &PLAIN,
        "prepare -> fine
         GET / -> nothing
         401 Negotiate -> again
         GET / -> negotiate Kerberos1
         200 Negotiate GOOD -> fine
         prepare -> fine
         GET / -> nothing
         200 -> fine
         lost -> fine
         connected -> fine
         prepare -> fine
         bound -> true
         GET / -> negotiate Kerberos1
         200 Negotiate GOOD -> fine",
    )
    .await;
}

#[tokio::test]
async fn a_server_that_wants_a_ticket_each_time_gets_it_unasked_from_the_second_time_on() {
    check(
        &PLAIN,
        "GET / -> nothing
         401 Negotiate -> again
         GET / -> negotiate Kerberos1
         200 Negotiate GOOD -> fine
         prepare -> fine
         GET / -> nothing
         401 Negotiate -> again
         GET / -> negotiate Kerberos1
         200 Negotiate GOOD -> fine
         prepare -> fine
         GET / -> negotiate Kerberos1
         200 Negotiate GOOD -> fine
         prepare -> fine
         GET / -> negotiate Kerberos1
         401 Negotiate -> failed TicketRefused 0x80190191
         prepare -> failed TicketRefused 0x80190191",
    )
    .await;
}

#[tokio::test]
async fn ntlm_is_never_sent_unasked() {
    check(
        &Setting { stored: "ntlm", ..PLAIN },
        "GET / -> nothing
         401 NTLM -> again
         GET / -> ntlm NTLM1
         401 NTLM TOKEN -> again, here
         GET / -> ntlm NTLM2
         200 -> fine
         lost -> fine
         prepare -> fine
         GET / -> nothing",
    )
    .await;
}

#[tokio::test]
async fn a_refused_ticket_that_was_kept_is_replaced_once() {
    check(
        &Setting { kept: true, stored: "negotiate", ..PLAIN },
        "GET / -> nothing
         401 Negotiate -> again
         GET / -> negotiate Kerberos1
         401 Negotiate -> again
         GET / -> negotiate Kerberos1
         401 Negotiate -> failed TicketRefused 0x80190191",
    )
    .await;
}

#[tokio::test]
async fn ntlm_can_be_forbidden() {
    let policy = Policy { ntlm: false, ..Policy::default() };
    check(
        &Setting { policy, stored: "ntlm", ..PLAIN },
        "GET / -> nothing
         401 NTLM -> failed NoCandidate 0x80190191",
    )
    .await;
    let mut auth =
        authenticator(&Setting { kerberos_fails: Some(FailureClass::NoAuthority), policy, ..PLAIN });
    auth.authorization("GET", "/").unwrap();
    let failure = auth.challenged(&["Negotiate", "NTLM"]).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::NoAuthority);
    assert!(failure.message.contains("NTLM is not allowed"), "{failure}");
}

#[tokio::test]
async fn a_proof_is_tied_to_the_certificate_of_its_connection() {
    let script = Script::default();
    let bindings = Arc::clone(&script.bindings);
    let origin = Origin { tls: true, host: "host.test".to_owned(), port: 443 };
    let mut auth = with_script(&TLS, origin, script);
    let one = CERTIFICATE;
    let mut other = CERTIFICATE;
    // SHA-384, and a signature that is not defined.
    other[15] = 3;
    let mut without = CERTIFICATE;
    without[15] = 9;
    let expected = [&one, &one, &other].map(|c| ChannelBinding::of_certificate(c));
    assert!(expected.iter().all(Option::is_some) && expected[1] != expected[2]);

    auth.connected(Some(&one));
    auth.authorization("GET", "/").unwrap();
    auth.challenged(&["Negotiate"]).await.unwrap();
    // A connection with the same certificate takes the token that was made.
    auth.connected(Some(&one));
    assert!(auth.is_connection_bound());
    // One with another does not: the token is made anew when it is asked for.
    auth.connected(Some(&other));
    assert!(auth.authorization("GET", "/").unwrap().is_none());
    auth.connected(Some(&one));
    auth.challenged(&["Negotiate"]).await.unwrap();
    auth.connected(Some(&other));
    assert!(auth.authorization("GET", "/").unwrap().is_none());
    auth.challenged(&["Negotiate"]).await.unwrap();
    assert_eq!(*bindings.lock().unwrap(), expected);

    auth.connected(Some(&without));
    auth.authorization("GET", "/").unwrap();
    auth.challenged(&["Negotiate"]).await.unwrap();
    assert_eq!(bindings.lock().unwrap().last(), Some(&None));
}

#[tokio::test]
async fn a_server_that_asks_for_ever_is_left() {
    let mut auth = authenticator(&Setting { stored: "ntlm", ..PLAIN });
    let mut asked = 0;
    let failure = loop {
        // A new connection each time that breaks before anything comes of it.
        auth.connected(Some(if asked % 2 == 0 { &CERTIFICATE } else { &[] }));
        auth.authorization("GET", "/").unwrap();
        match auth.challenged(&["NTLM"]).await {
            Ok(_) => asked += 1,
            Err(failure) => break failure,
        }
    };
    assert_eq!((asked, failure.class), (REFUSALS_MAX, FailureClass::Config));
    assert!(failure.message.contains("again and again"), "{failure}");
    for _ in 0..300 {
        assert_eq!(auth.challenged(&["NTLM"]).await, Err(failure.clone()));
    }
}

/// As much of a certificate as is read, signed by ECDSA with SHA-256.
const CERTIFICATE: [u8; 16] =
    [0x30, 14, 0x30, 0, 0x30, 10, 6, 8, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03, 0x02];

#[tokio::test]
async fn a_proxy_is_answered_on_connect_and_for_each_url() {
    check(
        &Setting { stored: "digest", ..PROXY },
        "CONNECT host.test:443 -> nothing
         407 Digest realm=x, nonce=n, qop=auth -> again
         CONNECT host.test:443 -> digest 00000001 n
         200 -> fine
         GET http://other.test/a -> digest 00000002 n
         407 Digest realm=x, nonce=n, qop=auth -> failed Secret 0x80190197",
    )
    .await;
    check(
        &Setting { stored: "negotiate", ..PROXY },
        "CONNECT host.test:443 -> nothing
         407 Negotiate -> again
         CONNECT host.test:443 -> negotiate Kerberos1
         200 -> fine
         bound -> true",
    )
    .await;
    check(
        &Setting { stored: "ntlm", ..PROXY },
        "GET http://host.test/ -> nothing
         407 NTLM -> again
         GET http://host.test/ -> ntlm NTLM1
         407 NTLM TOKEN -> again, here
         GET http://host.test/ -> ntlm NTLM2
         200 -> fine
         bound -> true",
    )
    .await;
    // One secret serves the whole proxy, whatever it carries.
    check(
        &Setting { stored: "basic!", ..PROXY },
        "GET http://host.test/a/b -> nothing
         407 Basic realm=x -> again
         GET http://host.test/a/b -> basic
         200 -> fine
         GET http://other.test/ -> basic
         200 -> fine
         CONNECT host.test:443 -> basic",
    )
    .await;
}

#[tokio::test]
async fn a_digest_for_a_proxy_is_about_the_request_line() {
    for (method, target, expected) in [
        ("CONNECT", "host.test:443", "uri=\"host.test:443\""),
        ("GET", "http://host.test/a?b", "uri=\"http://host.test/a?b\""),
    ] {
        let mut auth = authenticator(&Setting { stored: "digest", ..PROXY });
        auth.authorization(method, target).unwrap();
        auth.challenged(&["Digest realm=x, nonce=n, qop=auth"]).await.unwrap();
        let header = auth.authorization(method, target).unwrap().unwrap();
        assert!(header.expose().contains(expected), "{}", header.expose());
    }
}

#[tokio::test]
async fn a_proxy_is_not_held_to_a_proof_of_itself() {
    let policy = Policy { require_peer_proof: true, ..Policy::default() };
    let mut auth = authenticator(&Setting { policy, ..PROXY });
    auth.authorization("CONNECT", "host.test:443").unwrap();
    auth.challenged(&["Negotiate"]).await.unwrap();
    auth.authorization("CONNECT", "host.test:443").unwrap();
    auth.accepted(Answer { status: 200, challenges: &[], info: &[] }).await.unwrap();
    assert_eq!(auth.notes(), [""; 0]);

    // But a wrong one is a wrong one, also when it is decorated.
    let mut auth = authenticator(&PROXY);
    auth.authorization("GET", "/").unwrap();
    auth.challenged(&["Negotiate"]).await.unwrap();
    auth.authorization("GET", "/").unwrap();
    let answer = Answer { status: 200, challenges: &["Negotiate token=YmFk"], info: &[] };
    assert_eq!(auth.accepted(answer).await.unwrap_err().class, FailureClass::Peer);
}

#[tokio::test]
async fn a_digest_that_needs_the_body_is_refused_in_words() {
    check(
        &Setting { stored: "digest", ..PLAIN },
        "GET / -> nothing
         401 Digest realm=x, nonce=n, qop=auth-int -> again
         GET / -> digest 00000001 n
         200 -> fine
         PUT / -> failed Config 0x80190191",
    )
    .await;
}

/// How an attempt with these credentials ends when Kerberos fails so and the server offers this.
async fn fails(stored: &'static str, kerberos: FailureClass, offered: &str) -> AuthFailure {
    let mut ours = authenticator(&Setting { stored, kerberos_fails: Some(kerberos), ..TLS });
    ours.authorization("GET", "/").unwrap();
    ours.challenged(&[offered]).await.unwrap_err()
}

#[tokio::test]
async fn a_job_that_was_given_the_owners_ticket_waits_for_one() {
    let failure = fails("negotiate?!", FailureClass::NoTicket, "Negotiate, NTLM").await;
    assert_eq!((failure.code, failure.transient), (Code(0x8009_030E), true));
    assert_eq!(failure.message, "NoTicket in the script");
    assert!(failure.class.asks_for_credentials() && !failure.refused_proof);
}

#[tokio::test]
async fn a_ticket_that_was_to_be_used_if_there_is_one_is_not_waited_for() {
    use FailureClass::*;
    for class in [NoTicket, NoAuthority, Target, Account, Config, Skew] {
        let failure = fails("negotiate?", class, "Negotiate, Basic realm=x").await;
        assert_eq!((failure.class, failure.code), (NoCandidate, Code::HTTP_UNAUTHORIZED), "{class:?}");
        assert!(!failure.transient && failure.class.asks_for_credentials());
        let expected =
            format!("{class:?} in the script; host.test asks for basic, for which no credentials are set");
        assert_eq!(failure.message, expected);
    }
}

#[tokio::test]
async fn a_refused_ticket_that_was_to_be_used_if_there_is_one_leaves_the_question_open() {
    let mut ours = authenticator(&Setting { stored: "negotiate?", ..TLS });
    ours.authorization("GET", "/").unwrap();
    ours.challenged(&["Negotiate"]).await.unwrap();
    assert_eq!(shown(ours.authorization("GET", "/").unwrap()), "negotiate Kerberos1");
    let failure = ours.challenged(&["Negotiate"]).await.unwrap_err();
    assert_eq!((failure.class, failure.code), (FailureClass::NoCandidate, Code::HTTP_UNAUTHORIZED));
}

#[tokio::test]
async fn an_implicit_credential_for_the_proxy_serves_a_server_that_has_none() {
    for (server, proxy, expected) in [
        ("", "negotiate?", "negotiate Kerberos1"),
        ("negotiate?", "", "negotiate Kerberos1"),
        ("", "negotiate", "nothing"),
        ("digest", "negotiate?", "nothing"),
    ] {
        let mut credentials = stored(server);
        let for_proxy = stored(proxy).into_iter();
        credentials
            .extend(for_proxy.map(|credential| Credential { target: AuthTarget::Proxy, ..credential }));
        let origin = Origin { tls: true, host: "host.test".to_owned(), port: 443 };
        let script = Box::new(Script::default());
        let policy = Policy::default();
        let mut ours =
            Authenticator::with_mechanisms(AuthTarget::Server, origin, credentials, policy, script);
        let sent = match ours.challenged(&["Negotiate"]).await {
            Ok(_) => shown(ours.authorization("GET", "/").unwrap()),
            Err(_) => "nothing".to_owned(),
        };
        assert_eq!(sent, expected, "{server} / {proxy}");
    }
}
