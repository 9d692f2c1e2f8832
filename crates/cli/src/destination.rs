//! Which file each URL becomes, before anything is asked of the service.
//!
//! Paths are made absolute as text: no symbolic link is followed here, and no `..` is resolved.
//! Whether a folder is there and may be written to is found out by the service.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};

use bits_client::metalink::MetalinkFile;
use bits_core::checksum::Checksum;
use bits_core::error::Code;
use bits_core::remote_name::{RemoteName, RemoteNameError};
use bits_core::sources::ties;

use crate::url_list::{self, ListLine};

/// One file to fetch.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Order {
    /// The URL as typed; there may be a password in it.
    pub(crate) url: String,
    /// The URL as it may be shown.
    pub(crate) remote: RemoteName,
    /// Whether there was user info in the URL.
    pub(crate) has_user_info: bool,
    /// Absolute.
    pub(crate) path: String,
    /// What a Metalink file, or the person, says of the file beyond that.
    pub(crate) told: Told,
}

/// What is known of a file before anything was asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) checksum: Option<Checksum>,
    pub(crate) size: Option<u64>,
    pub(crate) mirrors: Vec<RemoteName>,
}

impl fmt::Debug for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Order")
            .field("remote", &self.remote)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// Where a person stands, and what is there.
pub(crate) struct Here<'a> {
    /// The current folder; `None` when it is gone.
    pub(crate) folder: Option<&'a Path>,
    pub(crate) is_folder: &'a dyn Fn(&Path) -> bool,
    /// Whether missing folders are going to be made.
    pub(crate) creates_folders: bool,
}

/// Why there is no order.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DestinationError {
    #[error("there is no URL; give one that begins with http:// or https://")]
    NoUrl,
    #[error(transparent)]
    RemoteName(#[from] RemoteNameError),
    #[error("`{0}` is not text that can be a URL")]
    UrlIsNoText(String),
    #[error("the path {} is not UTF-8 text; choose another name", .0.display())]
    PathIsNoText(PathBuf),
    #[error("the destination is empty; leave it out, or give a file or folder")]
    Empty,
    #[error("`-` is no destination: files are written, not printed; a file of that name is `./-`")]
    Dash,
    #[error("several URLs need a folder, and {} is none; make it, or add --create-dirs", .0.display())]
    NotAFolder(PathBuf),
    #[error("the folder {} is not there; make it, or add --create-dirs", .0.display())]
    NoSuchFolder(PathBuf),
    #[error("the end of {0} is no name for a file; say which file it becomes, after the URL")]
    NoName(RemoteName),
    #[error("{first} and {second} would both become {}; give each a path of its own", path.display())]
    Twice { first: Box<RemoteName>, second: Box<RemoteName>, path: PathBuf },
    #[error("the current folder is gone; give an absolute path")]
    NoHere,
    #[error("line {number}: {error}")]
    Line { number: usize, error: Box<DestinationError> },
    #[error("with a list, the one other thing to give is a folder; {} is none", .0.display())]
    ListNeedsFolder(PathBuf),
    #[error("with a list, the one other thing to give is a folder; put further URLs into the list")]
    ListAndUrls,
    #[error("there is no URL in the list")]
    EmptyList,
    #[error("with a Metalink file, the one other thing to give is a folder; {} is none", .0.display())]
    MetalinkNeedsFolder(PathBuf),
    #[error(
        "with a Metalink file, the one other thing to give is a folder; fetch further URLs by themselves"
    )]
    MetalinkAndUrls,
}

impl DestinationError {
    /// The number by which programs know it.
    pub(crate) fn code(&self) -> Code {
        match self {
            Self::NoSuchFolder(_)
            | Self::NotAFolder(_)
            | Self::ListNeedsFolder(_)
            | Self::MetalinkNeedsFolder(_)
            | Self::NoHere => Code::PATH_NOT_FOUND,
            Self::Line { error, .. } => error.code(),
            Self::NoUrl
            | Self::RemoteName(_)
            | Self::UrlIsNoText(_)
            | Self::PathIsNoText(_)
            | Self::Empty
            | Self::Dash
            | Self::NoName(_)
            | Self::Twice { .. }
            | Self::ListAndUrls
            | Self::EmptyList
            | Self::MetalinkAndUrls => Code::INVALID_ARGUMENT,
        }
    }
}

