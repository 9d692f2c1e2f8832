//! The thread that decides, and serves whoever asks: an answer needs no other one to be woken. What transfers
//! do is on others.
//!
//! What runs there is handed in.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;
use std::{io, thread};

use bits_broker::stop::Stop;
use bits_core::ports::StoreError;
use tokio::runtime::{Builder, Handle};
use tokio::sync::Notify;

/// How long what was begun beside may take to end when the thread does.
const PATIENCE_WITH_OTHERS: Duration = Duration::from_secs(5);

pub(crate) struct EngineThread {
    thread: thread::JoinHandle<Result<(), StoreError>>,
    runtime: Handle,
    /// Rung when nobody is to be served any more.
    released: Arc<Notify>,
}

/// Stops the service when the engine is gone, however that came: without it nothing can be
/// answered, and a service that only says so keeps a better one from being started.
struct Bell(Arc<Stop>);

impl Drop for Bell {
    fn drop(&mut self) {
        self.0.say();
    }
}

impl EngineThread {
    /// Has the engine run that `engine` makes; `stop` is said when it has ended. Whoever is served goes on
    /// being served until the thread is joined, unless the engine has panicked.
    ///
    /// # Errors
    /// When the system has no thread or no runtime.
    pub(crate) fn start<F>(stop: Arc<Stop>, engine: impl FnOnce() -> F + Send + 'static) -> io::Result<Self>
    where
        F: Future<Output = Result<(), StoreError>> + Send + 'static,
    {
        let serving = Builder::new_current_thread().enable_all().build()?;
        let runtime = serving.handle().clone();
        let released = Arc::new(Notify::new());
        let nobody_left = Arc::clone(&released);
        let thread = thread::Builder::new().name("engine".to_owned()).spawn(move || {
            let bell = Bell(stop);
            // As one of the tasks: what the thread itself runs has its turn only after a look at all that may
            // have come, and the engine is to have it as soon as it is asked.
            let ended = serving.block_on(serving.spawn(async move { engine().await }));
            let ended = ended.unwrap_or_else(|failed| match failed.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                Err(_) => unreachable!("nobody cancels it"),
            });
            drop(bell);
            serving.block_on(nobody_left.notified());
            serving.shutdown_timeout(PATIENCE_WITH_OTHERS);
            ended
        })?;
        Ok(Self { thread, runtime, released })
    }

    /// Where whoever asks is served.
    pub(crate) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// Waits until it has ended, which it does when its engine has.
    pub(crate) fn join(self) -> thread::Result<Result<(), StoreError>> {
        self.released.notify_one();
        self.thread.join()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    const PATIENCE: Duration = Duration::from_secs(60);

    fn is_told_to_stop(stop: &Stop) -> bool {
        let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
        runtime.block_on(async { tokio::time::timeout(PATIENCE, stop.said()).await.is_ok() })
    }

    #[test]
    fn a_service_whose_engine_has_ended_is_told_to_stop_while_answers_are_still_sent() {
        let stop = Arc::new(Stop::default());
        let engine = EngineThread::start(Arc::clone(&stop), || async { Err(StoreError::Full) });
        let engine = engine.expect("a thread");
        assert!(is_told_to_stop(&stop));
        let (says, said) = mpsc::channel();
        engine.runtime().spawn(async move { says.send("sent") });
        assert_eq!(said.recv_timeout(PATIENCE), Ok("sent"));
        assert_eq!(engine.join().expect("it did not panic"), Err(StoreError::Full));
    }

    #[test]
    fn a_service_whose_engine_has_panicked_is_told_to_stop() {
        let stop = Arc::new(Stop::default());
        let engine = EngineThread::start(Arc::clone(&stop), || async { panic!("a mistake") });
        let engine = engine.expect("a thread");
        assert!(is_told_to_stop(&stop));
        assert!(engine.join().is_err());
    }

    #[test]
    fn what_hangs_beside_the_engine_does_not_keep_the_service_from_ending() {
        let stop = Arc::new(Stop::default());
        let engine = EngineThread::start(stop, || async { Ok(()) }).expect("a thread");
        let (_holds, hangs) = mpsc::channel::<()>();
        engine.runtime().spawn_blocking(move || hangs.recv());
        assert_eq!(engine.join().expect("it did not panic"), Ok(()));
    }
}
