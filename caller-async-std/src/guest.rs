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
        atomic::{AtomicU8, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use async_std::task;
use caller::{Guest, LocalFuture, Runtime};
use slab::Slab;

use crate::surrounding::Surrounding;

pub(crate) struct AsyncStdGuest(Rc<Tasks>);

/// The tasks of one guest that have not ended.
#[derive(Default)]
struct Tasks {
    host: Arc<Host>,
    live: RefCell<Slab<Handle>>,
}

/// How a task is reached from outside.
#[derive(Clone)]
struct Handle {
    state: Rc<State>,
    signal: Arc<Signal>,
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
        Rc::new(Self(Rc::default()))
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
        Box::pin(Adopted(self.0.spawn(call)))
    }

    fn drive(&self, cx: &mut Context<'_>) {
        self.0.host.renew(cx.waker());
        if self.0.host.woken.load(Ordering::SeqCst) == 0 {
            return;
        }
        tick();
        if self.0.host.woken.load(Ordering::SeqCst) > 0 {
            // There was more than one tick runs, or it was woken meanwhile.
            cx.waker().wake_by_ref();
        }
    }
}

impl Tasks {
    /// Makes a task of async-std's that tells the host whenever it is woken.
    fn spawn(self: &Rc<Self>, call: LocalFuture<'static>) -> Handle {
        let state = Rc::new(State { call: RefCell::new(Some(call)), ..State::default() });
        self.host.woken.fetch_add(1, Ordering::SeqCst);
        let signal = Arc::new(Signal {
            host: self.host.clone(),
            state: AtomicU8::new(WOKEN),
            inner: Mutex::default(),
        });
        let handle = Handle { state, signal };
        let key = self.live.borrow_mut().insert(handle.clone());
        drop(task::spawn_local(Task { handle: handle.clone(), tasks: self.clone(), key }));
        self.host.wake();
        handle
    }
}

impl Drop for AsyncStdGuest {
    /// async-std drops what is left of its tasks when the thread ends, among destructors of thread-local values: none may
    /// be left.
    fn drop(&mut self) {
        let left: Vec<Handle> = self.0.live.borrow().iter().map(|(_, handle)| handle.clone()).collect();
        left.into_iter().for_each(|handle| handle.give_up());
        while !self.0.live.borrow().is_empty() && !TICKING.get() {
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
    /// [`IDLE`], [`WOKEN`] or [`ENDED`].
    state: AtomicU8,
    inner: Mutex<Option<Waker>>,
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
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner).clone();
        inner.into_iter().for_each(Waker::wake);
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
    handle: Handle,
    tasks: Rc<Tasks>,
    key: usize,
}

impl Handle {
    /// Has the task drop its call, in its own next poll.
    fn give_up(&self) {
        if self.state.call.borrow().is_some() {
            self.state.given_up.set(true);
            self.signal.wake_by_ref();
        }
    }
}

impl Future for Task {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Handle { state, signal } = &self.handle;
        let inner = cx.waker().clone();
        let old = signal.inner.lock().unwrap_or_else(PoisonError::into_inner).replace(inner);
        drop(old);
        signal.set(IDLE);
        // Taken out, so that nobody finds it borrowed.
        let Some(mut call) = state.call.take() else { return Poll::Ready(()) };
        if !state.given_up.get() {
            let waker = Waker::from(signal.clone());
            if call.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
                state.call.replace(Some(call));
                return Poll::Pending;
            }
        }
        drop(call);
        let waker = state.waker.take();
        waker.into_iter().for_each(Waker::wake);
        Poll::Ready(())
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.handle.signal.set(ENDED);
        drop(self.tasks.live.borrow_mut().try_remove(self.key));
    }
}

/// Ends when the task of a call has ended. Dropping it has the task drop the call.
struct Adopted(Handle);

impl Future for Adopted {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let state = &self.0.state;
        let waker = cx.waker().clone();
        let old = state.waker.replace(Some(waker));
        drop(old);
        if state.call.borrow().is_none() { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for Adopted {
    fn drop(&mut self) {
        if self.0.state.call.borrow().is_some() {
            self.0.give_up();
            // Each tick runs some of what can run, in order. Inside of one, that goes on with it when we return.
            while self.0.state.call.borrow().is_some() && !TICKING.get() {
                tick();
            }
        }
    }
}
