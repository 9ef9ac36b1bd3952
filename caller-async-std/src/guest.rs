//! async-std as the guest of another runtime, in a thread that the other drives.
//!
//! Its reactor and its pool have threads of their own, so what awaits them works anywhere. What needs to be a task of
//! async-std's, for `task::current` and `task_local!`, is one: on async-std's executor for this thread, which runs only
//! inside `block_on`. So whoever wakes such a task wakes the host too, and the host *ticks* the executor: a `block_on` of
//! almost nothing, in which everything runs that can.

use std::{
    cell::{Cell, RefCell},
    future::Future,
    pin::Pin,
    rc::Rc,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use async_std::task;
use caller::{Guest, LocalFuture};

pub(crate) struct AsyncStdGuest {
    host: Arc<Host>,
    /// How many tasks there are.
    live: Rc<Cell<usize>>,
}

/// How the host hears that a task wants to be polled.
#[derive(Default)]
struct Host {
    /// Tasks that were woken and not polled since.
    woken: AtomicUsize,
    waker: Mutex<Option<Waker>>,
}

impl Host {
    fn renew(&self, waker: &Waker) {
        let fresh = waker.clone();
        let old = self.waker.lock().unwrap_or_else(PoisonError::into_inner).replace(fresh);
        drop(old);
    }

    fn wake(&self) {
        let waker = self.waker.lock().unwrap_or_else(PoisonError::into_inner).clone();
        waker.into_iter().for_each(Waker::wake);
    }
}

thread_local! {
    /// Whether the executor of this thread is being ticked: it cannot be inside itself.
    static TICKING: Cell<bool> = const { Cell::new(false) };
}

/// Runs what can run on async-std's executor for this thread.
fn tick() {
    if TICKING.replace(true) {
        return;
    }
    // A task that a user spawned may panic in it.
    let _ticking = Ticking;
    task::block_on(task::yield_now());
}

struct Ticking;

impl Drop for Ticking {
    fn drop(&mut self) {
        TICKING.set(false);
    }
}

impl AsyncStdGuest {
    pub(crate) fn start() -> Rc<dyn Guest> {
        Rc::new(Self { host: Arc::default(), live: Rc::default() })
    }
}

impl Guest for AsyncStdGuest {
    fn enter(&self, function: &mut dyn FnMut()) {
        function();
    }

    fn adopt(&self, call: LocalFuture<'static>) -> LocalFuture<'static> {
        let state = Rc::new(State { call: RefCell::new(Some(call)), ..State::default() });
        self.live.set(self.live.get() + 1);
        self.host.woken.fetch_add(1, Ordering::SeqCst);
        let signal =
            Arc::new(Signal { host: self.host.clone(), woken: AtomicUsize::new(1), inner: Mutex::default() });
        let task = Task { state: state.clone(), signal: signal.clone(), live: self.live.clone() };
        drop(task::spawn_local(task));
        self.host.wake();
        Box::pin(Adopted { state, signal })
    }

    fn drive(&self, cx: &mut Context<'_>) {
        self.host.renew(cx.waker());
        if self.host.woken.load(Ordering::SeqCst) == 0 {
            return;
        }
        tick();
        if self.host.woken.load(Ordering::SeqCst) > 0 {
            // There was more than one tick runs, or it was woken meanwhile.
            cx.waker().wake_by_ref();
        }
    }
}

impl Drop for AsyncStdGuest {
    /// async-std drops what is left of its tasks when the thread ends, among destructors of thread-local values: none may
    /// be left.
    fn drop(&mut self) {
        while self.live.get() > 0 && !TICKING.get() {
            tick();
        }
    }
}

/// What a call shares with its task.
#[derive(Default)]
struct State {
    /// None once it has ended.
    call: RefCell<Option<LocalFuture<'static>>>,
    /// Nobody wants it any more.
    given_up: Cell<bool>,
    /// Whoever waits for its end.
    waker: RefCell<Option<Waker>>,
}

/// Wakes a task, and its host.
struct Signal {
    host: Arc<Host>,
    /// 1 while the task is woken and was not polled since.
    woken: AtomicUsize,
    inner: Mutex<Option<Waker>>,
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.woken.swap(1, Ordering::SeqCst) == 0 {
            self.host.woken.fetch_add(1, Ordering::SeqCst);
        }
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner).clone();
        inner.into_iter().for_each(Waker::wake);
        self.host.wake();
    }
}

impl Signal {
    fn polled(&self) {
        if self.woken.swap(0, Ordering::SeqCst) == 1 {
            self.host.woken.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

/// A task of async-std's, for one call.
struct Task {
    state: Rc<State>,
    signal: Arc<Signal>,
    live: Rc<Cell<usize>>,
}

impl Future for Task {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let inner = cx.waker().clone();
        let old = self.signal.inner.lock().unwrap_or_else(PoisonError::into_inner).replace(inner);
        drop(old);
        self.signal.polled();
        // Taken out, so that nobody finds it borrowed.
        let Some(mut call) = self.state.call.take() else { return Poll::Ready(()) };
        if !self.state.given_up.get() {
            let waker = Waker::from(self.signal.clone());
            if call.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
                self.state.call.replace(Some(call));
                return Poll::Pending;
            }
        }
        drop(call);
        let waker = self.state.waker.take();
        waker.into_iter().for_each(Waker::wake);
        Poll::Ready(())
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.signal.polled();
        self.live.set(self.live.get() - 1);
    }
}

/// Ends when the task of a call has ended. Dropping it has the task drop the call.
struct Adopted {
    state: Rc<State>,
    signal: Arc<Signal>,
}

impl Future for Adopted {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let waker = cx.waker().clone();
        let old = self.state.waker.replace(Some(waker));
        drop(old);
        if self.state.call.borrow().is_none() { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for Adopted {
    fn drop(&mut self) {
        if self.state.call.borrow().is_none() {
            return;
        }
        // Dropped in its own task, as it was polled. Inside a tick, that goes on with it when we return.
        self.state.given_up.set(true);
        self.signal.wake_by_ref();
        tick();
    }
}
