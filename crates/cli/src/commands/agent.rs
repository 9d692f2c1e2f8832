//! `bits agent`: stays, and asks the person for the credentials that background jobs need.
//!
//! Saved credentials are looked up first, but for those that were refused. One question is asked at
//! a time. What a job that nobody can be asked for does is the service's business.

use std::collections::{HashMap, VecDeque};
use std::pin::Pin;
use std::time::Duration;

use bits_client::api::challenge::{AnswerChallenge, ChallengeEvent, PendingChallenge};
use bits_client::api::credentials::{Password, SetCredentials};
use bits_client::api::file::FileQuery;
use bits_client::api::job::Challenge;
use bits_client::prompt::PromptOutcome;
use bits_client::saved::SavedEntry;
use bits_client::{ChallengeStream, Client, Error};
use bits_core::credentials::AuthScheme;
use bits_core::error::Code;
use bits_core::job::JobId;
use bits_core::remote_name::RemoteName;
use serde::Serialize;
use serde_json::json;

use super::Context;
use crate::arguments::Agent;
use crate::exit::{Failure, number};
use crate::following::interrupts;
use crate::kept::Kept;
use crate::output::Output;
use crate::output::units::counted;
use crate::sign_in;

/// The pause before a desktop is looked for again.
#[cfg(feature = "secret-service")]
const DESKTOP_PAUSE: Duration = Duration::from_secs(30);

/// The pause before it is looked again whether the service is back.
const PAUSE: Duration = Duration::from_secs(2);

pub(super) async fn run(agent: Agent, context: &Context<'_>) -> Result<(), Failure> {
    let output = context.output;
    if !sign_in::can_ask() {
        return Err(Failure::NobodyForAgent { why: "no terminal, no display and no program for it" });
    }
    let session = context.session().await?;
    let kept = match Kept::open().await {
        Ok(kept) => Some(kept),
        Err(failure) => {
            output.warn("saved credentials cannot be used");
            failure.tell(output);
            None
        }
    };
    let mut interrupts = interrupts()?;
    let mut desk = Desk {
        client: &session.client,
        kept: kept.as_ref(),
        scheme: agent.auth,
        saves: agent.save,
        output,
        waiting: VecDeque::new(),
        from_store: HashMap::new(),
        users: HashMap::new(),
    };
    tokio::select! {
        outcome = desk.stay() => outcome,
        () = show_news(&session.client) => unreachable!("it goes on"),
        _ = interrupts.recv() => {
            desk.tell("ended", json!({}), "the agent ends; jobs that wait for it are in error now")
        }
    }
}

/// Shows on the desktop what becomes of background jobs, while there is a desktop.
#[cfg(feature = "secret-service")]
async fn show_news(client: &Client) {
    loop {
        if let Some(desktop) = bits_client::Desktop::find(None).await {
            // Ends when the service has gone for long.
            let _ = desktop.show_news(client).await;
        }
        tokio::time::sleep(DESKTOP_PAUSE).await;
    }
}

#[cfg(not(feature = "secret-service"))]
async fn show_news(_: &Client) {
    std::future::pending().await
}

/// Where questions come in and answers go out.
struct Desk<'a> {
    client: &'a Client,
    kept: Option<&'a Kept>,
    scheme: Option<AuthScheme>,
    /// Whether all that is typed is to be saved.
    saves: bool,
    output: &'a Output,
    waiting: VecDeque<PendingChallenge>,
    /// Which saved credential was sent to a host: one that is refused there is forgotten.
    from_store: HashMap<String, SavedEntry>,
    /// The user who was last given for a host.
    users: HashMap<String, String>,
}

