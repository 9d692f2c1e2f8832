//! The matrix: who asks, by which scheme, for whose secret; and what must come of it.

mod both;
mod proxies;
mod servers;

use std::fmt;

use bits_e2e::Peers;

use super::peer::{Authority, Place, Via, domain};

pub(super) const RIGHT: &str = "secret";
pub(super) const WRONG: &str = "wrong";

const UNAUTHORIZED: u32 = 0x8019_0191;
const PROXY_UNAUTHORIZED: u32 = 0x8019_0197;
/// SEC_E_NO_AUTHENTICATING_AUTHORITY.
const NO_AUTHORITY: u32 = 0x8009_0311;
/// ERROR_WINHTTP_CANNOT_CONNECT.
const CANNOT_CONNECT: u32 = 0x8007_2EFD;
/// ERROR_WINHTTP_CLIENT_AUTH_CERT_NEEDED.
const CERTIFICATE_NEEDED: u32 = 0x8007_2F0C;
/// ERROR_WINHTTP_CLIENT_CERT_NO_PRIVATE_KEY.
const CLIENT_KEY_UNUSABLE: u32 = 0x8007_2F9A;
/// ERROR_INVALID_PASSWORD.
const INVALID_PASSWORD: u32 = 0x8007_0056;
const BAD_REQUEST: u32 = 0x8019_0190;
/// What squid answers for a server that it cannot reach.
const UNAVAILABLE: u32 = 0x8019_01F7;

/// One job.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) case: &'static str,
    pub(super) server: Place,
    pub(super) proxy: Option<Via>,
    pub(super) login: Option<Login>,
    pub(super) proxy_login: Option<Login>,
    pub(super) certificate: Option<Certificate>,
    /// Further flags.
    pub(super) words: &'static [&'static str],
    pub(super) kdc_is_down: bool,
    pub(super) expected: Expected,
}

/// Who signs in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Login {
    /// The scheme, if it is named.
    pub(super) auth: Option<&'static str>,
    /// The name, with `{}` for one that is made for this row.
    user: &'static str,
    pub(super) password: &'static str,
    /// Who judges the secret, where its log is to be read.
    pub(super) authority: Option<Authority>,
    /// What is special about an account of the KDC that is made for this row.
    options: &'static [&'static str],
}

/// A client's certificate, of the peers' own.
#[derive(Debug, Clone, Copy)]
pub(super) struct Certificate {
    pub(super) file: &'static str,
    pub(super) key: Option<&'static str>,
    pub(super) passphrase: Option<&'static str>,
}

#[derive(Debug)]
pub(super) struct Expected {
    pub(super) state: &'static str,
    /// Nothing where the file comes.
    pub(super) code: Option<u32>,
    /// Requests with a proof, at the server and at the proxy: one for each proof, and two for one of
    /// NTLM.
    pub(super) proofs: Option<[usize; 2]>,
    /// What the authority says each time it is asked about the account.
    pub(super) judged: Option<&'static [&'static str]>,
    /// What the message has in it.
    pub(super) says: Option<&'static str>,
}

/// All rows.
pub(super) fn all() -> impl Iterator<Item = &'static Row> {
    servers::ROWS.iter().chain(proxies::ROWS).chain(both::ROWS)
}

/// A file that comes, without a proof.
const fn row(case: &'static str, server: Place) -> Row {
    Row {
        case,
        server,
        proxy: None,
        login: None,
        proxy_login: None,
        certificate: None,
        words: &[],
        kdc_is_down: false,
        expected: Expected {
            state: "acknowledged",
            code: None,
            proofs: Some([0, 0]),
            judged: None,
            says: None,
        },
    }
}

impl Row {
    const fn login(mut self, login: Login) -> Self {
        self.login = Some(login);
        self
    }

    const fn via(mut self, proxy: Via) -> Self {
        self.proxy = Some(proxy);
        self
    }

    const fn proxy_login(mut self, login: Login) -> Self {
        self.proxy_login = Some(login);
        self
    }

    const fn certificate(mut self, certificate: Certificate) -> Self {
        self.certificate = Some(certificate);
        self
    }

