//! The client against the library's own server side.

use super::*;
use crate::auth::binding::tests::some_binding;
use crate::auth::der;
use sspi::{CredentialUse, SecurityStatus, ServerRequestFlags, SspiEx as _};

/// The 8-byte version field and the flag that says it is there.
const VERSION_FLAG: u32 = 0x0200_0000;

/// The library's server, and whether it takes `password`.
struct Server(Ntlm);

impl Server {
    fn new() -> Self {
        let mut ntlm = Ntlm::new();
        ntlm.acquire_credentials_handle()
            .with_credential_use(CredentialUse::Inbound)
            .execute(&mut ntlm)
            .unwrap();
        Self(ntlm)
    }

    fn answer(&mut self, token: Vec<u8>) -> (Vec<u8>, SecurityStatus) {
        let mut input = [SecurityBuffer::new(token, BufferType::Token)];
        let mut output = [SecurityBuffer::new(Vec::new(), BufferType::Token)];
        let mut handle = None;
        let builder = self
            .0
            .accept_security_context()
            .with_credentials_handle(&mut handle)
            .with_context_requirements(ServerRequestFlags::empty())
            .with_target_data_representation(DataRepresentation::Native)
            .with_input(&mut input)
            .with_output(&mut output);
        let mut exchange = SspiImpl::accept_security_context_impl(&mut self.0, builder).unwrap();
        let status = exchange.resolve_to_result().unwrap().status;
        drop(exchange);
        let [output] = output;
        (output.buffer, status)
    }

    fn takes(&mut self, user: &str, password: &str) -> bool {
        let identity = sspi::AuthIdentity {
            username: sspi::Username::parse(user).unwrap(),
            password: password.to_owned().into(),
        };
        self.0.custom_set_auth_identity(identity).unwrap();
        self.0.complete_auth_token(&mut []).is_ok()
    }
}

fn client(user: &str, password: &str) -> NtlmMechanism {
    let user = UserName::read(user).unwrap();
    NtlmMechanism::bare("host.test", &user, &Secret::new(password.to_owned()), None).unwrap()
}

fn u32_at(message: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(message[at..at + 4].try_into().unwrap())
}

/// The client's two messages in an exchange with `server`.
async fn exchange(client: &mut NtlmMechanism, server: &mut Server) -> (Vec<u8>, Vec<u8>) {
    let negotiate = client.step(Incoming::Begin).await.unwrap();
    let (challenge, _) = server.answer(negotiate.clone());
    let authenticate = client.step(Incoming::Token(&challenge)).await.unwrap();
    (negotiate, authenticate)
}

#[tokio::test]
async fn the_right_password_is_proved_and_a_wrong_one_is_not() {
    for (user, password, expected) in [
        ("DOM\\user", "secret", true),
        ("user@realm.test", "secret", true),
        ("DOM\\üser", "pässwort", true),
        ("DOM\\user", "wrong", false),
    ] {
        let (mut client, mut server) = (client(user, password), Server::new());
        let (_, authenticate) = exchange(&mut client, &mut server).await;
        assert!(client.has_shown_proof());
        server.answer(authenticate);
        let right = if password == "wrong" { "secret" } else { password };
        assert_eq!(server.takes(user, right), expected, "{user}");
    }
}

#[tokio::test]
async fn both_messages_carry_the_version_and_the_second_is_version_2() {
    let (mut client, mut server) = (client("DOM\\user", "secret"), Server::new());
    let (negotiate, authenticate) = exchange(&mut client, &mut server).await;

    assert_ne!(u32_at(&negotiate, 12) & VERSION_FLAG, 0);
    assert_ne!(negotiate[32..40], [0; 8]);
    assert_ne!(u32_at(&authenticate, 60) & VERSION_FLAG, 0);
    assert_ne!(authenticate[64..72], [0; 8]);
    // A response of version 1 has 24 bytes; one of version 2 holds the target info as well.
    let nt_response = u16::from_le_bytes([authenticate[20], authenticate[21]]);
    assert!(nt_response > 24 + 28, "{nt_response}");
}

#[tokio::test]
async fn a_server_that_does_not_answer_the_first_message_has_not_judged_the_secret() {
    for incoming in [Incoming::NoToken, Incoming::Token(b"nonsense"), Incoming::Token(b"")] {
        let mut client = client("DOM\\user", "secret");
        client.step(Incoming::Begin).await.unwrap();
        assert_eq!(client.step(incoming).await.unwrap_err().class, FailureClass::NotSpoken);
    }
}

