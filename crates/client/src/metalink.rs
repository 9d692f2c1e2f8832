//! Metalink files (version 4, RFC 5854): files with their sizes, checksums and the places they can be
//! fetched from.
//!
//! They come from others, so they are read with limits: no entity is expanded but XML's own, a document
//! type is refused, and a name never leads out of the folder that the files are to go to. Torrents,
//! pieces, signatures and places of other schemes than http and https are passed over, and so are users
//! in URLs: those would be somebody else's.

use std::collections::HashSet;

use bits_core::checksum::{Checksum, ChecksumAlgorithm};
use bits_core::remote_name::RemoteName;
use bits_core::sources::MIRRORS_MAX;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::name::ResolveResult;

/// The largest Metalink file there is.
pub const METALINK_BYTES_MAX: usize = 4 << 20;
/// Files that one may name.
pub const METALINK_FILES_MAX: usize = 10_000;

/// Elements within one another; the standard has four.
const DEPTH_MAX: usize = 32;
/// Bytes of a text that counts: a URL may be as long as that.
const TEXT_BYTES_MAX: usize = bits_core::remote_name::REMOTE_NAME_BYTES_MAX;
/// Bytes of one part of a path, as the file systems of Linux have it.
const NAME_BYTES_MAX: usize = 255;
/// The priority of a place that gives none: behind all others (RFC 5854 §4.2.16).
const LAST: u32 = 999_999;
const NAMESPACE: &str = "urn:ietf:params:xml:ns:metalink";

/// One file of a Metalink file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetalinkFile {
    /// A path below the folder that the files go to; its parts are names, and none is `.` or `..`.
    pub name: String,
    /// In bytes.
    pub size: Option<u64>,
    /// The best of those that are known here.
    pub checksum: Option<Checksum>,
    /// From where it can be fetched, the best place first: at least one, and one more than a file can
    /// have mirrors at most.
    pub urls: Vec<RemoteName>,
}

/// Why a Metalink file is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MetalinkFault {
    #[error("it is longer than 4 MiB")]
    TooLong,
    #[error("it is no UTF-8 text")]
    NoText,
    #[error("it is no XML: {0}")]
    Xml(String),
    #[error("it has a document type, which is not read: what it declares could be made to grow without end")]
    DocumentType,
    #[error("it has the entity `&{0};`, which XML does not know by itself")]
    Entity(String),
    #[error("its elements lie more than {DEPTH_MAX} deep in one another")]
    TooDeep,
    #[error("it is no Metalink file of version 4: its first element is not `metalink` of {NAMESPACE}")]
    NoMetalink,
    #[error("it names no file")]
    Empty,
    #[error("it names more than {METALINK_FILES_MAX} files")]
    TooManyFiles,
    #[error("a file in it has no name")]
    NoName,
    #[error("the name `{0}` in it is no path below a folder")]
    Name(String),
    #[error("it names `{0}` twice")]
    Twice(String),
    #[error("the size `{size}` of `{name}` is no number of bytes")]
    Size { name: String, size: String },
    #[error("the {algorithm} of `{name}` {wrong}")]
    Hash { name: String, algorithm: &'static str, wrong: String },
    #[error("`{0}` has no place on http or https")]
    NoPlace(String),
}

/// Reads a Metalink file.
///
/// # Errors
/// [`MetalinkFault`]; a file of which a part is wrong is refused as a whole.
pub fn parse(bytes: &[u8]) -> Result<Vec<MetalinkFile>, MetalinkFault> {
    if bytes.len() > METALINK_BYTES_MAX {
        return Err(MetalinkFault::TooLong);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| MetalinkFault::NoText)?;
    let mut reader = quick_xml::NsReader::from_str(text.trim_start_matches('\u{feff}'));
    reader.config_mut().check_end_names = true;
    let mut reading = Reading::default();
    loop {
        let (namespace, event) = reader.read_resolved_event().map_err(|error| xml(&error))?;
        let is_ours = matches!(namespace, ResolveResult::Bound(bound) if bound.into_inner() == NAMESPACE);
        match event {
            Event::Start(start) => reading.opens(&start, is_ours)?,
            Event::Empty(start) => {
                reading.opens(&start, is_ours)?;
                reading.closes()?;
            }
            Event::End(_) => reading.closes()?,
            Event::Text(text) => reading.reads(&text.xml10_content()),
            Event::CData(text) => reading.reads(&text.xml10_content()),
            Event::GeneralRef(reference) => {
                let character = character(&reference)?;
                reading.reads(character.encode_utf8(&mut [0; 4]));
            }
            Event::DocType(_) => return Err(MetalinkFault::DocumentType),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            Event::Eof => return reading.ends(),
        }
    }
}

