//! What stands in the way on this machine.

use std::os::unix::fs::symlink;
use std::process::Command;

use bits_core::error::{Code, ErrorContext};
use bits_worker::run::Settings;

use crate::broker::Broker;
use crate::origin::{Origin, answer};

#[tokio::test]
async fn a_link_that_lies_where_the_partial_file_belongs_is_not_followed() {
    let origin = Origin::start(vec![]).await;
    let mut broker = Broker::new(&[origin.url("/a")]);
    let victim = broker.folder.path().join("victim");
    std::fs::write(&victim, "precious").unwrap();
    symlink(&victim, broker.partial_path(0)).unwrap();
    let error = broker.run().await.error();
    assert_eq!((error.code, error.transient), (Code::FILE_EXISTS, false));
    assert_eq!(error.context, ErrorContext::LocalFile);
    assert_eq!(std::fs::read(&victim).unwrap(), b"precious");
    assert!(broker.discard().await.is_some(), "what is not ours stays, and that is said");
    assert!(broker.partial_path(0).is_symlink());
}

#[tokio::test]
async fn a_folder_that_has_vanished_is_named() {
    let origin = Origin::start(vec![]).await;
    let mut broker = Broker::new(&[origin.url("/a")]);
    std::fs::remove_dir(broker.folder.path()).unwrap();
    let error = broker.run().await.error();
    assert_eq!((error.code, error.transient), (Code::PATH_NOT_FOUND, false));
    assert!(error.message.contains(broker.folder.path().to_str().unwrap()), "{}", error.message);
    assert_eq!(broker.discard().await, None, "nothing is left in a folder that is gone");
}

#[tokio::test]
async fn a_full_disk_is_known_before_the_first_byte_and_heals() {
    let folder = tempfile::tempdir().unwrap();
    let Some(_mounted) = Mounted::small(folder.path()) else {
        eprintln!("skipped: mounting a small file system needs root");
        return;
    };
    let small = answer("200 OK\r\nETag: \"a\"", &[b'x'; 1000]);
    let large = answer("200 OK\r\nETag: \"a\"", &vec![b'x'; 3_000_000]);
    let origin = Origin::start(vec![vec![large], vec![small]]).await;
    let mut broker = Broker::within(&[origin.url("/a")], Settings::default(), folder);
    let error = broker.run().await.error();
    assert_eq!((error.code, error.transient), (Code::DISK_FULL, true), "{}", error.message);
    assert_eq!(error.context, ErrorContext::LocalFile);
    assert!(error.message.contains(broker.folder.path().to_str().unwrap()), "{}", error.message);
    assert_eq!(broker.files[0].size, None, "no version was begun");
    broker.run().await.ok();
    assert_eq!(broker.partial(0).len(), 1000);
}

/// A file system of one megabyte, for as long as it is held.
struct Mounted(std::path::PathBuf);

impl Mounted {
    fn small(at: &std::path::Path) -> Option<Self> {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=1m,mode=0777", "small"]).arg(at);
        let mounted = mount.output().is_ok_and(|output| output.status.success());
        mounted.then(|| Self(at.to_owned()))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
