//! The proxy asks and the server behind it, of requests over one connection.

use super::super::peer::{Place::*, Via};
use super::*;

/// What the service is called by the KDC, whatever name leads a proxy to it.
const BY_NAME: &[&str] = &["--service-name", "HTTP/localhost"];

pub(super) const ROWS: &[Row] = &[
    // http: each request carries what proves it to both
    row("right", Apache("basic"))
        .login(basic("alice"))
        .via(Via::Basic)
        .proxy_login(basic("bob"))
        .proofs(1, 2),
    row("right", Apache("digest"))
        .login(digest("alice"))
        .via(Via::Digest)
        .proxy_login(digest("bob"))
        .proofs(1, 2),
    row("right", Lighttpd("sha256"))
        .login(any("alice"))
        .via(Via::Multi)
        .proxy_login(any("alice@EXAMPLE.TEST"))
        .proofs(1, 1),
    row("right", Apache("negotiate"))
        .login(negotiate("alice@EXAMPLE.TEST"))
        .via(Via::Digest)
        .proxy_login(digest("bob"))
        .proofs(1, 2),
    row("wrong password at the proxy", Apache("digest"))
        .login(digest("alice"))
        .via(Via::Digest)
        .proxy_login(digest("bob").wrong())
        .proofs(0, 1)
        .fails(PROXY_UNAUTHORIZED),
    row("wrong password at the server", Apache("digest"))
        .login(digest("alice").wrong())
        .via(Via::Digest)
        .proxy_login(digest("bob"))
        .proofs(1, 2)
        .fails(UNAUTHORIZED),
    row("right, NTLM through a proxy", Apache("ntlm"))
        .login(ntlm(r"TESTDOM\alice"))
        .via(Via::Basic)
        .proxy_login(basic("bob"))
        .proofs(2, 3),
    row("right, NTLM at both", ApacheAd("ntlm-ad"))
        .login(ntlm(r"ADTEST\alice"))
        .via(Via::DomainNtlm)
        .proxy_login(ntlm(r"ADTEST\bob"))
        .proofs(2, 2),
    // https: CONNECT carries what is for the proxy, and the tunnel what is for the server
    row("right", ApacheTls("basic"))
        .login(any("alice"))
        .via(Via::Basic)
        .proxy_login(basic("bob"))
        .proofs(1, 1),
    row("right", ApacheTls("digest"))
        .login(digest("alice"))
        .via(Via::Digest)
        .proxy_login(digest("bob"))
        .proofs(1, 1),
    row("right", ApacheTls("ntlm"))
        .login(ntlm(r"TESTDOM\alice"))
        .via(Via::Negotiate)
        .proxy_login(negotiate("alice@EXAMPLE.TEST"))
        .proofs(2, 1),
    row("right", ApacheTls("negotiate"))
        .login(negotiate("alice@EXAMPLE.TEST"))
        .via(Via::Digest)
        .proxy_login(digest("bob"))
        .words(BY_NAME)
        .proofs(1, 1),
    row("right, NTLM at both", ApacheAdTls("ntlm-ad"))
        .login(ntlm(r"ADTEST\alice"))
        .via(Via::DomainNtlm)
        .proxy_login(ntlm(r"ADTEST\bob"))
        .proofs(2, 2),
    row("right, Kerberos and NTLM", ApacheAdTls("negotiate-ad"))
        .login(negotiate("alice@AD.EXAMPLE.TEST"))
        .via(Via::DomainNtlm)
        .proxy_login(ntlm(r"ADTEST\bob"))
        .words(BY_NAME)
        .proofs(1, 2),
    row("wrong password at the proxy", ApacheTls("digest"))
        .login(digest("alice"))
        .via(Via::Digest)
        .proxy_login(digest("bob").wrong())
        .proofs(0, 1)
        .fails(PROXY_UNAUTHORIZED),
    row("wrong password at the server", ApacheTls("digest"))
        .login(digest("alice").wrong())
        .via(Via::Digest)
        .proxy_login(digest("bob"))
        .proofs(1, 1)
        .fails(UNAUTHORIZED),
    row("right, a certificate", NginxMtls)
        .certificate(Certificate { file: "alice.pem", key: Some("alice.key"), passphrase: None })
        .via(Via::Digest)
        .proxy_login(digest("bob"))
        .proofs(1, 1),
];