#[tokio::test]
async fn a_challenge_without_target_info_is_not_answered() {
    let (mut client, mut server) = (client("DOM\\user", "secret"), Server::new());
    let negotiate = client.step(Incoming::Begin).await.unwrap();
    let (mut challenge, _) = server.answer(negotiate);
    assert!(has_target_info(&challenge));
    challenge[40..44].fill(0);
    assert!(!has_target_info(&challenge));
    let fault = client.step(Incoming::Token(&challenge)).await.unwrap_err();
    assert_eq!(fault.class, FailureClass::NotSpoken);
    assert!(!client.has_shown_proof());
}

#[tokio::test]
async fn a_refusal_after_the_proof_is_one_of_the_secret() {
    let (mut client, mut server) = (client("DOM\\user", "secret"), Server::new());
    exchange(&mut client, &mut server).await;
    for incoming in [Incoming::NoToken, Incoming::Token(b"again?")] {
        assert_eq!(client.step(incoming).await.unwrap_err().class, FailureClass::Secret);
    }
}

#[tokio::test]
async fn inside_negotiate_a_bare_challenge_and_a_refusal_are_understood() {
    let user = UserName::read("DOM\\user").unwrap();
    let password = Secret::new("secret".to_owned());
    let begin =
        || NtlmMechanism::in_negotiate("host.test", "HTTP/host.test", &user, &password, None).unwrap();

    let mut client = begin();
    let wrapped = client.step(Incoming::Begin).await.unwrap();
    let start = wrapped.windows(8).position(|window| window == b"NTLMSSP\0").unwrap();
    let (challenge, _) = Server::new().answer(wrapped[start..].to_vec());
    let answer = client.step(Incoming::Token(&challenge)).await.unwrap();
    assert_eq!(answer[0], der::field(1), "the answer to a bare challenge is wrapped again");
    assert!(client.has_shown_proof());

    let mut client = begin();
    client.step(Incoming::Begin).await.unwrap();
    let rejected = [0xA1, 0x07, 0x30, 0x05, 0xA0, 0x03, 0x0A, 0x01, 0x02];
    assert_eq!(client.step(Incoming::Token(&rejected)).await.unwrap_err().class, FailureClass::NotSpoken);
}

#[test]
fn a_password_the_library_would_take_for_a_hash_is_refused() {
    let user = UserName::read("user").unwrap();
    let password = Secret::new("$NTLM$:0123".to_owned());
    let fault = NtlmMechanism::bare("host.test", &user, &password, None).err().unwrap();
    assert_eq!(fault.class, FailureClass::Config);
    assert!(!fault.message.contains("0123"));
}

#[tokio::test]
async fn the_binding_is_in_the_proof_and_is_the_right_one() {
    let user = UserName::read("DOM\\user").unwrap();
    let password = Secret::new("secret".to_owned());
    let binding = some_binding();
    // Target info entry 10, 16 bytes long.
    let entry = [&[10, 0, 16, 0][..], &binding.md5()].concat();
    let holds = |message: &[u8], part: &[u8]| message.windows(part.len()).any(|window| window == part);

    let bound = NtlmMechanism::bare("host.test", &user, &password, Some(binding.clone()));
    let (_, authenticate) = exchange(&mut bound.unwrap(), &mut Server::new()).await;
    assert!(holds(&authenticate, &entry));

    let mut wrapped =
        NtlmMechanism::in_negotiate("host.test", "HTTP/host.test", &user, &password, Some(binding)).unwrap();
    let first = wrapped.step(Incoming::Begin).await.unwrap();
    let start = first.windows(8).position(|window| window == b"NTLMSSP\0").unwrap();
    let (challenge, _) = Server::new().answer(first[start..].to_vec());
    assert!(holds(&wrapped.step(Incoming::Token(&challenge)).await.unwrap(), &entry));
    let fault = wrapped.step(Incoming::NoToken).await.unwrap_err();
    assert!(fault.message.contains("in between opens the TLS connection"), "{}", fault.message);

    let (_, authenticate) = exchange(&mut client("DOM\\user", "secret"), &mut Server::new()).await;
    assert!(!holds(&authenticate, &entry));
}
