//! Doors for the fuzz targets: what a server sends before anybody knows who it is, and what must hold
//! whatever it is. Nobody else uses this; the corpora are replayed by the tests below.

use bits_core::transfer::BodyLength;

use super::chunked::{Ahead, Chunks};
use super::head;
use super::tls;

/// A fuzz target: what must hold of these bytes is asserted.
pub type Target = fn(&[u8]);

/// Every target by the name of its corpus.
pub const TARGETS: [(&str, Target); 2] = [("answers", answers), ("certificates", certificates)];

/// An answer of HTTP/1: its head, and what is behind it as chunks.
pub fn answers(bytes: &[u8]) {
    let end = head::end_of_head(bytes, 0);
    // It comes in pieces, and where they are cut changes nothing.
    for seen in [end.unwrap_or(bytes.len()) / 2, end.map_or(bytes.len(), |end| end - 1)] {
        assert_eq!(head::end_of_head(bytes, seen), end, "{seen} bytes were looked at before");
    }
    let Some(end) = end else { return };
    if let Ok(parsed) = head::parse(&bytes[..end]) {
        assert!((100..600).contains(&parsed.head.status));
        if let BodyLength::Exactly(length) = parsed.head.body {
            assert!(i64::try_from(length.0).is_ok(), "no file is longer");
        }
        assert!(parsed.head.body != BodyLength::UntilClose || !parsed.keeps_connection);
    }
    let chunks = &bytes[end..];
    assert_eq!(content(chunks, 1), content(chunks, chunks.len().max(1)));
}

/// The content of `chunks`, which come by `piece` bytes; whether that is all, and how many bytes it took.
fn content(chunks: &[u8], piece: usize) -> Result<(Vec<u8>, bool, usize), &'static str> {
    let (mut reading, mut content, mut at) = (Chunks::new(), Vec::new(), 0);
    while at < chunks.len() {
        let end = at.saturating_add(piece).min(chunks.len());
        let (over, ahead) = reading.look(&chunks[at..end])?;
        at += over;
        match ahead {
            Ahead::Content(left) => {
                let count = usize::try_from(left).unwrap_or(usize::MAX).min(end - at);
                content.extend_from_slice(&chunks[at..at + count]);
                reading.took(count as u64);
                at += count;
            }
            Ahead::More => {}
            Ahead::End => return Ok((content, true, at)),
        }
    }
    Ok((content, false, at))
}

/// The certificate that a server shows, in DER.
pub fn certificates(bytes: &[u8]) {
    tls::look_at_certificate(bytes);
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn what_is_in_the_corpora_does_no_harm() {
        for (name, target) in TARGETS {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(name);
            let files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
            assert!(!files.is_empty(), "{name}");
            for file in files {
                let bytes = fs::read(&file).unwrap();
                (0..=bytes.len()).for_each(|end| target(&bytes[..end]));
            }
        }
    }
}
