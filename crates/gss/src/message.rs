//! The messages. A worker begins; each of its messages has one answer.

use std::fmt;

use crate::fields::{Reader, Writer};
use crate::{BINDING_BYTES_MAX, SERVICE_BYTES_MAX, TEXT_BYTES_MAX, TOKEN_BYTES_MAX};

/// What a worker says.
#[derive(Clone, PartialEq, Eq)]
pub enum Request {
    /// The first message: a context for this service is wanted, in which it proves itself too.
    Begin {
        /// A Kerberos principal, `HTTP/www.example.test@EXAMPLE.TEST`; with nothing behind the `@`
        /// the KDC says which realm it is in.
        service: String,
        /// What the proof is tied to.
        binding: Option<Vec<u8>>,
    },
    /// The token that the service answered with, without SPNEGO around it.
    Token(Vec<u8>),
}

/// What the program answers.
#[derive(Clone, PartialEq, Eq)]
pub enum Answer {
    /// To be sent to the service, and its token awaited. Bare Kerberos, without SPNEGO around it.
    Token(Vec<u8>),
    /// The context stands.
    Established {
        /// Whether the service has proved that it holds its key.
        proved: bool,
    },
    /// The library did not go on. There is no context.
    Failed {
        /// Its status, by RFC 2744 §3.9.1.
        major: u32,
        /// The status of its Kerberos.
        minor: u32,
        /// What it says of it. May name users.
        text: String,
    },
}

/// The bytes are no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the bytes are no message")
    }
}

impl std::error::Error for Malformed {}

const BEGIN: u8 = 1;
const SERVICE_TOKEN: u8 = 2;
const TOKEN: u8 = 16;
const ESTABLISHED: u8 = 17;
const FAILED: u8 = 18;

impl Request {
    /// The frame of this message, with its head.
    pub fn to_frame(&self) -> Vec<u8> {
        match self {
            Self::Begin { service, binding } => Writer::new(BEGIN)
                .bytes(service.as_bytes())
                .flag(binding.is_some())
                .bytes(binding.as_deref().unwrap_or_default())
                .finish(),
            Self::Token(token) => Writer::new(SERVICE_TOKEN).bytes(token).finish(),
        }
    }

    /// The message in a frame, without its head.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn read(frame: &[u8]) -> Result<Self, Malformed> {
        let mut fields = Reader(frame);
        let message = match fields.byte()? {
            BEGIN => {
                let service = fields.text(SERVICE_BYTES_MAX)?.to_owned();
                let is_bound = fields.flag()?;
                let binding = fields.bytes(BINDING_BYTES_MAX)?;
                if !is_bound && !binding.is_empty() {
                    return Err(Malformed);
                }
                Self::Begin { service, binding: is_bound.then(|| binding.to_vec()) }
            }
            SERVICE_TOKEN => Self::Token(fields.bytes(TOKEN_BYTES_MAX)?.to_vec()),
            _ => return Err(Malformed),
        };
        fields.end()?;
        Ok(message)
    }
}

impl Answer {
    /// The frame of this message, with its head. Too long a text is cut.
    pub fn to_frame(&self) -> Vec<u8> {
        match self {
            Self::Token(token) => Writer::new(TOKEN).bytes(token).finish(),
            Self::Established { proved } => Writer::new(ESTABLISHED).flag(*proved).finish(),
            Self::Failed { major, minor, text } => {
                let text = &text[..text.floor_char_boundary(TEXT_BYTES_MAX)];
                Writer::new(FAILED).number(*major).number(*minor).bytes(text.as_bytes()).finish()
            }
        }
    }

    /// The message in a frame, without its head.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn read(frame: &[u8]) -> Result<Self, Malformed> {
        let mut fields = Reader(frame);
        let message = match fields.byte()? {
            TOKEN => Self::Token(fields.bytes(TOKEN_BYTES_MAX)?.to_vec()),
            ESTABLISHED => Self::Established { proved: fields.flag()? },
            FAILED => Self::Failed {
                major: fields.number()?,
                minor: fields.number()?,
                text: fields.text(TEXT_BYTES_MAX)?.to_owned(),
            },
            _ => return Err(Malformed),
        };
        fields.end()?;
        Ok(message)
    }
}

impl fmt::Debug for Request {
    /// Without the token: it is a proof.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Begin { service, binding } => {
                f.debug_struct("Begin").field("service", service).field("binding", binding).finish()
            }
            Self::Token(token) => write!(f, "Token({} bytes)", token.len()),
        }
    }
}

