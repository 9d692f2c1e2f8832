//! What cannot be meant: code 2 and a reason, before anything is asked of a service.

use std::io::Write;
use std::process::Stdio;

use crate::bits::Place;

#[test]
fn what_cannot_be_meant_is_refused_with_the_reason() {
    let place = Place::new();
    std::fs::write(place.path().join("list"), "http://h/a\nnot-a-url\n").expect("a file");
    let metalink = "<metalink xmlns='urn:ietf:params:xml:ns:metalink'><file name='f'><url>http://h/f</url></file></metalink>";
    std::fs::write(place.path().join("ok.meta4"), metalink).expect("a file");
    for (words, expected) in [
        (
            &["get", "no url"][..],
            "error: `no url` is not a URL (relative URL without a base); write http:// or https://, a host and a path (E_INVALIDARG, 0x80070057)\n",
        ),
        (
            &["get", "ftp://h/f"],
            "error: `ftp:` is not served; a remote name begins with http://, https:// or file:/// (E_INVALIDARG, 0x80070057)\n",
        ),
        (
            &["get", "http://h/"],
            "error: the end of http://h/ is no name for a file; say which file it becomes, after the URL (E_INVALIDARG, 0x80070057)\n",
        ),
        (
            &["get", "http://h/f", "http://h/g", "nowhere"],
            "error: several URLs need a folder, and nowhere is none; make it, or add --create-dirs (ERROR_PATH_NOT_FOUND, 0x80070003)\n",
        ),
        (
            &["get", "-i", "list"],
            "error: line 2: `not-a-url` is not a URL (relative URL without a base); write http:// or https://, a host and a path (E_INVALIDARG, 0x80070057)\n",
        ),
        (
            &["service", "import", "none"],
            "error: none cannot be read: No such file or directory (os error 2)\n",
        ),
        (&["service", "import", "list"], "error: list is not JSON, or not all of it: line 1, column 1\n"),
        (
            &["service", "metrics", "--json"],
            "error: the numbers are text in the format of OpenMetrics and have no JSON; leave --json out\n",
        ),
        (&["get", "-i", "none"], "error: the list none: No such file or directory (os error 2)\n"),
        (
            &["get", "-i", "-", "--user", "anna", "--password-stdin"],
            "error: the list and the password cannot both be read from standard input\n",
        ),
        (
            &["get", "http://h/f", "http://h/g", "--mirror", "http://m/f"],
            "error: one mirror is not that of several files; add them to a job with `bits add`\n",
        ),
        (
            &["get", "none.meta4"],
            "error: the Metalink file none.meta4: No such file or directory (os error 2)\n",
        ),
        (
            &["get", "--metalink", "list"],
            "error: the Metalink file list: it is no Metalink file of version 4: its first element is not `metalink` of urn:ietf:params:xml:ns:metalink\n",
        ),
        (
            &["get", "ok.meta4", "http://h/f"],
            "error: with a Metalink file, the one other thing to give is a folder; fetch further URLs by themselves (E_INVALIDARG, 0x80070057)\n",
        ),
        (
            &["get", "ok.meta4", "--user", "anna", "--prompt"],
            "error: a Metalink file chooses the servers, so no credentials go along with it; add its files to a job with `bits add` to sign in\n",
        ),
        (
            &["get", "http://h/f", "--user", "anna", "--password-file", "none"],
            "error: cannot open the file none: No such file or directory (os error 2) (ERROR_FILE_NOT_FOUND, 0x80070002)\n",
        ),
        (
            &["get", "http://h/f", "--user", "", "--password-stdin"],
            "error: --user is empty; give a name, DOMAIN\\user or user@realm\n",
        ),
        (
            &["add", "8e2d", "gopher://h/f", "x"],
            "error: `gopher:` is not served; a remote name begins with http://, https:// or file:/// (E_INVALIDARG, 0x80070057)\n",
        ),
        (
            &["add", "8e2d", "-i", "list"],
            "error: line 2: `not-a-url` is not a URL (relative URL without a base); write http:// or https://, a host and a path (E_INVALIDARG, 0x80070057)\n",
        ),
        (&["add", "8e2d", "-i", "none"], "error: the list none: No such file or directory (os error 2)\n"),
        (
            &["add", "8e2d", "-i", "/dev/null"],
            "error: there is no URL in the list (E_INVALIDARG, 0x80070057)\n",
        ),
        (
            &["add", "-i", "list", "8e2d", "http://h/f"],
            "error: with a list, the one other thing to give is a folder; put further URLs into the list (E_INVALIDARG, 0x80070057)\n",
        ),
        (
            &["add", "-i", "list", "8e2d", "nowhere"],
            "error: with a list, the one other thing to give is a folder; nowhere is none (ERROR_PATH_NOT_FOUND, 0x80070003)\n",
        ),
        (
            &["set", "8e2d", "priorty=low"],
            "error: there is no property `priorty`; `bits set --help` names them all (E_INVALIDARG, 0x80070057)\nhint: did you mean `priority`?\n",
        ),
        (
            &["list", "--state", "eror"],
            "error: there is no state `eror`; there are queued, connecting, transferring, suspended, error, transient_error, transferred, acknowledged, cancelled (E_INVALIDARG, 0x80070057)\nhint: did you mean `error`?\n",
        ),
        (
            &["error", "0xNO"],
            "error: `0xNO` is no code; write one such as 0x80190194, 404, 1223 or BG_E_EMPTY\n",
        ),
    ] {
        let outcome = place.bits(words);
        assert_eq!((outcome.stderr.as_str(), outcome.code), (expected, Some(2)), "{words:?}");
        assert_eq!(outcome.stdout, "");
    }
}

