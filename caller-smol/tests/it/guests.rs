//! smol as a guest of the other backends, and they as guests of it.

use std::{sync::mpsc, thread, time::Duration};

use caller::{
    Backend, Caller, CallerState, ContextVar, LocalFuture, current_pending,
    testing::{Running, probe::ends_soon},
};
use caller_async_std::AsyncStd;
use caller_smol::Smol;
use caller_tokio::Tokio;

/// A backend with its own sleep, and the word that says whether it is current.
pub(crate) trait World: Backend + Clone {
    fn make() -> Self;
    fn sleep(time: Duration) -> LocalFuture<'static>;
    fn is_current() -> bool;
}

impl World for Smol {
    fn make() -> Self {
        Self::new()
    }

    fn sleep(time: Duration) -> LocalFuture<'static> {
        Box::pin(async move {
            async_io::Timer::after(time).await;
        })
    }

    fn is_current() -> bool {
        caller_smol::spawn_local(async {}).is_ok()
    }
}

impl World for Tokio {
    fn make() -> Self {
        Self::new()
    }

    fn sleep(time: Duration) -> LocalFuture<'static> {
        Box::pin(tokio::time::sleep(time))
    }

    fn is_current() -> bool {
        tokio::runtime::Handle::try_current().is_ok()
    }
}

impl World for AsyncStd {
    fn make() -> Self {
        Self::new()
    }

    fn sleep(time: Duration) -> LocalFuture<'static> {
        Box::pin(async_std::task::sleep(time))
    }

    fn is_current() -> bool {
        async_std::task::try_current().is_some()
    }
}

fn caller<H: World>() -> Running {
    Running(Caller::builder().backend(H::make()).spawn().unwrap())
}

#[derive(Debug, PartialEq)]
struct Trouble;

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the cat sat on the keyboard")
    }
}

impl std::error::Error for Trouble {}

/// GST-01: in the same thread, on the named backend, in the submitter's context.
fn gst_01<H: World, G: World>() {
    static USER: ContextVar<u32> = ContextVar::new();
    let caller = caller::<H>();
    let here = caller.call_soon(async || thread::current().id()).wait_blocking().unwrap();
    let call = USER.sync_scope(7, || {
        caller.call_using_backend(G::make(), async || {
            assert!(G::is_current());
            G::sleep(Duration::from_millis(1)).await;
            assert!(G::is_current());
            (thread::current().id(), USER.get(), current_pending().is_some())
        })
    });
    assert_eq!(call.unwrap().wait_blocking().unwrap(), (here, Some(7), true));
    let failing = caller.try_call_using_backend(G::make(), async || Err::<(), _>(Trouble)).unwrap();
    assert_eq!(failing.wait_blocking().unwrap_err().downcast_ref(), Some(&Trouble));
    let panicking = caller.call_using_backend(G::make(), async || panic!("on purpose")).unwrap();
    assert!(panicking.wait_blocking().unwrap_err().is_panic());
    assert_eq!(caller.call_using_backend(G::make(), async || 1).unwrap().wait_blocking().unwrap(), 1);
}

/// GST-02: both go on, neither waits for the other.
fn gst_02<H: World, G: World>() {
    let caller = caller::<H>();
    let (sender, steps) = mpsc::channel();
    let from_guest = sender.clone();
    let guest = caller.call_using_backend(G::make(), async move || {
        for _ in 0..5 {
            G::sleep(Duration::from_millis(2)).await;
            from_guest.send("guest").unwrap();
        }
    });
    let native = caller.call_soon(async move || {
        for _ in 0..5 {
            H::sleep(Duration::from_millis(2)).await;
            sender.send("native").unwrap();
        }
    });
    guest.unwrap().wait_blocking().unwrap();
    native.wait_blocking().unwrap();
    let order: Vec<_> = steps.try_iter().collect();
    assert_eq!(order.len(), 10);
    assert!(order[..5] != ["guest"; 5] && order[..5] != ["native"; 5], "{order:?}");
}

/// GST-04: what is outstanding when the caller stops, or is cancelled, is dropped in the thread and inside the guest.
fn gst_04<H: World, G: World>() {
    struct Probe(mpsc::Sender<(thread::ThreadId, bool)>, fn() -> bool);
    impl Drop for Probe {
        fn drop(&mut self) {
            self.0.send((thread::current().id(), (self.1)())).unwrap();
        }
    }
    for stops in [true, false].repeat(5) {
        let caller = caller::<H>();
        let (begun, begins) = mpsc::channel();
        let (sender, dropped) = mpsc::channel();
        let probe = Probe(sender, G::is_current);
        let call = caller.call_using_backend(G::make(), async move || {
            let _probe = probe;
            begun.send(thread::current().id()).unwrap();
            G::sleep(Duration::from_secs(3600)).await;
        });
        let call = call.unwrap();
        let here = begins.recv().unwrap();
        if stops {
            caller.force_stop();
            let stopped = caller.stopped();
            ends_soon("a stop", move || stopped.blocking()).unwrap();
            assert_eq!(caller.state(), CallerState::Stopped);
            assert!(call.is_done());
            assert!(call.wait_blocking().unwrap_err().is_closed());
        } else {
            call.cancel("enough");
            let error = ends_soon("a cancelled call", move || call.wait_blocking()).unwrap_err();
            assert!(error.is_cancelled() && !error.is_closed(), "{error}");
            assert_eq!(caller.call_soon(async || 1).wait_blocking().unwrap(), 1);
        }
        assert_eq!(dropped.try_iter().collect::<Vec<_>>(), [(here, true)]);
    }
}

macro_rules! pairings {
    ($($name:ident: $guest:ty, in $host:ty;)*) => {$(
        mod $name {
            use super::*;

            #[test]
            fn gst_01_in_the_same_thread_on_the_named_backend() {
                gst_01::<$host, $guest>();
            }

            #[test]
            fn gst_02_both_interleave() {
                gst_02::<$host, $guest>();
            }

            #[test]
            fn gst_04_ending_with_guests_outstanding() {
                gst_04::<$host, $guest>();
            }
        }
    )*};
}

pairings! {
    smol_in_tokio: Smol, in Tokio;
    smol_in_async_std: Smol, in AsyncStd;
    tokio_in_smol: Tokio, in Smol;
    async_std_in_smol: AsyncStd, in Smol;
}