/// What came of a question.
enum Decided {
    Saved {
        entry: SavedEntry,
        credentials: SetCredentials,
        scheme: Option<AuthScheme>,
    },
    Typed {
        credentials: SetCredentials,
        save: bool,
    },
    Declined(&'static str),
    /// There is nowhere to ask, after all.
    Nobody(&'static str),
}

type Deciding<'d> = Pin<Box<dyn Future<Output = Decided> + 'd>>;

impl<'a> Desk<'a> {
    /// Stays until there is nobody to ask any more.
    async fn stay(&mut self) -> Result<(), Failure> {
        loop {
            match self.client.challenges().await {
                Ok(stream) => match self.attend(stream).await {
                    Err(Failure::Client(Error::Unreachable(_) | Error::BrokenOff { .. })) => {}
                    outcome => return outcome,
                },
                Err(Error::Unreachable(_) | Error::BrokenOff { .. }) => {}
                Err(error) => return Err(error.into()),
            }
            self.waiting.clear();
            self.tell("disconnected", json!({}), "the service has gone; waiting for it to return")?;
            while self.client.about_if_running().await.is_err() {
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    async fn attend(&mut self, mut stream: ChallengeStream) -> Result<(), Failure> {
        let mut current: Option<(PendingChallenge, Deciding<'a>)> = None;
        loop {
            if current.is_none()
                && let Some(challenge) = self.waiting.pop_front()
            {
                let deciding = self.decide(&challenge)?;
                current = Some((challenge, deciding));
            }
            let decided = async {
                match &mut current {
                    Some((_, deciding)) => deciding.await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                event = stream.next() => self.take_in(event?, current.as_ref().map(|(challenge, _)| challenge))?,
                decided = decided => {
                    let (challenge, _) = current.take().expect("it was decided");
                    self.answer(&challenge, decided).await?;
                }
            }
        }
    }

    fn take_in(&mut self, event: ChallengeEvent, current: Option<&PendingChallenge>) -> Result<(), Failure> {
        match event {
            ChallengeEvent::Ready => {
                self.tell("connected", json!({}), "answering for background jobs; Ctrl-C ends")
            }
            ChallengeEvent::Challenge(challenge) => {
                let is_known = |known: &PendingChallenge| known.id == challenge.id;
                // The same with more jobs: the answer is for all of them.
                if current.is_some_and(is_known) {
                    return Ok(());
                }
                match self.waiting.iter_mut().find(|known| is_known(known)) {
                    Some(known) => *known = *challenge,
                    None => self.waiting.push_back(*challenge),
                }
                Ok(())
            }
            ChallengeEvent::Withdrawn(withdrawn) => {
                self.waiting.retain(|known| known.id != withdrawn.id);
                self.tell_detail(
                    "withdrawn",
                    json!({ "id": withdrawn.id }),
                    "a question needs no answer any more",
                )
            }
        }
    }

    /// Begins to find an answer.
    fn decide(&mut self, pending: &PendingChallenge) -> Result<Deciding<'a>, Failure> {
        let Some(challenge) = pending.error.challenge.clone() else {
            return Ok(Box::pin(async { Decided::Declined(UNABLE) }));
        };
        let whom = described(&challenge);
        let jobs = counted(pending.jobs.len() as u64, "job");
        self.tell(
            "challenge",
            json!({ "challenge": pending }),
            &format!("{whom} asks for credentials, for {jobs}"),
        )?;
        let refused = self.from_store.remove(&challenge.host).filter(|_| challenge.refused);
        let user = self.users.get(&challenge.host).cloned();
        let (kept, output, scheme) = (self.kept, self.output, self.scheme);
        let asker =
            Asker { client: self.client, scheme, can_save: kept.is_some(), saves: self.saves, output };
        let pending = pending.clone();
        Ok(Box::pin(async move {
            if let Some(entry) = refused {
                forget_refused(kept, &entry, output).await;
            }
            let Some(remote) = asker.remote(&pending).await else { return Decided::Declined(UNABLE) };
            let is_tls = sign_in::is_known_to_be_tls(&challenge, &remote);
            if !challenge.refused
                && let Some(found) = look_up(kept, &challenge, output).await
                && scheme.is_none_or(|scheme| found.scheme.is_none_or(|saved| saved == scheme))
                && !sign_in::needs_leave(&challenge, is_tls, found.scheme.or(scheme))
            {
                let scheme = found.scheme.or(scheme);
                return Decided::Saved { entry: found.entry(), credentials: found.credentials, scheme };
            }
            asker.ask(&pending, &challenge, &remote, user).await
        }))
    }

    async fn answer(&mut self, pending: &PendingChallenge, decided: Decided) -> Result<(), Failure> {
        let host = pending.error.challenge.as_ref().map_or("", |challenge| challenge.host.as_str());
        match decided {
            Decided::Nobody(why) => Err(Failure::NobodyForAgent { why }),
            Decided::Declined(why) => {
                let answer = AnswerChallenge { declined: Some(why.to_owned()), ..AnswerChallenge::default() };
                if self.send(pending, &answer).await?.is_some() {
                    let sentence = format!("{host}: no credentials were given; the jobs are in error");
                    self.tell("declined", json!({ "id": pending.id, "why": why }), &sentence)?;
                }
                Ok(())
            }
            Decided::Saved { entry, credentials, scheme } => {
                let name = entry.name.clone();
                self.from_store.insert(host.to_owned(), entry);
                self.users.insert(host.to_owned(), credentials.user.clone());
                let answer = answer_of(credentials, scheme);
                if let Some(jobs) = self.send(pending, &answer).await? {
                    let sentence = format!(
                        "{host}: answered with what is saved as {name}, for {}",
                        counted(jobs, "job")
                    );
                    let body = json!({ "id": pending.id, "jobs": jobs, "from": "saved", "name": name });
                    self.tell("answered", body, &sentence)?;
                }
                Ok(())
            }
            Decided::Typed { credentials, save } => {
                self.users.insert(host.to_owned(), credentials.user.clone());
                let to_save = save.then(|| SetCredentials {
                    user: credentials.user.clone(),
                    password: Password(credentials.password.0.duplicate()),
                });
                let answer = answer_of(credentials, self.scheme);
                let Some(jobs) = self.send(pending, &answer).await? else { return Ok(()) };
                let sentence = format!("{host}: answered, for {}", counted(jobs, "job"));
                self.tell(
                    "answered",
                    json!({ "id": pending.id, "jobs": jobs, "from": "prompt" }),
                    &sentence,
                )?;
                match (to_save, self.kept) {
                    (Some(credentials), Some(kept)) => self.save(kept, host, &credentials).await,
                    _ => Ok(()),
                }
            }
        }
    }

    async fn save(&mut self, kept: &Kept, host: &str, credentials: &SetCredentials) -> Result<(), Failure> {
        match kept.save(host, self.scheme, credentials).await {
            Ok(()) => {
                // Where it turns out to be wrong it is forgotten again.
                let entry =
                    SavedEntry { name: host.to_owned(), scheme: self.scheme, user: credentials.user.clone() };
                self.from_store.insert(host.to_owned(), entry);
                let sentence = format!("{host}: saved in {}", kept.place());
                self.tell("saved", json!({ "name": host, "store": kept.place() }), &sentence)
            }
            Err(failure) => {
                self.output.warn(&format!("{host}: the credentials were not saved"));
                failure.tell(self.output);
                Ok(())
            }
        }
    }

    /// Answers; for how many jobs, if anybody still wanted to know.
    async fn send(
        &self,
        pending: &PendingChallenge,
        answer: &AnswerChallenge,
    ) -> Result<Option<u64>, Failure> {
        match self.client.answer_challenge(&pending.id, answer).await {
            Ok(answered) => Ok(Some(answered.jobs)),
            Err(error @ Error::Refused(_)) => {
                if error.code() == Some(Code::NOT_FOUND) {
                    self.output
                        .say("the question was answered elsewhere, or nobody needs the answer any more");
                } else {
                    Failure::from(error).tell(self.output);
                }
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Tells a program, or a person.
    fn tell(&self, event: &str, body: serde_json::Value, sentence: &str) -> Result<(), Failure> {
        if !self.output.is_json() {
            self.output.say(sentence);
            return Ok(());
        }
        self.output.result_json(&Line { event, body })
    }

    /// The same, for a curious person only.
    fn tell_detail(&self, event: &str, body: serde_json::Value, sentence: &str) -> Result<(), Failure> {
        if self.output.is_json() {
            return self.tell(event, body, sentence);
        }
        self.output.detail(sentence);
        Ok(())
    }
}

/// What a program is told: which event it is comes first, its fields after that.
#[derive(Serialize)]
struct Line<'e> {
    event: &'e str,
    #[serde(flatten)]
    body: serde_json::Value,
}

/// The agent cannot ask this.
const UNABLE: &str = "unable";

fn answer_of(credentials: SetCredentials, scheme: Option<AuthScheme>) -> AnswerChallenge {
    let scheme = scheme.map(|scheme| scheme.name().to_owned());
    AnswerChallenge { credentials: Some(credentials), scheme, declined: None }
}

fn described(challenge: &Challenge) -> String {
    let realm = challenge.realm.as_ref().map(|realm| format!(" (\"{realm}\")")).unwrap_or_default();
    format!("{} {}{realm}", challenge.target, challenge.host)
}

async fn look_up(kept: Option<&Kept>, challenge: &Challenge, output: &Output) -> Option<crate::kept::Found> {
    match kept?.for_challenge(challenge).await {
        Ok(found) => found,
        Err(failure) => {
            output.warn("saved credentials could not be looked up");
            failure.tell(output);
            None
        }
    }
}

/// What was refused is of no use for the next time either (`credentials.md` §1.3).
async fn forget_refused(kept: Option<&Kept>, entry: &SavedEntry, output: &Output) {
    let Some(kept) = kept else { return };
    match kept.forget_refused(entry).await {
        Ok(false) => {}
        Ok(true) => output.say(&format!("{}: what was saved was refused, and is forgotten", entry.name)),
        Err(failure) => _ = failure.tell(output),
    }
}

/// Who puts a question to the person.
struct Asker<'a> {
    client: &'a Client,
    scheme: Option<AuthScheme>,
    can_save: bool,
    saves: bool,
    output: &'a Output,
}

impl Asker<'_> {
    /// Where the file comes from that met the challenge, if that can be found out.
    async fn remote(&self, pending: &PendingChallenge) -> Option<RemoteName> {
        match remote_of(self.client, pending).await {
            Ok(remote) => remote,
            Err(error) => {
                self.output.warn(&format!("a job that asks cannot be read: {error}"));
                None
            }
        }
    }

    async fn ask(
        &self,
        pending: &PendingChallenge,
        challenge: &Challenge,
        remote: &RemoteName,
        user: Option<String>,
    ) -> Decided {
        let is_tls = sign_in::is_known_to_be_tls(challenge, remote);
        if sign_in::needs_leave(challenge, is_tls, self.scheme) {
            self.output.warn(&format!(
                "{} takes Basic alone, which everybody on the way can read; `bits agent --auth basic` permits it",
                challenge.host
            ));
            return Decided::Declined(UNABLE);
        }
        let refused = number(&pending.error.code).map(|code| (code, pending.error.message.as_str()));
        let mut request = sign_in::question_after(challenge, remote, self.scheme, refused);
        request.user_name = sign_in::offered_name(user.as_ref(), &request);
        request.save = sign_in::save_box().filter(|_| self.can_save && !self.saves);
        request.caption = Some("OpenBITS".to_owned());
        request.message = Some(format!("A background job needs credentials ({}).", remote.authority()));
        match sign_in::prompted(request).await {
            Ok(PromptOutcome::Accepted { identity, save }) => {
                Decided::Typed { credentials: sign_in::credentials(&identity), save: save || self.saves }
            }
            Ok(PromptOutcome::Cancelled) => Decided::Declined("cancelled"),
            Ok(PromptOutcome::TimedOut) => Decided::Declined("timed_out"),
            Ok(PromptOutcome::Unavailable { reason }) => Decided::Nobody(reason),
            Err(error) => {
                Failure::from(error).tell(self.output);
                Decided::Declined(UNABLE)
            }
        }
    }
}

/// Where the file comes from that met the challenge.
async fn remote_of(client: &Client, pending: &PendingChallenge) -> Result<Option<RemoteName>, Error> {
    let Ok(job) = JobId::parse(&pending.met_by) else { return Ok(None) };
    let query = FileQuery { from: Some(pending.error.file.unwrap_or(0)), limit: Some(1) };
    let files = client.list_files(job, &query).await?.files;
    Ok(files.first().and_then(|file| RemoteName::stored(&file.remote_name).ok()))
}