    const fn words(mut self, words: &'static [&'static str]) -> Self {
        self.words = words;
        self
    }

    const fn kdc_is_down(mut self) -> Self {
        self.kdc_is_down = true;
        self
    }

    const fn proofs(mut self, server: usize, proxy: usize) -> Self {
        self.expected.proofs = Some([server, proxy]);
        self
    }

    /// A server that may be back is asked again and again, with a proof each time.
    const fn however_often(mut self) -> Self {
        self.expected.proofs = None;
        self
    }

    const fn judged(mut self, said: &'static [&'static str]) -> Self {
        self.expected.judged = Some(said);
        self
    }

    const fn says(mut self, words: &'static str) -> Self {
        self.expected.says = Some(words);
        self
    }

    /// The job waits for its owner.
    const fn fails(mut self, code: u32) -> Self {
        self.expected.state = "error";
        self.expected.code = Some(code);
        self
    }

    /// The job tries again by itself.
    const fn waits(mut self, code: u32) -> Self {
        self.expected.state = "transient_error";
        self.expected.code = Some(code);
        self
    }

    /// Who wants to know who asks.
    pub(super) fn target(&self) -> &'static str {
        let at_server = self.login.is_some() || self.certificate.is_some();
        match (at_server, self.proxy, self.proxy_login) {
            (true, _, Some(_)) => "both",
            (false, Some(_), _) => "proxy",
            (true, _, None) | (false, None, _) => "server",
        }
    }

    pub(super) fn scheme(&self) -> String {
        let name = |login: &Login| login.auth.unwrap_or("any");
        let certificate = self.certificate.map(|_| "certificate");
        let schemes = self.login.iter().map(name).chain(certificate).chain(self.proxy_login.iter().map(name));
        schemes.collect::<Vec<_>>().join("+")
    }

    pub(super) fn needs_proxies(&self) -> bool {
        self.proxy.is_some_and(|proxy| proxy != Via::Nobody && !proxy.is_of_the_domain())
    }

    pub(super) fn needs_domain(&self) -> bool {
        self.server.is_of_the_domain() || self.proxy.is_some_and(Via::is_of_the_domain)
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.target(), self.server)?;
        if let Some(proxy) = self.proxy {
            write!(f, " by {proxy}")?;
        }
        write!(f, ", {}, {}", self.scheme(), self.case)
    }
}

const fn login(auth: Option<&'static str>, user: &'static str) -> Login {
    Login { auth, user, password: RIGHT, authority: None, options: &[] }
}

const fn any(user: &'static str) -> Login {
    login(None, user)
}

const fn basic(user: &'static str) -> Login {
    login(Some("basic"), user)
}

/// Whose right password no row gives to squid by Digest. squid keeps one state for all requests of a
/// user, so that a right proof checked at the same time could let a wrong one pass.
const REFUSED: &str = "carol";

const fn digest(user: &'static str) -> Login {
    login(Some("digest"), user)
}

const fn ntlm(user: &'static str) -> Login {
    login(Some("ntlm"), user)
}

const fn negotiate(user: &'static str) -> Login {
    login(Some("negotiate"), user)
}

impl Login {
    const fn password(mut self, password: &'static str) -> Self {
        self.password = password;
        self
    }

    const fn wrong(self) -> Self {
        self.password(WRONG)
    }

    /// Reads in the KDC's log what it says of the account.
    const fn judged_by_kdc(mut self) -> Self {
        self.authority = Some(Authority::Kdc);
        self
    }

    /// Reads in the domain controller's log what it says of the account.
    const fn judged_by_domain(mut self) -> Self {
        self.authority = Some(Authority::Domain);
        self
    }

    /// An account of the KDC that is made with these options of `addprinc`.
    const fn made_with(mut self, options: &'static [&'static str]) -> Self {
        self.options = options;
        self.judged_by_kdc()
    }

    /// The name, of an account that is made now if it is to be one of this row's own. Its right
    /// password is [`RIGHT`].
    pub(super) fn user_at(&self, peers: &Peers) -> String {
        if !self.user.contains("{}") {
            return self.user.to_owned();
        }
        let name = match self.authority.expect("somebody keeps the account") {
            Authority::Kdc => peers.kdc.add_user_with(RIGHT, self.options),
            Authority::Domain => domain(peers).add_user(RIGHT),
        };
        self.user.replace("{}", &name)
    }
}
