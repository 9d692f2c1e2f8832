//! What must not be in `Cargo.lock` at all, on no system, and that `deny.toml` says the same.

use std::collections::BTreeMap;

use crate::tree::read;

/// Crates that must never come in, and why.
const BANNED: &[(&str, &str)] = &[
    ("openssl-sys", "TLS is rustls, in one library that is safe where foreign bytes arrive"),
    ("native-tls", "one TLS library, with one trust store and one set of rules"),
    ("aws-lc-sys", "one provider of cryptography, ring; this one builds for minutes"),
    ("reqwest", "it hides connections, and NTLM and Negotiate prove who one is to a connection"),
];

/// What there must be one version of: whatever holds keys or connections, or drives them.
const ONCE: &[&str] = &[
    "chacha20poly1305",
    "digest",
    "hyper",
    "libsqlite3-sys",
    "ring",
    "rusqlite",
    "rustls",
    "sspi",
    "tokio",
    "zeroize",
];

#[test]
fn the_lock_file_has_nothing_that_is_banned() {
    let locked = locked();
    for (name, why) in BANNED {
        assert!(!locked.contains_key(*name), "Cargo.lock has {name}: {why}");
    }
}

#[test]
fn there_is_one_version_of_what_holds_keys_or_connections() {
    let locked = locked();
    for name in ONCE {
        let versions = locked.get(*name).map(Vec::as_slice).unwrap_or_default();
        assert_eq!(versions.len(), 1, "{name}: {versions:?}");
    }
}

#[test]
fn deny_toml_bans_the_same_and_says_why() {
    let deny: toml::Table = read("deny.toml").parse().expect("deny.toml is TOML");
    let banned = deny["bans"]["deny"].as_array().expect("a list of bans");
    let banned: BTreeMap<&str, &str> = banned
        .iter()
        .map(|ban| {
            let text = |key: &str| ban[key].as_str().expect("a ban has a crate and a reason");
            (text("crate"), text("reason"))
        })
        .collect();
    let expected: BTreeMap<&str, &str> = BANNED.iter().copied().collect();
    assert_eq!(banned, expected);
}

#[test]
fn every_advisory_that_is_ignored_has_its_reason() {
    let deny: toml::Table = read("deny.toml").parse().expect("deny.toml is TOML");
    for ignored in deny["advisories"]["ignore"].as_array().expect("a list of advisories") {
        let reason = ignored.get("reason").and_then(toml::Value::as_str).unwrap_or_default();
        assert!(reason.len() > 40, "{ignored} has no reason that anybody could check");
    }
}

/// The packages of `Cargo.lock` with their versions.
fn locked() -> BTreeMap<String, Vec<String>> {
    let lock: toml::Table = read("Cargo.lock").parse().expect("a lock file is TOML");
    let mut locked = BTreeMap::<String, Vec<String>>::new();
    for package in lock["package"].as_array().expect("a list of packages") {
        let text = |key: &str| package[key].as_str().expect("a package has a name and a version").to_owned();
        locked.entry(text("name")).or_default().push(text("version"));
    }
    locked
}
