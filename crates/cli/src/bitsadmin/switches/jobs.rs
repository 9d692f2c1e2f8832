//! The switches of a job's life (`bits.md` §11.2).

use bits_core::job::Priority;
use bits_core::ranges::ByteRange;

use super::super::absent;
use super::super::asked::{ACL_FLAGS, Asked, Command, Transfer};
use super::super::words::{Fault, Words};
use super::Row;

pub(super) const ROWS: &[Row] = &[
    Row { name: "/help", takes: "", about: "Lists the switches", read: |_| Ok(Asked::Help) },
    Row { name: "/?", takes: "", about: "The same", read: |_| Ok(Asked::Help) },
    Row {
        name: "/transfer",
        takes: "<name> [/download] [/priority FOREGROUND|HIGH|NORMAL|LOW] [/aclflags ogds] [/dynamic] \
                <url> <localfile> [<url> <localfile>...]",
        about: "Transfers files from start to finish",
        read: transfer,
    },
    Row {
        name: "/create",
        takes: "[/download] <name>",
        about: "Creates a job, suspended and empty",
        read: create,
    },
    Row {
        name: "/list",
        takes: "[/allusers] [/verbose]",
        about: "Lists jobs",
        read: |words| {
            let (all_users, is_verbose) = two_switches(words, "allusers", "verbose");
            Ok(Asked::List { all_users, is_verbose })
        },
    },
    Row {
        name: "/listfiles",
        takes: "<job>",
        about: "Lists the files of a job",
        read: |words| Ok(Asked::ListFiles { job: words.job()? }),
    },
    Row {
        name: "/monitor",
        takes: "[/allusers] [/refresh <seconds>]",
        about: "Lists jobs again and again, until Ctrl-C",
        read: monitor,
    },
    Row {
        name: "/info",
        takes: "<job> [/verbose]",
        about: "Shows a job",
        read: |words| Ok(Asked::Info { job: words.job()?, is_verbose: words.switch("verbose") }),
    },
    Row {
        name: "/addfile",
        takes: "<job> <url> <localfile>",
        about: "Adds a file to a job",
        read: |words| add_file(words, |_| Ok(Vec::new())),
    },
    Row {
        name: "/addfileset",
        takes: "<job> <textfile>",
        about: "Adds the files of a list, a line each: url localfile",
        read: |words| Ok(Asked::AddFileSet { job: words.job()?, list: words.text("the text file")? }),
    },
    Row {
        name: "/addfilewithranges",
        takes: "<job> <url> <localfile> <offset:length,offset:length,offset:eof>",
        about: "Adds parts of a file to a job",
        read: |words| add_file(words, ranges),
    },
    Row {
        name: "/replaceremoteprefix",
        takes: "<job> <old> <new>",
        about: "Has the files of a job come from another place",
        read: |words| {
            let (job, old) = (words.job()?, words.text("the old prefix")?);
            Ok(Asked::ReplaceRemotePrefix { job, old, new: words.text("the new prefix")? })
        },
    },
    Row {
        name: "/suspend",
        takes: "<job>",
        about: "Stops a job; what has come is kept",
        read: |words| command(words, Command::Suspend),
    },
    Row {
        name: "/resume",
        takes: "<job>",
        about: "Lets a job run",
        read: |words| command(words, Command::Resume),
    },
    Row {
        name: "/cancel",
        takes: "<job>",
        about: "Ends a job and deletes what has come",
        read: |words| command(words, Command::Cancel),
    },
    Row {
        name: "/complete",
        takes: "<job>",
        about: "Puts the files of a job in their places and ends it",
        read: |words| command(words, Command::Complete),
    },
    Row {
        name: "/reset",
        takes: "[/allusers]",
        about: "Cancels all jobs",
        read: |words| Ok(Asked::Reset { all_users: words.switch("allusers") }),
    },
    Row {
        name: "/takeownership",
        takes: "<job>",
        about: "Makes a job yours",
        read: |words| command(words, Command::TakeOwnership),
    },
];

