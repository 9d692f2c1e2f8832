//! The talk with one `bits-gss`, on a thread of its own: the program ends with the thread that has
//! started it, and the thread with whoever asks.

use std::process::Command;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use bits_gss::{Answer, HEAD_BYTES, Request, frame_length};
use bits_platform::program::{Broken as Unheard, Program};
use tokio::sync::oneshot;

/// How long a ticket may take: the library asks KDCs, one after the other, each of them for some
/// seconds and again.
const TICKET_TIME_MAX: Duration = Duration::from_secs(45);
/// How long it may take to look at a token. No KDC is asked for that.
const LOOK_TIME_MAX: Duration = Duration::from_secs(5);

/// Dropped, it ends the program.
pub(super) struct Talk {
    questions: Sender<Question>,
}

struct Question {
    request: Request,
    time: Duration,
    answered: oneshot::Sender<Result<Answer, Broken>>,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Broken {
    /// The program cannot be started.
    NotStarted,
    TimedOut,
    /// It ended, or said what is no message.
    Ended,
}

impl Talk {
    pub(super) fn begin(command: Command) -> Self {
        let (questions, asked) = channel();
        // Where there is no thread to be had, every question remains without an answer.
        let _ = thread::Builder::new().name("bits-gss".to_owned()).spawn(move || serve(command, &asked));
        Self { questions }
    }

    /// Asks for what may take the KDCs' time.
    pub(super) async fn ask(&self, request: Request) -> Result<Answer, Broken> {
        self.answer(request, TICKET_TIME_MAX).await
    }

    /// Asks for what is computed in a moment.
    pub(super) async fn ask_to_look(&self, request: Request) -> Result<Answer, Broken> {
        self.answer(request, LOOK_TIME_MAX).await
    }

    async fn answer(&self, request: Request, time: Duration) -> Result<Answer, Broken> {
        let (answered, answer) = oneshot::channel();
        let question = Question { request, time, answered };
        self.questions.send(question).map_err(|_| Broken::NotStarted)?;
        answer.await.unwrap_or(Err(Broken::NotStarted))
    }
}

fn serve(command: Command, asked: &Receiver<Question>) {
    let Ok(mut program) = Program::start(command, Instant::now(), None) else { return };
    while let Ok(question) = asked.recv() {
        program.extend(Instant::now() + question.time);
        let answer = exchange(&mut program, &question.request);
        let is_over = answer.is_err();
        // Who has asked may have gone.
        let _ = question.answered.send(answer);
        if is_over {
            return;
        }
    }
}

fn exchange(program: &mut Program<'_>, request: &Request) -> Result<Answer, Broken> {
    program.send_bytes(&request.to_frame())?;
    let head = program.read_exact(HEAD_BYTES)?;
    let head = head.as_slice().try_into().expect("as many were read as a head has");
    let length = frame_length(head).map_err(|_| Broken::Ended)?;
    Answer::read(&program.read_exact(length)?).map_err(|_| Broken::Ended)
}

impl From<Unheard> for Broken {
    fn from(unheard: Unheard) -> Self {
        match unheard {
            Unheard::TimedOut => Self::TimedOut,
            Unheard::Signal | Unheard::TooMuch | Unheard::Gone => Self::Ended,
        }
    }
}
