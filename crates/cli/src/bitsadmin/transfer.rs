//! `/transfer`: a job from start to finish. When this tool is interrupted the job stays, and goes on; it is
//! completed by whoever comes back for it (`bits.md` §11.2).

use std::time::Duration;

use bits_client::EventStream;
use bits_client::api::event::Event;
use bits_client::api::job::Job;
use bits_core::job::JobId;
use tokio::signal::unix::Signal;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::commands::get::parts;
use crate::destination::Order;
use crate::exit::{BY_OTHERS, Failure, INTERRUPTED, JOB_FAILED};
use crate::following::interrupts;
use crate::session::{Session, id_of};
use crate::standing::Standing;

use super::asked::Transfer;
use super::calls;
use super::layout;
use super::paper::{Paper, tabbed};
use super::trouble::{Trouble, Unable};

const WHAT: &str = "complete transfer";
/// Between two reports where there is no terminal.
const BETWEEN_REPORTS: Duration = Duration::from_secs(10);

pub(super) async fn run(what: Transfer, session: &Session, paper: &Paper<'_>) -> Result<(), Trouble> {
    if what.acl_flags.is_some() {
        paper.output.warn("/aclflags: access control lists are copied over SMB alone; the flags do nothing");
    }
    let orders = what.files.iter().map(|(url, path)| calls::order(url, path));
    let orders = orders.collect::<Result<Vec<_>, _>>().unable("add file")?;
    calls::warn_of_user_info(&orders, paper);
    let mut order = calls::new_order(what.name, what.priority);
    order.properties.dynamic_content = what.is_dynamic.then_some(true);
    order.properties.file_acl_flags = what.acl_flags;
    let mut interrupts = interrupts().unable(WHAT)?;
    let job = session.client.create_job(order).await.unable("create job")?;
    let id = id_of(&job).unable("create job")?;
    let started = start(id, &orders, session).await;
    let events = match started {
        Ok(events) => events,
        Err(trouble) => {
            cancel(id, session, paper).await;
            return Err(trouble);
        }
    };
    let mut report = Report::new(paper);
    let end = look_on(id, events, &mut interrupts, &mut report).await?;
    conclude(end, id, session, report).await
}

async fn start(id: JobId, orders: &[Order], session: &Session) -> Result<EventStream, Trouble> {
    let client = &session.client;
    for part in parts(orders) {
        client.add_files(id, &calls::add_files(part, &[])).await.unable("add file")?;
    }
    // Listened for before anything can happen, so that nothing is missed.
    let mut events = client.events(Some(id)).await.unable("resume job")?;
    while events.next().await.unable("resume job")? != Event::Ready {}
    client.resume_job(id).await.unable("resume job")?;
    Ok(events)
}

/// How the looking on ended.
enum End {
    /// The job rests.
    Rests(Box<Job>),
    Interrupted,
}

async fn look_on(
    id: JobId,
    mut events: EventStream,
    interrupts: &mut Signal,
    report: &mut Report<'_>,
) -> Result<End, Trouble> {
    let mut ticks = interval_at(Instant::now() + BETWEEN_REPORTS, BETWEEN_REPORTS);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let text = id.to_string();
    let mut last: Option<Box<Job>> = None;
    loop {
        let event = tokio::select! {
            event = events.next() => event.unable(WHAT)?,
            _ = interrupts.recv() => return Ok(End::Interrupted),
            _ = ticks.tick() => {
                if let Some(job) = &last {
                    report.now_and_then(job)?;
                }
                continue;
            }
        };
        let Event::Job(job) = event else { continue };
        if job.id != text {
            continue;
        }
        match Standing::of(&job) {
            // One that somebody has stopped may be let run again.
            Standing::Moving | Standing::Suspended => report.at_once(&job)?,
            Standing::Transferred | Standing::Acknowledged | Standing::Failed | Standing::Cancelled => {
                return Ok(End::Rests(job));
            }
        }
        last = Some(job);
    }
}

