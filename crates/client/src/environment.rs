//! What of this process's environment its transfers need: the service was started from another
//! one, perhaps days ago.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use bits_api::job::Environment;
use bits_platform::files::Umask;

/// `KRB5_CONFIG` and umask of this process, to be sent along with each job.
pub fn environment_of_this_process() -> Environment {
    let folder = std::env::current_dir().ok();
    Environment {
        krb5_config: std::env::var_os("KRB5_CONFIG").and_then(|value| absolute(&value, folder.as_deref())),
        umask: Umask::of_this_process().ok().map(Umask::bits),
    }
}

/// The list of files `value`, each made absolute: the service works in another folder. None when
/// it is empty or cannot be written as text.
fn absolute(value: &OsStr, folder: Option<&Path>) -> Option<String> {
    let text = value.to_str().filter(|text| !text.is_empty())?;
    let files: Option<Vec<String>> = text
        .split(':')
        .filter(|file| !file.is_empty())
        .map(|file| {
            let path = folder.map_or_else(|| PathBuf::from(file), |folder| folder.join(file));
            path.into_os_string().into_string().ok()
        })
        .collect();
    files.filter(|files| !files.is_empty()).map(|files| files.join(":"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_a_kerberos_configuration_is_sent_with_its_whole_path() {
        for (value, expected) in [
            ("/etc/krb5.conf", Some("/etc/krb5.conf")),
            ("mine.conf:/etc/krb5.conf", Some("/home/anna/mine.conf:/etc/krb5.conf")),
            ("", None),
            (":", None),
        ] {
            let sent = absolute(OsStr::new(value), Some(Path::new("/home/anna")));
            assert_eq!(sent.as_deref(), expected, "{value}");
        }
    }

    #[test]
    fn the_umask_of_this_process_is_sent() {
        let expected = Umask::of_this_process().expect("the system tells it").bits();
        assert_eq!(environment_of_this_process().umask, Some(expected));
    }
}
