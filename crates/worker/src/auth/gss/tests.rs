//! The mechanism with scripts in the place of `bits-gss`.

use std::fs;
use std::path::Path;

use super::*;
use crate::auth::der;

/// A token of the library: what is inside is not looked at here.
const TOKEN: &[u8] = b"\x60\x03tok";

struct Scripted {
    folder: tempfile::TempDir,
}

impl Scripted {
    fn new(script: &str) -> Self {
        let scripted = Self { folder: tempfile::tempdir().unwrap() };
        scripted.put(script);
        scripted
    }

    /// Puts `script` where the program is looked for. Another process writes the file: one that this
    /// process had open could be inherited by a program that another test starts, and not be run.
    fn put(&self, script: &str) {
        let text = self.path("text");
        fs::write(&text, format!("#!/bin/sh\n{script}\n")).unwrap();
        let mut install = Command::new("install");
        assert!(install.args(["-m", "755"]).args([text, self.path(PROGRAM)]).status().unwrap().success());
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn cache(&self) -> TicketCache {
        let conf = self.path("krb5.conf");
        fs::write(&conf, "[domain_realm]\n www.example.test = EXAMPLE.TEST\n").unwrap();
        TicketCache {
            program: Some(self.path(PROGRAM)),
            name: Some("FILE:/tickets".to_owned()),
            krb5_files: vec![conf, "/nonexistent/second.conf".into()],
        }
    }

    fn mechanism(&self) -> GssMechanism {
        GssMechanism::new("WWW.example.test.", None, self.cache(), None)
    }
}

/// A line of a script that says `answer`.
fn says(answer: &Answer) -> String {
    let octal: String = answer.to_frame().iter().map(|byte| format!("\\{byte:03o}")).collect();
    format!("printf '{octal}'")
}

/// A line of a script that hears one message and keeps it in `name`.
fn hears(folder: &Path, name: &str) -> String {
    let file = folder.join(name);
    let file = file.display();
    format!(
        "length=$(head -c 4 | od -An -tu1 | awk '{{print $3*256+$4}}'); head -c $length > {file}; env > {file}.env"
    )
}

/// A script that gives a token for the first message and `last` for the second.
fn in_order(last: &Answer) -> Scripted {
    let scripted = Scripted::new("");
    let folder = scripted.folder.path();
    let script = [
        "PATH=/usr/bin:/bin".to_owned(),
        hears(folder, "first"),
        says(&Answer::Token(TOKEN.to_vec())),
        hears(folder, "second"),
        says(last),
        "cat >/dev/null".to_owned(),
    ];
    scripted.put(&script.join("\n"));
    scripted
}

/// A server's last word with `token` inside.
fn completed(token: &[u8]) -> Vec<u8> {
    spnego::wrapped(&der::wrap(der::application(0), token), State::Completed)
}

#[tokio::test]
async fn a_ticket_is_asked_for_by_the_host_and_its_realm_and_goes_out_in_spnego() {
    let scripted = in_order(&Answer::Established { proved: true });
    let mut mechanism = scripted.mechanism();
    assert!(!mechanism.is_complete());
    let token = mechanism.step(Incoming::Begin).await.unwrap();
    assert_eq!(token, spnego::kerberos_alone(TOKEN));
    assert!(mechanism.is_complete() && !mechanism.has_shown_proof());
    assert_eq!(mechanism.accepted(Some(&completed(b"proof"))).await, Ok(PeerProof::Proved));

    let heard = |name: &str| Request::read(&fs::read(scripted.path(name)).unwrap()).unwrap();
    let service = "HTTP/www.example.test@EXAMPLE.TEST".to_owned();
    assert_eq!(heard("first"), Request::Begin { service, binding: None });
    assert_eq!(heard("second"), Request::Token(der::wrap(der::application(0), b"proof")));
}

#[tokio::test]
async fn the_program_has_nothing_of_this_process_in_its_environment() {
    let scripted = in_order(&Answer::Established { proved: true });
    let mut mechanism = scripted.mechanism();
    mechanism.step(Incoming::Begin).await.unwrap();
    mechanism.accepted(Some(&completed(b"proof"))).await.unwrap();
    let environment = fs::read_to_string(scripted.path("first.env")).unwrap();
    let mut names: Vec<_> = environment.lines().filter_map(|line| line.split_once('=')).collect();
    // The shell's own.
    names.retain(|(name, _)| !["PATH", "PWD", "_", "OLDPWD", "SHLVL"].contains(name));
    names.sort_unstable();
    let files = format!("{}:/nonexistent/second.conf", scripted.path("krb5.conf").display());
    assert_eq!(names, [("KRB5CCNAME", "FILE:/tickets"), ("KRB5_CONFIG", files.as_str())]);
}

#[tokio::test]
async fn a_proof_that_is_none_is_no_proof() {
    let failed = Answer::Failed { major: 13 << 16, minor: 1, text: "no".to_owned() };
    for last in [Answer::Established { proved: false }, failed, Answer::Token(TOKEN.to_vec())] {
        let scripted = in_order(&last);
        let mut mechanism = scripted.mechanism();
        mechanism.step(Incoming::Begin).await.unwrap();
        let fault = mechanism.accepted(Some(&completed(b"proof"))).await.unwrap_err();
        assert_eq!(fault.class, FailureClass::Peer, "{last:?}");
    }
    let scripted = in_order(&Answer::Established { proved: true });
    let mut mechanism = scripted.mechanism();
    mechanism.step(Incoming::Begin).await.unwrap();
    assert_eq!(mechanism.accepted(Some(b"nonsense")).await.unwrap_err().class, FailureClass::Peer);
    let mut mechanism = scripted.mechanism();
    mechanism.step(Incoming::Begin).await.unwrap();
    assert_eq!(mechanism.accepted(None).await, Ok(PeerProof::Missing));
}

#[tokio::test]
async fn a_program_that_hangs_holds_up_nobody_else() {
    let scripted = Scripted::new("");
    let folder = scripted.folder.path();
    let script = [hears(folder, "first"), says(&Answer::Token(TOKEN.to_vec())), "cat >/dev/null".to_owned()];
    scripted.put(&["PATH=/usr/bin:/bin".to_owned()].into_iter().chain(script).collect::<Vec<_>>().join("\n"));
    let mut mechanism = scripted.mechanism();
    mechanism.step(Incoming::Begin).await.unwrap();
    let token = completed(b"proof");
    let mut accepted = mechanism.accepted(Some(&token));
    // This runtime has one thread: it gets to the second arm, as the first does not wait on it.
    tokio::select! {
        biased;
        outcome = &mut accepted => panic!("a program that says nothing has said {outcome:?}"),
        () = std::future::ready(()) => {}
    }
}

#[tokio::test]
async fn a_ticket_that_expires_on_the_way_is_not_the_servers_fault() {
    let scripted = in_order(&Answer::Failed { major: 12 << 16, minor: 0, text: String::new() });
    let mut mechanism = scripted.mechanism();
    mechanism.step(Incoming::Begin).await.unwrap();
    let fault = mechanism.accepted(Some(&completed(b"proof"))).await.unwrap_err();
    assert_eq!(fault.class, FailureClass::NoTicket);
    assert_eq!(fault.message, "the Kerberos ticket in FILE:/tickets has expired; run kinit");
}

#[tokio::test]
async fn another_401_is_a_refusal_of_the_ticket() {
    let scripted = in_order(&Answer::Established { proved: true });
    let mut mechanism = scripted.mechanism();
    mechanism.step(Incoming::Begin).await.unwrap();
    let fault = mechanism.step(Incoming::NoToken).await.unwrap_err();
    assert_eq!(fault.class, FailureClass::TicketRefused);
}

#[tokio::test]
async fn what_the_library_says_is_a_note_and_what_it_means_a_sentence() {
    let text = "No Kerberos credentials\u{1b} available".to_owned();
    let failed = Answer::Failed { major: 7 << 16, minor: 0x96C7_3A8D, text };
    let scripted = Scripted::new(&format!("{}; read x", says(&failed)));
    let mut mechanism = scripted.mechanism();
    let fault = mechanism.step(Incoming::Begin).await.unwrap_err();
    assert_eq!(fault.class, FailureClass::NoTicket);
    assert_eq!(fault.message, "there is no Kerberos ticket in FILE:/tickets; run kinit");
    assert_eq!(mechanism.notes(), ["GSSAPI: No Kerberos credentials available"]);
}

#[tokio::test]
async fn a_program_that_breaks_off_or_says_nonsense_is_a_fault_and_no_more() {
    for (script, class) in [
        ("exit 0", FailureClass::NoTicket),
        ("kill -SEGV $$", FailureClass::NoTicket),
        ("printf '\\377\\377\\377\\377'; read x", FailureClass::NoTicket),
        ("printf '\\0\\0\\0\\1\\0'; read x", FailureClass::NoTicket),
        ("printf '\\0\\0\\0\\2\\021\\001'; read x", FailureClass::NoTicket),
    ] {
        let scripted = Scripted::new(script);
        let fault = scripted.mechanism().step(Incoming::Begin).await.unwrap_err();
        assert_eq!(fault.class, class, "{script}");
    }
    let mut cache = Scripted::new("").cache();
    cache.program = Some("/nonexistent/bits-gss".into());
    let fault = GssMechanism::new("h.test", None, cache, None).step(Incoming::Begin).await.unwrap_err();
    assert_eq!(fault.class, FailureClass::Config);
    assert!(fault.message.contains("bits-gss cannot be started"), "{}", fault.message);
}

#[tokio::test]
async fn without_the_program_it_is_said_that_tickets_cannot_be_used() {
    let cache = TicketCache { program: None, name: None, krb5_files: Vec::new() };
    let fault = GssMechanism::new("h.test", None, cache, None).step(Incoming::Begin).await.unwrap_err();
    assert_eq!(fault.class, FailureClass::Config);
    assert!(fault.message.starts_with("signing in by a Kerberos ticket is not available"));
}

#[tokio::test]
async fn an_address_has_no_ticket_unless_a_service_is_named() {
    let scripted = in_order(&Answer::Established { proved: true });
    let mut plain = GssMechanism::new("127.0.0.1", None, scripted.cache(), None);
    assert_eq!(plain.step(Incoming::Begin).await.unwrap_err().class, FailureClass::Config);
    let service: ServiceName = "HTTP/WWW.example.test:8080".parse().unwrap();
    let mut named = GssMechanism::new("127.0.0.1", Some(&service), scripted.cache(), None);
    named.step(Incoming::Begin).await.unwrap();
    let heard = Request::read(&fs::read(scripted.path("first")).unwrap()).unwrap();
    let service = "HTTP/WWW.example.test:8080@EXAMPLE.TEST".to_owned();
    assert_eq!(heard, Request::Begin { service, binding: None });
}
