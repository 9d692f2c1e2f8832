//! What has crossed each interface, by everybody on this machine: `/proc/net/dev`.
//!
//! Anyone may read it, it takes some ten microseconds, and it is that of the network namespace we
//! are in.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use bits_core::units::Bytes;

const PATH: &str = "/proc/net/dev";
/// Bytes of it that are read: some two hundred interfaces. One behind them is not counted.
const BYTES_MAX: usize = 32 * 1024;

/// The counters of all interfaces.
#[derive(Debug)]
pub struct Counters {
    file: File,
    text: Vec<u8>,
}

impl Counters {
    /// # Errors
    /// When the system has no such file.
    pub fn open() -> io::Result<Self> {
        Ok(Self { file: File::open(PATH)?, text: Vec::new() })
    }

    /// Reads where the counters stand now.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn read(&mut self) -> io::Result<()> {
        self.text.resize(BYTES_MAX, 0);
        let mut length = 0;
        while length < BYTES_MAX {
            match self.file.read_at(&mut self.text[length..], length as u64)? {
                0 => break,
                count => length += count,
            }
        }
        self.text.truncate(length);
        Ok(())
    }

    /// What had come in and gone out by `interface` when it was read last.
    pub fn of(&self, interface: &str) -> Option<(Bytes, Bytes)> {
        find(&self.text, interface)
    }
}

fn find(text: &[u8], interface: &str) -> Option<(Bytes, Bytes)> {
    let text = String::from_utf8_lossy(text);
    let line = text.lines().find_map(|line| line.trim_start().strip_prefix(interface)?.strip_prefix(':'))?;
    let mut numbers = line.split_whitespace().map(|number| number.parse().ok().map(Bytes));
    let received = numbers.next()??;
    // Behind it are packets, errs, drop, fifo, frame, compressed, multicast.
    let sent = numbers.nth(7)??;
    Some((received, sent))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};

    const TEXT: &str = "\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:  717171    1000    0    0    0     0          0         0   717171    1000    0    0    0     0       0          0
  eth0: 18446744073709551615 9 0 0 0 0 0 0 42 9 0 0 0 0 0 0
 veth0:1 2 3
";

    #[test]
    fn an_interface_is_found_by_its_whole_name() {
        let of = |name| find(TEXT.as_bytes(), name);
        assert_eq!(of("lo"), Some((Bytes(717_171), Bytes(717_171))));
        assert_eq!(of("eth0"), Some((Bytes(u64::MAX), Bytes(42))));
        for unknown in ["eth", "th0", "eth00", "veth0", "face", ""] {
            assert_eq!(of(unknown), None, "{unknown}");
        }
        assert_eq!(find(&[0xff; 100], "lo"), None);
    }

    #[test]
    fn what_goes_over_loopback_is_counted_there() {
        let mut counters = Counters::open().unwrap();
        counters.read().unwrap();
        let before = counters.of("lo").unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        listener.accept().unwrap().0.write_all(&[7; 100_000]).unwrap();
        ours.read_exact(&mut [0; 100_000]).unwrap();
        counters.read().unwrap();
        let after = counters.of("lo").unwrap();
        assert!(after.0.0 >= before.0.0 + 100_000 && after.1.0 >= before.1.0 + 100_000);
    }
}
