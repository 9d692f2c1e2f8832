//! Saving, finding and forgetting credentials: one suite for every store, and what is only one's.

#[cfg(feature = "secret-service")]
pub(crate) mod bus;
mod sealed_file;
#[cfg(feature = "secret-service")]
mod secret_service;

use std::ffi::OsString;
use std::path::Path;

use bits_client::saved::{Options, SavedCredentials, SavedEntry, SavedError, StoreKind};
use bits_core::credentials::AuthScheme;
use bits_core::secret::Secret;
use bits_platform::paths::Paths;

/// The places of a person whose state is in `folder`.
fn paths(folder: &Path) -> Paths {
    let variables = [("HOME", folder), ("XDG_STATE_HOME", folder)];
    Paths::of_user(&|name| {
        variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).into())
    })
    .unwrap()
}

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

fn entry(name: &str, scheme: Option<AuthScheme>, user: &str) -> SavedEntry {
    SavedEntry { name: name.into(), scheme, user: user.into() }
}

/// What is saved for `name`, as `scheme user password`.
async fn found(saved: &SavedCredentials, name: &str) -> Vec<String> {
    let found = saved.find(name).await.unwrap();
    let mut found: Vec<String> = found
        .iter()
        .map(|one| {
            let scheme = one.entry.scheme.map_or("any", AuthScheme::name);
            format!("{scheme} {} {}", one.entry.user, one.password.expose())
        })
        .collect();
    found.sort();
    found
}

/// What every store does. Begins and ends empty.
async fn check_store(saved: &SavedCredentials) {
    assert_eq!(saved.list().await.unwrap(), []);
    assert_eq!(found(saved, "work").await, [""; 0]);
    assert_eq!(saved.forget("work", None).await.unwrap(), 0);
    assert_eq!(saved.forget_one(&entry("work", None, "anna")).await.unwrap(), 0);

    let (basic, digest) = (Some(AuthScheme::Basic), Some(AuthScheme::Digest));
    saved.save("Work", None, r"CORP\anna", &secret("hünter2")).await.unwrap();
    saved.save("work", basic, "anna", &secret("plain")).await.unwrap();
    saved.save("files.example.test", None, "anna@example.test", &secret("")).await.unwrap();
    assert_eq!(found(saved, "WORK").await, ["any CORP\\anna hünter2", "basic anna plain"]);
    assert_eq!(found(saved, "files.example.test").await, ["any anna@example.test "]);
    assert_eq!(found(saved, "example.test").await, [""; 0]);
    assert_eq!(
        saved.list().await.unwrap(),
        [
            entry("files.example.test", None, "anna@example.test"),
            entry("work", None, r"CORP\anna"),
            entry("work", basic, "anna"),
        ]
    );

    // One a scheme: another password, and another user, take its place.
    saved.save("work", None, r"CORP\anna", &secret("newer")).await.unwrap();
    saved.save("work", basic, "bert", &secret("of bert")).await.unwrap();
    assert_eq!(found(saved, "work").await, ["any CORP\\anna newer", "basic bert of bert"]);

    assert_eq!(saved.forget("work", digest).await.unwrap(), 0);
    assert_eq!(saved.forget("Work", basic).await.unwrap(), 1);
    assert_eq!(found(saved, "work").await, ["any CORP\\anna newer"]);
    saved.save("work", digest, "anna", &secret("x")).await.unwrap();
    assert_eq!(saved.forget_one(&entry("work", basic, "anna")).await.unwrap(), 0);
    assert_eq!(saved.forget_one(&entry("work", None, "anna")).await.unwrap(), 1);
    assert_eq!(found(saved, "work").await, ["digest anna x"]);
    saved.save("work", None, "anna", &secret("x")).await.unwrap();
    assert_eq!(saved.forget("work", None).await.unwrap(), 2);
    assert_eq!(saved.list().await.unwrap().len(), 1);

    let longest = "ä".repeat(65_536);
    saved.save("files.example.test", None, "anna", &secret(&longest)).await.unwrap();
    let again = saved.find("files.example.test").await.unwrap();
    assert!(again[0].password.expose() == longest);
    assert_eq!(saved.forget("files.example.test", None).await.unwrap(), 1);

    for (name, user, password, code) in [
        ("", "anna", "x", 0x8007_0057),
        (" work", "anna", "x", 0x8007_0057),
        ("work", "", "x", 1315),
        ("work", r"CORP\", "x", 1315),
        ("work", "anna", "@@DAbc", 0x8009_030D),
    ] {
        let error = saved.save(name, None, user, &secret(password)).await.unwrap_err();
        assert_eq!(error.code().0, code, "{name:?} {user:?}: {error}");
    }
    assert_eq!(saved.list().await.unwrap(), []);
}

#[test]
fn a_variable_chooses_the_store() {
    let chosen = |value: &str| {
        StoreKind::of_environment(&|name| (name == "BITS_CREDENTIAL_STORE").then(|| value.into()))
    };
    assert_eq!(chosen("file").unwrap(), Some(StoreKind::File));
    assert_eq!(chosen("secret-service").unwrap(), Some(StoreKind::SecretService));
    assert_eq!(chosen("").unwrap(), None);
    assert_eq!(StoreKind::of_environment(&|_| None::<OsString>).unwrap(), None);
    let error = chosen("keychain").unwrap_err();
    assert!(error.to_string().contains(r#"BITS_CREDENTIAL_STORE is "keychain""#), "{error}");
}

#[tokio::test]
async fn without_a_session_bus_credentials_go_to_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let paths = paths(folder.path());
    let bus_address = Some("unix:path=/nonexistent/bus".to_owned());
    let options = Options { paths: &paths, store: None, may_ask: true, bus_address };
    let saved = SavedCredentials::open(&options).await.unwrap();
    assert_eq!(saved.place(), format!("the sealed file {}/bits/credentials", folder.path().display()));
    check_store(&saved).await;

    let asked_for = Options { store: Some(StoreKind::SecretService), ..options };
    let error = SavedCredentials::open(&asked_for).await.unwrap_err();
    assert!(matches!(error, SavedError::NoSecretService { .. } | SavedError::NotBuiltIn), "{error}");
    assert_eq!(error.code().0, 1312);
}
