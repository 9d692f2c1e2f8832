//! Which start of the machine this is.
//!
//! Two equal ids mean that the machine has run on in between: what was written to its memory, but
//! not yet to its disk, is still there.

use std::io;

use bits_core::file::BootId;

/// The boot that is running, by the kernel's random name for it.
///
/// # Errors
/// When the kernel does not tell, or in a form that is not known.
pub fn current() -> io::Result<BootId> {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    parse(text.trim())
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the boot id has an unknown form"))
}

/// A UUID in text.
fn parse(text: &str) -> Option<BootId> {
    const TEXT_BYTES: usize = 36;
    let known = |byte: u8| byte.is_ascii_hexdigit() || byte == b'-';
    let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
    let is_one = text.len() == TEXT_BYTES && digits.len() == 32 && text.bytes().all(known);
    is_one.then(|| u128::from_str_radix(&digits, 16).ok()).flatten().map(|id| BootId(id.to_be_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_this_boot_does_not_change() {
        assert_eq!(current().unwrap(), current().unwrap());
    }

    #[test]
    fn an_id_is_the_bytes_of_its_text_in_any_letter_case() {
        let id = BootId([
            0x6e, 0x8a, 0x1f, 0x0c, 0x5f, 0x0d, 0x4e, 0x0b, 0x9b, 0x59, 0x2f, 0x0b, 0x0e, 0x1d, 0x2c, 0x3f,
        ]);
        for text in ["6e8a1f0c-5f0d-4e0b-9b59-2f0b0e1d2c3f", "6E8A1F0C-5F0D-4E0B-9B59-2F0B0E1D2C3F"] {
            assert_eq!(parse(text), Some(id));
        }
    }

    #[test]
    fn a_text_of_another_form_is_no_boot_id() {
        let too_many_digits = "6e8a1f0c5f0d4e0b9b592f0b0e1d2c3f0000";
        for text in ["", "6e8a", "6e8a1f0c-5f0d-4e0b-9b59-2f0b0e1d2c3/", too_many_digits] {
            assert_eq!(parse(text), None);
        }
    }
}