/// What is open, and what has been read.
#[derive(Debug, Default)]
struct Reading {
    /// The elements that are open, of those that mean something here.
    open: Vec<Element>,
    text: String,
    file: Draft,
    files: Vec<MetalinkFile>,
    names: HashSet<String>,
    has_root: bool,
}

/// An element, by where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Element {
    Metalink,
    File,
    Size,
    Hash(Option<ChecksumAlgorithm>),
    Url(u32),
    /// What means nothing here, with all that is in it.
    Other,
}

/// A file of which not all is read.
#[derive(Debug, Default)]
struct Draft {
    name: String,
    size: Option<u64>,
    checksums: Vec<Checksum>,
    urls: Vec<(u32, RemoteName)>,
}

impl Reading {
    fn opens(&mut self, start: &BytesStart<'_>, is_ours: bool) -> Result<(), MetalinkFault> {
        if self.open.len() == DEPTH_MAX {
            return Err(MetalinkFault::TooDeep);
        }
        let name = if is_ours { start.local_name().into_inner().to_owned() } else { String::new() };
        let element = match (self.open.last(), name.as_str()) {
            (None, "metalink") if !self.has_root => Element::Metalink,
            (None, _) => return Err(MetalinkFault::NoMetalink),
            (Some(Element::Metalink), "file") => {
                let name = attribute(start, "name")?.ok_or(MetalinkFault::NoName)?;
                self.file = Draft { name: path(&name)?, ..Draft::default() };
                Element::File
            }
            (Some(Element::File), "size") => Element::Size,
            (Some(Element::File), "hash") => Element::Hash(algorithm(attribute(start, "type")?)),
            (Some(Element::File), "url") => {
                let priority = attribute(start, "priority")?.and_then(|text| text.trim().parse().ok());
                Element::Url(priority.unwrap_or(LAST))
            }
            _ => Element::Other,
        };
        self.has_root = true;
        self.text.clear();
        self.open.push(element);
        Ok(())
    }

    fn reads(&mut self, text: &str) {
        let counts = matches!(self.open.last(), Some(Element::Size | Element::Hash(_) | Element::Url(_)));
        if counts && self.text.len() + text.len() <= TEXT_BYTES_MAX + 1 {
            self.text += text;
        }
    }

    fn closes(&mut self) -> Result<(), MetalinkFault> {
        let text = std::mem::take(&mut self.text);
        let text = text.trim();
        match self.open.pop() {
            Some(Element::File) => self.take_file()?,
            Some(Element::Size) => {
                let wrong = || MetalinkFault::Size { name: self.file.name.clone(), size: shown(text) };
                self.file.size = Some(text.parse().map_err(|_| wrong())?);
            }
            Some(Element::Hash(Some(algorithm))) => {
                let parsed = Checksum::parse(&[algorithm.name(), ":", text].concat());
                self.file.checksums.push(parsed.map_err(|error| MetalinkFault::Hash {
                    name: self.file.name.clone(),
                    algorithm: algorithm.name(),
                    wrong: error.to_string(),
                })?);
            }
            Some(Element::Url(priority)) => {
                // One place that is of no use does not spoil the others.
                if let Ok((name, None)) = RemoteName::parse(text)
                    && name.local_path().is_none()
                    && !self.file.urls.iter().any(|(_, known)| *known == name)
                    && self.file.urls.len() <= 2 * MIRRORS_MAX
                {
                    self.file.urls.push((priority, name));
                }
            }
            Some(Element::Metalink | Element::Hash(None) | Element::Other) => {}
            None => return Err(MetalinkFault::Xml("an element ends that has not begun".to_owned())),
        }
        Ok(())
    }

