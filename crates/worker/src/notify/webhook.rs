//! Sends a message to a server of the owner's choice, signed as the Standard Webhooks specification has
//! it: a receiver can tell by the signature who sent it, and by time and id that it is not sent again
//! by somebody else.

use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bits_core::credentials::SecretHeader;
use bits_core::file::FileIndex;
use bits_core::http_options::{Header, HeaderName, Method};
use bits_core::job::Priority;
use bits_core::proxy::ProxyRules;
use bits_core::secret::Secret;
use bits_core::transfer::Fetch;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::attempt::Surroundings;
use crate::auth::{KerberosEnvironment, Policy};
use crate::http::{
    AttemptIdentity, Client, FetchError, Http2, HttpSettings, OwnersWords, Pool, Slots, TlsOptions,
};
use crate::link::Letter;
use crate::pacing::JobRate;

/// For everything together.
const TIME_LIMIT: Duration = Duration::from_secs(60);

/// What secrets begin with that are the base64 of a key.
const BASE64_SECRET: &str = "whsec_";

/// The key that `secret` stands for: the bytes of the text itself, or of the base64 after `whsec_`.
/// None when that is empty or no base64.
pub fn signing_key(secret: &Secret) -> Option<Zeroizing<Vec<u8>>> {
    let text = secret.expose();
    let key = match text.strip_prefix(BASE64_SECRET) {
        Some(base64) => Zeroizing::new(STANDARD.decode(base64).ok()?),
        None => Zeroizing::new(text.as_bytes().to_vec()),
    };
    (!key.is_empty()).then_some(key)
}

/// Sends `letter` once. A redirect is not followed: it would be signed for somebody else.
///
/// # Errors
/// Why it was not heard: a sentence that has nothing of the secret.
pub(super) async fn post(letter: Letter, around: &Surroundings) -> Result<(), String> {
    let authority = letter.url.authority();
    let answered = match timeout(TIME_LIMIT, send(letter, around)).await {
        Ok(answered) => answered,
        Err(_) => Err(format!("{authority} took longer than {} s", TIME_LIMIT.as_secs())),
    };
    match answered? {
        200..=299 => Ok(()),
        status @ 300..=399 => Err(format!("{authority} answered {status}; a webhook follows no redirect")),
        status => Err(format!("{authority} answered {status}")),
    }
}

/// The status of the answer; its body is not wanted.
async fn send(letter: Letter, around: &Surroundings) -> Result<u16, String> {
    let Letter { url, id, body, secret, proxy, environment } = letter;
    let seconds = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let mut headers = vec![header("Content-Type", "application/json")];
    headers.push(header("webhook-id", &id));
    headers.push(header("webhook-timestamp", &seconds.to_string()));
    if let Some(key) = secret.as_ref().and_then(signing_key) {
        headers.push(header("webhook-signature", &signature(&key, &id, seconds, &body)));
    }
    let words = OwnersWords {
        method: Method::parse("POST").expect("it is one"),
        headers,
        secret_headers: Vec::<SecretHeader>::new(),
        content: Some(body),
    };
    let proxies =
        ProxyRules::new(&proxy, &environment.proxies, &around.proxies).map_err(|error| error.to_string())?;
    let identity = AttemptIdentity {
        credentials: Vec::new(),
        kerberos: KerberosEnvironment::from_krb5_config(None),
        policy: Policy::default(),
        service: None,
    };
    // Content goes over HTTP/1.1, and no connection is shared with a transfer.
    let settings = HttpSettings { http2: Http2::Off, ..(*around.http).clone() };
    let pacing =
        around.pacing.of_job(Priority::Foreground, JobRate::of_no_transfer(), Slots::of_no_transfer());
    let mut client = Client::new(
        settings.into(),
        around.trust.clone(),
        (Pool::default(), pacing),
        TlsOptions::default(),
        proxies,
        words,
        identity,
    );
    let fetch = Fetch { remote_name: url, range: None, with_credentials: true, as_get: false };
    match client.fetch(&fetch, FileIndex(0)).await {
        Ok(response) => Ok(response.head.status),
        Err(FetchError::Transport(error)) => Err(error.message),
        Err(FetchError::Refused(error)) => Err(error.message),
    }
}

fn header(name: &'static str, value: &str) -> Header {
    Header::new(HeaderName::parse(name).expect("it is a name"), value).expect("it is a value")
}

/// `v1,` and the base64 of the HMAC-SHA256 of id, time and body, with dots between.
fn signature(key: &[u8], id: &str, seconds: u64, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length will do");
    for part in [id, ".", &seconds.to_string(), ".", body] {
        mac.update(part.as_bytes());
    }
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Option<Vec<u8>> {
        signing_key(&Secret::new(text.to_owned())).map(|key| key.to_vec())
    }

    #[test]
    fn the_signature_is_that_of_standard_webhooks() {
        // The example of the specification.
        let key = key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("a key");
        let (id, body) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", r#"{"test": 2432232314}"#);
        assert_eq!(
            signature(&key, id, 1_614_265_330, body),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn a_secret_is_the_text_itself_or_base64() {
        assert_eq!(key("grüße"), Some("grüße".as_bytes().to_vec()));
        assert_eq!(key("whsec_AQI="), Some(vec![1, 2]));
        for nothing in ["", "whsec_", "whsec_???"] {
            assert_eq!(key(nothing), None, "{nothing}");
        }
    }
}
