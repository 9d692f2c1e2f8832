//! Tokens as they stand in headers: the scheme's name, and base64.

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD};
use bits_core::credentials::AuthScheme;
use zeroize::Zeroizing;

use crate::auth::challenge::Challenge;
use crate::auth::select::Method;

/// Base64 as servers write it: with padding, or without.
pub(super) const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The header value that carries `token`.
pub(super) fn token_header(method: Method, token: &[u8]) -> Zeroizing<String> {
    let scheme = match method.scheme() {
        AuthScheme::Ntlm => "NTLM ",
        _ => "Negotiate ",
    };
    let mut header = Zeroizing::new(String::with_capacity(scheme.len() + token.len().div_ceil(3) * 4));
    header.push_str(scheme);
    STANDARD.encode_string(token, &mut header);
    header
}

/// The token that came under the scheme of `method`.
pub(super) fn token_of(method: Method, offered: &[Challenge]) -> Option<Vec<u8>> {
    offered
        .iter()
        .filter(|challenge| challenge.known() == Some(method.scheme()))
        .find_map(Challenge::token)
        .and_then(|token| LENIENT.decode(token).ok())
}
