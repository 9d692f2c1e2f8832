//! Work that is done to its end, also when whoever asked for it hangs up.
//!
//! While somebody waits for it, it is done by whoever serves him: a task of its own would have to be woken, and
//! to wake him. It becomes one when he is gone.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bits_core::refusal::Refusal;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::runtime::Handle;

type Work<T> = BoxFuture<'static, Result<T, Refusal>>;

/// Carries out `work`, whether or not it is waited for to its end.
pub(super) fn finished<T: Send + 'static>(
    work: impl Future<Output = Result<T, Refusal>> + Send + 'static,
) -> Finished<T> {
    // One that panics has said so itself.
    let work = AssertUnwindSafe(work).catch_unwind();
    Finished(Some(Box::pin(work.map(|outcome| outcome.unwrap_or(Err(Refusal::Stopping))))))
}

/// None when it is done.
pub(super) struct Finished<T: Send + 'static>(Option<Work<T>>);

impl<T: Send + 'static> Future for Finished<T> {
    type Output = Result<T, Refusal>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let work = self.0.as_mut().expect("nobody waits for what is done");
        let outcome = ready!(work.as_mut().poll(context));
        self.0 = None;
        Poll::Ready(outcome)
    }
}

impl<T: Send + 'static> Drop for Finished<T> {
    fn drop(&mut self) {
        // Nothing goes on when the runtime has ended.
        if let Some((work, runtime)) = self.0.take().zip(Handle::try_current().ok()) {
            runtime.spawn(work);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    /// Work that waits to be told to go on and then says that it is done; both ends of it.
    fn work() -> (Finished<u8>, oneshot::Sender<()>, oneshot::Receiver<()>) {
        let (go_on, told) = oneshot::channel::<()>();
        let (done, is_done) = oneshot::channel();
        let work = finished(async move {
            told.await.expect("it is told");
            done.send(()).expect("somebody hears it");
            Ok(7)
        });
        (work, go_on, is_done)
    }

    #[tokio::test]
    async fn whoever_waits_has_what_comes_of_it() {
        let (mut work, go_on, mut is_done) = work();
        assert!((&mut work).now_or_never().is_none());
        go_on.send(()).expect("it waits");
        assert_eq!(work.await, Ok(7));
        assert_eq!(is_done.try_recv(), Ok(()));
    }

    #[tokio::test]
    async fn it_goes_on_when_nobody_waits_any_more_begun_or_not() {
        for is_begun in [false, true] {
            let (mut work, go_on, is_done) = work();
            if is_begun {
                assert!((&mut work).now_or_never().is_none());
            }
            drop(work);
            go_on.send(()).expect("it waits");
            assert_eq!(is_done.await, Ok(()));
        }
    }

    #[tokio::test]
    async fn whoever_waits_is_told_of_a_panic() {
        let work: Finished<u8> = finished(async { panic!("a mistake of ours") });
        assert_eq!(work.await, Err(Refusal::Stopping));
    }

    #[test]
    fn it_ends_with_the_runtime() {
        let (work, go_on, _is_done) = work();
        drop(work);
        assert!(go_on.send(()).is_err(), "there is nothing left by which it could go on");
    }
}