/// The orders of `get URL… [DEST]`.
pub(crate) fn from_operands(
    operands: &[impl AsRef<OsStr>],
    here: &Here<'_>,
) -> Result<Vec<Order>, DestinationError> {
    let operands: Vec<&OsStr> = operands.iter().map(AsRef::as_ref).collect();
    let (urls, destination) = match operands.split_last() {
        None => return Err(DestinationError::NoUrl),
        Some((last, urls)) if !urls.is_empty() && !looks_like_url(last) => (urls, Some(Path::new(*last))),
        Some(_) => (&operands[..], None),
    };
    let urls: Vec<&str> = urls.iter().map(|url| url_text(url)).collect::<Result<_, _>>()?;
    if let ([url], Some(path)) = (&urls[..], destination) {
        return Ok(vec![one(url, path, here)?]);
    }
    let folder =
        folder(destination, here).map_err(|folder| DestinationError::NotAFolder(folder.to_path_buf()))?;
    unique(urls.into_iter().map(|url| in_folder(url, None, folder, here)))
}

/// The order of `add URL PATH`: the path is that of the file.
pub(crate) fn to_file(url: &OsStr, path: &Path, here: &Here<'_>) -> Result<Order, DestinationError> {
    order(url_text(url)?, |_| absolute(path, here))
}

/// The orders of `--input LIST [DEST]`, of `get` and of `add`.
pub(crate) fn from_list(
    list: &str,
    operands: &[impl AsRef<OsStr>],
    here: &Here<'_>,
) -> Result<Vec<Order>, DestinationError> {
    let destination = match operands {
        [] => None,
        [one] if !looks_like_url(one.as_ref()) => Some(Path::new(one.as_ref())),
        _ => return Err(DestinationError::ListAndUrls),
    };
    let folder = folder(destination, here)
        .map_err(|folder| DestinationError::ListNeedsFolder(folder.to_path_buf()))?;
    let orders = unique(url_list::lines(list).map(|ListLine { number, url, path }| {
        in_folder(url, path, folder, here)
            .map_err(|error| DestinationError::Line { number, error: Box::new(error) })
    }))?;
    if orders.is_empty() { Err(DestinationError::EmptyList) } else { Ok(orders) }
}

/// The orders of `get --metalink FILE [DEST]`. Mirrors that are not as safe as the place that is asked
/// first are left out where no checksum makes up for that.
pub(crate) fn from_metalink(
    files: Vec<MetalinkFile>,
    operands: &[impl AsRef<OsStr>],
    here: &Here<'_>,
) -> Result<Vec<Order>, DestinationError> {
    let destination = match operands {
        [] => None,
        [one] if !looks_like_url(one.as_ref()) => Some(Path::new(one.as_ref())),
        _ => return Err(DestinationError::MetalinkAndUrls),
    };
    let folder = folder(destination, here)
        .map_err(|folder| DestinationError::MetalinkNeedsFolder(folder.to_path_buf()))?;
    unique(files.into_iter().map(|MetalinkFile { name, size, checksum, urls }| {
        let mut urls = urls.into_iter();
        let remote = urls.next().expect("a file has a place");
        let is_checked = checksum.as_ref().is_some_and(ties);
        let mirrors = urls.filter(|url| url.is_tls() || !remote.is_tls() || is_checked).collect();
        let told = Told { checksum, size, mirrors };
        let order = in_folder(remote.as_str(), Some(&name), folder, here)?;
        Ok(Order { told, ..order })
    }))
}

/// The absolute form of `path`, as text.
fn absolute(path: &Path, here: &Here<'_>) -> Result<String, DestinationError> {
    let path = match here.folder {
        _ if path.is_absolute() => path.to_path_buf(),
        Some(folder) => folder.join(path),
        None => return Err(DestinationError::NoHere),
    };
    // Takes out `.` and double slashes, which name nothing.
    let path: PathBuf = path.components().collect();
    path.into_os_string().into_string().map_err(|path| DestinationError::PathIsNoText(path.into()))
}

