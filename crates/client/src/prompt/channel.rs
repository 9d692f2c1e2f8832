//! The ways to a person, by name, and in which order they are tried.
//!
//! The decision is made of facts; finding them out is for [`surroundings`](super::surroundings).

/// A way to a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// The terminal that the program is run from.
    Terminal,
    /// GnuPG's pinentry, whichever flavour `BITS_PINENTRY` names or is installed.
    Pinentry,
    /// The program that `BITS_ASKPASS` or `SSH_ASKPASS` names.
    Askpass,
    /// zenity or kdialog.
    Dialog,
    /// systemd's password agents.
    Systemd,
}

impl Channel {
    pub const ALL: [Self; 5] = [Self::Terminal, Self::Pinentry, Self::Askpass, Self::Dialog, Self::Systemd];

    /// What it is called in `BITS_PROMPT` and on command lines.
    pub fn name(self) -> &'static str {
        match self {
            Self::Terminal => "terminal",
            Self::Pinentry => "pinentry",
            Self::Askpass => "askpass",
            Self::Dialog => "dialog",
            Self::Systemd => "systemd",
        }
    }

    /// The channel called `name`, in any letter case.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.name().eq_ignore_ascii_case(name))
    }
}

/// What there is to ask with.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Facts {
    /// The one way that the caller or the person wants.
    pub(super) wanted: Option<Channel>,
    pub(super) has_terminal: bool,
    pub(super) has_display: bool,
    /// `BITS_ASKPASS` names a program.
    pub(super) has_our_askpass: bool,
    /// `SSH_ASKPASS` names one.
    pub(super) has_ssh_askpass: bool,
    pub(super) ssh_askpass_require: Require,
    pub(super) has_pinentry: bool,
    pub(super) has_dialog: bool,
    /// systemd runs this machine, and this process may put questions to its agents.
    pub(super) has_systemd: bool,
}

/// What `SSH_ASKPASS_REQUIRE` says, of `SSH_ASKPASS` only (ssh(1)).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Require {
    /// Nothing: where there is a display and no terminal.
    #[default]
    Unsaid,
    Never,
    /// Rather than a terminal, where there is a display.
    Prefer,
    /// Always.
    Force,
}

impl Require {
    /// What the variable's value means; one that ssh does not know is none.
    pub(super) fn of(value: &str) -> Self {
        match value.to_ascii_lowercase().as_str() {
            "never" => Self::Never,
            "prefer" => Self::Prefer,
            "force" => Self::Force,
            _ => Self::Unsaid,
        }
    }
}

/// Which ways are tried, one after the other until one can be used (`credentials.md` §3.1).
pub(super) fn order(facts: &Facts) -> Vec<Channel> {
    if let Some(wanted) = facts.wanted {
        return vec![wanted];
    }
    let ssh_askpass_first = facts.has_ssh_askpass
        && match facts.ssh_askpass_require {
            Require::Force => true,
            Require::Prefer => facts.has_display,
            Require::Unsaid | Require::Never => false,
        };
    let askpass_first = facts.has_our_askpass || ssh_askpass_first;
    let askpass_later = facts.has_ssh_askpass
        && facts.has_display
        && facts.ssh_askpass_require != Require::Never
        && !askpass_first;
    let can_show = facts.has_terminal || facts.has_display;
    [
        (askpass_first, Channel::Askpass),
        (facts.has_terminal, Channel::Terminal),
        (askpass_later, Channel::Askpass),
        (facts.has_pinentry && can_show, Channel::Pinentry),
        (facts.has_dialog && facts.has_display, Channel::Dialog),
        (facts.has_systemd, Channel::Systemd),
    ]
    .into_iter()
    .filter_map(|(is_there, channel)| is_there.then_some(channel))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The facts that `words` name.
    fn facts(words: &str) -> Facts {
        let mut facts = Facts::default();
        for word in words.split_whitespace() {
            match word {
                "terminal" => facts.has_terminal = true,
                "display" => facts.has_display = true,
                "bits-askpass" => facts.has_our_askpass = true,
                "ssh-askpass" => facts.has_ssh_askpass = true,
                "pinentry" => facts.has_pinentry = true,
                "dialog" => facts.has_dialog = true,
                "systemd" => facts.has_systemd = true,
                "all" => {
                    facts.has_pinentry = true;
                    facts.has_dialog = true;
                    facts.has_systemd = true;
                }
                _ => match word.split_once('=') {
                    Some(("wanted", name)) => facts.wanted = Some(Channel::named(name).unwrap()),
                    Some(("require", value)) => facts.ssh_askpass_require = Require::of(value),
                    _ => panic!("{word}"),
                },
            }
        }
        facts
    }

    #[test]
    fn the_first_way_that_can_be_used_is_asked() {
        let scenarios = "
            -> nobody
            terminal -> terminal
            all -> systemd
            pinentry dialog -> nobody
            terminal display all -> terminal pinentry dialog systemd
            terminal all -> terminal pinentry systemd
            display all -> pinentry dialog systemd
            display dialog -> dialog
            terminal bits-askpass -> askpass terminal
            bits-askpass require=never -> askpass
            terminal ssh-askpass -> terminal
            ssh-askpass -> nobody
            ssh-askpass display all -> askpass pinentry dialog systemd
            terminal ssh-askpass display -> terminal askpass
            terminal ssh-askpass require=prefer -> terminal
            terminal ssh-askpass display require=prefer -> askpass terminal
            terminal ssh-askpass require=force -> askpass terminal
            ssh-askpass require=FORCE -> askpass
            terminal ssh-askpass display require=never -> terminal
            ssh-askpass display require=never -> nobody
            ssh-askpass display require=nonsense -> askpass
            terminal require=force -> terminal
            wanted=terminal -> terminal
            terminal display all bits-askpass wanted=dialog -> dialog
            wanted=Systemd terminal -> systemd
            wanted=askpass terminal require=never -> askpass
            wanted=pinentry -> pinentry
        ";
        for line in scenarios.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (there, expected) = line.split_once("->").unwrap();
            let names: Vec<&str> = order(&facts(there)).into_iter().map(Channel::name).collect();
            let names = if names.is_empty() { "nobody".to_owned() } else { names.join(" ") };
            assert_eq!(names, expected.trim(), "{there}");
        }
    }

    #[test]
    fn every_channel_is_found_by_its_name() {
        for channel in Channel::ALL {
            assert_eq!(Channel::named(&channel.name().to_uppercase()), Some(channel));
        }
        assert_eq!(Channel::named("window"), None);
    }
}
