//! One transcript: played in a shell, and compared.

use std::path::{Path, PathBuf};

use bits_e2e::Finished;

use super::World;

/// What every answer begins with, unless values alone are asked for.
const BANNER: [&str; 4] = [
    "",
    concat!("BITSADMIN version 3.0 [ OpenBITS ", env!("CARGO_PKG_VERSION"), " ]"),
    "Administration of background transfers; `bits --help` has the newer commands.",
    "",
];

/// A transcript that is played.
pub(super) struct Session<'a> {
    world: &'a World,
    path: PathBuf,
    origin: String,
    folder: String,
    user: String,
    /// GUIDs in the order in which they were seen.
    guids: Vec<String>,
}

impl<'a> Session<'a> {
    pub(super) fn of(world: &'a World, name: &str, origin: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/bitsadmin/transcripts");
        Self {
            world,
            path: path.join(name).with_extension("txt"),
            origin: origin.to_owned(),
            folder: world.service.file("").to_str().expect("text").trim_end_matches('/').to_owned(),
            user: world.shell("id -un").finish().expect_code(0).stdout.trim().to_owned(),
            guids: Vec::new(),
        }
    }

    /// Plays it.
    ///
    /// # Panics
    /// When something else is printed than it says.
    pub(super) fn check(mut self) {
        let text = std::fs::read_to_string(&self.path);
        let text = text.unwrap_or_else(|error| panic!("{}: {error}", self.path.display()));
        let mut played = String::new();
        for line in text.lines() {
            if let Some(command) = line.strip_prefix("$ ") {
                let answer = self.answer(command);
                played.push_str(&format!("{line}\n{answer}"));
            } else if let Some(waiting) = line.strip_prefix("# wait ") {
                let (job, state) = waiting.split_once(' ').expect("# wait JOB STATE");
                self.world.wait(job, state);
                played.push_str(&format!("{line}\n"));
            } else if line.starts_with('#') {
                played.push_str(&format!("{line}\n"));
            }
        }
        if std::env::var_os("OPENBITS_WRITE_TRANSCRIPTS").is_some_and(|value| value == "1") {
            std::fs::write(&self.path, &played).expect("the transcript can be written");
            return;
        }
        assert!(text.contains("$ "), "{} has no command", self.path.display());
        let differs = text.lines().zip(played.lines()).position(|(said, is)| said != is);
        assert!(
            text == played,
            "{}: what was printed is another text, from line {} on:\n{played}",
            self.path.display(),
            differs.unwrap_or_else(|| text.lines().count().min(played.lines().count())) + 1,
        );
    }

    fn answer(&mut self, command: &str) -> String {
        let mut typed = command.replace("ORIGIN", &self.origin).replace("FOLDER", &self.folder);
        for (number, guid) in (1..).zip(&self.guids) {
            typed = typed.replace(&format!("{{GUID-{number}}}"), guid);
        }
        let finished = self.world.shell(&typed).finish();
        let mut answer = self.normal(&without_banner(&finished));
        for line in finished.stderr.lines() {
            answer.push_str(&format!("! {}\n", self.normal(line)));
        }
        match finished.code {
            Some(0) => {}
            code => answer.push_str(&format!("[{}]\n", code.expect("it ends by itself"))),
        }
        // A value alone has no end of line.
        if !answer.is_empty() && !answer.ends_with('\n') {
            answer.push('\n');
        }
        answer
    }

    /// `text` as it is on every machine.
    fn normal(&mut self, text: &str) -> String {
        let text = text
            .replace(&self.origin, "ORIGIN")
            .replace(&self.folder, "FOLDER")
            .replace(&format!("OWNER: {}\n", self.user), "OWNER: USER\n")
            .replace(
                if self.user == "root" { ROOT } else { ANYBODY },
                "INTEGRITY LEVEL: LEVEL OWNER ELEVATED: IS",
            );
        let mut text = self.with_guids_named(&times_named(&text));
        for (number, guid) in (1..).zip(&self.guids) {
            // As the service writes it in its sentences.
            let plain = guid.trim_matches(['{', '}']).to_ascii_lowercase();
            text = text.replace(&plain, &format!("GUID-{number}"));
        }
        text
    }

    fn with_guids_named(&mut self, text: &str) -> String {
        let mut named = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('{') {
            let (before, from) = rest.split_at(at);
            named.push_str(before);
            let guid = from.get(..GUID_CHARS).filter(|guid| guid.ends_with('}') && guid.contains('-'));
            let Some(guid) = guid else {
                named.push('{');
                rest = &from[1..];
                continue;
            };
            let known = self.guids.iter().position(|known| known == guid);
            let number = known.unwrap_or_else(|| {
                self.guids.push(guid.to_owned());
                self.guids.len() - 1
            });
            named.push_str(&format!("{{GUID-{}}}", number + 1));
            rest = &from[GUID_CHARS..];
        }
        named + rest
    }
}

/// What is said of whose jobs they are.
const ROOT: &str = "INTEGRITY LEVEL: HIGH OWNER ELEVATED: TRUE";
const ANYBODY: &str = "INTEGRITY LEVEL: MEDIUM OWNER ELEVATED: FALSE";

/// With the braces.
const GUID_CHARS: usize = 38;

/// What was printed after the banner, which has to be there where standard output is no value alone.
fn without_banner(finished: &Finished) -> String {
    let banner = BANNER.map(|line| format!("{line}\n")).concat();
    match finished.stdout.strip_prefix(&banner) {
        Some(rest) => rest.to_owned(),
        None => {
            assert!(!finished.stdout.contains("BITSADMIN version"), "the banner is another one: {finished}");
            finished.stdout.clone()
        }
    }
}

/// `text` with each `2026-11-29 12:00:00` as `TIME`.
fn times_named(text: &str) -> String {
    const SHAPE: &[u8] = b"dddd-dd-dd dd:dd:dd";
    let is_time = |window: &[u8]| {
        let fits =
            |(byte, shape): (&u8, &u8)| if *shape == b'd' { byte.is_ascii_digit() } else { byte == shape };
        window.iter().zip(SHAPE).all(fits)
    };
    let mut named = String::new();
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        if rest.as_bytes().get(..SHAPE.len()).is_some_and(is_time) {
            named.push_str("TIME");
            rest = &rest[SHAPE.len()..];
        } else {
            named.push(character);
            rest = &rest[character.len_utf8()..];
        }
    }
    named
}