async fn conclude(end: End, id: JobId, session: &Session, mut report: Report<'_>) -> Result<(), Trouble> {
    let paper = report.paper;
    let job = match end {
        End::Rests(job) => job,
        End::Interrupted => {
            report.leave()?;
            let guid = layout::guid(&id.to_string());
            paper.output.say(&format!(
                "the job goes on; see how: bitsadmin /info {guid}, put its files in their places: \
                 bitsadmin /complete {guid}"
            ));
            return Err(Trouble::told(INTERRUPTED));
        }
    };
    report.last(&job)?;
    match Standing::of(&job) {
        Standing::Transferred | Standing::Moving | Standing::Suspended => {
            session.client.complete_job(id).await.unable(WHAT)?;
            Ok(paper.line("Transfer complete.")?)
        }
        Standing::Acknowledged => Ok(paper.line("Transfer complete.")?),
        Standing::Cancelled => {
            paper.line("Unable to complete transfer.")?;
            paper.line("The job was canceled.")?;
            Err(Trouble::told(BY_OTHERS))
        }
        Standing::Failed => {
            paper.line("Unable to complete transfer.")?;
            if let Some(error) = &job.error {
                // The place of the file is asked for while there is one.
                let file = match error.file {
                    Some(index) => session.client.file(id, index).await.ok(),
                    None => None,
                };
                paper.lines(&layout::error(error, file.as_ref()))?;
            }
            cancel(id, session, paper).await;
            Err(Trouble::told(JOB_FAILED))
        }
    }
}

/// Cancels a job that is of no use.
async fn cancel(id: JobId, session: &Session, paper: &Paper<'_>) {
    if let Err(error) = session.client.cancel_job(id).await {
        let guid = layout::guid(&id.to_string());
        paper.output.warn(&format!("the job {guid} could not be canceled: {error}"));
    }
}

/// What is said while the job goes on: redrawn in place on a terminal, now and then elsewhere.
struct Report<'a> {
    paper: &'a Paper<'a>,
    /// Lines that are on the terminal and will be drawn over.
    drawn: usize,
}

impl<'a> Report<'a> {
    fn new(paper: &'a Paper<'a>) -> Self {
        Self { paper, drawn: 0 }
    }

    fn at_once(&mut self, job: &Job) -> Result<(), Failure> {
        match self.paper.columns() {
            Some(columns) => self.draw(job, columns),
            None => Ok(()),
        }
    }

    fn now_and_then(&self, job: &Job) -> Result<(), Failure> {
        match self.paper.columns() {
            Some(_) => Ok(()),
            None => self.paper.lines(&layout::progress(job)),
        }
    }

    /// What stays.
    fn last(&mut self, job: &Job) -> Result<(), Failure> {
        // What is wrong is said with the file, below.
        let lines = layout::progress(job);
        let standing = &lines[..lines.len().min(STANDING_LINES)];
        match self.paper.columns() {
            Some(_) => {
                self.leave()?;
                self.paper.lines(standing)
            }
            None => self.paper.lines(standing),
        }
    }

    /// Takes what is drawn off the terminal.
    fn leave(&mut self) -> Result<(), Failure> {
        let drawn = std::mem::take(&mut self.drawn);
        if drawn == 0 { Ok(()) } else { self.paper.terminal(&up(drawn)) }
    }

    fn draw(&mut self, job: &Job, columns: usize) -> Result<(), Failure> {
        let lines = layout::progress(job);
        let mut text = if self.drawn == 0 { String::new() } else { up(self.drawn) };
        for line in &lines {
            // A line that the terminal breaks would be two to draw over.
            text.extend(tabbed(line).chars().take(columns));
            text.push('\n');
        }
        self.drawn = lines.len();
        self.paper.terminal(&text)
    }
}

/// The lines that say how a job stands, before what is wrong with it.
const STANDING_LINES: usize = 2;

/// To the beginning of the line `lines` above, and nothing below it.
fn up(lines: usize) -> String {
    format!("\x1b[{lines}A\r\x1b[J")
}
