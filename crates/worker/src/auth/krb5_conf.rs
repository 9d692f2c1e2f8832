//! Reads krb5.conf: the default realm, the KDCs of a realm, and which realm a name belongs to.
//!
//! The files are the caller's, named by path. The process's own environment is not asked, because
//! the service acts for several people. Everything else that can stand in a krb5.conf is passed
//! over, also what is wrong: other programs are the judges of that file.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// Where krb5.conf is when the caller names none.
pub(super) const SYSTEM_FILE: &str = "/etc/krb5.conf";

/// Bytes read of one file. Large sites have some tens of KiB.
const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// Files read in all.
const FILES_MAX: usize = 256;
/// How deep includes may lie, so that they cannot go round for ever.
const INCLUDE_DEPTH_MAX: usize = 8;
/// KDCs kept per realm. With five seconds each, more would not be asked anyway.
const KDCS_MAX: usize = 16;
/// Entries kept of each kind.
const ENTRIES_MAX: usize = 10_000;
/// Port of a KDC that is named without one.
const KDC_PORT: u16 = 88;

/// What the files say.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Krb5Conf {
    default_realm: Option<String>,
    realms: Vec<(String, Vec<KdcAddress>)>,
    /// The longest message that goes as a datagram first; `None` where nobody wishes for datagrams.
    udp_preference_limit: Option<usize>,
    dns_lookup_kdc: Option<bool>,
    /// Names in lower case and the realms they belong to.
    domains: Vec<(String, String)>,
    /// The files that were asked for, and what kept each of them from being read.
    sources: Vec<(PathBuf, Option<io::ErrorKind>)>,
}

/// Where a KDC listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KdcAddress {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) transport: Transport,
}

/// How a KDC may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transport {
    Any,
    Tcp,
    Udp,
}

impl std::fmt::Display for KdcAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let brackets = self.host.contains(':');
        let (open, close) = if brackets { ("[", "]") } else { ("", "") };
        write!(f, "{open}{}{close}:{}", self.host, self.port)
    }
}

impl Krb5Conf {
    /// Reads `files` in order, or the system's. Of two entries the earlier one counts; the KDCs of
    /// a realm add up. Blocks on the disk.
    pub(super) fn load(files: &[PathBuf]) -> Self {
        let mut conf = Self::default();
        let mut reader = Reader { conf: &mut conf, files: 0, depth: 0 };
        let system = [PathBuf::from(SYSTEM_FILE)];
        for file in if files.is_empty() { &system[..] } else { files } {
            let outcome = reader.file(file);
            reader.conf.sources.push((file.clone(), outcome.err().map(|error| error.kind())));
        }
        conf
    }

    pub(super) fn default_realm(&self) -> Option<&str> {
        self.default_realm.as_deref()
    }

    /// The KDCs of `realm` in the order they are to be asked.
    pub(super) fn kdcs(&self, realm: &str) -> &[KdcAddress] {
        self.realms.iter().find(|(name, _)| name == realm).map_or(&[], |(_, kdcs)| kdcs)
    }

    pub(super) fn udp_preference_limit(&self) -> Option<usize> {
        self.udp_preference_limit
    }

    /// Whether KDCs may be looked for in the DNS.
    pub(super) fn dns_lookup_kdc(&self) -> bool {
        self.dns_lookup_kdc.unwrap_or(true)
    }

    /// The realm that `name` (a host or a domain) is mapped to: the name itself, then each parent
    /// with a leading dot, then each parent without (`credentials.md` §2.14).
    pub(super) fn realm_of(&self, name: &str) -> Option<&str> {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let parents = || name.match_indices('.').map(|(dot, _)| &name[dot..]);
        std::iter::once(name.as_str())
            .chain(parents())
            .chain(parents().map(|parent| &parent[1..]))
            .find_map(|wanted| self.domains.iter().find(|(domain, _)| domain == wanted))
            .map(|(_, realm)| realm.as_str())
    }

    /// The realm that the text after the `@` of a user name, or the domain before its backslash,
    /// stands for: a realm that is configured, else one that it is mapped to.
    pub(super) fn realm_named(&self, name: &str) -> Option<&str> {
        self.realms
            .iter()
            .map(|(realm, _)| realm.as_str())
            .find(|realm| *realm == name)
            .or_else(|| self.realms.iter().map(|(r, _)| r.as_str()).find(|r| r.eq_ignore_ascii_case(name)))
            .or_else(|| self.realm_of(name))
            .or_else(|| self.realm_that_begins_with(name))
    }

