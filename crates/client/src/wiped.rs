//! Request bodies, in memory that is wiped: a password may be in any of them.

use std::io::{self, Write};

use zeroize::Zeroizing;

/// Bytes that are wiped when dropped, and wherever they lay before they grew.
pub(crate) struct WipedBuffer {
    bytes: Zeroizing<Vec<u8>>,
    bytes_max: usize,
}

impl WipedBuffer {
    /// An empty buffer that takes up to `bytes_max` bytes.
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { bytes: Zeroizing::new(Vec::with_capacity(FIRST_BYTES.min(bytes_max))), bytes_max }
    }

    pub(crate) fn into_bytes(self) -> Zeroizing<Vec<u8>> {
        self.bytes
    }
}

/// Room for a body of the usual size.
const FIRST_BYTES: usize = 4096;

impl Write for WipedBuffer {
    fn write(&mut self, more: &[u8]) -> io::Result<usize> {
        let needed = self.bytes.len() + more.len();
        if needed > self.bytes_max {
            return Err(io::Error::other(format!("it is larger than {} bytes", self.bytes_max)));
        }
        if needed > self.bytes.capacity() {
            // Not `reserve`: that leaves what was written so far behind in freed memory.
            let mut larger = Zeroizing::new(Vec::with_capacity(needed.max(self.bytes.capacity() * 2)));
            larger.extend_from_slice(&self.bytes);
            self.bytes = larger;
        }
        self.bytes.extend_from_slice(more);
        Ok(more.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_holds_what_was_written_up_to_its_limit() {
        let mut buffer = WipedBuffer::new(FIRST_BYTES * 3);
        for _ in 0..3 {
            buffer.write_all(&[7; FIRST_BYTES]).expect("there is room");
        }
        assert!(buffer.write_all(&[7]).is_err());
        assert_eq!(*buffer.into_bytes(), vec![7; FIRST_BYTES * 3]);
    }
}
