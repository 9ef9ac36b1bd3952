//! async-std as the guest of another runtime, in a thread that the other drives.
//!
//! Its reactor and its pool have threads of their own, so what awaits them works anywhere. What needs to be a task of
//! async-std's, for `task::current` and `task_local!`, is one: on async-std's executor for this thread, which runs only
//! inside `block_on`. So whoever wakes such a task wakes the host too, and the host *ticks* the executor: a `block_on` of
//! almost nothing, in which everything runs that can.

use std::{
    cell::Cell,
    future::Future,
    pin::Pin,
    rc::Rc,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU8, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use async_std::task;
use caller::{AdoptedCall, Guest, GuestTask, LocalFuture, Runtime};

use crate::surrounding::Surrounding;

pub(crate) struct AsyncStdGuest {
    host: Arc<Host>,
    /// How many of its tasks have not ended.
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
    // That of async-std itself does not run tasks where another of its kind is around it.
    async_global_executor::block_on(task::yield_now());
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
    fn runtime(&self) -> Rc<dyn Runtime> {
        Rc::new(Surrounding)
    }

    fn enter(&self, function: &mut dyn FnMut()) {
        function();
    }

    fn adopt(&self, call: LocalFuture<'static>) -> LocalFuture<'static> {
        let (task, adopted) = GuestTask::split(call);
        self.host.woken.fetch_add(1, Ordering::SeqCst);
        self.live.update(|live| live + 1);
        let signal = Signal { host: self.host.clone(), state: AtomicU8::new(WOKEN), task: Mutex::default() };
        drop(task::spawn_local(Task { task, signal: Arc::new(signal), live: self.live.clone() }));
        self.host.wake();
        Box::pin(Adopted(adopted))
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
    /// be left. All were given up, and so were woken.
    fn drop(&mut self) {
        let is_woken = || self.host.woken.load(Ordering::SeqCst) > 0;
        while self.live.get() > 0 && is_woken() && !TICKING.get() {
            tick();
        }
    }
}

/// Wakes a task, and its host.
struct Signal {
    host: Arc<Host>,
    /// [`IDLE`], [`WOKEN`] or [`ENDED`].
    state: AtomicU8,
    /// The waker of async-std's.
    task: Mutex<Option<Waker>>,
}

/// The task waits.
const IDLE: u8 = 0;
/// The task was woken, and was not polled since. The host counts those.
const WOKEN: u8 = 1;
/// The task is gone. A waker may outlive it.
const ENDED: u8 = 2;

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        match self.state.compare_exchange(IDLE, WOKEN, Ordering::SeqCst, Ordering::SeqCst) {
            Ok(_) => {
                self.host.woken.fetch_add(1, Ordering::SeqCst);
            }
            Err(ENDED) => return,
            Err(_) => {}
        }
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).clone();
        task.into_iter().for_each(Waker::wake);
        self.host.wake();
    }
}

impl Signal {
    fn set(&self, state: u8) {
        if self.state.swap(state, Ordering::SeqCst) == WOKEN {
            self.host.woken.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

/// A task of async-std's, for one call.
struct Task {
    task: GuestTask,
    signal: Arc<Signal>,
    live: Rc<Cell<usize>>,
}

impl Future for Task {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let signal = &self.signal;
        let own = cx.waker().clone();
        let old = signal.task.lock().unwrap_or_else(PoisonError::into_inner).replace(own);
        drop(old);
        signal.set(IDLE);
        let waker = Waker::from(signal.clone());
        Pin::new(&mut self.task).poll(&mut Context::from_waker(&waker))
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.signal.set(ENDED);
        self.live.update(|live| live - 1);
    }
}

/// What a caller polls. Dropping it has the task drop the call, so that destructors find the values of the task.
struct Adopted(AdoptedCall);

impl Future for Adopted {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl Drop for Adopted {
    fn drop(&mut self) {
        if self.0.is_ended() {
            return;
        }
        self.0.give_up();
        // Each tick runs some of what can run, in order. Inside of one, that goes on with it when we return.
        while !self.0.is_ended() && !TICKING.get() {
            tick();
        }
    }
}