    fn take_file(&mut self) -> Result<(), MetalinkFault> {
        let Draft { name, size, checksums, mut urls } = std::mem::take(&mut self.file);
        let best = |algorithm| checksums.iter().find(|checksum| checksum.algorithm() == algorithm).cloned();
        let checksum = ChecksumAlgorithm::ALL.into_iter().find_map(best);
        urls.sort_by_key(|(priority, _)| *priority);
        urls.truncate(MIRRORS_MAX + 1);
        let urls: Vec<RemoteName> = urls.into_iter().map(|(_, name)| name).collect();
        if urls.is_empty() {
            return Err(MetalinkFault::NoPlace(name));
        }
        if !self.names.insert(name.clone()) {
            return Err(MetalinkFault::Twice(name));
        }
        if self.files.len() == METALINK_FILES_MAX {
            return Err(MetalinkFault::TooManyFiles);
        }
        self.files.push(MetalinkFile { name, size, checksum, urls });
        Ok(())
    }

    fn ends(self) -> Result<Vec<MetalinkFile>, MetalinkFault> {
        match self {
            Self { has_root: false, .. } => Err(MetalinkFault::NoMetalink),
            Self { open, .. } if !open.is_empty() => {
                Err(MetalinkFault::Xml("it ends in the middle".to_owned()))
            }
            Self { files, .. } if files.is_empty() => Err(MetalinkFault::Empty),
            Self { files, .. } => Ok(files),
        }
    }
}

/// The algorithm that the standard calls so (RFC 5854 §4.2.4.1); those that are not known count for
/// nothing.
fn algorithm(name: Option<String>) -> Option<ChecksumAlgorithm> {
    match name?.as_str() {
        "sha-256" => Some(ChecksumAlgorithm::Sha256),
        "sha-512" => Some(ChecksumAlgorithm::Sha512),
        "md5" => Some(ChecksumAlgorithm::Md5),
        _ => None,
    }
}

/// A path that stays below where it is put.
fn path(name: &str) -> Result<String, MetalinkFault> {
    let is_name = |part: &str| {
        !matches!(part, "" | "." | "..") && part.len() <= NAME_BYTES_MAX && !part.contains(char::is_control)
    };
    let fits = name.len() <= bits_core::file::LOCAL_NAME_BYTES_MAX && name.split('/').all(is_name);
    if fits { Ok(name.to_owned()) } else { Err(MetalinkFault::Name(shown(name))) }
}

fn attribute(start: &BytesStart<'_>, name: &str) -> Result<Option<String>, MetalinkFault> {
    let found = start.try_get_attribute(name).map_err(|error| xml(&error.into()))?;
    let Some(found) = found else { return Ok(None) };
    let text = quick_xml::escape::unescape(&found.value)
        .map_err(|error| MetalinkFault::Xml(shown(&error.to_string())))?;
    Ok(Some(text.into_owned()))
}

/// The character that a reference means: by its number, or one of XML's own five names.
fn character(reference: &BytesRef<'_>) -> Result<char, MetalinkFault> {
    if let Some(character) = reference.resolve_char_ref().map_err(|error| xml(&error))? {
        return Ok(character);
    }
    let name = reference.xml10_content();
    let text = quick_xml::escape::resolve_predefined_entity(&name);
    text.and_then(|text| text.chars().next()).ok_or_else(|| MetalinkFault::Entity(shown(&name)))
}

fn xml(error: &quick_xml::Error) -> MetalinkFault {
    MetalinkFault::Xml(shown(&error.to_string()))
}

/// A foreign text, cut to what fits a sentence, without what moves a terminal.
fn shown(text: &str) -> String {
    text.chars().take(80).map(|character| if character.is_control() { ' ' } else { character }).collect()
}

#[cfg(test)]
mod tests;