/// The words for priorities.
pub(super) const PRIORITIES: [(&str, Priority); 4] = [
    ("FOREGROUND", Priority::Foreground),
    ("HIGH", Priority::High),
    ("NORMAL", Priority::Normal),
    ("LOW", Priority::Low),
];

/// Seconds between two looks at the jobs, where nothing is said.
const REFRESH_SECONDS: u64 = 5;

fn create(words: &mut Words<'_>) -> Result<Asked, Fault> {
    let is_upload = words.switch("upload-reply") || words.switch("upload");
    if !is_upload {
        words.switch("download");
    }
    let name = words.text("the name")?;
    Ok(if is_upload { Asked::Absent(&absent::UPLOAD) } else { Asked::Create { name } })
}

fn transfer(words: &mut Words<'_>) -> Result<Asked, Fault> {
    let mut transfer = Transfer {
        name: words.text("the name")?,
        priority: Priority::Normal,
        is_dynamic: false,
        acl_flags: None,
        files: Vec::new(),
    };
    let mut is_upload = false;
    loop {
        if words.switch("priority") {
            transfer.priority = words.one_of("the priority", &PRIORITIES)?;
        } else if words.switch("aclflags") {
            transfer.acl_flags = Some(acl_flags(words)?);
        } else if words.switch("dynamic") {
            transfer.is_dynamic = true;
        } else if words.switch("upload") {
            is_upload = true;
        } else if !words.switch("download") {
            break;
        }
    }
    while let Some(url) = words.optional() {
        transfer.files.push((url.to_owned(), words.text(&format!("the local file for {url}"))?));
    }
    if transfer.files.is_empty() {
        return Err(Fault::new("the URL is missing"));
    }
    Ok(if is_upload { Asked::Absent(&absent::UPLOAD) } else { Asked::Transfer(transfer) })
}

/// Letters as a mask.
pub(super) fn acl_flags(words: &mut Words<'_>) -> Result<u32, Fault> {
    let flags = words.take("the ACL flags")?;
    let bit = |letter: char| ACL_FLAGS.iter().find(|(known, _)| known.eq_ignore_ascii_case(&letter));
    let mask = flags.chars().try_fold(0, |mask, letter| Some(mask | bit(letter)?.1));
    mask.ok_or_else(|| Fault::new(format!("`{flags}`: ACL flags are letters of o, g, d and s")))
}

fn monitor(words: &mut Words<'_>) -> Result<Asked, Fault> {
    let (mut all_users, mut refresh_seconds) = (false, REFRESH_SECONDS);
    loop {
        if words.switch("allusers") {
            all_users = true;
        } else if words.switch("refresh") {
            refresh_seconds = words.number("the seconds")?;
        } else {
            break;
        }
    }
    match refresh_seconds {
        0 => Err(Fault::new("the seconds: 1 is the least")),
        _ => Ok(Asked::Monitor { all_users, refresh_seconds }),
    }
}

fn add_file(
    words: &mut Words<'_>,
    ranges: fn(&mut Words<'_>) -> Result<Vec<ByteRange>, Fault>,
) -> Result<Asked, Fault> {
    let (job, url, path) = (words.job()?, words.text("the URL")?, words.text("the local file")?);
    Ok(Asked::AddFile { job, url, path, ranges: ranges(words)? })
}

fn ranges(words: &mut Words<'_>) -> Result<Vec<ByteRange>, Fault> {
    let ranges = words.take("the ranges")?.split(',').map(ByteRange::parse);
    ranges.collect::<Result<_, _>>().map_err(|wrong| Fault::new(wrong.to_string()))
}

fn command(words: &mut Words<'_>, command: Command) -> Result<Asked, Fault> {
    Ok(Asked::Command { command, job: words.job()? })
}

/// Whether each of two switches is there, in either order.
pub(super) fn two_switches(words: &mut Words<'_>, one: &str, other: &str) -> (bool, bool) {
    let (mut has_one, mut has_other) = (words.switch(one), words.switch(other));
    has_one |= words.switch(one);
    has_other |= words.switch(other);
    (has_one, has_other)
}
