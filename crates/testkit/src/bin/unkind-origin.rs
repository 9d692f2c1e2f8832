//! The unkind origin by hand: `cargo run -p bits-testkit --bin unkind-origin`. It serves until it is
//! ended, and prints where.

use std::process::ExitCode;
use std::thread;

use bits_testkit::{Certificate, UnkindOrigin};

const USAGE: &str = "\
usage: unkind-origin [--port N]

Serves files and breaks a rule of HTTP at every path; its first page lists them. It listens on the
loopback interface: plain HTTP on port N, and TLS with one kind of certificate on each of the ports
behind it, and HTTP/2 on the last two. Without --port the system chooses.
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let port = match arguments.as_slice() {
        [] => Some(0),
        ["--port", port] => port.parse().ok(),
        ["--help" | "-h"] => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => None,
    };
    let Some(port) = port else {
        eprint!("{USAGE}");
        return ExitCode::from(2);
    };
    let origin = match UnkindOrigin::start_at(port) {
        Ok(origin) => origin,
        Err(error) => {
            eprintln!("unkind-origin: the ports cannot be had: {error}");
            return ExitCode::FAILURE;
        }
    };
    println!("{}  every path, with a sentence", origin.url("/"));
    println!("{}  the authority of the ports below", origin.url("/ca.pem"));
    for certificate in Certificate::ALL {
        println!("{}  certificate: {}", origin.tls_url(certificate, "/"), certificate.name());
    }
    println!("{}  HTTP/2, or HTTP/1.1", origin.http2_url("/"));
    println!("{}  HTTP/2 alone", origin.http2_only_url("/"));
    loop {
        thread::park();
    }
}
