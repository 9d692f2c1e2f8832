//! What only the sealed file can do wrong.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

use super::*;

struct Place {
    paths: Paths,
    _folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { paths: paths(folder.path()), _folder: folder }
    }

    async fn open(&self) -> SavedCredentials {
        let options =
            Options { paths: &self.paths, store: Some(StoreKind::File), may_ask: false, bus_address: None };
        SavedCredentials::open(&options).await.unwrap()
    }

    /// A place with one credential in it.
    async fn with_one() -> Self {
        let place = Self::new();
        place.open().await.save("work", None, "anna", &secret("hunter2")).await.unwrap();
        place
    }

    fn file(&self) -> PathBuf {
        self.paths.saved_credentials()
    }

    fn key(&self) -> PathBuf {
        self.paths.saved_credentials_key_file()
    }

    /// How finding and saving end; both in the same way.
    async fn error(&self) -> SavedError {
        let saved = self.open().await;
        let error = saved.find("work").await.unwrap_err();
        let saving = saved.save("other", None, "anna", &secret("x")).await.unwrap_err();
        assert_eq!(saving.to_string(), error.to_string());
        error
    }
}

#[tokio::test]
async fn looking_makes_no_file() {
    let place = Place::new();
    let saved = place.open().await;
    assert_eq!(saved.list().await.unwrap(), []);
    assert_eq!(saved.forget("work", None).await.unwrap(), 0);
    assert!(!place.paths.state_folder.exists());
}

#[tokio::test]
async fn both_files_are_for_their_user_alone_and_nothing_in_them_can_be_read() {
    let place = Place::with_one().await;
    for path in [place.file(), place.key()] {
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let content = fs::read(&path).unwrap();
        for word in ["hunter2", "anna", "work"] {
            assert!(!content.windows(word.len()).any(|window| window == word.as_bytes()), "{word}");
        }
    }
    let count = fs::read_dir(&place.paths.state_folder).unwrap().count();
    assert_eq!(count, 3, "there is the lock beside them, and nothing is left");
    assert_eq!(found(&place.open().await, "work").await, ["any anna hunter2"]);
}

#[tokio::test]
async fn a_missing_key_is_said_and_not_made_anew() {
    let place = Place::with_one().await;
    fs::remove_file(place.key()).unwrap();
    let before = fs::read(place.file()).unwrap();
    let error = place.error().await;
    assert!(matches!(error, SavedError::KeyMissing { .. }), "{error}");
    assert_eq!(error.code().0, 0x8020_0040);
    assert!(!place.key().exists());
    assert_eq!(fs::read(place.file()).unwrap(), before);
}

#[tokio::test]
async fn a_file_that_was_tampered_with_does_not_open() {
    let place = Place::with_one().await;
    let whole = fs::read(place.file()).unwrap();
    for place_of_bit in [8, 20, whole.len() - 1] {
        let mut tampered = whole.clone();
        tampered[place_of_bit] ^= 1;
        fs::write(place.file(), &tampered).unwrap();
        let error = place.error().await;
        assert!(matches!(error, SavedError::Unreadable { .. }), "{error}");
    }
    for other in [&b""[..], b"OBITSKEY", &[0; 600 << 10]] {
        fs::write(place.file(), other).unwrap();
        assert!(matches!(place.error().await, SavedError::NotSaved(_)));
    }
    fs::write(place.file(), &whole).unwrap();
    assert_eq!(found(&place.open().await, "work").await, ["any anna hunter2"]);
}

#[tokio::test]
async fn a_file_that_others_could_use_is_refused() {
    let place = Place::with_one().await;
    fs::set_permissions(place.file(), PermissionsExt::from_mode(0o640)).unwrap();
    let error = place.error().await;
    assert!(error.to_string().contains("(mode 0640): chmod 600 it"), "{error}");

    fs::set_permissions(place.file(), PermissionsExt::from_mode(0o600)).unwrap();
    let elsewhere = place.paths.state_folder.join("elsewhere");
    fs::rename(place.file(), &elsewhere).unwrap();
    symlink(&elsewhere, place.file()).unwrap();
    assert!(matches!(place.error().await, SavedError::NotAFile(_)));
}

#[tokio::test]
async fn what_a_killed_program_left_half_written_is_not_in_the_way() {
    let place = Place::with_one().await;
    let half = place.paths.state_folder.join(".credentials.saved-0.bits-part");
    fs::write(&half, "half").unwrap();
    place.open().await.save("other", None, "anna", &secret("x")).await.unwrap();
    assert!(!half.exists());
    assert_eq!(place.open().await.list().await.unwrap().len(), 2);
}

#[test]
fn nothing_is_lost_when_many_save_at_once() {
    const PROGRAMS: usize = 8;
    let place = Place::new();
    std::thread::scope(|scope| {
        for number in 0..PROGRAMS {
            let place = &place;
            scope.spawn(move || {
                tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
                    let saved = place.open().await;
                    for round in 0..5 {
                        let name = format!("{number}-{round}");
                        saved.save(&name, None, "anna", &secret(&name)).await.unwrap();
                    }
                });
            });
        }
    });
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
        assert_eq!(place.open().await.list().await.unwrap().len(), PROGRAMS * 5);
        assert_eq!(found(&place.open().await, "7-4").await, ["any anna 7-4"]);
    });
}

#[tokio::test]
async fn more_than_fits_is_refused_and_what_is_there_stays() {
    let place = Place::with_one().await;
    let saved = place.open().await;
    let long = secret(&"x".repeat(65_536));
    let mut count = 1;
    let error = loop {
        match saved.save(&format!("long {count}"), None, "anna", &long).await {
            Ok(()) => count += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, SavedError::Seal(_)), "{error}");
    assert_eq!(saved.list().await.unwrap().len(), count);
    assert_eq!(found(&saved, "work").await, ["any anna hunter2"]);
}
