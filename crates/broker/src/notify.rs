//! What is said to an owner of a job: to a command by variables, to a server by a message.

use bits_api::notification::{Message, MessageData, MessageError};
use bits_core::error::{Code, codes};
use bits_core::notify::{Channel, Happened, Notice};
use bits_core::queue::JobView;
use bits_worker::link::{Errand, Letter, Telling};

use bits_api::convert::rfc3339;

use crate::engine::SealedTelling;
use crate::vault::Vault;

/// What a worker is told of `telling`, with the secret opened.
///
/// # Errors
/// Why it cannot be: the secret does not open.
pub fn open(telling: SealedTelling, vault: &Vault) -> Result<Telling, String> {
    let SealedTelling { view, notice, secret } = telling;
    let (job, number) = (view.job.id, notice.number);
    let notify = &view.job.properties.notify;
    let errand = match notice.channel {
        Channel::Command => {
            let command = notify.command.clone().ok_or_else(|| "the command is gone".to_owned())?;
            Errand::Command { command, about: about(&view, &notice) }
        }
        Channel::Webhook => {
            let url = notify.webhook.clone().ok_or_else(|| "the webhook is gone".to_owned())?;
            let opened = vault.open(job, view.job.owner, secret.as_slice()).map_err(|error| error.message)?;
            Errand::Webhook(Box::new(Letter {
                url,
                id: format!("{job}-{number}"),
                body: serde_json::to_string(&message(&view, &notice)).expect("it is written as JSON"),
                secret: opened.webhook,
                proxy: view.job.properties.http.proxy.clone(),
                environment: view.job.properties.environment.clone(),
            }))
        }
    };
    Ok(Telling { job, number, errand })
}

/// The variables that a command finds.
fn about(view: &JobView, notice: &Notice) -> Vec<(&'static str, String)> {
    let job = &view.job;
    let mut about = vec![
        ("BITS_EVENT", notice.happened.name().to_owned()),
        ("BITS_JOB_ID", job.id.to_string()),
        ("BITS_JOB_NAME", job.properties.display_name.clone()),
        ("BITS_JOB_STATE", job.state.name().to_owned()),
    ];
    if let Some(code) = notice.code {
        about.push(("BITS_ERROR_CODE", code.to_string()));
        about.push(("BITS_ERROR_MESSAGE", sentence(view, code)));
    }
    about
}

fn message(view: &JobView, notice: &Notice) -> Message {
    let kind = match notice.happened {
        Happened::Transferred => "job.transferred",
        Happened::Error => "job.error",
    };
    let job = &view.job;
    Message {
        kind: kind.to_owned(),
        timestamp: rfc3339(notice.at),
        data: MessageData {
            job: job.id.to_string(),
            display_name: job.properties.display_name.clone(),
            state: job.state.name().to_owned(),
            files_total: view.progress.files_total,
            files_transferred: view.progress.files_transferred,
            bytes_total: view.progress.bytes_total.map(|bytes| bytes.0),
            bytes_transferred: view.progress.bytes_transferred.0,
            error: notice.code.map(|code| MessageError {
                code: code.to_string(),
                name: code.name().into_owned(),
                message: sentence(view, code),
            }),
        },
    }
}

/// What the job says of this error, while it is the last one it has met; else what the code means.
fn sentence(view: &JobView, code: Code) -> String {
    let met = view.job.error.as_ref().filter(|error| error.code == code);
    met.map_or_else(
        || codes::describe(code).map_or_else(|| code.to_string(), |known| known.meaning.to_string()),
        |error| error.message.clone(),
    )
}
