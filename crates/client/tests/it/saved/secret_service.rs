//! The Secret Service of a real gnome-keyring on a bus of its own.

use super::bus::Bus;
use super::*;

async fn open(bus: &Bus, paths: &Paths, store: Option<StoreKind>) -> Result<SavedCredentials, SavedError> {
    let bus_address = Some(bus.address.clone());
    SavedCredentials::open(&Options { paths, store, may_ask: false, bus_address }).await
}

#[tokio::test]
async fn a_keyring_keeps_credentials_like_every_store() {
    let Some(bus) = Bus::start("unlocked") else { return };
    let folder = tempfile::tempdir().unwrap();
    let paths = paths(folder.path());
    let saved = open(&bus, &paths, None).await.unwrap();
    assert_eq!(saved.place(), "the desktop's keyring (Secret Service)");
    check_store(&saved).await;
    assert!(!paths.state_folder.exists(), "no file is made beside it");

    // What is somebody else's is neither seen nor touched.
    saved.save("work", Some(AuthScheme::Ntlm), r"CORP\anna", &secret("hünter2")).await.unwrap();
    bus.secret_tool(&["store", "--label=x", "application", "other", "target", "work"]);
    let ours = ["application", "openbits", "target", "work", "scheme", "ntlm", "user", r"CORP\anna"];
    assert_eq!(bus.secret_tool(&[&["lookup"][..], &ours].concat()), "hünter2");
    let all = bus.secret_tool(&["search", "application", "openbits"]);
    assert!(all.contains(r"label = OpenBITS: work (CORP\anna)"), "{all}");
    assert_eq!(saved.list().await.unwrap().len(), 1);
    assert_eq!(saved.forget("work", None).await.unwrap(), 1);
}

#[tokio::test]
async fn what_is_in_the_file_is_found_beside_a_keyring_and_replaced_by_saving_there() {
    let Some(bus) = Bus::start("unlocked") else { return };
    let folder = tempfile::tempdir().unwrap();
    let paths = paths(folder.path());
    let file = open(&bus, &paths, Some(StoreKind::File)).await.unwrap();
    let both = open(&bus, &paths, None).await.unwrap();
    file.save("work", None, "anna", &secret("old")).await.unwrap();
    assert_eq!(found(&both, "work").await, ["any anna old"]);
    assert_eq!(both.list().await.unwrap(), [entry("work", None, "anna")]);

    both.save("work", None, "anna", &secret("new")).await.unwrap();
    assert_eq!(found(&both, "work").await, ["any anna new"]);
    assert_eq!(found(&file, "work").await, [""; 0]);
    assert_eq!(both.forget("work", None).await.unwrap(), 1);
}

#[tokio::test]
async fn a_locked_keyring_is_said_and_nothing_is_saved_elsewhere() {
    let Some(bus) = Bus::start("locked") else { return };
    let folder = tempfile::tempdir().unwrap();
    let paths = paths(folder.path());
    for store in [None, Some(StoreKind::SecretService)] {
        let saved = open(&bus, &paths, store).await.unwrap();
        let error = saved.save("work", None, "anna", &secret("x")).await.unwrap_err();
        assert!(matches!(error, SavedError::Locked), "{error}");
        assert_eq!(error.code().0, 0x8007_0005);
    }
    assert!(!paths.state_folder.exists());
}

#[tokio::test]
async fn what_is_in_a_keyring_that_was_locked_meanwhile_is_neither_found_nor_lost() {
    let Some(bus) = Bus::start("unlocked") else { return };
    let folder = tempfile::tempdir().unwrap();
    let paths = paths(folder.path());
    let saved = open(&bus, &paths, None).await.unwrap();
    saved.save("work", None, "anna", &secret("x")).await.unwrap();
    bus.secret_tool(&["lock", "--collection=login"]);
    assert!(matches!(saved.find("work").await, Err(SavedError::Locked)));
    assert!(matches!(saved.list().await, Err(SavedError::Locked)));
    assert!(matches!(saved.forget("work", None).await, Err(SavedError::Locked)));

    let file = open(&bus, &paths, Some(StoreKind::File)).await.unwrap();
    file.save("work", None, "anna", &secret("of the file")).await.unwrap();
    assert_eq!(found(&saved, "work").await, ["any anna of the file"]);
}

#[tokio::test]
async fn a_keyring_that_nobody_can_unlock_ends_the_asking() {
    let Some(bus) = Bus::start("locked") else { return };
    let folder = tempfile::tempdir().unwrap();
    let paths = paths(folder.path());
    let options =
        Options { paths: &paths, store: None, may_ask: true, bus_address: Some(bus.address.clone()) };
    let saved = SavedCredentials::open(&options).await.unwrap();
    let error = saved.save("work", None, "anna", &secret("x")).await.unwrap_err();
    assert!(matches!(error, SavedError::Cancelled), "{error}");
    assert_eq!(error.code().0, 1223);
}

#[tokio::test]
async fn a_bus_without_a_secret_service_is_said_or_the_file_is_taken() {
    let Some(bus) = Bus::start("none") else { return };
    let folder = tempfile::tempdir().unwrap();
    let paths = paths(folder.path());
    let error = open(&bus, &paths, Some(StoreKind::SecretService)).await.unwrap_err();
    assert!(matches!(error, SavedError::NoSecretService { .. }), "{error}");
    assert_eq!(error.code().0, 1312);

    let saved = open(&bus, &paths, None).await.unwrap();
    saved.save("work", None, "anna", &secret("x")).await.unwrap();
    assert!(saved.place().ends_with("/bits/credentials"), "{}", saved.place());
    assert_eq!(found(&saved, "work").await, ["any anna x"]);
}