    /// The one realm that is known here whose first label is `name`: the short name of a domain is as a
    /// rule that, and people know no other.
    fn realm_that_begins_with(&self, name: &str) -> Option<&str> {
        let configured = self.realms.iter().map(|(realm, _)| realm.as_str());
        let mut alike: Vec<_> = configured
            .chain(self.default_realm())
            .filter(|realm| realm.split('.').next().is_some_and(|label| label.eq_ignore_ascii_case(name)))
            .collect();
        alike.dedup();
        match alike[..] {
            [realm] => Some(realm),
            _ => None,
        }
    }

    /// Names the files for a sentence: `/etc/krb5.conf`, `a.conf (not found)`.
    pub(super) fn sources(&self) -> String {
        let names: Vec<_> = self
            .sources
            .iter()
            .map(|(path, trouble)| match trouble {
                None => path.display().to_string(),
                Some(kind) => format!("{} ({kind})", path.display()),
            })
            .collect();
        names.join(", ")
    }
}

/// Reads any text.
#[cfg(any(test, fuzzing))]
pub(super) fn read_any(text: &str) {
    let mut conf = Krb5Conf::default();
    // Includes are beyond the limit, so that no file of this machine is touched.
    Reader { conf: &mut conf, files: FILES_MAX, depth: 0 }.text(text, Path::new("/nonexistent"));
    let realms: Vec<_> = conf.realms.iter().map(|(realm, _)| realm.clone()).collect();
    for realm in realms {
        assert!(!conf.kdcs(&realm).is_empty() && conf.kdcs(&realm).len() <= KDCS_MAX);
    }
}

struct Reader<'a> {
    conf: &'a mut Krb5Conf,
    files: usize,
    depth: usize,
}

impl Reader<'_> {
    fn file(&mut self, path: &Path) -> io::Result<()> {
        self.files += 1;
        if self.files > FILES_MAX || self.depth > INCLUDE_DEPTH_MAX {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        let mut text = Vec::new();
        File::open(path)?.take(FILE_BYTES_MAX).read_to_end(&mut text)?;
        self.depth += 1;
        self.text(&String::from_utf8_lossy(&text), path.parent().unwrap_or(Path::new("/")));
        self.depth -= 1;
        Ok(())
    }

    /// Reads one file's text. `folder` is where relative includes are looked for.
    fn text(&mut self, text: &str, folder: &Path) {
        let mut section = String::new();
        // The braces that are open; the first names a realm in [realms].
        let mut groups: Vec<String> = Vec::new();
        for line in text.lines().map(str::trim) {
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            if let Some(argument) = directive(line, "includedir") {
                self.folder(&folder.join(argument));
            } else if let Some(argument) = directive(line, "include") {
                // An include that cannot be read says as much as an empty one.
                let _ = self.file(&folder.join(argument));
            } else if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
                section = name.trim().to_ascii_lowercase();
                groups.clear();
            } else if line.starts_with('}') {
                groups.pop();
            } else if let Some((name, value)) = line.split_once('=') {
                let (name, value) = (name.trim().trim_end_matches('*'), unquoted(value.trim()));
                if value.starts_with('{') {
                    groups.push(name.to_owned());
                } else {
                    self.relation(&section, &groups, name, value);
                }
            }
        }
    }

    fn relation(&mut self, section: &str, groups: &[String], name: &str, value: &str) {
        let conf = &mut *self.conf;
        match (section, groups) {
            ("libdefaults", []) if name == "default_realm" && conf.default_realm.is_none() => {
                conf.default_realm = Some(value.to_owned());
            }
            ("libdefaults", []) if name == "udp_preference_limit" && conf.udp_preference_limit.is_none() => {
                conf.udp_preference_limit = value.parse().ok();
            }
            ("libdefaults", []) if name == "dns_lookup_kdc" && conf.dns_lookup_kdc.is_none() => {
                conf.dns_lookup_kdc = truth(value);
            }
            ("domain_realm", []) if conf.domains.len() < ENTRIES_MAX => {
                conf.domains.push((name.to_ascii_lowercase(), value.to_owned()));
            }
            ("realms", [realm]) if name == "kdc" => {
                let Some(address) = kdc_address(value) else { return };
                match conf.realms.iter().position(|(known, _)| known == realm) {
                    Some(at) => {
                        let kdcs = &mut conf.realms[at].1;
                        if kdcs.len() < KDCS_MAX && !kdcs.contains(&address) {
                            kdcs.push(address);
                        }
                    }
                    None if conf.realms.len() < ENTRIES_MAX => {
                        conf.realms.push((realm.clone(), vec![address]));
                    }
                    None => {}
                }
            }
            _ => {}
        }
    }

    /// Reads the files of a folder whose names are made of letters, digits, `-` and `_`, or end in
    /// `.conf`, in the order of their names.
    fn folder(&mut self, folder: &Path) {
        let Ok(entries) = folder.read_dir() else { return };
        let mut files: Vec<_> = entries
            .take(FILES_MAX)
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| {
                let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
                plain || (name.ends_with(".conf") && !name.starts_with('.'))
            })
            .collect();
        files.sort();
        for file in files {
            let _ = self.file(&folder.join(file));
        }
    }
}