#[test]
fn flags_that_do_not_go_together_are_refused() {
    let place = Place::new();
    for words in [
        &["get"][..],
        &["get", "http://h/f", "--password-stdin"],
        &["get", "http://h/f", "--password-file", "x"],
        &["get", "http://h/f", "--user", "a", "--password-stdin", "--prompt"],
        &["get", "http://h/f", "--detach", "--max-time", "3"],
        &["get", "http://h/f", "--max-time", "0"],
        &["get", "http://h/f", "--auth", "kerberos"],
        &["get", "http://h/f", "--auth", "passport"],
        &["get", "http://h/f", "--password", "p"],
        &["create", "n", "--type", "upload"],
        &["create", "n", "--priority", "urgent"],
        &["add", "8e2d"],
        &["add", "8e2d", "http://h/f"],
        &["add", "8e2d", "-i", "list", "--range", "0:1"],
        &["credentials", "set", "8e2d", "--target", "me"],
        &["resume"],
        &["list", "-q", "-v"],
        &[],
    ] {
        let outcome = place.bits(words);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(2), ""), "{words:?}");
        assert!(!outcome.stderr.is_empty(), "{words:?}");
    }
}

#[test]
fn what_is_not_built_yet_is_not_there() {
    let place = Place::new();
    let help = place.bits(["--help"]);
    assert_eq!(help.code, Some(0));
    for word in ["put", "upload", "web", "bitsadmin"] {
        assert_eq!(place.bits([word]).code, Some(2), "{word}");
        let is_listed = help.stdout.lines().any(|line| line.trim_start().starts_with(&format!("{word} ")));
        assert!(!is_listed, "{word}");
    }
    for flag in ["--upload-file=x", "--range=0:1", "--system", "--all-users"] {
        let refused = place.bits(["get", "http://h/f", flag]);
        assert_eq!(refused.code, Some(2), "{flag}");
        let name = flag.split('=').next().expect("a text has a first part");
        let says = format!("unexpected argument '{name}'");
        assert!(refused.stderr.contains(&says), "{flag}: {}", refused.stderr);
    }
}

#[test]
fn a_password_in_a_url_is_shown_nowhere() {
    let place = Place::new();
    for words in [
        &["get", "--no-start", "http://anna:hunter2@h/f"][..],
        &["get", "http://anna:hunter2@h/f", "--user", "anna", "--password-file", "/dev/null"],
        &["get", "http://anna:hunter2@h/"],
        &["get", "http://anna:hunter2@h/f", "http://anna:hunter2@i/f"],
        &["get", "http://anna:hunter2@[/f"],
        &["add", "8e2d", "ftp://anna:hunter2@h/f", "f"],
        &["add", "--no-start", "-v", "8e2d", "http://anna:hunter2@h/f", "f"],
    ] {
        let outcome = place.bits(words);
        assert_ne!(outcome.code, Some(0), "{words:?}");
        assert!(!(outcome.stderr + &outcome.stdout).contains("hunter2"), "{words:?}");
    }
}

#[test]
fn a_mirror_that_is_none_is_told_what_it_can_be() {
    let place = Place::new();
    for (mirror, expected) in [
        ("ftp://h/f", "a mirror begins with http:// or https://, not with ftp:"),
        ("file:///f", "a mirror begins with http:// or https://, not with file:"),
        ("/f", "a mirror begins with http:// or https://, not with file:"),
        ("http://anna@h/f", "mirrors see no credentials"),
    ] {
        let outcome = place.bits(["get", "http://h/f", "--mirror", mirror]);
        assert_eq!(outcome.code, Some(2), "{mirror}");
        assert!(outcome.stderr.contains(expected), "{mirror}: {}", outcome.stderr);
    }
}

