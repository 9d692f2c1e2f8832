//! What curl makes of each of these files was looked up with curl itself.

use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

fn found(text: &str, host: &str, user: Option<&str>) -> Option<(String, String)> {
    let netrc = Netrc::parse(text.as_bytes()).unwrap();
    netrc.lookup(host, user).map(|(user, password)| (user, password.expose().to_owned()))
}

#[test]
fn a_file_is_read_as_curl_reads_it() {
    for (text, expected) in [
        ("machine h login u password x\n", "u:x"),
        ("machine h login u password x", "u:x"),
        ("machine H login u password x\n", "u:x"),
        ("MACHINE h LOGIN u PASSWORD x\n", "u:x"),
        ("machine h password x login u\n", "u:x"),
        ("machine h\tlogin\tu\r\npassword x\r\n", "u:x"),
        ("machine h login u\n\n\npassword x\n", "u:x"),
        ("machine h login u account foo password x\n", "u:x"),
        ("machine h login login password password\n", "login:password"),
        ("bogus machine h login u password x", "u:x"),
        ("machine \"h\" login u password x", "u:x"),
        // the first counts
        ("machine h login u password x login v password y\n", "u:x"),
        ("machine h login u password x\nmachine h login v password y\n", "u:x"),
        ("machine h login u\nmachine h login v password y\n", "v:y"),
        ("machine other login a password b\nmachine h login u password x\n", "u:x"),
        ("machine other login a password b\ndefault login d password e\n", "d:e"),
        ("default login d password e\nmachine h login u password x\n", "d:e"),
        // comments
        ("# machine h login no password no\nmachine h login u password x\n", "u:x"),
        ("machine h login u password x # password y\n", "u:x"),
        ("machine h\n# c\nlogin u\n  # password no\n password x\n", "u:x"),
        ("machine h login u password a#b\n", "u:a#b"),
        ("machine h login u password \"#x\"\n", "u:#x"),
        ("machine h login u password # x\ny\n", "u:y"),
        // quotes and escapes
        ("machine h login u password \"a b\\\"c\\\\d\\te\\nf\\rg\\qh\"\n", "u:a b\"c\\d\te\nf\rgqh"),
        ("machine h login \"u v\" password \"\"\n", "u v:"),
        ("machine h login u password a\\ b\n", "u:a\\"),
        ("machine h login u password a\"b\n", "u:a\"b"),
        ("machine h login u password \"abc\"def\n", "u:abc"),
        ("machine h login jürgen password \"schlüssel 日本\"\n", "jürgen:schlüssel 日本"),
        // macros
        ("macdef init\nmachine h login no password no\n\nmachine h login u password x\n", "u:x"),
        ("macdef init\r\nmachine h login no password no\r\n\r\nmachine h login u password x\n", "u:x"),
        ("machine h login u password x macdef init\n password \"\n\n", "u:x"),
    ] {
        let (user, password) = found(text, "h", None).unwrap_or_else(|| panic!("nothing in {text:?}"));
        assert_eq!(format!("{user}:{password}"), expected, "{text:?}");
    }
}

#[test]
fn what_leaves_something_to_be_asked_for_is_nothing() {
    for text in [
        "",
        "\n\n",
        "machine other login u password x\n",
        "machine h. login u password x\n",
        "machine h login u\n",
        "machine h login u password\n",
        "machine h password x\n",
        "login u password x\n",
        "machine\n",
        "macdef init\nmachine h login u password x\n",
    ] {
        assert_eq!(found(text, "h", None), None, "{text:?}");
    }
}

#[test]
fn a_user_who_is_known_gets_their_own_password() {
    let text = "machine h login u password x\nmachine h login v password y\nmachine i password z\n";
    let known =
        |host, user| found(text, host, Some(user)).map(|(user, password)| format!("{user}:{password}"));
    assert_eq!(known("h", "v").as_deref(), Some("v:y"));
    assert_eq!(known("h", "w"), None);
    assert_eq!(known("i", "w").as_deref(), Some("w:z"));
    let with_default = "machine h login u password x\ndefault login v password y\n";
    assert_eq!(found(with_default, "h", Some("v")), Some(("v".into(), "y".into())));
}