fn url_text(url: &OsStr) -> Result<&str, DestinationError> {
    url.to_str().ok_or_else(|| DestinationError::UrlIsNoText(url.display().to_string()))
}

fn looks_like_url(operand: &OsStr) -> bool {
    operand.to_string_lossy().contains("://")
}

/// The folder that several files go to. The error is what was given instead.
fn folder<'a>(destination: Option<&'a Path>, here: &Here<'_>) -> Result<&'a Path, &'a Path> {
    let folder = destination.unwrap_or(Path::new("."));
    let fits = destination.is_none() || (here.is_folder)(folder) || here.creates_folders;
    if fits && folder.as_os_str() != "-" && !folder.as_os_str().is_empty() { Ok(folder) } else { Err(folder) }
}

/// `url` to `destination`, which is a file or a folder.
fn one(url: &str, destination: &Path, here: &Here<'_>) -> Result<Order, DestinationError> {
    if destination.as_os_str().is_empty() {
        return Err(DestinationError::Empty);
    }
    if destination.as_os_str() == "-" {
        return Err(DestinationError::Dash);
    }
    let is_there = (here.is_folder)(destination);
    if is_there || names_a_folder(destination) {
        if !is_there && !here.creates_folders {
            return Err(DestinationError::NoSuchFolder(destination.to_path_buf()));
        }
        return in_folder(url, None, destination, here);
    }
    order(url, |_| absolute(destination, here))
}

/// `url` to `path`, or to the name it suggests, seen from `folder`.
fn in_folder(
    url: &str,
    path: Option<&str>,
    folder: &Path,
    here: &Here<'_>,
) -> Result<Order, DestinationError> {
    order(url, |remote| match path {
        Some(path) => absolute(&folder.join(path), here),
        None => {
            let name =
                remote.suggested_file_name().ok_or_else(|| DestinationError::NoName(remote.clone()))?;
            absolute(&folder.join(name), here)
        }
    })
}

fn order(
    url: &str,
    path: impl FnOnce(&RemoteName) -> Result<String, DestinationError>,
) -> Result<Order, DestinationError> {
    let (remote, user_info) = RemoteName::parse(url)?;
    let path = path(&remote)?;
    let told = Told::default();
    Ok(Order { url: url.to_owned(), remote, has_user_info: user_info.is_some(), path, told })
}

/// Whether the text says that it is a folder, be there one or not.
fn names_a_folder(path: &Path) -> bool {
    let text = path.as_os_str().as_encoded_bytes();
    let last = text.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    matches!(last, b"" | b"." | b"..")
}

