//! `bits credentials save`, `list`, `forget`: what a person keeps for later. Passwords go in and are
//! not shown.

use bits_client::prompt::PromptRequest;
use bits_core::credentials::AuthScheme;
use serde_json::json;

use super::Context;
use crate::arguments::{ForgetCredentials, SaveCredentials};
use crate::exit::Failure;
use crate::kept::Kept;
use crate::output::table;
use crate::sign_in;

pub(super) async fn save(save: SaveCredentials, context: &Context<'_>) -> Result<(), Failure> {
    let output = context.output;
    if save.secret.implicit {
        let sentence =
            "a Kerberos ticket is kept by Kerberos, and cannot be saved here; leave out --implicit";
        return Err(Failure::Usage(sentence.to_owned()));
    }
    let credentials = match sign_in::from_flags(&save.secret, output)? {
        Some(given) => given,
        None => {
            let target = format!("to be saved as {}", save.name);
            let mut request = PromptRequest::new(target, sign_in::package(save.scheme));
            request.user_name = save.secret.user;
            sign_in::ask_or_fail(request).await?.credentials
        }
    };
    let kept = Kept::open().await?;
    kept.save(&save.name, save.scheme, &credentials).await?;
    if output.is_json() {
        let scheme = save.scheme.map(AuthScheme::name);
        let saved = json!({ "name": save.name.to_lowercase(), "scheme": scheme, "user": credentials.user,
            "store": kept.place() });
        return output.result_json(&saved);
    }
    output.say(&format!("{}: saved in {}", save.name, kept.place()));
    Ok(())
}

pub(super) async fn list(context: &Context<'_>) -> Result<(), Failure> {
    let output = context.output;
    let kept = Kept::open().await?;
    let entries = kept.list().await?;
    if output.is_json() {
        let entries: Vec<_> = entries
            .iter()
            .map(|entry| json!({ "name": entry.name, "scheme": entry.scheme.map(AuthScheme::name), "user": entry.user }))
            .collect();
        return output.result_json(&entries);
    }
    output.detail(&format!("new ones are saved in {}", kept.place()));
    if entries.is_empty() {
        output.say("no credentials are saved");
        return Ok(());
    }
    let rows: Vec<_> = entries
        .into_iter()
        .map(|entry| [entry.name, entry.scheme.map_or("any", AuthScheme::name).to_owned(), entry.user])
        .collect();
    for line in table::lines(["NAME", "SCHEME", "USER"], &rows) {
        output.result(&line)?;
    }
    Ok(())
}

pub(super) async fn forget(forget: ForgetCredentials, context: &Context<'_>) -> Result<(), Failure> {
    let forgotten = Kept::open().await?.forget(&forget.name, forget.scheme).await?;
    if context.output.is_json() {
        return context.output.result_json(&json!({ "forgotten": forgotten }));
    }
    match forgotten {
        0 => Err(Failure::NothingSaved { name: forget.name, scheme: forget.scheme }),
        _ => {
            context.output.say(&format!("{}: forgotten", forget.name));
            Ok(())
        }
    }
}