impl fmt::Debug for Answer {
    /// Without the token: it is a proof.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(token) => write!(f, "Token({} bytes)", token.len()),
            Self::Established { proved } => f.debug_struct("Established").field("proved", proved).finish(),
            Self::Failed { major, minor, text } => f
                .debug_struct("Failed")
                .field("major", major)
                .field("minor", minor)
                .field("text", text)
                .finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FRAME_BYTES_MAX, HEAD_BYTES, frame_length};

    fn requests() -> Vec<Request> {
        let service = "HTTP/www.example.test@".to_owned();
        vec![
            Request::Begin { service: service.clone(), binding: None },
            Request::Begin { service: service.clone(), binding: Some(Vec::new()) },
            Request::Begin { service, binding: Some(vec![7; BINDING_BYTES_MAX]) },
            Request::Token(Vec::new()),
            Request::Token(vec![7; TOKEN_BYTES_MAX]),
        ]
    }

    fn answers() -> Vec<Answer> {
        vec![
            Answer::Token(vec![7; TOKEN_BYTES_MAX]),
            Answer::Established { proved: true },
            Answer::Established { proved: false },
            Answer::Failed { major: 0x000d_0000, minor: 0x96c7_3a07, text: "Zoë is unknown".to_owned() },
        ]
    }

    /// The parts of a frame, as they are read.
    fn split(frame: &[u8]) -> &[u8] {
        let (head, rest) = frame.split_at(HEAD_BYTES);
        assert_eq!(frame_length(head.try_into().unwrap()), Ok(rest.len()));
        rest
    }

    #[test]
    fn what_is_said_is_what_is_heard() {
        for request in requests() {
            assert_eq!(Request::read(split(&request.to_frame())), Ok(request));
        }
        for answer in answers() {
            assert_eq!(Answer::read(split(&answer.to_frame())), Ok(answer));
        }
    }

    #[test]
    fn half_a_message_and_one_with_something_behind_it_are_none() {
        let (requests, answers) = (requests(), answers());
        for frame in requests.iter().map(Request::to_frame).chain(answers.iter().map(Answer::to_frame)) {
            let message = split(&frame);
            let longer = [message, &[0]].concat();
            for other in (0..message.len().min(100)).map(|end| &message[..end]).chain([longer.as_slice()]) {
                assert_eq!(Request::read(other), Err(Malformed));
                assert_eq!(Answer::read(other), Err(Malformed));
            }
        }
    }

    #[test]
    fn what_one_side_says_the_other_never_does() {
        assert!(requests().iter().all(|request| Answer::read(split(&request.to_frame())).is_err()));
        assert!(answers().iter().all(|answer| Request::read(split(&answer.to_frame())).is_err()));
    }

    #[test]
    fn everything_has_a_limit() {
        for (length, is_good) in [(0, true), (FRAME_BYTES_MAX, true), (FRAME_BYTES_MAX + 1, false)] {
            let head = u32::try_from(length).unwrap().to_be_bytes();
            assert_eq!(frame_length(head).is_ok(), is_good, "{length}");
        }
        assert_eq!(frame_length([0xff; 4]), Err(Malformed));
        for (frame, what) in [
            (Request::Token(vec![0; TOKEN_BYTES_MAX + 1]).to_frame(), "a token"),
            (
                Request::Begin { service: "x".repeat(SERVICE_BYTES_MAX + 1), binding: None }.to_frame(),
                "a name",
            ),
            (
                Request::Begin { service: String::new(), binding: Some(vec![0; BINDING_BYTES_MAX + 1]) }
                    .to_frame(),
                "a binding",
            ),
        ] {
            assert_eq!(Request::read(&frame[HEAD_BYTES..]), Err(Malformed), "{what}");
        }
        // A length that reaches beyond the frame, or beyond all numbers.
        assert_eq!(Request::read(&[SERVICE_TOKEN, 0, 0, 0, 9, 1]), Err(Malformed));
        assert_eq!(Answer::read(&[TOKEN, 0xff, 0xff, 0xff, 0xff]), Err(Malformed));
    }

    #[test]
    fn too_long_a_text_is_cut_where_a_character_ends() {
        let answer = Answer::Failed { major: 1, minor: 2, text: "ë".repeat(TEXT_BYTES_MAX) };
        let Ok(Answer::Failed { text, .. }) = Answer::read(split(&answer.to_frame())) else {
            panic!("it is a failure")
        };
        assert_eq!(text, "ë".repeat(TEXT_BYTES_MAX / 2));
    }

    #[test]
    fn what_is_not_utf_8_is_no_text() {
        assert_eq!(Answer::read(&[FAILED, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 1, 0xff]), Err(Malformed));
    }

    #[test]
    fn a_token_is_not_shown() {
        let shown = format!("{:?} {:?}", Request::Token(vec![200; 3]), Answer::Token(vec![200; 3]));
        assert_eq!(shown, "Token(3 bytes) Token(3 bytes)");
    }
}