#[test]
fn what_is_no_netrc_file_is_refused_by_its_line() {
    for (text, fault) in [
        (&b"machine h\nlogin u password \"hunter2\n"[..], NetrcFault::UnclosedQuote { line: 2 }),
        (b"machine h login u password \"hunter2\\", NetrcFault::UnclosedQuote { line: 1 }),
        (b"machine h\n\nlogin u password hunter2\xff\n", NetrcFault::NotUtf8 { line: 3 }),
        (&[b' '; NETRC_BYTES_MAX + 1], NetrcFault::TooLong),
    ] {
        let error = Netrc::parse(text).unwrap_err();
        assert_eq!(error, fault);
        assert!(!format!("{error} {error:?}").contains("hunter"));
    }
    assert!(Netrc::parse(&[b' '; NETRC_BYTES_MAX]).is_ok());
}

#[test]
fn no_password_is_printed() {
    let netrc = Netrc::parse(b"machine h login u password hunter2").unwrap();
    assert!(!format!("{netrc:?}").contains("hunter"));
}

#[test]
fn any_text_is_read_or_refused() {
    let words = [
        "machine", "default", "login", "password", "macdef", "account", "#", "\"", "\\", "a", "ü", " ", "\n",
        "\r", "\t",
    ];
    let mut number = 0x9E37_79B9_u32;
    for _ in 0..20_000 {
        let mut text = String::new();
        for _ in 0..12 {
            number ^= number << 13;
            number ^= number >> 17;
            number ^= number << 5;
            text.push_str(words[number as usize % words.len()]);
            if number & 0x1000 != 0 {
                text.push(' ');
            }
        }
        if let Ok(netrc) = Netrc::parse(text.as_bytes()) {
            let _ = netrc.lookup("a", None);
        }
    }
}

#[test]
fn the_file_is_named_by_netrc_or_is_in_the_home_folder() {
    let path = |variables: &[(&str, &str)]| {
        netrc_path(&|name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into()))
    };
    assert_eq!(path(&[("HOME", "/h")]), Some("/h/.netrc".into()));
    assert_eq!(path(&[("HOME", "/h"), ("NETRC", "/n")]), Some("/n".into()));
    assert_eq!(path(&[("HOME", "/h"), ("NETRC", "")]), Some("/h/.netrc".into()));
    assert_eq!(path(&[]), None);
}

#[test]
fn a_file_that_others_can_read_is_read_and_reported() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("netrc");
    std::fs::write(&path, "machine h login u password x\n").unwrap();
    let link = folder.path().join("link");
    symlink(&path, &link).unwrap();
    for (mode, is_reported) in [(0o600, false), (0o400, false), (0o620, false), (0o640, true), (0o604, true)]
    {
        std::fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let file = read_netrc(&link).unwrap();
        let expected = NetrcNotice::ReadableByOthers { path: link.clone(), mode };
        assert_eq!(file.notices, is_reported.then_some(expected).into_iter().collect::<Vec<_>>(), "{mode:o}");
        assert!(file.netrc.lookup("h", None).is_some());
    }
    let notice = NetrcNotice::ReadableByOthers { path, mode: 0o640 };
    assert!(notice.to_string().contains("mode 0640"), "{notice}");
}

#[test]
fn what_cannot_be_read_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let absent = read_netrc(&folder.path().join("absent")).unwrap_err();
    assert_eq!(absent.code(), Code::FILE_NOT_FOUND);
    assert!(absent.to_string().contains("/absent"), "{absent}");
    for path in [folder.path(), Path::new("/dev/null")] {
        assert!(matches!(read_netrc(path), Err(NetrcError::NotAFile(_))));
    }
    let path = folder.path().join("netrc");
    std::fs::write(&path, "machine h\npassword \"x\n").unwrap();
    let error = read_netrc(&path).unwrap_err();
    assert!(
        error.to_string().ends_with("/netrc has a quotation mark in line 2 that is not closed there"),
        "{error}"
    );
    std::fs::write(&path, [b'#'; NETRC_BYTES_MAX + 1]).unwrap();
    assert!(matches!(read_netrc(&path), Err(NetrcError::Fault { fault: NetrcFault::TooLong, .. })));
}

#[test]
fn a_pipe_is_read_to_its_end() {
    use std::io::Write;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipe");
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mkfifoat(rustix::fs::CWD, &path, mode).unwrap();
    let file = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut writer = File::options().write(true).open(&path).unwrap();
            writer.write_all(b"machine h login u ").unwrap();
            writer.write_all(b"password x").unwrap();
        });
        read_netrc(&path).unwrap()
    });
    let (user, password) = file.netrc.lookup("h", None).unwrap();
    assert_eq!((&*user, password.expose()), ("u", "x"));
}
