//! What an owner says of notifications, and what is still to be told, as they are kept.

use std::time::Duration;

use bits_core::error::Code;
use bits_core::notify::{Channel, Happened, Notice, NotifyCommand, NotifyFlags, NotifyOptions, Outbox};
use bits_core::ports::StoreError;
use bits_core::remote_name::RemoteName;
use bits_core::time::Timestamp;
use rusqlite::types::Value;

use super::{Columns, meaningless, milliseconds, time};

/// Reads the options, and the outbox, of a job.
pub(super) fn read(columns: &mut Columns<'_>) -> Result<(NotifyOptions, Outbox), StoreError> {
    let mask: u32 = columns.next()?;
    let program: Option<String> = columns.next()?;
    let arguments: Option<String> = columns.next()?;
    let webhook: Option<String> = columns.next()?;
    let options = NotifyOptions {
        flags: NotifyFlags::from_mask(mask).map_err(|_| meaningless("mask of notifications", mask))?,
        command: program.map(|program| NotifyCommand {
            program,
            arguments: arguments.unwrap_or_default().split_terminator('\0').map(str::to_owned).collect(),
        }),
        webhook: webhook
            .map(|url| RemoteName::stored(&url).map_err(|error| meaningless("webhook", error)))
            .transpose()?,
        minimum_interval: Duration::from_millis(columns.amount()?),
    };
    let notices: Option<String> = columns.next()?;
    let outbox = Outbox {
        pending: notices
            .as_deref()
            .unwrap_or_default()
            .lines()
            .map(|line| notice(line).ok_or_else(|| meaningless("notice", line)))
            .collect::<Result<_, _>>()?,
        made: columns.next()?,
        failure: columns.next()?,
    };
    Ok((options, outbox))
}

/// The values that [`read`] reads.
pub(super) fn values(options: &NotifyOptions, outbox: &Outbox) -> [Value; 8] {
    let NotifyOptions { flags, command, webhook, minimum_interval } = options;
    let Outbox { pending, made, failure } = outbox;
    let arguments = command
        .as_ref()
        .map(|command| command.arguments.iter().flat_map(|text| [text, "\0"]).collect::<String>());
    let lines = pending.iter().map(line).collect::<Vec<_>>().join("\n");
    [
        flags.mask().into(),
        command.as_ref().map(|command| command.program.clone()).into(),
        arguments.into(),
        webhook.as_ref().map(|url| url.as_str().to_owned()).into(),
        milliseconds(*minimum_interval).into(),
        (!pending.is_empty()).then_some(lines).into(),
        (*made).into(),
        failure.clone().into(),
    ]
}

const COMMAND: &str = "command";
const WEBHOOK: &str = "webhook";
const TRANSFERRED: &str = "transferred";
const ERROR: &str = "error";
const NO_CODE: &str = "-";

fn line(notice: &Notice) -> String {
    let Notice { number, channel, happened, at, code, tries, due, offered, past_callback } = notice;
    let channel = match channel {
        Channel::Command => COMMAND,
        Channel::Webhook => WEBHOOK,
    };
    let happened = match happened {
        Happened::Transferred => TRANSFERRED,
        Happened::Error => ERROR,
    };
    let code = code.map_or(NO_CODE.to_owned(), |code| code.0.to_string());
    let (at, due) = (time(*at), time(*due));
    let [offered, past_callback] = [*offered, *past_callback].map(u8::from);
    format!("{number} {channel} {happened} {at} {code} {tries} {due} {offered} {past_callback}")
}

fn notice(line: &str) -> Option<Notice> {
    let [number, channel, happened, at, code, tries, due, offered, past_callback] =
        line.split(' ').collect::<Vec<_>>()[..]
    else {
        return None;
    };
    let truth = |word| match word {
        "0" => Some(false),
        "1" => Some(true),
        _ => None,
    };
    Some(Notice {
        number: number.parse().ok()?,
        channel: match channel {
            COMMAND => Channel::Command,
            WEBHOOK => Channel::Webhook,
            _ => return None,
        },
        happened: match happened {
            TRANSFERRED => Happened::Transferred,
            ERROR => Happened::Error,
            _ => return None,
        },
        at: Timestamp(at.parse().ok()?),
        code: if code == NO_CODE { None } else { Some(Code(code.parse().ok()?)) },
        tries: tries.parse().ok()?,
        due: Timestamp(due.parse().ok()?),
        offered: truth(offered)?,
        past_callback: truth(past_callback)?,
    })
}
