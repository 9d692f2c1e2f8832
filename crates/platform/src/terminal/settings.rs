//! The settings of a terminal while a question is open, and back.

use std::fs::File;
use std::io;

use rustix::termios::{InputModes, LocalModes, OptionalActions, SpecialCodeIndex, Termios};

/// Whether what is typed is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Echo {
    On,
    Off,
}

/// The keys a person has set for editing, beside the usual ones.
#[derive(Debug, Clone, Copy)]
pub(super) struct Keys {
    pub(super) erase: u8,
    pub(super) kill: u8,
}

/// A terminal with changed settings; dropping it brings the former ones back.
pub(super) struct Changed<'a> {
    tty: &'a File,
    former: Termios,
    echo: Echo,
}

/// Ctrl-C. Its own setting does not matter while it sends no signal.
pub(super) const CTRL_C: u8 = 0x03;
/// What stands for "no key" on Linux.
const NO_KEY: u8 = 0;

impl<'a> Changed<'a> {
    pub(super) fn to(tty: &'a File, echo: Echo) -> io::Result<Self> {
        let former = rustix::termios::tcgetattr(tty)?;
        let mut settings = former.clone();
        settings.input_modes.remove(InputModes::IGNCR | InputModes::INLCR | InputModes::ISTRIP);
        settings.input_modes.insert(InputModes::ICRNL);
        settings.local_modes.remove(LocalModes::ISIG | LocalModes::ECHONL);
        match echo {
            Echo::On => {
                // The terminal's own line editing; Ctrl-C ends the line, so that it arrives at once.
                settings.local_modes.insert(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ECHOE);
                settings.input_modes.insert(InputModes::IUTF8);
                settings.special_codes[SpecialCodeIndex::VEOL] = CTRL_C;
            }
            Echo::Off => {
                // Not line by line: the terminal's lines end at 4,096 bytes, whatever follows.
                settings.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO | LocalModes::IEXTEN);
                settings.special_codes[SpecialCodeIndex::VMIN] = 1;
                settings.special_codes[SpecialCodeIndex::VTIME] = 0;
            }
        }
        // Made before the change, so that whatever happens from here on is undone.
        let changed = Self { tty, former, echo };
        rustix::termios::tcsetattr(tty, changed.when(), &settings)?;
        Ok(changed)
    }

    /// The editing keys that were set.
    pub(super) fn keys(&self) -> Keys {
        let key = |index, usual| match self.former.special_codes[index] {
            NO_KEY => usual,
            key => key,
        };
        Keys { erase: key(SpecialCodeIndex::VERASE, 0x7F), kill: key(SpecialCodeIndex::VKILL, 0x15) }
    }

    /// Around a secret, what was typed too early or too much is thrown away: it was seen, or would
    /// be taken for a command.
    fn when(&self) -> OptionalActions {
        match self.echo {
            Echo::On => OptionalActions::Drain,
            Echo::Off => OptionalActions::Flush,
        }
    }
}

impl Drop for Changed<'_> {
    fn drop(&mut self) {
        // A terminal that is gone, or belongs to another program by now, needs nothing back.
        let _ = rustix::termios::tcsetattr(self.tty, self.when(), &self.former);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::pty::OpenptFlags;

    /// The two ends of a new pseudo terminal: a person's and a program's.
    fn a_terminal() -> (File, File) {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let person = rustix::pty::openpt(flags).unwrap();
        rustix::pty::unlockpt(&person).unwrap();
        let program = rustix::pty::ioctl_tiocgptpeer(&person, flags).unwrap();
        (person.into(), program.into())
    }

    fn local_modes(tty: &File) -> LocalModes {
        rustix::termios::tcgetattr(tty).unwrap().local_modes
    }

    #[test]
    fn the_former_settings_come_back_even_when_the_program_panics() {
        let (_person, tty) = a_terminal();
        let before = local_modes(&tty);
        for echo in [Echo::On, Echo::Off] {
            let unwound = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                let _changed = Changed::to(&tty, echo).unwrap();
                assert_eq!(local_modes(&tty).contains(LocalModes::ECHO), echo == Echo::On);
                assert!(!local_modes(&tty).contains(LocalModes::ISIG));
                std::panic::resume_unwind(Box::new("on purpose"));
            }));
            assert_eq!(unwound.unwrap_err().downcast_ref(), Some(&"on purpose"));
            assert_eq!(local_modes(&tty), before);
        }
    }
}
