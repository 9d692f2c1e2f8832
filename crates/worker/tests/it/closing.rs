//! The end of files, once and again.

use std::os::unix::fs::MetadataExt;

use bits_core::error::{Code, ErrorContext};
use bits_core::file::Stage;
use bits_worker::link::CheckOptions;

use crate::broker::Broker;
use crate::origin::{Origin, answer, raw};

/// Two whole files and one that was cut off.
async fn transferred() -> Broker {
    let cut = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nthr";
    let origin =
        Origin::start(vec![vec![answer("200 OK", b"one"), answer("200 OK", b"two"), raw(cut)]]).await;
    let mut broker = Broker::new(&["/0", "/1", "/2"].map(|path| origin.url(path)));
    broker.run().await.error();
    let stages: Vec<_> = broker.files.iter().map(|file| file.stage).collect();
    assert_eq!(stages, [Stage::Transferred, Stage::Transferred, Stage::Waiting]);
    broker
}

fn names(broker: &Broker) -> Vec<String> {
    let entries = std::fs::read_dir(broker.folder.path()).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn whole_files_get_their_names_and_parts_of_others_go() {
    let mut broker = transferred().await;
    std::fs::write(broker.path(1), "old").unwrap();
    std::fs::set_permissions(broker.path(1), std::os::unix::fs::PermissionsExt::from_mode(0o604)).unwrap();
    assert_eq!(broker.finalize(0o027).await, (vec![0, 1], None));
    assert_eq!(names(&broker), ["0", "1"]);
    let mode = |index| std::fs::metadata(broker.path(index)).unwrap().mode() & 0o777;
    assert_eq!((mode(0), mode(1)), (0o640, 0o604), "the mode of the replaced file, or of a new one");
    assert_eq!(std::fs::read(broker.path(0)).unwrap(), b"one");
    assert_eq!(std::fs::read(broker.path(1)).unwrap(), b"two");
    assert_eq!(broker.finalize(0o027).await, (vec![], None), "completed ones are left alone");
}

#[tokio::test]
async fn finalizing_again_after_a_kill_before_it_was_recorded_does_no_harm() {
    let mut broker = transferred().await;
    let before = broker.files.clone();
    broker.finalize(0o022).await;
    broker.files = before;
    assert_eq!(broker.finalize(0o022).await, (vec![0, 1], None));
    assert_eq!(names(&broker), ["0", "1"]);
    assert_eq!(std::fs::read(broker.path(0)).unwrap(), b"one");
}

#[tokio::test]
async fn finalizing_again_keeps_to_no_clobber_only_for_the_files_of_others() {
    let mut broker = transferred().await;
    broker.files[0].no_clobber = true;
    broker.files[1].no_clobber = true;
    std::fs::write(broker.path(1), "of somebody else").unwrap();
    let before = broker.files.clone();
    for _ in 0..2 {
        let (files, error) = broker.finalize(0o022).await;
        let error = error.expect("one is in the way");
        assert_eq!((files, error.code), (vec![0], Code::FILE_EXISTS), "{}", error.message);
        assert_eq!((error.context, error.file), (ErrorContext::LocalFile, Some(broker.files[1].index)));
        broker.files = before.clone();
    }
    assert_eq!(std::fs::read(broker.path(1)).unwrap(), b"of somebody else");
    assert_eq!(broker.partial(1), b"two", "it is still there to be completed again");
}

#[tokio::test]
async fn a_partial_file_that_was_tampered_with_does_not_become_the_file() {
    let mut broker = transferred().await;
    std::fs::write(broker.partial_path(0), "on").unwrap();
    std::fs::remove_file(broker.partial_path(1)).unwrap();
    let (files, error) = broker.finalize(0o022).await;
    assert_eq!((files, error.map(|error| error.code)), (vec![], Some(Code::UNEXPECTED)));
    std::fs::write(broker.partial_path(0), "one").unwrap();
    let (files, error) = broker.finalize(0o022).await;
    assert_eq!((files, error.map(|error| error.code)), (vec![0], Some(Code::FILE_NOT_FOUND)));
}

#[tokio::test]
async fn discarding_leaves_nothing_of_ours_and_may_be_repeated() {
    let mut broker = transferred().await;
    std::fs::write(broker.path(1), "old").unwrap();
    assert_eq!(broker.discard().await, None);
    assert_eq!(broker.discard().await, None);
    assert_eq!(names(&broker), ["1"]);
    assert_eq!(std::fs::read(broker.path(1)).unwrap(), b"old");
}

#[tokio::test]
async fn of_many_destinations_each_is_looked_at() {
    let mut broker = Broker::new(&[]);
    let usual = CheckOptions { no_clobber: false, create_folders: false, umask: Some(0o022) };
    let keep = CheckOptions { no_clobber: true, ..usual };
    let top = broker.folder.path().to_owned();
    std::fs::write(top.join("there"), "").unwrap();
    std::os::unix::fs::symlink("there", top.join("link")).unwrap();
    std::fs::create_dir(top.join("folder")).unwrap();
    // In a fuller folder than there are names, each is looked for by itself.
    let full = top.join("full");
    std::fs::create_dir(&full).unwrap();
    for number in 0..100 {
        std::fs::write(full.join(number.to_string()), "").unwrap();
    }
    for (last, options, expected) in [
        ("new", keep, Ok(())),
        ("there", usual, Ok(())),
        ("there", keep, Err(Code::FILE_EXISTS)),
        ("link", usual, Err(Code::ACCESS_DENIED)),
        ("folder", usual, Err(Code::ACCESS_DENIED)),
        ("full/new", keep, Ok(())),
        ("full/99", keep, Err(Code::FILE_EXISTS)),
        ("missing/new", usual, Err(Code::PATH_NOT_FOUND)),
    ] {
        let last = top.join(last);
        let folder = last.parent().filter(|folder| folder.exists()).unwrap_or(&top);
        let mut paths: Vec<_> = (0..50).map(|number| folder.join(format!("f{number}"))).collect();
        paths.push(last.clone());
        let outcome = broker.check_all(&paths, options).await;
        assert_eq!(
            outcome.map(|tags| assert_eq!(tags.len(), paths.len())).map_err(|refusal| refusal.code),
            expected,
            "{}",
            last.display()
        );
    }
}

#[tokio::test]
async fn one_place_is_known_however_its_path_is_written() {
    let mut broker = Broker::new(&[]);
    let options = CheckOptions { no_clobber: false, create_folders: false, umask: Some(0o022) };
    let top = broker.folder.path().to_owned();
    std::fs::create_dir(top.join("a")).unwrap();
    std::fs::create_dir(top.join("b")).unwrap();
    std::os::unix::fs::symlink("a", top.join("to-a")).unwrap();
    std::os::unix::fs::symlink(top.join("to-a"), top.join("b/there")).unwrap();
    let paths = [
        "a/f",
        "./a/f",
        "a/./f",
        "a/../a/f",
        "to-a/f",
        "to-a/../a/f",
        "b/there/f",
        // Where the name alone would say another folder.
        "b/there/../a/f",
        "a/g",
        "b/f",
        "f",
        "a/F",
    ];
    let paths: Vec<_> = paths.iter().map(|path| format!("{}/{path}", top.display()).into()).collect();
    let tags = broker.check_all(&paths, options).await.expect("they can be written");
    let (one_place, others) = tags.split_at(8);
    assert!(one_place.iter().all(|tag| *tag == one_place[0]), "{tags:?}");
    let all: std::collections::BTreeSet<_> = others.iter().chain([&one_place[0]]).collect();
    assert_eq!(all.len(), others.len() + 1, "{tags:?}");
}

#[tokio::test]
async fn a_destination_is_looked_at_before_anything_is_asked_of_a_server() {
    let mut broker = Broker::new(&[]);
    let usual = CheckOptions { no_clobber: false, create_folders: false, umask: Some(0o022) };
    let top = broker.folder.path().to_owned();
    std::fs::write(top.join("there"), "").unwrap();
    std::os::unix::fs::symlink("there", top.join("link")).unwrap();
    let keep = CheckOptions { no_clobber: true, ..usual };
    for (name, options, expected) in [
        ("new", usual, Ok(())),
        ("there", usual, Ok(())),
        ("there", keep, Err(Code::FILE_EXISTS)),
        ("link", usual, Err(Code::ACCESS_DENIED)),
        ("there/below", usual, Err(Code::PATH_NOT_FOUND)),
        ("a/b/new", usual, Err(Code::PATH_NOT_FOUND)),
        ("a/b/new", CheckOptions { create_folders: true, ..usual }, Ok(())),
        ("a/b/new", usual, Ok(())),
        ("a/b", usual, Err(Code::ACCESS_DENIED)),
    ] {
        let outcome = broker.check(&top.join(name), options).await;
        if let Err(refusal) = &outcome {
            assert!(refusal.message.contains(top.to_str().unwrap()), "{}", refusal.message);
        }
        assert_eq!(outcome.map_err(|refusal| refusal.code), expected, "{name}");
    }
}
