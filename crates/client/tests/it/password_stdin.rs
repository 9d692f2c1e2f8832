//! A script that gives a password on standard input, and a child that reads it.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use bits_client::prompt::password_sources::read_password_stdin;

const IN_CHILD: &str = "BITS_CLIENT_TEST_STDIN";

#[test]
fn a_line_of_standard_input_is_the_password_and_the_rest_is_left() {
    if std::env::var_os(IN_CHILD).is_some() {
        let password = read_password_stdin().unwrap();
        let mut rest = String::new();
        std::io::stdin().read_to_string(&mut rest).unwrap();
        let is_right = (password.expose(), &*rest) == ("hünter2", "the rest\n");
        std::process::exit(if is_right { 42 } else { 99 });
    }
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "password_stdin::a_line_of_standard_input_is_the_password_and_the_rest_is_left"])
        .env(IN_CHILD, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all("hünter2\nthe rest\n".as_bytes()).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(42));
}