fn unique(
    orders: impl Iterator<Item = Result<Order, DestinationError>>,
) -> Result<Vec<Order>, DestinationError> {
    let mut all: Vec<Order> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for order in orders {
        let order = order?;
        if let Some(first) = places.insert(order.path.clone(), all.len()) {
            return Err(DestinationError::Twice {
                first: Box::new(all[first].remote.clone()),
                second: Box::new(order.remote),
                path: order.path.into(),
            });
        }
        all.push(order);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Somebody in `/home/anna`, where there is a folder `docs`.
    fn at_home(creates_folders: bool) -> Here<'static> {
        Here {
            folder: Some(Path::new("/home/anna")),
            is_folder: &|path| {
                ["docs", "docs/", "/tmp", ".", ".."].iter().any(|known| path.as_os_str() == *known)
            },
            creates_folders,
        }
    }

    fn paths(outcome: Result<Vec<Order>, DestinationError>) -> String {
        match outcome {
            Ok(orders) => orders.into_iter().map(|order| order.path).collect::<Vec<_>>().join(" "),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn what_is_given_decides_where_a_file_goes() {
        for (operands, expected) in [
            (&["http://h/a/b%20c.txt?x"][..], "/home/anna/b c.txt"),
            (&["http://h/f", "g"], "/home/anna/g"),
            (&["http://h/f", "./x//g"], "/home/anna/x/g"),
            (&["http://h/f", "../g"], "/home/anna/../g"),
            (&["http://h/f", "docs"], "/home/anna/docs/f"),
            (&["http://h/f", "docs/"], "/home/anna/docs/f"),
            (&["http://h/f", "/tmp"], "/tmp/f"),
            (&["http://h/f", "."], "/home/anna/f"),
            (&["http://h/f", "./-"], "/home/anna/-"),
            (&["http://h/f", "https://h/g"], "/home/anna/f /home/anna/g"),
            (&["http://h/f", "https://h/g", "/tmp"], "/tmp/f /tmp/g"),
        ] {
            assert_eq!(paths(from_operands(operands, &at_home(false))), expected, "{operands:?}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_the_reason() {
        for (operands, expected) in [
            (
                &["no url"][..],
                "`no url` is not a URL (relative URL without a base); write http:// or https://, a host and a path",
            ),
            (&["http://h/f", ""], "the destination is empty; leave it out, or give a file or folder"),
            (
                &["http://h/f", "-"],
                "`-` is no destination: files are written, not printed; a file of that name is `./-`",
            ),
            (&["http://h/f", "new/"], "the folder new/ is not there; make it, or add --create-dirs"),
            (
                &["http://h/f", "http://h/g", "new"],
                "several URLs need a folder, and new is none; make it, or add --create-dirs",
            ),
            (
                &["http://h/"],
                "the end of http://h/ is no name for a file; say which file it becomes, after the URL",
            ),
            (
                &["http://h/f", "http://i/f"],
                "http://h/f and http://i/f would both become /home/anna/f; give each a path of its own",
            ),
            (
                &["http://h/f", "ftp://h/g"],
                "`ftp:` is not served; a remote name begins with http://, https:// or file:///",
            ),
        ] {
            assert_eq!(paths(from_operands(operands, &at_home(false))), expected, "{operands:?}");
        }
        let nowhere = Here { folder: None, ..at_home(false) };
        assert_eq!(from_operands(&["http://h/f"], &nowhere), Err(DestinationError::NoHere));
        assert_eq!(paths(from_operands(&["http://h/f", "/tmp/g"], &nowhere)), "/tmp/g");
        assert_eq!(from_operands(&[] as &[&str], &nowhere), Err(DestinationError::NoUrl));
    }

    #[test]
    fn folders_need_not_be_there_when_they_are_going_to_be_made() {
        for (operands, expected) in [
            (&["http://h/f", "new/"][..], "/home/anna/new/f"),
            (&["http://h/f", "http://h/g", "new"], "/home/anna/new/f /home/anna/new/g"),
        ] {
            assert_eq!(paths(from_operands(operands, &at_home(true))), expected, "{operands:?}");
        }
    }

    #[test]
    fn a_list_names_its_line_when_it_is_wrong() {
        for (list, operands, expected) in [
            ("http://h/f\nhttp://h/g my g\n", &[][..], "/home/anna/f /home/anna/my g"),
            ("http://h/f\nhttp://h/g /tmp/x\n", &["docs"], "/home/anna/docs/f /tmp/x"),
            (
                "# all\n\nh/f\n",
                &[],
                "line 3: `h/f` is not a URL (relative URL without a base); write http:// or https://, a host and a path",
            ),
            (
                "http://h/f",
                &["http://h/g"],
                "with a list, the one other thing to give is a folder; put further URLs into the list",
            ),
            ("http://h/f", &["new"], "with a list, the one other thing to give is a folder; new is none"),
            ("# nothing", &[], "there is no URL in the list"),
        ] {
            assert_eq!(paths(from_list(list, operands, &at_home(false))), expected, "{list:?}");
        }
    }

    #[test]
    fn user_info_in_a_url_is_sent_and_never_shown() {
        let orders = from_operands(&["http://anna:hunter2@h/f"], &at_home(false)).expect("an order");
        assert_eq!(orders[0].url, "http://anna:hunter2@h/f");
        assert!(orders[0].has_user_info);
        assert!(!format!("{orders:?}").contains("hunter2"));
    }
}
