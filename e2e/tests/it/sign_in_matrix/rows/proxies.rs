//! The proxy asks: for http, of each request in its absolute form, and for https, of CONNECT.

use super::super::peer::{Place::*, Via};
use super::*;

const REFUSED_ONCE: &[&str] = &["NEEDED_PREAUTH", "PREAUTH_FAILED"];

pub(super) const ROWS: &[Row] = &[
    // Nobody asks
    row("right", Nginx).via(Via::Open),
    row("right", NginxTls).via(Via::Open),
    row("server down", Nobody).via(Via::Open).waits(UNAVAILABLE),
    row("proxy down", Nginx).via(Via::Nobody).waits(CANNOT_CONNECT),
    row("proxy down", NginxTls).via(Via::Nobody).waits(CANNOT_CONNECT),
    row("no credentials", Nginx).via(Via::Basic).fails(PROXY_UNAUTHORIZED),
    row("no credentials", NginxTls).via(Via::Multi).fails(PROXY_UNAUTHORIZED),
    // Basic
    row("right", Nginx).via(Via::Basic).proxy_login(basic("alice")).proofs(0, 1),
    row("right", NginxTls).via(Via::Basic).proxy_login(basic("alice")).proofs(0, 1),
    row("wrong password", Nginx)
        .via(Via::Basic)
        .proxy_login(basic("alice").wrong())
        .proofs(0, 1)
        .fails(PROXY_UNAUTHORIZED),
    row("wrong password", NginxTls)
        .via(Via::Basic)
        .proxy_login(basic("alice").wrong())
        .proofs(0, 1)
        .fails(PROXY_UNAUTHORIZED),
    row("unknown user", NginxTls)
        .via(Via::Basic)
        .proxy_login(basic("nobody"))
        .proofs(0, 1)
        .fails(PROXY_UNAUTHORIZED),
    row("not named without TLS", Nginx).via(Via::Basic).proxy_login(any("alice")).fails(PROXY_UNAUTHORIZED),
    row("server down", Nobody).via(Via::Basic).proxy_login(basic("alice")).waits(UNAVAILABLE).however_often(),
    row("proxy down", Nginx).via(Via::Nobody).proxy_login(basic("alice")).waits(CANNOT_CONNECT),
    // Digest
    row("right", Nginx).via(Via::Digest).proxy_login(digest("alice")).proofs(0, 1),
    row("right", NginxTls).via(Via::Digest).proxy_login(any("alice")).proofs(0, 1),
    row("wrong password", Nginx)
        .via(Via::Digest)
        .proxy_login(digest(REFUSED).wrong())
        .proofs(0, 1)
        .fails(PROXY_UNAUTHORIZED),
    row("wrong password", NginxTls)
        .via(Via::Digest)
        .proxy_login(digest(REFUSED).wrong())
        .proofs(0, 1)
        .fails(PROXY_UNAUTHORIZED),
    row("unknown user", Nginx)
        .via(Via::Digest)
        .proxy_login(digest("nobody"))
        .proofs(0, 1)
        .fails(PROXY_UNAUTHORIZED),
    row("server down", Nobody)
        .via(Via::Digest)
        .proxy_login(digest("alice"))
        .waits(UNAVAILABLE)
        .however_often(),
    row("proxy down", Nginx).via(Via::Nobody).proxy_login(digest("alice")).waits(CANNOT_CONNECT),
    // Kerberos, by MIT's KDC
    row("right", Nginx).via(Via::Negotiate).proxy_login(negotiate("alice@EXAMPLE.TEST")).proofs(0, 1),
    row("right", NginxTls).via(Via::Negotiate).proxy_login(any("alice@EXAMPLE.TEST")).proofs(0, 1),
    row("wrong password", Nginx)
        .via(Via::Negotiate)
        .proxy_login(negotiate("{}@EXAMPLE.TEST").wrong().judged_by_kdc())
        .fails(PROXY_UNAUTHORIZED)
        .judged(REFUSED_ONCE),
    row("wrong password", NginxTls)
        .via(Via::Negotiate)
        .proxy_login(negotiate("{}@EXAMPLE.TEST").wrong().judged_by_kdc())
        .fails(PROXY_UNAUTHORIZED)
        .judged(REFUSED_ONCE),
    row("unknown user", NginxTls)
        .via(Via::Negotiate)
        .proxy_login(negotiate("nobody-by-a-proxy@EXAMPLE.TEST").judged_by_kdc())
        .fails(PROXY_UNAUTHORIZED)
        .judged(&["CLIENT_NOT_FOUND"]),
    row("expired", Nginx)
        .via(Via::Negotiate)
        .proxy_login(negotiate("{}@EXAMPLE.TEST").made_with(&["-pwexpire", "1 day ago"]))
        .fails(PROXY_UNAUTHORIZED)
        .judged(&["CLIENT KEY EXPIRED"])
        .says("expired"),
    row("locked", NginxTls)
        .via(Via::Negotiate)
        .proxy_login(negotiate("{}@EXAMPLE.TEST").made_with(&["-allow_tix"]))
        .fails(PROXY_UNAUTHORIZED)
        .judged(&["CLIENT LOCKED OUT"])
        .says("locked"),
    row("KDC down", NginxTls)
        .via(Via::Negotiate)
        .proxy_login(negotiate("alice@EXAMPLE.TEST"))
        .words(&["--no-ntlm"])
        .kdc_is_down()
        .waits(NO_AUTHORITY)
        .says("127.0.0.1:9"),
    row("server down", Nobody)
        .via(Via::Negotiate)
        .proxy_login(negotiate("alice@EXAMPLE.TEST"))
        .waits(UNAVAILABLE)
        .however_often(),
    row("proxy down", Nginx)
        .via(Via::Nobody)
        .proxy_login(negotiate("alice@EXAMPLE.TEST"))
        .waits(CANNOT_CONNECT),
    // Kerberos, by the domain
    row("right", Nginx).via(Via::DomainNegotiate).proxy_login(any("alice@AD.EXAMPLE.TEST")).proofs(0, 1),
    row("right, UPN", NginxTls)
        .via(Via::DomainNegotiate)
        .proxy_login(negotiate("carol.of.sales@ad.example.test"))
        .proofs(0, 1),
    row("right, Samba's helper", NginxTls)
        .via(Via::DomainSpnego)
        .proxy_login(negotiate("alice@AD.EXAMPLE.TEST"))
        .proofs(0, 1),
    row("wrong password", Nginx)
        .via(Via::DomainNegotiate)
        .proxy_login(negotiate("{}@AD.EXAMPLE.TEST").wrong().judged_by_domain())
        .fails(PROXY_UNAUTHORIZED)
        .judged(&["NT_STATUS_WRONG_PASSWORD"]),
    row("expired", NginxTls)
        .via(Via::DomainNegotiate)
        .proxy_login(negotiate("expired@AD.EXAMPLE.TEST"))
        .fails(PROXY_UNAUTHORIZED)
        .says("expired"),
    row("locked", Nginx)
        .via(Via::DomainNegotiate)
        .proxy_login(negotiate("locked@AD.EXAMPLE.TEST"))
        .fails(PROXY_UNAUTHORIZED)
        .says("locked"),
    // NTLM, by the domain
    row(r"right, DOMAIN\user", Nginx).via(Via::DomainNtlm).proxy_login(ntlm(r"ADTEST\alice")).proofs(0, 2),
    row(r"right, DOMAIN\user", NginxTls).via(Via::DomainNtlm).proxy_login(ntlm(r"ADTEST\alice")).proofs(0, 2),
    row("right, password not ASCII", NginxTls)
        .via(Via::DomainNtlm)
        .proxy_login(ntlm(r"ADTEST\umlaut").password("pässwörd"))
        .proofs(0, 2),
    row("right, UPN", Nginx)
        .via(Via::DomainNtlm)
        .proxy_login(ntlm("carol.of.sales@ad.example.test"))
        .proofs(0, 2),
    row("wrong password", Nginx)
        .via(Via::DomainNtlm)
        .proxy_login(ntlm(r"ADTEST\{}").wrong().judged_by_domain())
        .proofs(0, 2)
        .fails(PROXY_UNAUTHORIZED)
        .judged(&["NT_STATUS_WRONG_PASSWORD"]),
    row("wrong password", NginxTls)
        .via(Via::DomainNtlm)
        .proxy_login(ntlm(r"ADTEST\alice").wrong())
        .proofs(0, 2)
        .fails(PROXY_UNAUTHORIZED),
    row("unknown user", NginxTls)
        .via(Via::DomainNtlm)
        .proxy_login(ntlm(r"ADTEST\nobody-by-a-proxy"))
        .proofs(0, 2)
        .fails(PROXY_UNAUTHORIZED),
    row("expired", Nginx)
        .via(Via::DomainNtlm)
        .proxy_login(ntlm(r"ADTEST\expired"))
        .proofs(0, 2)
        .fails(PROXY_UNAUTHORIZED),
    row("locked", NginxTls)
        .via(Via::DomainNtlm)
        .proxy_login(ntlm(r"ADTEST\locked"))
        .proofs(0, 2)
        .fails(PROXY_UNAUTHORIZED),
    row("forbidden", Nginx)
        .via(Via::DomainNtlm)
        .proxy_login(ntlm(r"ADTEST\alice"))
        .words(&["--no-ntlm"])
        .fails(PROXY_UNAUTHORIZED),
    row("right, NTLM within Negotiate", NginxTls)
        .via(Via::DomainSpnego)
        .proxy_login(negotiate(r"ADTEST\alice"))
        .proofs(0, 2),
    row("wrong password, NTLM within Negotiate", Nginx)
        .via(Via::DomainSpnego)
        .proxy_login(any(r"ADTEST\{}").wrong().judged_by_domain())
        .proofs(0, 2)
        .fails(PROXY_UNAUTHORIZED)
        .judged(&["NT_STATUS_WRONG_PASSWORD"]),
    row("server down", Nobody)
        .via(Via::DomainNtlm)
        .proxy_login(ntlm(r"ADTEST\alice"))
        .waits(UNAVAILABLE)
        .however_often(),
    row("proxy down", Nginx).via(Via::Nobody).proxy_login(ntlm(r"ADTEST\alice")).waits(CANNOT_CONNECT),
    // Several schemes at one proxy
    row("right, Kerberos of all", Nginx).via(Via::Multi).proxy_login(any("alice@EXAMPLE.TEST")).proofs(0, 1),
    row("right, Digest of all", NginxTls).via(Via::Multi).proxy_login(digest("alice")).proofs(0, 1),
    row("right, Basic of all", NginxTls).via(Via::Multi).proxy_login(basic("alice")).proofs(0, 1),
    row("right, NTLM of all", NginxTls).via(Via::DomainMulti).proxy_login(ntlm(r"ADTEST\alice")).proofs(0, 2),
    row("wrong password, no other scheme", Nginx)
        .via(Via::Multi)
        .proxy_login(any("{}@EXAMPLE.TEST").wrong().judged_by_kdc())
        .fails(PROXY_UNAUTHORIZED)
        .judged(REFUSED_ONCE),
];
