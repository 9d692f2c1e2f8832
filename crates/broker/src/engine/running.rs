//! The loop around the turns: what wakes the engine, and who gets on between two of its turns.

use std::time::Duration;

use bits_core::ports::{Store, StoreError};
use bits_core::queue::{self, Limits};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::yield_now;
use tokio::time::Instant;

use crate::alarm::Alarm;

use super::creating::size_of;
use super::{Clock, EffectRunner, Engine, INPUTS_PER_BATCH, Input};

/// How often it is looked, after a turn in which somebody asked for something, whether there is something for
/// the next one: who asks one thing after the other has asked again before this thread were put to sleep and
/// woken. That takes some 100 microseconds; a program that is slower than that is not held up by its wait for us.
const LOOKS_FOR_MORE: usize = 80;

/// The longest that inputs are waited for at a time; a turn without any is cheap.
const PATIENCE_MAX: Duration = Duration::from_hours(1);

/// Runs until it is told to shut down. Each turn blocks the thread until it is written: whoever is served
/// by the same one, which spares those who ask a thread to be woken and another to be woken by, waits for
/// the engine anyway. Between two turns all of them get on.
///
/// # Errors
/// When the store cannot be read or written at the start, or what an earlier service has left turns out
/// to be damaged; other errors of it are answers.
pub async fn run(
    inputs: &mut UnboundedReceiver<Input>,
    store: &mut dyn Store,
    clock: &dyn Clock,
    effects: &mut dyn EffectRunner,
    limits: Limits,
) -> Result<(), StoreError> {
    let mut engine = Engine::start(store, clock, effects, limits)?;
    let mut alarm = Alarm::new();
    let mut was_asked = false;
    loop {
        // Who has been answered says so, and who has something to ask comes into the next turn.
        yield_now().await;
        engine.tell_log();
        engine.settle();
        let first = match std::mem::take(&mut was_asked) && !engine.until_next_wake().is_zero() {
            true => look_for_more(inputs).await,
            false => None,
        };
        if let Some(error) = engine.failure.take() {
            return Err(error);
        }
        match receive(first, inputs, &mut alarm, engine.until_next_wake()).await {
            Received::Batch(batch) => {
                was_asked = batch.iter().any(Input::is_asked);
                engine.turn(batch);
            }
            Received::Shutdown => return Ok(()),
        }
    }
}

/// Lets all others on this thread get on until there is something for the next turn, or it has been looked for
/// often enough. What comes is heard of before the next look.
async fn look_for_more(inputs: &mut UnboundedReceiver<Input>) -> Option<Input> {
    for _ in 0..LOOKS_FOR_MORE {
        tokio::select! {
            biased;
            first = inputs.recv() => return first,
            () = yield_now() => {}
        }
    }
    None
}

/// Waits for inputs, no longer than `patience` and not if there is a `first`, and takes as many as share a commit.
async fn receive(
    first: Option<Input>,
    inputs: &mut UnboundedReceiver<Input>,
    alarm: &mut Alarm,
    patience: Duration,
) -> Received {
    let mut batch: Vec<Input> = first.into_iter().collect();
    // A timer is set for the next millisecond at the earliest.
    if batch.is_empty() && !patience.is_zero() {
        let until = Instant::now() + patience.min(PATIENCE_MAX);
        tokio::select! {
            biased;
            first = inputs.recv() => match first {
                Some(first) => batch.push(first),
                None => return Received::Shutdown,
            },
            () = alarm.rings_at(until) => {}
        }
    }
    let mut size: usize = batch.iter().map(size_of).sum();
    while size < INPUTS_PER_BATCH
        && let Ok(next) = inputs.try_recv()
    {
        size += size_of(&next);
        batch.push(next);
    }
    if batch.iter().any(|input| matches!(input, Input::Shutdown)) {
        return Received::Shutdown;
    }
    Received::Batch(batch)
}

enum Received {
    Batch(Vec<Input>),
    Shutdown,
}

impl Input {
    /// Whether somebody waits for an answer.
    fn is_asked(&self) -> bool {
        matches!(self, Self::Queue(queue::Input::Request { .. }) | Self::Create(_) | Self::Query { .. })
    }
}
