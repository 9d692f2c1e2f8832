//! The queue on the disk, and the key that its credentials are sealed with.

use std::path::PathBuf;

use bits_api::finding::Finding;
use bits_core::ports::{KeySource, SealingKey};
use bits_platform::paths::Paths;
use bits_platform::seal::{CREDENTIAL_NAME, KeyPlaces, KeySeal};
use bits_store::{OpenError, SqliteStore};

/// `is_held`: a service runs, so the queue is open and must be left alone.
pub(super) fn check(
    paths: &Paths,
    environment: crate::Environment<'_>,
    is_held: bool,
    deep: bool,
) -> Vec<Finding> {
    let path = paths.database();
    let shown = path.display();
    if is_held {
        if let Some(reason) = SqliteStore::suspicion(&path) {
            let finding = format!("{shown} is damaged, as the service that has it open found: {reason}");
            let what =
                "restart the service; it goes through the queue, and keeps a damaged one beside a new one";
            return vec![Finding::bad("queue", finding, what)];
        }
        let rest = if deep { "; to go through it now, stop the service first" } else { "" };
        let finding = format!("{shown} is open in a service, which goes through it after its start{rest}");
        return vec![Finding::ok("queue", finding)];
    }
    if !paths.state_folder.is_dir() {
        return vec![Finding::ok("queue", "there is no queue yet; the first job makes it")];
    }
    match SqliteStore::examine(&path, deep) {
        Ok(None) => vec![Finding::ok("queue", "there is no queue yet; the first job makes it")],
        Ok(Some(found)) => {
            let looked = if deep { "every page was read" } else { "`--deep` reads every page" };
            let queue = match &found.damage {
                Some(reason) => Finding::bad(
                    "queue",
                    format!("{shown} is damaged: {reason}"),
                    "copy it away; a service that starts sets it aside and begins with an empty queue",
                ),
                None if found.version < found.known => Finding::ok(
                    "queue",
                    format!(
                        "{shown} is of an earlier version; the next start brings it up to date ({looked})"
                    ),
                ),
                None => Finding::ok("queue", format!("{shown} is in order ({looked})")),
            };
            vec![queue, key(paths, environment, found.key)]
        }
        Err(error @ OpenError::Newer { .. }) => {
            vec![Finding::bad("queue", error.to_string(), "bring this OpenBITS up to date")]
        }
        Err(error) => {
            vec![Finding::bad("queue", error.to_string(), "see to what it names; no service starts before")]
        }
    }
}

fn key(paths: &Paths, environment: crate::Environment<'_>, on_record: Option<SealingKey>) -> Finding {
    let Some(on_record) = on_record else {
        return Finding::ok("key", "no key has been chosen yet; the first start chooses one");
    };
    let put_back = "put it back and restart the service; without it jobs with credentials wait";
    match on_record.source {
        KeySource::KeyFile => {
            let places = KeyPlaces { key_file: paths.key_file(), credentials_folder: None };
            match KeySeal::of_unrecorded(&places) {
                Ok(seal) if seal.key().id == on_record.id => {
                    Finding::ok("key", format!("{} holds the key on record", paths.key_file().display()))
                }
                Ok(seal) => Finding::bad(
                    "key",
                    format!(
                        "{} holds the key {}, and what is stored is sealed with {}",
                        paths.key_file().display(),
                        seal.key().id,
                        on_record.id
                    ),
                    put_back,
                ),
                Err(error) => Finding::bad("key", error.to_string(), put_back),
            }
        }
        KeySource::SystemdCredential => {
            let file = environment("CREDENTIALS_DIRECTORY")
                .map(|folder| PathBuf::from(folder).join(CREDENTIAL_NAME));
            if file.is_some_and(|file| file.is_file()) {
                return Finding::ok("key", format!("systemd gives the credential `{CREDENTIAL_NAME}`"));
            }
            Finding::warning(
                "key",
                format!("the key is systemd's credential `{CREDENTIAL_NAME}`, which only the unit is given"),
                "start the service by its unit (`systemctl --user start bitsd`), not by a command",
            )
        }
    }
}
