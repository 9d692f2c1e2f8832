//! Whether this process's user seems to have Kerberos tickets that a job could sign in by.
//!
//! Nothing of them is read: whether they serve is seen when a server asks, and by the service.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use bits_platform::caller::own_uid;

/// Whether there is a ticket cache in sight: the one that `KRB5CCNAME` names, or the one in the usual
/// place. A cache that is no file, such as a kernel keyring, counts without being looked for.
pub fn has_ticket_cache() -> bool {
    let named = std::env::var_os("KRB5CCNAME").filter(|name| !name.is_empty());
    match named {
        Some(name) => is_in_sight(&name),
        None => {
            let configuration = std::env::var_os("KRB5_CONFIG");
            Path::new(&format!("/tmp/krb5cc_{}", own_uid())).exists()
                || names_a_place(configuration.as_deref())
        }
    }
}

fn is_in_sight(name: &OsStr) -> bool {
    let Some(text) = name.to_str() else { return Path::new(name).exists() };
    match text.split_once(':') {
        Some(("FILE" | "DIR", path)) => Path::new(path.trim_start_matches(':')).exists(),
        // A type has no slash before its colon, and a path has one.
        Some((kind, _)) if !kind.contains('/') => true,
        _ => Path::new(text).exists(),
    }
}

/// Whether the configuration puts tickets elsewhere than into the usual file: then there may be some.
fn names_a_place(krb5_config: Option<&OsStr>) -> bool {
    let files: Vec<PathBuf> = match krb5_config {
        Some(value) if !value.is_empty() => std::env::split_paths(value).collect(),
        _ => vec!["/etc/krb5.conf".into()],
    };
    files.iter().any(|file| {
        let mut text = String::new();
        let read =
            File::open(file).and_then(|file| file.take(CONFIGURATION_BYTES_MAX).read_to_string(&mut text));
        read.is_ok() && text.lines().any(|line| line.trim_start().starts_with("default_ccache_name"))
    })
}

/// How much of a configuration is looked at; few have a hundredth of it.
const CONFIGURATION_BYTES_MAX: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cache_is_in_sight_if_its_file_is_there_or_it_is_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("tickets");
        std::fs::write(&file, "").expect("a file");
        let file = file.to_str().expect("a name");
        for (name, expected) in [
            (file.to_owned(), true),
            (format!("FILE:{file}"), true),
            (format!("FILE:{file}x"), false),
            (format!("{file}x"), false),
            ("KEYRING:persistent:1000".to_owned(), true),
            ("KCM:".to_owned(), true),
            ("DIR:/nonexistent".to_owned(), false),
            (format!("DIR::{file}"), true),
            ("/nonexistent/a:b".to_owned(), false),
        ] {
            assert_eq!(is_in_sight(OsStr::new(&name)), expected, "{name}");
        }
    }

    #[test]
    fn a_configuration_can_put_tickets_elsewhere() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| {
            let file = folder.path().join(name);
            std::fs::write(&file, text).expect("a file");
            file.into_os_string()
        };
        let plain = write("plain", "[libdefaults]\n # default_ccache_name\n");
        let other = write("other", "[libdefaults]\n  default_ccache_name = KCM:\n");
        let both = std::env::join_paths([&plain, &other]).expect("a list");
        for (value, expected) in [(&plain, false), (&other, true), (&both, true)] {
            assert_eq!(names_a_place(Some(value)), expected, "{value:?}");
        }
        assert!(!names_a_place(Some(OsStr::new("/nonexistent"))));
    }
}
