//! The fields of a message: numbers, and bytes with their length before them.

use crate::Malformed;

/// A message that is being written, behind room for the head of its frame.
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    pub(crate) fn new(kind: u8) -> Self {
        Self([&[0; crate::HEAD_BYTES][..], &[kind]].concat())
    }

    pub(crate) fn number(mut self, number: u32) -> Self {
        self.0.extend_from_slice(&number.to_be_bytes());
        self
    }

    pub(crate) fn bytes(self, bytes: &[u8]) -> Self {
        let length = u32::try_from(bytes.len()).expect("no field is as long as that");
        let mut longer = self.number(length);
        longer.0.extend_from_slice(bytes);
        longer
    }

    pub(crate) fn flag(mut self, flag: bool) -> Self {
        self.0.push(flag.into());
        self
    }

    /// The frame, ready to be sent.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        let length = u32::try_from(self.0.len() - crate::HEAD_BYTES).expect("a frame is short");
        self.0[..crate::HEAD_BYTES].copy_from_slice(&length.to_be_bytes());
        self.0
    }
}

/// What is left to be read of a message.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(crate) fn byte(&mut self) -> Result<u8, Malformed> {
        Ok(self.take(1)?[0])
    }

    pub(crate) fn flag(&mut self) -> Result<bool, Malformed> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Malformed),
        }
    }

    pub(crate) fn number(&mut self) -> Result<u32, Malformed> {
        let bytes = self.take(4)?.try_into().expect("four were taken");
        Ok(u32::from_be_bytes(bytes))
    }

    pub(crate) fn bytes(&mut self, max: usize) -> Result<&'a [u8], Malformed> {
        let length = usize::try_from(self.number()?).ok().filter(|length| *length <= max);
        self.take(length.ok_or(Malformed)?)
    }

    pub(crate) fn text(&mut self, max: usize) -> Result<&'a str, Malformed> {
        std::str::from_utf8(self.bytes(max)?).map_err(|_| Malformed)
    }

    pub(crate) fn end(&self) -> Result<(), Malformed> {
        if self.0.is_empty() { Ok(()) } else { Err(Malformed) }
    }
}
