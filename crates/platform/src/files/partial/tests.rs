//! The partial file, honestly used and tampered with.

use super::*;
use crate::files::FileErrorKind;
use crate::files::folder::WAYS_TO_RENAME;
use crate::somebody::as_an_ordinary_user;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

const NAME: &str = ".report.pdf.1234abcd-0.bits-part";

struct Place {
    top: tempfile::TempDir,
    folder: Arc<Folder>,
}

impl Place {
    fn new() -> Self {
        let top = tempfile::tempdir().unwrap();
        let folder = Arc::new(Folder::open(top.path()).unwrap());
        Self { top, folder }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.top.path().join(name)
    }

    fn partial(&self, content: &[u8]) -> Partial {
        let partial = Partial::create(self.folder.clone(), NAME.into()).unwrap();
        partial.write_at(content, Bytes::ZERO).unwrap();
        partial
    }

    fn reopen(&self) -> Result<Partial, PartialError> {
        Partial::reopen(self.folder.clone(), NAME.into())
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = std::fs::read_dir(self.top.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().mode() & 0o7777
}

#[test]
fn a_partial_name_is_hidden_and_tells_file_job_and_index() {
    assert_eq!(
        partial_name(OsStr::new("report.pdf"), "0193-0000-7000-8000-00ab1234abcd", 7),
        ".report.pdf.1234abcd-7.bits-part"
    );
}

#[test]
fn a_partial_name_fits_every_file_system_and_has_no_half_characters() {
    let long = "ä".repeat(127);
    for name in ["a".repeat(255), long.clone(), format!("x{long}")] {
        let partial = partial_name(OsStr::new(&name), &"f".repeat(32), u32::MAX);
        assert!(partial.len() <= PARTIAL_NAME_BYTES_MAX, "{partial:?}");
        assert!(partial.len() >= PARTIAL_NAME_BYTES_MAX - 1, "{partial:?}");
        let text = partial.to_str().unwrap();
        assert!(text.ends_with(".ffffffff-4294967295.bits-part"));
    }
    let odd = partial_name(OsStr::from_bytes(&[0xFF; 200]), "", 0);
    assert_eq!(odd.len(), PARTIAL_NAME_BYTES_MAX);
}

#[test]
fn blocks_and_pieces_of_them_end_up_where_they_belong() {
    let place = Place::new();
    let partial = place.partial(b"");
    let mut block = crate::files::Block::new().unwrap();
    let length = block.len();
    let mut expected = Vec::new();
    // Whole, a long and a short end, and from where no page begins.
    for (round, count) in [length, length - 1, 5000, 2 * DIRECT_BYTES_MIN, length].into_iter().enumerate() {
        block.iter_mut().enumerate().for_each(|(at, byte)| *byte = (at + round) as u8 ^ (at >> 9) as u8);
        partial.write_block(&block[..count], Bytes(expected.len() as u64)).unwrap();
        expected.extend_from_slice(&block[..count]);
        assert_eq!(partial.len().unwrap(), Bytes(expected.len() as u64));
    }
    assert!(std::fs::read(place.at(NAME)).unwrap() == expected);
}

#[test]
fn a_direct_write_never_follows_a_name_to_another_file() {
    let place = Place::new();
    let partial = place.partial(b"");
    std::fs::rename(place.at(NAME), place.at("moved")).unwrap();
    std::fs::write(place.at(NAME), "foreign").unwrap();
    let block = crate::files::Block::new().unwrap();
    partial.write_block(&block, Bytes::ZERO).unwrap();
    assert_eq!(std::fs::read(place.at(NAME)).unwrap(), b"foreign");
    assert_eq!(std::fs::metadata(place.at("moved")).unwrap().len(), block.len() as u64);
}

#[test]
fn many_files_are_prepared_synced_by_one_call_and_placed() {
    let place = Place::new();
    let prepare = |name: &str| {
        let partial = Partial::create(place.folder.clone(), format!(".{name}").into()).unwrap();
        partial.write_at(name.as_bytes(), Bytes::ZERO).unwrap();
        partial.prepare(OsStr::new(name), Umask::USUAL, Existing::Replace).unwrap().close()
    };
    let prepared = ["a", "b", "c"].map(prepare);
    assert_eq!(place.names(), [".a", ".b", ".c"], "nothing has its name before the sync");
    assert!(place.folder.syncs_as_one(), "tests run on a disk of their own");
    place.folder.sync_file_system().unwrap();
    for partial in prepared {
        partial.place().unwrap();
    }
    assert_eq!(place.names(), ["a", "b", "c"]);
    assert_eq!(mode(&place.at("c")), 0o644);
}

#[test]
fn what_has_taken_the_name_of_a_prepared_file_is_left_alone() {
    let place = Place::new();
    let prepared = place.partial(b"mine").prepare(OsStr::new("f"), Umask::USUAL, Existing::Replace);
    let closed = prepared.unwrap().close();
    std::fs::rename(place.at(NAME), place.at("moved")).unwrap();
    std::fs::write(place.at(NAME), "foreign").unwrap();
    let refused = closed.place().unwrap_err();
    let why = PartialError::Foreign { path: place.at(NAME), why: ForeignPartial::Replaced };
    assert_eq!(refused.to_string(), why.to_string());
    assert_eq!(place.names(), [NAME, "moved"]);
}

#[test]
fn a_file_is_seen_by_its_user_alone_until_it_is_whole() {
    let place = Place::new();
    let partial = place.partial(b"half");
    assert_eq!(mode(&place.at(NAME)), 0o600);
    partial.write_at(b" whole", Bytes(4)).unwrap();
    partial.finalize(OsStr::new("report.pdf"), Umask::new(0o027), Existing::Keep).unwrap();
    assert_eq!(place.names(), ["report.pdf"]);
    assert_eq!(std::fs::read(place.at("report.pdf")).unwrap(), b"half whole");
    assert_eq!(mode(&place.at("report.pdf")), 0o640);
}

#[test]
fn a_replaced_file_hands_on_its_mode_but_no_special_bits() {
    let place = Place::new();
    std::fs::write(place.at("old"), "old").unwrap();
    std::fs::set_permissions(place.at("old"), PermissionsExt::from_mode(0o4751)).unwrap();
    place.partial(b"new").finalize(OsStr::new("old"), Umask::USUAL, Existing::Replace).unwrap();
    assert_eq!(std::fs::read(place.at("old")).unwrap(), b"new");
    assert_eq!(mode(&place.at("old")), 0o751);
}

#[test]
fn several_files_can_be_placed_before_their_folder_is_synced_once() {
    let place = Place::new();
    for (number, name) in ["a", "b"].into_iter().enumerate() {
        let partial = Partial::create(place.folder.clone(), format!(".{number}").into()).unwrap();
        let identity = partial.identity();
        partial.place(OsStr::new(name), Umask::USUAL, Existing::Keep).unwrap();
        assert_eq!(place.folder.identity_of(OsStr::new(name)).unwrap(), Some(identity));
    }
    place.folder.sync().unwrap();
    assert_eq!(place.names(), ["a", "b"]);
}

#[test]
fn a_refused_destination_leaves_itself_and_the_partial_file_as_they_were() {
    for (make, existing, expected) in [
        (
            (|path: &Path| std::fs::create_dir(path).unwrap()) as fn(&Path),
            Existing::Replace,
            "Destination(IsFolder(",
        ),
        (|path| symlink("elsewhere", path).unwrap(), Existing::Replace, "Destination(IsSymlink("),
        (|path| symlink("elsewhere", path).unwrap(), Existing::Keep, "Destination(IsSymlink("),
        (
            |path| drop(std::os::unix::net::UnixListener::bind(path).unwrap()),
            Existing::Replace,
            "Destination(NotAFile(",
        ),
        (|path| std::fs::write(path, "").unwrap(), Existing::Keep, "Exists("),
    ] {
        let place = Place::new();
        make(&place.at("taken"));
        let before = place.folder.identity_of(OsStr::new("taken")).unwrap();
        let refusal = place.partial(b"x").finalize(OsStr::new("taken"), Umask::USUAL, existing);
        let variant = format!("{:?}", refusal.unwrap_err());
        assert!(variant.starts_with(expected), "{variant}");
        assert_eq!(place.folder.identity_of(OsStr::new("taken")).unwrap(), before);
        assert_eq!(place.names(), [NAME, "taken"]);
        assert_eq!(place.reopen().unwrap().len().unwrap(), Bytes(1));
    }
}

#[test]
fn renaming_without_replacing_replaces_nothing_whichever_way_the_file_system_knows() {
    let (from, to) = (OsStr::new("from"), OsStr::new("to"));
    for way in [WAYS_TO_RENAME.as_slice(), &[Folder::rename_no_replace]].concat() {
        let place = Place::new();
        std::fs::write(place.at("from"), "new").unwrap();
        std::fs::write(place.at("to"), "old").unwrap();
        assert_eq!(way(&place.folder, from, to), Err(Errno::EXIST));
        assert_eq!(std::fs::read(place.at("to")).unwrap(), b"old");
        std::fs::remove_file(place.at("to")).unwrap();
        way(&place.folder, from, to).unwrap();
        assert_eq!(place.names(), ["to"]);
    }
}

#[test]
fn a_partial_file_is_never_made_over_something() {
    let place = Place::new();
    symlink("/nowhere", place.at(NAME)).unwrap();
    let refusal = Partial::create(place.folder.clone(), NAME.into()).unwrap_err();
    assert!(matches!(refusal, PartialError::Exists(path) if path == place.at(NAME)));
}

#[test]
fn a_partial_file_is_taken_up_again_with_what_it_holds() {
    let place = Place::new();
    let identity = place.partial(b"12345678").identity();
    let partial = place.reopen().unwrap();
    assert_eq!((partial.len().unwrap(), partial.identity()), (Bytes(8), identity));
    partial.truncate(Bytes(4)).unwrap();
    partial.write_at(b"xy", Bytes(4)).unwrap();
    partial.sync_data().unwrap();
    assert_eq!(std::fs::read(place.at(NAME)).unwrap(), b"1234xy");
}

#[test]
fn what_is_not_our_partial_file_is_not_taken_up_nor_removed() {
    for (make, expected) in [
        ((|place, path| symlink(place, path).unwrap()) as fn(&Path, &Path), ForeignPartial::NotAFile),
        (|_, path| std::fs::create_dir(path).unwrap(), ForeignPartial::NotAFile),
        (|place, path| std::fs::hard_link(place, path).unwrap(), ForeignPartial::HasOtherNames),
        (|_, path| drop(std::os::unix::net::UnixListener::bind(path).unwrap()), ForeignPartial::NotAFile),
        (
            |_, path| {
                rustix::fs::mknodat(rustix::fs::CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)
                    .unwrap()
            },
            ForeignPartial::NotAFile,
        ),
    ] {
        let place = Place::new();
        std::fs::write(place.at("precious"), "precious").unwrap();
        make(&place.at("precious"), &place.at(NAME));
        let refusal = place.reopen().unwrap_err();
        assert!(matches!(refusal, PartialError::Foreign { why, .. } if why == expected), "{refusal}");
        let refusal = Partial::discard_named(&place.folder, OsStr::new(NAME)).unwrap_err();
        assert!(matches!(refusal, PartialError::Foreign { why, .. } if why == expected), "{refusal}");
        assert_eq!(place.names(), [NAME, "precious"]);
    }
}

#[test]
fn a_partial_file_of_somebody_else_is_not_taken_up() {
    let place = Place::new();
    drop(place.partial(b"x"));
    if own_uid() == 0 {
        std::fs::set_permissions(place.top.path(), PermissionsExt::from_mode(0o777)).unwrap();
        std::fs::set_permissions(place.at(NAME), PermissionsExt::from_mode(0o666)).unwrap();
        let refusal = as_an_ordinary_user(|| place.reopen()).unwrap_err();
        assert!(
            matches!(refusal, PartialError::Foreign { why: ForeignPartial::OfSomebodyElse(0), .. }),
            "{refusal}"
        );
    }
}

#[test]
fn a_file_that_took_the_partial_files_name_is_neither_finished_nor_discarded() {
    let place = Place::new();
    let tamper = || {
        std::fs::rename(place.at(NAME), place.at("moved")).unwrap();
        std::fs::write(place.at(NAME), "foreign").unwrap();
    };
    let partial = place.partial(b"x");
    tamper();
    let refusal = partial.finalize(OsStr::new("new"), Umask::USUAL, Existing::Replace).unwrap_err();
    assert!(
        matches!(
            refusal,
            FinalizeError::Partial(PartialError::Foreign { why: ForeignPartial::Replaced, .. })
        ),
        "{refusal}"
    );
    assert_eq!(place.names(), [NAME, "moved"]);
}

#[test]
fn a_discarded_partial_file_is_gone_and_a_missing_one_is_fine() {
    let place = Place::new();
    place.partial(b"x");
    Partial::discard_named(&place.folder, OsStr::new(NAME)).unwrap();
    Partial::discard_named(&place.folder, OsStr::new(NAME)).unwrap();
    assert_eq!(place.names(), [""; 0]);
    assert!(
        matches!(place.reopen(), Err(PartialError::File(error)) if error.kind == FileErrorKind::NotFound)
    );
}

#[test]
fn taking_space_changes_no_length_and_more_than_there_is_is_refused() {
    let place = Place::new();
    let partial = place.partial(b"x");
    partial.preallocate(Bytes::ZERO).unwrap();
    partial.preallocate(Bytes(1 << 20)).unwrap();
    assert_eq!(partial.len().unwrap(), Bytes(1));
    let refusal = partial.preallocate(Bytes(1 << 60)).unwrap_err();
    assert!(
        matches!(
            refusal.kind,
            FileErrorKind::NoSpace | FileErrorKind::TooLarge | FileErrorKind::QuotaExceeded
        ),
        "{refusal}"
    );
}

/// What a small file is to be, of which this is all.
const MODIFIED: Duration = Duration::from_secs(1_700_000_000);

fn report(umask: u32) -> FinalState<'static> {
    FinalState { name: OsStr::new("report.pdf"), umask: Umask::new(umask), modified: Some(MODIFIED) }
}

fn ready<'a>(place: &'a Place, size: u64, to_be: FinalState<'a>) -> ReadyPartial<'a> {
    ReadyPartial { folder: &place.folder, partial: OsStr::new(NAME), size: Bytes(size), to_be }
}

#[test]
fn a_file_written_whole_is_as_it_will_be_and_only_its_name_is_left_to_give() {
    let place = Place::new();
    let to_be = report(0o027);
    // Of an attempt that was killed.
    drop(place.partial(b"something longer"));
    let partial = Partial::write_whole(&place.folder, OsStr::new(NAME), b"whole", &to_be, false).unwrap();
    partial.sync().unwrap();
    assert!(ready(&place, 5, to_be).place());
    assert_eq!(place.names(), ["report.pdf"]);
    assert_eq!(std::fs::read(place.at("report.pdf")).unwrap(), b"whole");
    assert_eq!(mode(&place.at("report.pdf")), 0o640);
    let modified = std::fs::metadata(place.at("report.pdf")).unwrap().modified().unwrap();
    assert_eq!(modified, SystemTime::UNIX_EPOCH + MODIFIED);
}

#[test]
fn a_file_that_is_to_replace_another_stays_its_users_alone() {
    let place = Place::new();
    std::fs::write(place.at("report.pdf"), "secret").unwrap();
    std::fs::set_permissions(place.at("report.pdf"), PermissionsExt::from_mode(0o600)).unwrap();
    // An attempt that was killed had found nothing there.
    drop(place.partial(b"part"));
    std::fs::set_permissions(place.at(NAME), PermissionsExt::from_mode(0o644)).unwrap();
    let to_be = report(0o022);
    Partial::write_whole(&place.folder, OsStr::new(NAME), b"whole", &to_be, true).unwrap();
    assert_eq!(mode(&place.at(NAME)), 0o600);
    assert!(!ready(&place, 5, to_be).place(), "whose mode it gets is still to be seen");
    assert_eq!(std::fs::read(place.at("report.pdf")).unwrap(), b"secret");
}

#[test]
fn what_is_not_as_it_was_left_gets_no_name_without_a_closer_look() {
    type Change = fn(&Place);
    let changes: [(&str, Change); 6] = [
        ("longer", |place| std::fs::write(place.at(NAME), "whole and more").unwrap()),
        ("of another time", |place| std::fs::write(place.at(NAME), "other").unwrap()),
        ("of another mode", |place| {
            std::fs::set_permissions(place.at(NAME), PermissionsExt::from_mode(0o600)).unwrap();
        }),
        ("with a second name", |place| std::fs::hard_link(place.at(NAME), place.at("second")).unwrap()),
        ("gone", |place| std::fs::remove_file(place.at(NAME)).unwrap()),
        ("a link", |place| {
            std::fs::rename(place.at(NAME), place.at("moved")).unwrap();
            symlink("moved", place.at(NAME)).unwrap();
        }),
    ];
    for (what, change) in changes {
        let place = Place::new();
        let to_be = report(0o022);
        Partial::write_whole(&place.folder, OsStr::new(NAME), b"whole", &to_be, false).unwrap();
        change(&place);
        assert!(!ready(&place, 5, to_be).place(), "{what}");
        assert!(!place.at("report.pdf").exists(), "{what}");
    }
}
