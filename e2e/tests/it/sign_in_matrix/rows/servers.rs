//! The server asks.

use super::super::peer::{Place::*, Via};
use super::*;

const ASKED_ONCE: &[&str] = &["NEEDED_PREAUTH", "ISSUE"];
const REFUSED_ONCE: &[&str] = &["NEEDED_PREAUTH", "PREAUTH_FAILED"];

/// A client's certificate of PEM files.
const fn pem(file: &'static str, key: &'static str) -> Certificate {
    Certificate { file, key: Some(key), passphrase: None }
}

const fn p12(file: &'static str, passphrase: &'static str) -> Certificate {
    Certificate { file, key: None, passphrase: Some(passphrase) }
}

pub(super) const ROWS: &[Row] = &[
    // Basic
    row("right", Apache("basic")).login(basic("alice")).proofs(1, 0),
    row("right", ApacheTls("basic")).login(any("alice")).proofs(1, 0),
    row("wrong password", Apache("basic")).login(basic("alice").wrong()).proofs(1, 0).fails(UNAUTHORIZED),
    row("wrong password", ApacheTls("basic")).login(any("alice").wrong()).proofs(1, 0).fails(UNAUTHORIZED),
    row("unknown user", Apache("basic")).login(basic("nobody")).proofs(1, 0).fails(UNAUTHORIZED),
    row("not named on plain http", Apache("basic")).login(any("alice")).fails(UNAUTHORIZED),
    row("server down", Nobody).login(basic("alice")).waits(CANNOT_CONNECT),
    // Digest
    row("right, MD5", Apache("digest")).login(digest("alice")).proofs(1, 0),
    row("right, MD5", ApacheTls("digest")).login(any("alice")).proofs(1, 0),
    row("right, nonces that live 1 s", Apache("digest-stale")).login(any("alice")).proofs(1, 0),
    row("right, SHA-256", Lighttpd("sha256")).login(digest("alice")).proofs(1, 0),
    row("right, MD5", Lighttpd("md5")).login(any("alice")).proofs(1, 0),
    row("right, both algorithms", Lighttpd("both")).login(any("alice")).proofs(1, 0),
    row("wrong password, MD5", Apache("digest")).login(any("alice").wrong()).proofs(1, 0).fails(UNAUTHORIZED),
    row("wrong password, SHA-256", Lighttpd("sha256"))
        .login(digest("alice").wrong())
        .proofs(1, 0)
        .fails(UNAUTHORIZED),
    row("unknown user, MD5", Apache("digest")).login(digest("nobody")).proofs(1, 0).fails(UNAUTHORIZED),
    row("unknown user, SHA-256", Lighttpd("sha256")).login(digest("nobody")).proofs(1, 0).fails(UNAUTHORIZED),
    row("another scheme is named", Apache("digest")).login(ntlm("alice")).fails(UNAUTHORIZED),
    row("server down", Nobody).login(digest("alice")).waits(CANNOT_CONNECT),
    // NTLM, by a file of users
    row("right", Apache("ntlm")).login(ntlm(r"TESTDOM\alice")).proofs(2, 0),
    row("right, within Negotiate", Apache("ntlm")).login(any(r"TESTDOM\alice")).proofs(2, 0),
    row("right", ApacheTls("ntlm")).login(ntlm(r"TESTDOM\alice")).proofs(2, 0),
    row("wrong password", Apache("ntlm"))
        .login(ntlm(r"TESTDOM\alice").wrong())
        .proofs(2, 0)
        .fails(UNAUTHORIZED),
    row("unknown user", Apache("ntlm")).login(ntlm(r"TESTDOM\nobody")).proofs(2, 0).fails(UNAUTHORIZED),
    row("forbidden", Apache("ntlm"))
        .login(ntlm(r"TESTDOM\alice"))
        .words(&["--no-ntlm"])
        .fails(UNAUTHORIZED)
        .says("NTLM is not allowed"),
    row("server down", Nobody).login(ntlm(r"TESTDOM\alice")).waits(CANNOT_CONNECT),
    // NTLM, by the domain
    row(r"right, DOMAIN\user", ApacheAd("ntlm-ad"))
        .login(ntlm(r"ADTEST\{}").judged_by_domain())
        .proofs(2, 0)
        .judged(&["NT_STATUS_OK"]),
    row("right, UPN", ApacheAd("ntlm-ad")).login(ntlm("carol.of.sales@ad.example.test")).proofs(2, 0),
    row("right, password not ASCII", ApacheAd("ntlm-ad"))
        .login(ntlm(r"ADTEST\umlaut").password("pässwörd"))
        .proofs(2, 0),
    row("right, user not ASCII", ApacheAd("ntlm-ad")).login(ntlm(r"ADTEST\zoë")).proofs(2, 0),
    row("right", ApacheAdTls("ntlm-ad")).login(ntlm(r"ADTEST\bob")).proofs(2, 0),
    row("wrong password", ApacheAd("ntlm-ad"))
        .login(ntlm(r"ADTEST\{}").wrong().judged_by_domain())
        .proofs(2, 0)
        .fails(UNAUTHORIZED)
        .judged(&["NT_STATUS_WRONG_PASSWORD"]),
    row("unknown user", ApacheAd("ntlm-ad"))
        .login(ntlm(r"ADTEST\nobody-by-ntlm").judged_by_domain())
        .proofs(2, 0)
        .fails(UNAUTHORIZED)
        .judged(&["NT_STATUS_NO_SUCH_USER"]),
    row("expired", ApacheAd("ntlm-ad")).login(ntlm(r"ADTEST\expired")).proofs(2, 0).fails(UNAUTHORIZED),
    row("locked", ApacheAd("ntlm-ad")).login(ntlm(r"ADTEST\locked")).proofs(2, 0).fails(UNAUTHORIZED),
    row("disabled", ApacheAd("ntlm-ad")).login(ntlm(r"ADTEST\disabled")).proofs(2, 0).fails(UNAUTHORIZED),
    // Kerberos, by MIT's KDC
    row("right, user@REALM", Apache("negotiate"))
        .login(negotiate("{}@EXAMPLE.TEST").judged_by_kdc())
        .proofs(1, 0)
        .judged(ASKED_ONCE),
    row(r"right, REALM\user", Apache("negotiate")).login(negotiate(r"EXAMPLE.TEST\alice")).proofs(1, 0),
    row("right", ApacheTls("negotiate")).login(any("alice@EXAMPLE.TEST")).proofs(1, 0),
    row("right, password not ASCII", Apache("negotiate"))
        .login(negotiate("umlaut@EXAMPLE.TEST").password("pässwörd"))
        .proofs(1, 0),
    row("wrong password", Apache("negotiate"))
        .login(negotiate("{}@EXAMPLE.TEST").wrong().judged_by_kdc())
        .fails(UNAUTHORIZED)
        .judged(REFUSED_ONCE),
    row("unknown user", Apache("negotiate"))
        .login(negotiate("nobody-by-kerberos@EXAMPLE.TEST").judged_by_kdc())
        .fails(UNAUTHORIZED)
        .judged(&["CLIENT_NOT_FOUND"])
        .says("does not know this user"),
    row("expired", Apache("negotiate"))
        .login(negotiate("{}@EXAMPLE.TEST").made_with(&["-pwexpire", "1 day ago"]))
        .fails(UNAUTHORIZED)
        .judged(&["CLIENT KEY EXPIRED"])
        .says("expired"),
    row("locked", Apache("negotiate"))
        .login(negotiate("{}@EXAMPLE.TEST").made_with(&["-allow_tix"]))
        .fails(UNAUTHORIZED)
        .judged(&["CLIENT LOCKED OUT"])
        .says("locked"),
    row("unknown service", Apache("negotiate"))
        .login(negotiate("alice@EXAMPLE.TEST"))
        .words(&["--service-name", "HTTP/elsewhere.test", "--no-ntlm"])
        .fails(UNAUTHORIZED)
        .says("does not know the service"),
    row("KDC down", Apache("negotiate"))
        .login(negotiate("alice@EXAMPLE.TEST"))
        .words(&["--no-ntlm"])
        .kdc_is_down()
        .waits(NO_AUTHORITY)
        .says("127.0.0.1:9"),
    row("server down", Nobody).login(negotiate("alice@EXAMPLE.TEST")).waits(CANNOT_CONNECT),
    // Kerberos, by the domain
    row("right, user@REALM", ApacheAd("negotiate-ad"))
        .login(negotiate("{}@AD.EXAMPLE.TEST").judged_by_domain())
        .proofs(1, 0)
        .judged(&["NT_STATUS_OK"]),
    row("right, UPN", ApacheAd("negotiate-ad"))
        .login(negotiate("carol.of.sales@ad.example.test"))
        .proofs(1, 0),
    row("right, password not ASCII", ApacheAd("negotiate-ad"))
        .login(negotiate("umlaut@AD.EXAMPLE.TEST").password("pässwörd"))
        .proofs(1, 0),
    row("right", ApacheAdTls("negotiate-ad")).login(any("bob@AD.EXAMPLE.TEST")).proofs(1, 0),
    row("wrong password", ApacheAd("negotiate-ad"))
        .login(negotiate("{}@AD.EXAMPLE.TEST").wrong().judged_by_domain())
        .fails(UNAUTHORIZED)
        .judged(&["NT_STATUS_WRONG_PASSWORD"]),
    row("unknown user", ApacheAd("negotiate-ad"))
        .login(negotiate("nobody-by-kerberos@AD.EXAMPLE.TEST").judged_by_domain())
        .fails(UNAUTHORIZED)
        .judged(&["NT_STATUS_NO_SUCH_USER"]),
    row("expired", ApacheAd("negotiate-ad"))
        .login(negotiate("expired@AD.EXAMPLE.TEST"))
        .fails(UNAUTHORIZED)
        .says("expired"),
    row("locked", ApacheAd("negotiate-ad"))
        .login(negotiate("locked@AD.EXAMPLE.TEST"))
        .fails(UNAUTHORIZED)
        .says("locked"),
    row("disabled", ApacheAd("negotiate-ad"))
        .login(negotiate("disabled@AD.EXAMPLE.TEST"))
        .fails(UNAUTHORIZED)
        .says("disabled"),
    // Several schemes in one place
    row("right, Kerberos of all", Apache("any")).login(any("alice@EXAMPLE.TEST")).proofs(1, 0),
    row("right, NTLM of all", Apache("any")).login(ntlm(r"TESTDOM\alice")).proofs(2, 0),
    row("right, Basic of all", Apache("any")).login(basic("alice")).proofs(1, 0),
    row("right, Basic of two", Apache("multi")).login(basic("alice")).proofs(1, 0),
    row("wrong password, no other scheme", Apache("any"))
        .login(any("{}@EXAMPLE.TEST").wrong().judged_by_kdc())
        .fails(UNAUTHORIZED)
        .judged(REFUSED_ONCE),
    row("locked, no other scheme", Apache("any"))
        .login(any("{}@EXAMPLE.TEST").made_with(&["-allow_tix"]))
        .fails(UNAUTHORIZED)
        .judged(&["CLIENT LOCKED OUT"]),
    row("right, Kerberos of all", ApacheAd("any-ad")).login(any("alice@AD.EXAMPLE.TEST")).proofs(1, 0),
    row("right, NTLM within Negotiate", ApacheAd("any-ad"))
        .login(any(r"ADTEST\{}").judged_by_domain())
        .proofs(2, 0)
        .judged(&["NT_STATUS_OK"]),
    row("wrong password, NTLM within Negotiate", ApacheAd("any-ad"))
        .login(any(r"ADTEST\{}").wrong().judged_by_domain())
        .proofs(2, 0)
        .fails(UNAUTHORIZED)
        .judged(&["NT_STATUS_WRONG_PASSWORD"]),
    row("right, Basic of two", ApacheAd("multi-ad")).login(basic("alice")).proofs(1, 0),
    row("locked, Basic of two", ApacheAd("multi-ad")).login(basic("locked")).proofs(1, 0).fails(UNAUTHORIZED),
    row("expired, Basic of two", ApacheAd("multi-ad"))
        .login(basic("expired"))
        .proofs(1, 0)
        .fails(UNAUTHORIZED),
    row("wrong password, no other scheme", ApacheAd("any-ad"))
        .login(any("{}@AD.EXAMPLE.TEST").wrong().judged_by_domain())
        .fails(UNAUTHORIZED)
        .judged(&["NT_STATUS_WRONG_PASSWORD"]),
    // Client certificates. nginx takes any, and answers 400 when it does not like it.
    row("right, PEM", NginxMtls).certificate(pem("alice.pem", "alice.key")).proofs(1, 0),
    row("right, RSA", NginxMtls).certificate(pem("bob.pem", "bob.key")).proofs(1, 0),
    row("right, encrypted key", NginxMtls)
        .certificate(Certificate { passphrase: Some(RIGHT), ..pem("alice.pem", "alice-encrypted.key") })
        .proofs(1, 0),
    row("right, PKCS#12", NginxMtls).certificate(p12("alice.p12", RIGHT)).proofs(1, 0),
    row("right, PKCS#12 as of old", NginxMtls).certificate(p12("alice-3des.p12", RIGHT)).proofs(1, 0),
    row("right, through a tunnel", NginxMtls)
        .certificate(pem("alice.pem", "alice.key"))
        .via(Via::Open)
        .proofs(1, 0),
    row("wrong passphrase", NginxMtls).certificate(p12("alice.p12", WRONG)).fails(INVALID_PASSWORD),
    row("the key of somebody else", NginxMtls)
        .certificate(pem("alice.pem", "bob.key"))
        .fails(CLIENT_KEY_UNUSABLE),
    row("no certificate", NginxMtls).fails(CERTIFICATE_NEEDED),
    row("expired", NginxMtls)
        .certificate(pem("expired.pem", "expired.key"))
        .proofs(1, 0)
        .fails(BAD_REQUEST)
        .says("it may have expired or been revoked"),
    row("revoked", NginxMtls)
        .certificate(pem("mallory.pem", "mallory.key"))
        .proofs(1, 0)
        .fails(BAD_REQUEST)
        .says("it may have expired or been revoked"),
];
