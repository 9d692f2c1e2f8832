//! Server-sent events, read from pieces of a stream. Only what the service sends is understood:
//! `id` and `retry` are skipped as any later field.

use std::collections::VecDeque;
use std::mem;

/// One event as it came: its name and its data.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) name: String,
    pub(crate) data: String,
}

/// Why a stream is not one of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ParseError {
    #[error("a line of the event stream is longer than {LINE_BYTES_MAX} bytes")]
    LineTooLong,
    #[error("an event has more than {DATA_BYTES_MAX} bytes")]
    DataTooLong,
    #[error("a line of the event stream is not UTF-8")]
    NotText,
}

/// Bytes one line may have: a job with its longest texts takes a tenth.
const LINE_BYTES_MAX: usize = 1024 * 1024;
/// Bytes the data of one event may have.
const DATA_BYTES_MAX: usize = 2 * LINE_BYTES_MAX;

/// Puts events together from pieces that may end anywhere.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    line: Vec<u8>,
    /// Whether the last byte was a carriage return: a line feed after it ends no further line.
    after_return: bool,
    name: String,
    data: String,
    ready: VecDeque<Frame>,
}

impl Parser {
    /// Takes in the next piece of the stream.
    ///
    /// # Errors
    /// When a limit is passed or a line is no text; nothing further can be read then.
    pub(crate) fn push(&mut self, piece: &[u8]) -> Result<(), ParseError> {
        for &byte in piece {
            let follows_return = mem::replace(&mut self.after_return, byte == b'\r');
            match byte {
                b'\n' if follows_return => {}
                b'\n' | b'\r' => self.end_line()?,
                _ if self.line.len() == LINE_BYTES_MAX => return Err(ParseError::LineTooLong),
                _ => self.line.push(byte),
            }
        }
        Ok(())
    }

    /// The next whole event, if there is one.
    pub(crate) fn next(&mut self) -> Option<Frame> {
        self.ready.pop_front()
    }

    fn end_line(&mut self) -> Result<(), ParseError> {
        let line = mem::take(&mut self.line);
        let line = str::from_utf8(&line).map_err(|_| ParseError::NotText)?;
        if line.is_empty() {
            self.end_event();
            return Ok(());
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.name),
            "data" => {
                if self.data.len() + value.len() + 1 > DATA_BYTES_MAX {
                    return Err(ParseError::DataTooLong);
                }
                if !self.data.is_empty() {
                    self.data.push('\n');
                }
                self.data.push_str(value);
            }
            // A comment (the name is empty), or a field of no use here.
            _ => {}
        }
        Ok(())
    }

    fn end_event(&mut self) {
        let frame = Frame { name: mem::take(&mut self.name), data: mem::take(&mut self.data) };
        // Browsers drop an event without data; ours has one that says all by its name.
        if !frame.name.is_empty() || !frame.data.is_empty() {
            self.ready.push_back(frame);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(parser: &mut Parser) -> Vec<(String, String)> {
        std::iter::from_fn(|| parser.next()).map(|frame| (frame.name, frame.data)).collect()
    }

    fn frame(name: &str, data: &str) -> (String, String) {
        (name.to_owned(), data.to_owned())
    }

    #[test]
    fn events_are_the_same_wherever_the_stream_is_cut() {
        let stream = "event: job\ndata: {\"a\":\ndata: 1}\n\n:still here\n\nevent:ready\r\n\r\nevent: note\rdata\rdata: grüße\r\rdata: unfinished";
        let expected = [frame("job", "{\"a\":\n1}"), frame("ready", ""), frame("note", "grüße")];
        for cut in 0..=stream.len() {
            let mut parser = Parser::default();
            let (first, second) = stream.as_bytes().split_at(cut);
            parser.push(first).expect("the stream is one");
            parser.push(second).expect("the stream is one");
            assert_eq!(frames(&mut parser), expected, "cut at {cut}");
        }
    }

    #[test]
    fn a_stream_beyond_its_limits_or_not_text_is_refused() {
        let mut parser = Parser::default();
        assert_eq!(parser.push(&vec![b'x'; LINE_BYTES_MAX + 1]), Err(ParseError::LineTooLong));
        let mut parser = Parser::default();
        let line = ["data: ", &"x".repeat(LINE_BYTES_MAX - 6), "\n"].concat();
        let pushed: Result<Vec<()>, _> = (0..3).map(|_| parser.push(line.as_bytes())).collect();
        assert_eq!(pushed, Err(ParseError::DataTooLong));
        assert_eq!(Parser::default().push(b"data: \xff\n"), Err(ParseError::NotText));
    }

    #[test]
    fn fields_that_are_not_known_are_skipped() {
        let mut parser = Parser::default();
        parser.push(b"id: 7\nretry: 5\nnew\nevent: job\ndata: 1\n\n").expect("the stream is one");
        assert_eq!(frames(&mut parser), [frame("job", "1")]);
    }
}
