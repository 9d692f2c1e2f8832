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
        .proxy_login(digest(REFUSED).wrong())
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
    row("unknown user at the server", Apache("basic"))
        .login(basic("nobody"))
        .via(Via::Basic)
        .proxy_login(basic("bob"))
        .proofs(1, 2)
        .fails(UNAUTHORIZED),
    row("expired at the server", Apache("negotiate"))
        .login(negotiate("{}@EXAMPLE.TEST").made_with(&["-pwexpire", "1 day ago"]))
        .via(Via::Digest)
        .proxy_login(digest("bob"))
        .proofs(0, 1)
        .fails(UNAUTHORIZED)
        .judged(&["CLIENT KEY EXPIRED"])
        .says("expired"),
    row("wrong password at the server, NTLM", ApacheAd("ntlm-ad"))
        .login(ntlm(r"ADTEST\{}").wrong().judged_by_domain())
        .via(Via::DomainNtlm)
        .proxy_login(ntlm(r"ADTEST\bob"))
        .proofs(2, 2)
        .fails(UNAUTHORIZED)
        .judged(&["NT_STATUS_WRONG_PASSWORD"]),
    row("locked at the proxy", ApacheAd("ntlm-ad"))
        .login(ntlm(r"ADTEST\alice"))
        .via(Via::DomainNtlm)
        .proxy_login(ntlm(r"ADTEST\locked"))
        .proofs(0, 2)
        .fails(PROXY_UNAUTHORIZED),
    row("server down", Nobody)
        .login(digest("alice"))
        .via(Via::Digest)
        .proxy_login(digest("bob"))
        .waits(UNAVAILABLE)
        .however_often(),
    row("proxy down", Apache("digest"))
        .login(digest("alice"))
        .via(Via::Nobody)
        .proxy_login(digest("bob"))
        .waits(CANNOT_CONNECT),
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
        .proxy_login(digest(REFUSED).wrong())
        .proofs(0, 1)
        .fails(PROXY_UNAUTHORIZED),
    row("wrong password at the server", ApacheTls("digest"))
        .login(digest("alice").wrong())
        .via(Via::Digest)
        .proxy_login(digest("bob"))
        .proofs(1, 1)
        .fails(UNAUTHORIZED),
    row("locked at the server", ApacheAdTls("negotiate-ad"))
        .login(negotiate("locked@AD.EXAMPLE.TEST"))
        .via(Via::DomainNtlm)
        .proxy_login(ntlm(r"ADTEST\bob"))
        .words(BY_NAME)
        .proofs(0, 2)
        .fails(UNAUTHORIZED)
        .says("locked"),
    row("unknown user at the proxy", ApacheTls("basic"))
        .login(any("alice"))
        .via(Via::Basic)
        .proxy_login(basic("nobody"))
        .proofs(0, 1)
        .fails(PROXY_UNAUTHORIZED),
    row("right, a certificate", NginxMtls)
        .certificate(Certificate { file: "alice.pem", key: Some("alice.key"), passphrase: None })
        .via(Via::Digest)
        .proxy_login(digest("bob"))
        .proofs(1, 1),
];