/// The argument of the line's directive `name`.
fn directive<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let argument = line.strip_prefix(name)?;
    argument.starts_with([' ', '\t']).then(|| argument.trim())
}

fn unquoted(value: &str) -> &str {
    value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value)
}

/// Yes or no, in the words MIT's library knows.
fn truth(value: &str) -> Option<bool> {
    let is_one_of = |words: &[&str]| words.iter().any(|word| value.eq_ignore_ascii_case(word));
    if is_one_of(&["y", "yes", "true", "t", "1", "on"]) {
        Some(true)
    } else {
        is_one_of(&["n", "no", "false", "nil", "0", "off"]).then_some(false)
    }
}

/// `host`, `host:port`, `[v6]`, `[v6]:port` or a bare IPv6 address; a KDC proxy (https) is none.
fn kdc_address(value: &str) -> Option<KdcAddress> {
    // MIT's way of naming the transport.
    let (transport, value) = match value.split_once('/') {
        Some(("tcp", rest)) => (Transport::Tcp, rest),
        Some(("udp", rest)) => (Transport::Udp, rest),
        _ => (Transport::Any, value),
    };
    let (host, port) = if let Some(rest) = value.strip_prefix('[') {
        let (host, rest) = rest.split_once(']')?;
        (host, rest.strip_prefix(':'))
    } else if value.matches(':').count() == 1 {
        let (host, port) = value.split_once(':')?;
        (host, Some(port))
    } else {
        (value, None)
    };
    let port = match port {
        Some(port) => port.parse().ok()?,
        None => KDC_PORT,
    };
    let plain = !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || c == '/' || c.is_control());
    plain.then(|| KdcAddress { host: host.to_owned(), port, transport })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn read(text: &str) -> Krb5Conf {
        let mut conf = Krb5Conf::default();
        Reader { conf: &mut conf, files: 0, depth: 0 }.text(text, Path::new("/nowhere"));
        conf
    }

    fn kdcs(conf: &Krb5Conf, realm: &str) -> Vec<String> {
        conf.kdcs(realm).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_we_need_is_found_among_what_we_do_not() {
        let conf = read(
            "# a comment\n\
             [libdefaults]\n  default_realm = EXAMPLE.TEST\n\tdns_lookup_kdc = false\n\
             \n[realms]\n  EXAMPLE.TEST = {\n    kdc = kdc1.example.test\n    admin_server = kdc1\n\
             \x20   kdc = 127.0.0.1:17200\n    v4_name_convert = {\n      kdc = not.this\n    }\n\
             \x20   kdc = [2001:db8::1]:750\n    kdc = 2001:db8::2\n    kdc = tcp/kdc3:1\n\
             \x20   kdc = https://proxy/KdcProxy\n    kdc = bad:port\n  }\n\
             \x20 OTHER.TEST = {\n    kdc = \"other\"\n  }\n\
             [appdefaults]\n  kdc = not.this.either\n\
             [domain_realm]\n  .example.test = EXAMPLE.TEST\n",
        );
        assert_eq!(conf.default_realm(), Some("EXAMPLE.TEST"));
        assert_eq!(
            kdcs(&conf, "EXAMPLE.TEST"),
            ["kdc1.example.test:88", "127.0.0.1:17200", "[2001:db8::1]:750", "[2001:db8::2]:88", "kdc3:1",]
        );
        assert_eq!(kdcs(&conf, "OTHER.TEST"), ["other:88"]);
        assert_eq!(kdcs(&conf, "NOWHERE.TEST"), [""; 0]);
        assert_eq!(conf.realm_of("www.example.test"), Some("EXAMPLE.TEST"));
    }

    #[test]
    fn datagrams_and_the_dns_are_used_as_the_file_says() {
        for (text, limit, dns) in [
            ("", None, true),
            ("[libdefaults]\nudp_preference_limit = 1\ndns_lookup_kdc = no\n", Some(1), false),
            ("[libdefaults]\nudp_preference_limit = 1465\nudp_preference_limit = 0\n", Some(1465), true),
            ("[libdefaults]\ndns_lookup_kdc = False\ndns_lookup_kdc = true\n", None, false),
            ("[libdefaults]\nudp_preference_limit = much\ndns_lookup_kdc = perhaps\n", None, true),
        ] {
            let conf = read(text);
            assert_eq!((conf.udp_preference_limit(), conf.dns_lookup_kdc()), (limit, dns), "{text}");
        }
        let conf = read("[realms]\nX = {\nkdc = tcp/a\nkdc = udp/b:1\nkdc = c\n}\n");
        let transports: Vec<_> = conf.kdcs("X").iter().map(|kdc| kdc.transport).collect();
        assert_eq!(transports, [Transport::Tcp, Transport::Udp, Transport::Any]);
    }

    #[test]
    fn the_most_specific_mapping_counts() {
        let conf = read(
            "[domain_realm]\n example.test = COVERS\n .example.test = BELOW\n \
             host.example.test = EXACT\n .sub.example.test = SUB\n plain = PLAIN\n",
        );
        for (name, expected) in [
            ("host.example.test", Some("EXACT")),
            ("Other.Example.Test.", Some("BELOW")),
            ("example.test", Some("COVERS")),
            ("a.sub.example.test", Some("SUB")),
            ("sub.example.test", Some("BELOW")),
            ("deep.plain", Some("PLAIN")),
            ("unknown", None),
            ("", None),
        ] {
            assert_eq!(conf.realm_of(name), expected, "{name}");
        }
    }

    #[test]
    fn a_name_stands_for_a_configured_realm_before_a_mapped_one() {
        let conf = read(
            "[realms]\n CORP.TEST = {\n kdc = a\n }\n SHORT = {\n kdc = b\n }\n\
             [domain_realm]\n corp.test = ELSEWHERE\n mapped.test = CORP.TEST\n",
        );
        for (name, expected) in [
            ("CORP.TEST", Some("CORP.TEST")),
            ("corp.test", Some("CORP.TEST")),
            ("short", Some("SHORT")),
            ("Corp", Some("CORP.TEST")),
            ("mapped.test", Some("CORP.TEST")),
            ("nowhere.test", None),
            ("nowhere", None),
        ] {
            assert_eq!(conf.realm_named(name), expected, "{name}");
        }
    }

    #[test]
    fn included_files_are_read_and_cannot_go_round_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("d")).unwrap();
        fs::write(path("main"), "includedir d\ninclude main\ninclude other\n").unwrap();
        fs::write(path("other"), "[libdefaults]\ndefault_realm = LATER\n").unwrap();
        fs::write(path("d/10-first.conf"), "[libdefaults]\ndefault_realm = FIRST\n").unwrap();
        fs::write(path("d/not.this"), "[realms]\nX = {\nkdc = x\n}\n").unwrap();

        let conf = Krb5Conf::load(&[path("main"), path("missing")]);
        assert_eq!(conf.default_realm(), Some("FIRST"));
        assert_eq!(conf.kdcs("X"), []);
        let missing = format!("{} (entity not found)", path("missing").display());
        assert!(conf.sources().ends_with(&missing), "{}", conf.sources());
    }

    #[test]
    fn nonsense_is_passed_over() {
        for text in ["[", "}", "= = {", "[realms]\n = {\n kdc = \n", "[realms\nkdc", "include", "\0\u{FFFD}"]
        {
            assert_eq!(read(text).realms, [], "{text}");
        }
    }
}
