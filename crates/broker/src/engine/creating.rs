//! New jobs: those of one call are made in one turn, each for itself.

use bits_core::access::Caller;
use bits_core::queue::{self, Request, Ticket};
use bits_core::time::Timestamp;

use super::{Engine, Input, Turn};

/// Jobs that are asked for in one call.
#[derive(Debug)]
pub struct NewJobs {
    pub caller: Caller,
    pub jobs: Vec<NewJob>,
    /// Whether the answers are to show the jobs.
    pub are_shown: bool,
}

/// A job that is asked for.
#[derive(Debug)]
pub struct NewJob {
    pub ticket: Ticket,
    /// [`Request::Create`].
    pub request: Request,
    /// Whether the id was made for it just now, so that no job can have it.
    pub has_new_id: bool,
}

/// For how many inputs `input` counts.
pub(super) fn size_of(input: &Input) -> usize {
    match input {
        Input::Create(new) => new.jobs.len(),
        _ => 1,
    }
}

impl Engine<'_> {
    /// Takes in what is asked for. Whether there is a job already is not looked up where there can be none.
    pub(super) fn create(&mut self, new: NewJobs, now: Timestamp, turn: &mut Turn) {
        let NewJobs { caller, jobs, are_shown } = new;
        for NewJob { ticket, request, has_new_id } in jobs {
            if !are_shown {
                turn.unshown.insert(ticket);
            }
            let input = queue::Input::Request { ticket, caller, request };
            if has_new_id {
                self.is_made_now(input.job());
                self.take_in_with(input, Ok(None), now, turn);
            } else {
                self.take_in(input, now, turn);
            }
        }
    }
}