#[test]
fn a_rate_that_makes_no_sense_is_told_with_its_flag_and_with_what_it_can_be() {
    let place = Place::new();
    let commands = [&["get", "http://h/f"][..], &["create", "n"]];
    for (rate, expected) in [
        ("fast", "`fast` is no rate; write bytes per second such as 500k or 2M"),
        ("-1", "`-1` is no rate; write bytes per second such as 500k or 2M"),
        ("1", "`1` is less than 250 bytes per second"),
        ("0.0", "write none for no limit"),
        ("2T", "`2T` is more than 1T, which no link carries; write none for no limit"),
        ("18446744073709551615", "is more than 1T"),
        ("18446744073709551616", "is more than 1T"),
        ("99999999999999999999.999999T", "is more than 1T"),
        ("", "`` is no rate; write"),
    ] {
        let flag = format!("--limit-rate={rate}");
        let ways = [&["--limit-rate", rate][..], &[flag.as_str()]];
        for words in commands.iter().flat_map(|command| ways.iter().map(|way| [command, *way].concat())) {
            let outcome = place.bits(&words);
            assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(2), ""), "{words:?}");
            let says = format!("invalid value '{rate}' for '--limit-rate <RATE>': ");
            assert!(outcome.stderr.contains(&says) || rate.is_empty(), "{words:?}: {}", outcome.stderr);
            assert!(outcome.stderr.contains(expected), "{words:?}: {}", outcome.stderr);
        }
    }
}

#[test]
fn a_number_that_is_none_is_told_with_its_place_also_a_negative_one() {
    let place = Place::new();
    let get = &["get", "http://h/f"][..];
    let add = &["add", "job", "http://h/f", "/f"][..];
    let list = &["ranges", "list", "job"][..];
    for (command, flag, value_name, values, expected) in [
        (get, "--max-time", " <SECONDS>", ["-5", "0", "-0.5"], "it is a whole number of seconds, at least 1"),
        (get, "--priority", " <PRIORITY>", ["-5", "5", "-1e3"], "it is one of foreground, high, normal, low"),
        (&["create", "n"], "--priority", " <PRIORITY>", ["-5", "5", "-1.0"], "it is one of foreground"),
        (list, "--file", " <NUMBER>", ["-1", "4294967296", "-0.1"], "it is the number of a file of the job"),
        (add, "--range", " <RANGE>", ["-5:10", "-5", "5:-10"], "OFFSET:LENGTH"),
        (
            &["ranges", "position", "job"],
            "",
            "<OFFSET>",
            ["-1", "1k", "-1.5"],
            "it is a whole number of bytes",
        ),
    ] {
        for value in values {
            let written_as_one = format!("{flag}={value}");
            let ways = match flag {
                "" => vec![vec![value]],
                flag => vec![vec![flag, value], vec![written_as_one.as_str()]],
            };
            for way in ways {
                let words = [command, &way].concat();
                let outcome = place.bits(&words);
                assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(2), ""), "{words:?}");
                let says = format!("invalid value '{value}' for '{flag}{value_name}': ");
                assert!(outcome.stderr.contains(&says), "{words:?}: {}", outcome.stderr);
                assert!(outcome.stderr.contains(expected), "{words:?}: {}", outcome.stderr);
            }
        }
    }
}

#[test]
fn the_help_says_what_is_to_be_written() {
    let place = Place::new();
    for (words, expected) in [
        (&["set", "--help"][..], "custom-header takes 'Name: value', or @FILE"),
        (&["ranges", "position", "--help"], "The byte to begin with, from 0"),
        (&["--help"], "admin "),
        (&["admin", "--help"], "`bits admin /help` lists its switches"),
    ] {
        let help = place.bits(words);
        assert_eq!(help.code, Some(0), "{words:?}");
        let text = help.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains(expected), "{words:?}: {text}");
    }
}

#[test]
fn a_list_can_be_read_from_standard_input() {
    let place = Place::new();
    let mut child = place
        .command(["get", "-i", "-"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(b"# nothing but\n\nbad\n").expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    let stderr = String::from_utf8(output.stderr).expect("text");
    assert_eq!(
        stderr,
        "error: line 3: `bad` is not a URL (relative URL without a base); write http:// or https://, a host and a path (E_INVALIDARG, 0x80070057)\n"
    );
}
