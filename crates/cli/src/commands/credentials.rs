//! `bits credentials`: set and remove those of a job; what is saved for later is in `saved`. There is
//! no command that shows them.

use bits_client::Scheme;
use bits_client::api::job::Job;
use bits_client::prompt::PromptRequest;
use bits_core::credentials::{AuthScheme, AuthTarget};
use bits_core::remote_name::RemoteName;
use futures_util::TryStreamExt;
use std::pin::pin;

use super::{Context, saved};
use crate::arguments::{Credentials, RemoveCredentials, SetCredentials};
use crate::exit::Failure;
use crate::kept::Kept;
use crate::session::{Session, id_of};
use crate::sign_in;

pub(super) async fn run(credentials: Credentials, context: &Context<'_>) -> Result<(), Failure> {
    match credentials {
        Credentials::Set(set) => run_set(set, context).await,
        Credentials::Remove(remove) => run_remove(remove, context).await,
        Credentials::Save(save) => saved::save(save, context).await,
        Credentials::List => saved::list(context).await,
        Credentials::Forget(forget) => saved::forget(forget, context).await,
    }
}

async fn run_set(set: SetCredentials, context: &Context<'_>) -> Result<(), Failure> {
    // Read first: standard input is not kept waiting for the service.
    let given = sign_in::from_flags(&set.secret, context.output)?;
    let found = match &set.saved.credential {
        Some(name) => Some(Kept::open().await?.named(name, set.scheme).await?),
        None => None,
    };
    let session = context.session().await?;
    let job = session.find(&set.job).await?;
    let id = id_of(&job)?;
    let asked = sign_in::scheme_for(set.secret.implicit, set.scheme);
    let mut to_save = None;
    let (scheme, body) = match (given, found) {
        (Some(given), _) => (asked, given),
        (None, Some(found)) => (found.scheme_or(set.scheme), found.credentials),
        (None, None) => {
            let (mut request, server) = question(&session, &job, set.target, set.scheme).await?;
            request.caption = set.caption;
            request.message = set.message;
            request.user_name = set.secret.user;
            request.save = sign_in::save_box().filter(|_| server.is_some() && !set.saved.save);
            let typed = sign_in::ask_or_fail(request).await?;
            if set.saved.save && server.is_none() {
                context.output.warn("nothing is saved: the job has not just one server to save it for");
            }
            to_save = server.filter(|_| typed.save || set.saved.save);
            (asked, typed.credentials)
        }
    };
    session.client.set_credentials(id, set.target, scheme, &body).await?;
    if let Some(server) = to_save {
        let kept = Kept::open().await?;
        kept.save(&server, set.scheme, &body).await?;
        context.output.say(&format!("{server}: saved in {}", kept.place()));
    }
    let (scheme, target) = (scheme.name(), set.target.name());
    context.output.detail(&format!("{}: credentials are set ({scheme}, {target})", job.display_name));
    Ok(())
}

async fn run_remove(remove: RemoveCredentials, context: &Context<'_>) -> Result<(), Failure> {
    let session = context.session().await?;
    let id = session.find_id(&remove.job).await?;
    let scheme = remove.scheme.map_or(Scheme::Any, Scheme::One);
    let removed = session.client.remove_credentials(id, remove.target, scheme).await?;
    if context.output.is_json() {
        return context.output.result_json(&bits_client::api::credentials::Removed { removed });
    }
    let sentence = if removed { "the credentials are removed" } else { "there were no such credentials" };
    context.output.say(sentence);
    Ok(())
}

/// What to ask for `job`: the servers its files come from are named, as they are what is known to
/// be true. Also the one server that they are from, if it is one: what can be saved is for that.
pub(crate) async fn question(
    session: &Session,
    job: &Job,
    for_target: AuthTarget,
    scheme: Option<AuthScheme>,
) -> Result<(PromptRequest, Option<String>), Failure> {
    let mut servers: Vec<String> = Vec::new();
    let mut authorities: Vec<String> = Vec::new();
    let mut unencrypted = false;
    if for_target == AuthTarget::Server {
        let mut files = pin!(session.client.files(id_of(job)?));
        while let Some(file) = files.try_next().await? {
            let Ok(remote) = RemoteName::stored(&file.remote_name) else { continue };
            unencrypted |= !remote.is_tls();
            let origin =
                format!("{}://{}", if remote.is_tls() { "https" } else { "http" }, remote.authority());
            if !servers.contains(&origin) {
                servers.push(origin);
                authorities.push(remote.authority());
            }
            if servers.len() > SERVERS_NAMED_MAX {
                break;
            }
        }
    }
    let target = match (for_target, servers.len()) {
        (AuthTarget::Proxy, _) => "the proxy on the way".to_owned(),
        (AuthTarget::Server, 0) => "any server of this job (it has no files yet)".to_owned(),
        (AuthTarget::Server, 1..=SERVERS_NAMED_MAX) => format!("server {}", servers.join(", ")),
        (AuthTarget::Server, _) => "any server of this job".to_owned(),
    };
    let mut request = PromptRequest::new(target, sign_in::package(scheme));
    request.unencrypted = unencrypted;
    let server = authorities.pop().filter(|_| authorities.is_empty());
    Ok((request, server))
}

/// Servers that a question names one by one.
const SERVERS_NAMED_MAX: usize = 3;
