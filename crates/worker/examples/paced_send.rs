//! Sends to a host and port as a background upload would: `paced_send HOST:PORT [off]`.
//!
//! For measurements of the uploading side of politeness, which has no job yet. It never ends by
//! itself, and what it sends means nothing.

use std::io::{self, Write as _};
use std::net::TcpStream;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use bits_core::job::Priority;
use bits_core::pacing::Politeness;
use bits_worker::pacing::{Direction, Pacing};

/// How often the window is looked at while it is full.
const LOOK: Duration = Duration::from_millis(1);
const PIECE_BYTES: usize = 64 * 1024;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (address, is_polite) = match arguments.as_slice() {
        [address] => (address, true),
        [address, off] if off == "off" => (address, false),
        _ => {
            eprintln!("paced_send HOST:PORT [off]");
            return ExitCode::from(2);
        }
    };
    match send(address, is_polite) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("paced_send: {address}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn send(address: &str, is_polite: bool) -> io::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    let pacing = Pacing::new(is_polite.then(Politeness::default));
    let paced = pacing.join(&stream, Direction::Upload, Priority::Normal);
    let piece = [0x5a; PIECE_BYTES];
    loop {
        let allowed = paced.as_ref().map_or(u64::MAX, |paced| paced.may_send().0);
        match usize::try_from(allowed).unwrap_or(usize::MAX).min(PIECE_BYTES) {
            0 => thread::sleep(LOOK),
            count => stream.write_all(&piece[..count])?,
        }
    }
}
