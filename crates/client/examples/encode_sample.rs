//! The first program to read: ask a person for credentials, make a job, download with Negotiate,
//! complete.
//!
//! ```text
//! cargo run --example encode_sample -- https://files.example.test/report.pdf "$PWD/report.pdf"
//! ```
//!
//! With `--user NAME --password-file FILE` nobody is asked. The exit code is 0 when the file is in
//! its place, 5 when the person cancels, 1 for everything else.
//!
//! It follows, step by step, what programs on Windows do with `SspiPromptForCredentials` and
//! `IBackgroundCopyJob2::SetCredentials`, with one mistake of theirs put right: where the identity
//! has a domain, the user name that goes to the job carries it.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bits_client::api::job::{ChangeJob, Job};
use bits_client::prompt::password_sources::read_password_file;
use bits_client::prompt::{PromptOutcome, PromptRequest, prompt_for_credentials};
use bits_client::{AuthCredentials, Client, ConnectOptions, JobCredentials, JobHandle, Scheme, new_job};
use bits_core::credentials::{AuthScheme, AuthTarget};
use bits_core::error::Code;
use bits_core::identity::{Identity, Package, UserName};
use bits_core::remote_name::RemoteName;
use bits_core::secret::Secret;

/// What the program is told.
struct Arguments {
    url: String,
    destination: PathBuf,
    user_and_password_file: Option<(String, PathBuf)>,
}

/// Step 1: the runtime. It is a value: whichever way `main` is left, it is dropped, and with it
/// everything that was begun on it.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Some(arguments) = arguments(std::env::args().skip(1)) else {
        eprintln!("usage: encode_sample URL /ABSOLUTE/PATH [--user NAME --password-file FILE]");
        return ExitCode::from(2);
    };
    match download(&arguments).await {
        Ok(Some(job)) => {
            println!("{}: {} bytes", arguments.destination.display(), job.progress.bytes_transferred);
            ExitCode::SUCCESS
        }
        // The person cancelled. That is an answer, not an error.
        Ok(None) => {
            eprintln!("cancelled ({})", Code::CANCELLED.0);
            ExitCode::from(5)
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// The whole flow. `None` when the person cancels at the prompt.
async fn download(arguments: &Arguments) -> Result<Option<Job>, Box<dyn Error>> {
    // Step 3: who is it? Wiped when it is dropped, which is on every way out of this function.
    let Some(mut identity) = ask(arguments)? else { return Ok(None) };

    // Step 4: the opaque identity as strings.
    let strings = identity.encode_as_strings();
    let user = strings.user.as_deref().unwrap_or_default();
    let domain = strings.domain.as_deref().unwrap_or_default();
    println!("user: {user}, domain: {domain}");

    // Step 5: the credential structure. `qualified_user_name` puts the domain before the user;
    // without it every domain account would sign in as a local one.
    let credentials = AuthCredentials {
        target: AuthTarget::Server,
        scheme: Scheme::One(AuthScheme::Negotiate),
        user: strings.qualified_user_name().ok_or("there is no user name")?,
        password: strings.password.unwrap_or_else(|| Secret::new(String::new())),
    };

    // Step 14 for the identity: it has done its part. The credentials wipe themselves below.
    identity.zero();

    // Steps 6 and 7: the service knows who calls from the kernel; it is started if it does not
    // run.
    let client = Client::connect(ConnectOptions::new()).await?;

    // Step 8, and step 2, the handles: manager (`client`), job, and the job's credential
    // interface (`job.credentials()`).
    let job: JobHandle = client.create(new_job("EncodeSample")).await?;
    println!("job: {}", job.id());

    match fill_and_run(&job, credentials, arguments).await {
        Ok(finished) => Ok(Some(finished)),
        Err(error) => {
            // A failed step leaves no half-made job behind.
            if let Err(also) = job.cancel().await {
                eprintln!("the job {} could not be cancelled: {also}", job.id());
            }
            Err(error)
        }
    }
}

/// Steps 9 to 13: credentials, files, properties; then the job runs and is completed.
async fn fill_and_run(
    job: &JobHandle,
    credentials: AuthCredentials,
    arguments: &Arguments,
) -> Result<Job, Box<dyn Error>> {
    // Steps 9 to 11. From here on the secret is the service's, which seals it. The copy here is
    // wiped when it is sent, and also when it is not.
    let interface: JobCredentials<'_> = job.credentials();
    interface.set(credentials).await?;

    // Step 12.
    job.add_file(&arguments.url, &arguments.destination).await?;
    let properties = ChangeJob {
        display_name: Some("EncodeSample".to_owned()),
        description: Some("The first job of all".to_owned()),
        priority: Some("foreground".to_owned()),
        minimum_retry_delay: Some(60),
        no_progress_timeout: Some(600),
        ..ChangeJob::default()
    };
    job.change(&properties).await?;
    job.resume().await?;

    // Step 13: when all is here it is made visible.
    let rested = job.wait_until_it_rests().await?;
    match (rested.state.as_str(), rested.error) {
        ("transferred", _) => Ok(job.complete().await?.job),
        ("error", Some(error)) => Err(format!("{} ({}, {})", error.message, error.name, error.code).into()),
        (state, _) => Err(format!("the job is {state}; somebody else did that").into()),
    }
}

/// Step 3: asks the person for credentials for the package Negotiate, or takes them from where the
/// arguments say. `None` when the person cancels.
fn ask(arguments: &Arguments) -> Result<Option<Identity>, Box<dyn Error>> {
    if let Some((user, file)) = &arguments.user_and_password_file {
        let password = read_password_file(file)?.password;
        return Ok(Some(Identity::from_user_name(UserName::parse(user)?, password)?));
    }
    // How the question looks: message and caption are ours to choose, the target is what is true.
    let (remote, _) = RemoteName::parse(&arguments.url)?;
    let mut request = PromptRequest::new(format!("server {}", remote.authority()), Package::Negotiate);
    request.unencrypted = !remote.is_tls();
    request.caption = Some("Sign in".to_owned());
    request.message = Some("Target".to_owned());
    match prompt_for_credentials(&request)? {
        PromptOutcome::Accepted { identity, save } => {
            println!("save: {save}");
            Ok(Some(identity))
        }
        PromptOutcome::Cancelled => Ok(None),
        PromptOutcome::TimedOut => Err("nobody answered in time".into()),
        PromptOutcome::Unavailable { reason } => Err(format!("there is nobody to ask: {reason}").into()),
    }
}

/// `URL PATH [--user NAME --password-file FILE]`.
fn arguments(mut words: impl Iterator<Item = String>) -> Option<Arguments> {
    let (url, destination) = (words.next()?, PathBuf::from(words.next()?));
    let rest: Vec<String> = words.collect();
    let user_and_password_file = match &rest[..] {
        [] => None,
        [flag, user, also, file] if flag == "--user" && also == "--password-file" => {
            Some((user.clone(), Path::new(file).to_path_buf()))
        }
        _ => return None,
    };
    destination.is_absolute().then_some(Arguments { url, destination, user_and_password_file })
}
