//! CAL: how callers begin, are found, and end.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    task::{Context, Poll, Wake, Waker},
    thread,
    time::Duration,
};

use super::{Drops, LONG, calls::turns, eventually, hold_up, receive, yield_now};
use crate::{
    Caller, CallerState, Moment, Pending, PendingHandle, Resolver,
    testing::{Fixture, Manual, Running, probe::ends_soon},
};

/// A waker that looks at something at the very moment it is woken, in the thread that wakes it.
struct Looks<F, T>(F, mpsc::Sender<T>);

impl<F: Fn() -> T + Send + Sync + 'static, T: Send + 'static> Wake for Looks<F, T> {
    fn wake(self: Arc<Self>) {
        // A test that has failed does not listen any more.
        let _nobody = self.1.send((self.0)());
    }
}

/// What is so at the very moment that `moment` comes, which it has not yet.
fn at<T: Send + 'static>(
    mut moment: Moment,
    look: impl Fn() -> T + Send + Sync + 'static,
) -> (Moment, mpsc::Receiver<T>) {
    let (sender, seen) = mpsc::channel();
    let waker = Waker::from(Arc::new(Looks(look, sender)));
    assert!(Pin::new(&mut moment).poll(&mut Context::from_waker(&waker)).is_pending(), "it is past");
    (moment, seen)
}

/// Waits until a caller has stopped, at most for `LONG`.
fn stopped(caller: &Caller) {
    eventually("the end of the caller", || caller.stopped().is_past());
}

pub fn cal_01_no_caller_outside_a_runtime<F: Fixture>() {
    let fixture = F::new();
    assert!(Caller::current().unwrap_err().is_no_caller());
    if let Some(started) = fixture.start_implicitly() {
        assert!(started.unwrap_err().is_no_caller());
    }
    let backend = fixture.backend();
    let mut scope = Box::pin(Caller::scope(backend, async |_| ()));
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    match scope.as_mut().poll(&mut cx) {
        Poll::Ready(result) if F::scopes_anywhere() => result.unwrap(),
        Poll::Ready(result) => assert!(result.unwrap_err().is_no_caller()),
        Poll::Pending => panic!("a scope began where no runtime runs"),
    }
}

pub fn cal_02_implicit_start<F: Fixture>() {
    let fixture = F::new();
    fixture.block_on_local(async {
        match fixture.start_implicitly() {
            Some(started) => {
                let caller = started.unwrap();
                assert_eq!(fixture.start_implicitly().unwrap().unwrap(), caller);
                assert_eq!(Caller::current().unwrap(), caller);
                assert_eq!(caller.call_soon(async || 1).await.unwrap(), 1);
                // It may be entered, and stops when the body ends.
                let same = caller.enter(async |caller| caller.call_soon(async || 2).await.unwrap()).await;
                assert_eq!(same.unwrap(), 2);
                assert_eq!(caller.state(), CallerState::Stopped);
            }
            None => {
                let same =
                    Caller::scope(fixture.backend(), async |caller| Caller::current().unwrap() == caller);
                assert!(same.await.unwrap());
            }
        }
    });
}

pub fn cal_03_new_thread<F: Fixture>() {
    let fixture = F::new();
    let caller = fixture.caller();
    let (thread, current) =
        caller.call_soon(async || (thread::current().id(), F::is_current())).wait_blocking().unwrap();
    assert_ne!(thread, thread::current().id());
    assert!(current, "its backend runs there");
    assert_eq!(caller.thread().unwrap().0, thread);
}

pub fn cal_04_calls_before_the_start<F: Fixture>() {
    let fixture = F::new();
    let caller = fixture.builder().build().unwrap();
    let early = caller.call_soon(async || 1);
    let later = caller.call_later(Duration::from_millis(1), async || 2);
    assert!(!early.is_done());
    assert_eq!(caller.state(), CallerState::Initial);
    caller.start().unwrap();
    assert_eq!(early.wait_blocking().unwrap(), 1);
    fixture.elapse(Duration::from_millis(1));
    assert_eq!(later.wait_blocking().unwrap(), 2);
    assert!(caller.start().unwrap_err().is_mismatch(), "a caller is started once");
    caller.stop();

    let caller = fixture.builder().build().unwrap();
    let early = caller.call_soon(async || 3);
    let got = fixture.block_on(async { caller.enter(async |_| early.await.unwrap()).await });
    assert_eq!(got.unwrap(), 3);
}

pub fn cal_04_dropped_before_it_ran<F: Fixture>() {
    let caller = F::new().builder().name("never").build().unwrap();
    let calls = [caller.call_soon(async || ()), caller.to_thread(async || ())];
    let shown = caller.call_later(Duration::from_secs(1), async || ());
    let child = caller.child("left behind").unwrap();
    drop(caller);
    child.stopped().blocking().unwrap();
    let error = shown.wait_blocking().unwrap_err();
    assert!(error.is_cancelled() && error.is_closed() && error.to_string().contains("never"), "{error}");
    // A worker is a child with a thread of its own, and ends with its parent.
    let ended = calls.map(|call| call.wait().ignore_result().blocking());
    assert!(ended.iter().all(Result::is_ok));
}

pub fn cal_05_found_while_it_runs<F: Fixture>() {
    let caller = F::new().caller();
    caller.started().blocking().unwrap();
    assert_eq!(Caller::by_id(caller.id()).as_ref(), Some(&*caller));
    assert!(Caller::all().contains(&caller));
    caller.stop();
    caller.stopped().blocking().unwrap();
    assert_eq!(Caller::by_id(caller.id()), None);
    assert!(!Caller::all().contains(&caller) && !Caller::all_existing().contains(&caller));
}

pub fn cal_06_children_by_name<F: Fixture>() {
    let fixture = F::new();
    let parent = fixture.caller();
    let child = parent.child("db").unwrap();
    assert_eq!(parent.child("db").unwrap(), child);
    assert_eq!(parent.children(), std::slice::from_ref(&child));
    assert_eq!(child.parent().as_ref(), Some(&*parent));
    assert!(child.backend().is_same(&**parent.backend()));
    assert_eq!(child.call_soon(async || Caller::current().unwrap()).wait_blocking().unwrap(), child);
    let error = parent.child_builder().name("db").protected(true).spawn().unwrap_err();
    assert!(error.is_mismatch() && error.to_string().contains("\"db\""), "{error}");
    assert!(child.call_soon(async || F::is_current()).wait_blocking().unwrap(), "its parent's backend");
    // One of its own, which its own children have from it.
    let manual = Manual::new();
    let other = parent.child_builder().name("other").backend(manual.clone()).spawn().unwrap();
    let deeper = other.child("deeper").unwrap();
    for caller in [&other, &deeper] {
        assert!(caller.backend().is_same(&manual) && !caller.backend().is_same(&**parent.backend()));
        let runs_on = caller.call_soon(async || Manual::is_current()).wait().timeout(LONG).blocking();
        assert!(runs_on.unwrap(), "it runs on the backend that was named");
    }
    assert!(parent.backend().is_same(&fixture.backend()), "the parent keeps its own");
    // The name finds it, with the backend named or not; another backend is another child's.
    assert_eq!(parent.child("other").unwrap(), other);
    assert_eq!(parent.child_builder().name("other").backend(manual).spawn().unwrap(), other);
    let error = parent.child_builder().name("other").backend(Manual::new()).spawn().unwrap_err();
    assert!(error.is_mismatch(), "{error}");
    let error = parent.child_builder().name("db").backend(Manual::new()).spawn().unwrap_err();
    assert!(error.is_mismatch(), "{error}");
    assert_eq!(parent.children().len(), 2);
}

pub fn cal_07_children_stop_first<F: Fixture>() {
    let fixture = F::new();
    for held in 0..4 {
        // Stopped by another thread.
        let parent = fixture.caller();
        let mut family = Family::of(&parent, held, || {
            parent.to_thread(async || Caller::current().unwrap()).wait().timeout(LONG).blocking().unwrap()
        });
        parent.stop();
        family.ends();
        // Left.
        let left = fixture.block_on(async {
            Caller::scope(fixture.backend(), async |parent| {
                let worker = parent.to_thread(async || Caller::current().unwrap()).await.unwrap();
                let mut family = Family::of(&parent, held, || worker);
                thread::spawn(move || family.ends())
            })
            .await
            .unwrap()
        });
        left.join().unwrap_or_else(|payload| std::panic::resume_unwind(payload));
    }
}

/// A caller with children, a grandchild and an idle worker.
struct Family {
    parent: Caller,
    /// All but the parent. One of them is held up, and cannot stop before it is let go.
    others: Vec<Caller>,
    held: usize,
    let_go: mpsc::Sender<()>,
    /// Whether each of the others had stopped at the moment the parent had.
    at_the_end: (Moment, mpsc::Receiver<Vec<CallerState>>),
}

impl Family {
    fn of(parent: &Caller, held: usize, worker: impl FnOnce() -> Caller) -> Self {
        let child = parent.child("child").unwrap();
        let grandchild = child.child("grandchild").unwrap();
        let others = vec![child, grandchild, parent.new_child().unwrap(), worker()];
        assert_eq!(parent.workers(), (1, 1), "the worker is idle");
        let (let_go, held_up) = mpsc::channel();
        let (sender, holding) = mpsc::channel();
        others[held].call_direct(move || {
            sender.send(()).unwrap();
            receive(&held_up);
        });
        receive(&holding);
        let all = others.clone();
        let states = move || all.iter().map(Caller::state).collect();
        let at_the_end = at(parent.stopped(), states);
        Self { parent: parent.clone(), others, held, let_go, at_the_end }
    }

    /// Sees it end: the parent last.
    fn ends(&mut self) {
        let Self { parent, others, held, .. } = self;
        // The child of whom a grandchild is held up waits for it too.
        let waits = |at: usize| at == *held || (at == 0 && *held == 1);
        for (_, other) in others.iter().enumerate().filter(|(at, _)| !waits(*at)) {
            stopped(other);
        }
        assert!(!parent.stopped().is_past(), "{} runs", others[*held]);
        self.let_go.send(()).unwrap();
        assert_eq!(receive(&self.at_the_end.1), [CallerState::Stopped; 4]);
        stopped(parent);
        assert!(
            self.others.iter().all(|other| other.stopped().is_past() && Caller::by_id(other.id()).is_none())
        );
        assert!(parent.children().is_empty() && parent.workers() == (0, 0));
        assert!(parent.child("child").unwrap_err().is_closed());
        assert!(parent.new_child().unwrap_err().is_closed());
        assert!(self.others[0].child("grandchild").unwrap_err().is_closed());
    }
}

pub fn cal_07_calls_go_on_until_the_children_have_stopped<F: Fixture>() {
    let parent = F::new().caller();
    let child = parent.new_child().unwrap();
    let polls = Arc::new(AtomicUsize::new(0));
    let counting = polls.clone();
    let own = parent.call_soon(async move || {
        std::future::poll_fn(|cx| {
            counting.fetch_add(1, Ordering::SeqCst);
            cx.waker().wake_by_ref();
            Poll::<()>::Pending
        })
        .await;
    });
    let (sender, began) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let busy = child.call_soon(async move || {
        sender.send(()).unwrap();
        released.recv_timeout(LONG).unwrap();
    });
    receive(&began);
    eventually("the first poll of the parent's own call", || polls.load(Ordering::SeqCst) > 0);
    parent.stop();
    let before = polls.load(Ordering::SeqCst);
    eventually("another poll of the parent's own call", || polls.load(Ordering::SeqCst) > before + 3);
    assert!(!own.is_done() && !parent.stopped().is_past());
    release.send(()).unwrap();
    parent.stopped().blocking().unwrap();
    assert!(busy.is_done() && own.is_done());
}

pub fn cal_08_protected<F: Fixture>() {
    let fixture = F::new();
    let outside = fixture.block_on(async {
        Caller::scope(fixture.backend(), async |caller| {
            assert!(caller.is_protected());
            assert_eq!(caller.stop(), CallerState::Running);
            assert_eq!(caller.call_soon(async || 1).await.unwrap(), 1);
            caller
        })
        .await
        .unwrap()
    });
    assert_eq!(outside.state(), CallerState::Stopped, "on leaving it stops");
    fixture.block_on(async {
        let forced = Caller::scope(fixture.backend(), async |caller| {
            caller.force_stop();
            caller.stopping().await;
            assert!(caller.call_soon(async || 1).await.unwrap_err().is_closed());
            5
        });
        assert_eq!(forced.await.unwrap(), 5, "the body ends by itself");
    });
    let protected = fixture.builder().protected(true).spawn().unwrap();
    protected.stop();
    assert_eq!(protected.call_soon(async || 1).wait_blocking().unwrap(), 1);
    protected.force_stop();
    protected.stopped().blocking().unwrap();
}

pub fn cal_09_stop_cancels_and_tells<F: Fixture>() {
    let fixture = F::new();
    let (caller, other) = (Running(fixture.builder().build().unwrap()), fixture.caller());
    let (drops, handles) = (Drops::default(), Arc::new(Mutex::new(Vec::new())));
    // At each of the three moments, which of them are past, and which calls are done.
    let look = || {
        let (caller, handles, drops) = (caller.0.clone(), handles.clone(), drops.clone());
        move || {
            let past = [caller.started(), caller.stopping(), caller.stopped()].map(|moment| moment.is_past());
            let handles: Vec<PendingHandle> = handles.lock().unwrap().clone();
            (past, caller.state(), handles.iter().filter(|handle| handle.is_done()).count(), drops.count())
        }
    };
    let started = at(caller.started(), look());
    let stopping = at(caller.stopping(), look());
    let at_the_end = at(caller.stopped(), look());
    // They can be awaited from any thread, and waiters that give up take nobody's moment along.
    let moments: [fn(&Caller) -> Moment; 3] = [Caller::started, Caller::stopping, Caller::stopped];
    let waits: Vec<_> = moments
        .iter()
        .map(|moment| {
            drop(moment(&caller));
            let given_up = at(moment(&caller), || ());
            let (this, that) = (caller.0.clone(), caller.0.clone());
            let (moment, (sender, awaits)) = (*moment, mpsc::channel());
            let cancelled = other.call_soon(async move || {
                let mut wait = moment(&that);
                let polled = std::future::poll_fn(|cx| Poll::Ready(Pin::new(&mut wait).poll(cx))).await;
                sender.send(polled.is_pending()).unwrap();
                wait.await;
            });
            assert!(receive(&awaits));
            cancelled.cancel_and_wait("given up").timeout(LONG).blocking().unwrap();
            drop(given_up);
            let awaited = other.call_soon(async move || moment(&this).await);
            let this = caller.0.clone();
            (awaited, thread::spawn(move || moment(&this).blocking()))
        })
        .collect();
    // Calls of every kind are outstanding.
    let call = |began: mpsc::Sender<()>| {
        let held = drops.watch();
        async move || {
            let _held = held;
            began.send(()).unwrap();
            std::future::pending::<()>().await;
        }
    };
    let (sender, began) = mpsc::channel();
    let hour = Duration::from_secs(3600);
    let early = caller.call_later(hour, call(sender.clone()));
    let running = caller.call_soon(call(sender.clone()));
    assert_eq!(caller.state(), CallerState::Initial);
    caller.start().unwrap();
    let (past, state, done, _) = receive(&started.1);
    assert_eq!((past, state, done), ([true, false, false], CallerState::Running, 0));
    receive(&began);
    let kept = caller.call_later(hour, call(sender.clone()));
    turns(&caller);
    // One that its scheduler has not seen yet: the thread is held up.
    let (go_on, held_up) = mpsc::channel();
    let (hold, holding) = mpsc::channel();
    caller.call_direct(move || {
        hold.send(()).unwrap();
        receive(&held_up);
    });
    receive(&holding);
    let unseen = caller.call_later(hour, call(sender));
    let calls = [early, running, kept, unseen];
    handles.lock().unwrap().extend(calls.iter().map(Pending::handle));
    assert!(!caller.stopping().is_past() && !caller.stopped().is_past());
    caller.stop();
    let (past, state, ..) = receive(&stopping.1);
    assert_eq!((past, state), ([true, true, false], CallerState::Stopping));
    assert!(!calls[1].is_done() && drops.count() == 0, "its thread is held up");
    go_on.send(()).unwrap();
    assert_eq!(receive(&at_the_end.1), ([true; 3], CallerState::Stopped, 4, 4));
    for (awaited, blocked) in waits {
        awaited.wait().timeout(LONG).blocking().unwrap();
        eventually("the end of a blocked thread", || blocked.is_finished());
        blocked.join().unwrap().unwrap();
    }
    for call in calls {
        let error = call.wait_blocking().unwrap_err();
        assert!(error.is_cancelled() && error.is_closed(), "{error}");
    }
    assert!(began.try_recv().is_err(), "what is delayed never runs");
}

pub fn cal_10_stopped_before_it_ran<F: Fixture>() {
    let fixture = F::new();
    let caller = fixture.builder().build().unwrap();
    let early = caller.call_soon(async || 1);
    assert_eq!(caller.stop(), CallerState::Stopped);
    assert!(caller.stopped().is_past());
    assert!(early.wait_blocking().unwrap_err().is_closed());
    let late = caller.call_soon(async || 1);
    assert!(late.is_done());
    let error = late.wait_blocking().unwrap_err();
    assert!(error.is_cancelled() && error.is_closed());
    assert!(fixture.block_on(async { caller.enter(async |_| ()).await }).unwrap_err().is_closed());
    assert!(caller.start().unwrap_err().is_closed());
}

pub fn cal_11_the_runtime_ends_under_the_caller<F: Fixture>() {
    let fixture = F::new();
    let drops = Drops::default();
    let held = drops.watch();
    let (caller, worker) = fixture.block_on_local(async {
        let body = async |caller: Caller| {
            let worker = caller.to_thread(async || Caller::current().unwrap()).await.unwrap();
            let never = caller.call_soon(async move || {
                let _held = held;
                std::future::pending::<()>().await;
            });
            caller.call_soon(async || ()).await.unwrap();
            drop(never);
            (caller, worker)
        };
        match fixture.start_implicitly() {
            Some(started) => body(started.unwrap()).await,
            None => Caller::scope(fixture.backend(), body).await.unwrap(),
        }
    });
    caller.stopped().blocking().unwrap();
    assert_eq!(drops.count(), 1);
    for caller in [caller, worker] {
        assert_eq!(caller.state(), CallerState::Stopped);
        assert_eq!(Caller::by_id(caller.id()), None);
    }
    assert!(Caller::current().is_err());
}

pub fn cal_12_freed_with_the_last_handle<F: Fixture>() {
    let fixture = F::new();
    let weak = fixture.block_on(async {
        Caller::scope(fixture.backend(), async |caller| {
            caller.call_soon(async || ()).await.unwrap();
            std::sync::Arc::downgrade(&caller.0)
        })
        .await
        .unwrap()
    });
    assert_eq!(weak.strong_count(), 0);
    let caller = fixture.builder().spawn().unwrap();
    let weak = std::sync::Arc::downgrade(&caller.0);
    caller.to_thread(async || ()).wait_blocking().unwrap();
    caller.stop();
    caller.stopped().blocking().unwrap();
    drop(caller);
    // Its thread lets go of it a moment after it has said that it stopped.
    eventually("the end of the caller", || weak.strong_count() == 0);
}

pub fn cal_13_existing_and_running<F: Fixture>() {
    assert!(Caller::current().is_err());
    let caller = F::new().builder().build().unwrap();
    assert!(!Caller::all().contains(&caller));
    assert!(Caller::all_existing().contains(&caller));
    assert!(Caller::current().is_err(), "looking starts nothing");
    caller.stop();
}

pub fn cal_15_protected_child_stops_with_its_parent<F: Fixture>() {
    let parent = F::new().caller();
    let child = parent.child_builder().name("safe").protected(true).spawn().unwrap();
    assert_eq!(child.stop(), child.state());
    assert_eq!(child.call_soon(async || 1).wait_blocking().unwrap(), 1);
    parent.stop();
    parent.stopped().blocking().unwrap();
    assert_eq!(child.state(), CallerState::Stopped);
}

pub fn cal_16_children_without_a_name<F: Fixture>() {
    let parent = F::new().caller();
    let (one, two) = (parent.new_child().unwrap(), parent.new_child().unwrap());
    assert_ne!(one, two);
    assert_eq!(parent.children().len(), 2);
}

pub fn cal_dropped_scope_stops_at_once<F: Fixture>() {
    let fixture = F::new();
    let drops = Drops::default();
    let held = drops.watch();
    let (resolver, known) = Resolver::new();
    fixture.block_on(async {
        let mut scope = Box::pin(Caller::scope(fixture.backend(), async |caller| {
            let call = caller.call_soon(async move || {
                let _held = held;
                std::future::pending::<()>().await;
            });
            let handle = call.handle();
            caller.call_soon(async || ()).await.unwrap();
            // One that will not have begun when the scope goes, and whose future may not leave this thread.
            let local = caller.call_soon_local(async move || std::future::pending::<()>().await).unwrap();
            assert!(resolver.resolve((caller, handle, local)).is_ok());
            call.await.unwrap();
        }));
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        while !known.is_done() {
            assert!(scope.as_mut().poll(&mut cx).is_pending());
            yield_now().await;
        }
    });
    let (caller, call, local) = known.wait_blocking().unwrap();
    assert!(local.is_done(), "{local}");
    assert_eq!(drops.count(), 1);
    assert!(call.is_done() && call.is_cancelled() || call.error().unwrap().unwrap().is_closed());
    assert_eq!(caller.state(), CallerState::Stopped);
    assert!(Caller::current().is_err());
}

pub fn cal_stop_while_a_child_blocks_on_the_parent<F: Fixture>() {
    let parent = F::new().caller();
    let child = parent.child("child").unwrap();
    let (sender, began) = mpsc::channel();
    let up = parent.0.clone();
    let blocked = child.call_soon(async move || {
        let never = up.call_soon(async move || {
            sender.send(()).unwrap();
            std::future::pending::<()>().await;
        });
        never.wait_blocking().unwrap_err()
    });
    receive(&began);
    parent.stop();
    parent.stopped().blocking().unwrap();
    assert!(blocked.is_done());
}

pub fn cal_a_child_while_its_parent_stops<F: Fixture>() {
    let parent = F::new().caller();
    let child = parent.child("child").unwrap();
    let go_on = hold_up(&child);
    parent.stop();
    assert_eq!(parent.state(), CallerState::Stopping, "its child holds it up");
    assert!(parent.child("child").unwrap_err().is_closed());
    assert!(parent.new_child().unwrap_err().is_closed());
    assert!(parent.child_builder().build().unwrap_err().is_closed());
    assert!(parent.to_thread(async || ()).wait_blocking().unwrap_err().is_closed());
    drop(go_on);
    parent.stopped().blocking().unwrap();
}

pub fn cal_a_name_that_is_taken<F: Fixture>() {
    let fixture = F::new();
    let parent = fixture.caller();
    let child = parent.child("db").unwrap();
    let run = parent.child_builder().name("db").run(async |_| ());
    assert!(run.unwrap_err().is_mismatch());
    let scope = fixture.block_on(async { parent.child_builder().name("db").scope(async |_| ()).await });
    assert!(scope.unwrap_err().is_mismatch());
    assert_eq!(
        child.call_soon(async || 1).wait_blocking().unwrap(),
        1,
        "the child that has the name goes on"
    );
    // One that was only built is run.
    let built = parent.child_builder().name("built").build().unwrap();
    let early = built.call_soon(async || 2);
    let same = parent.child_builder().name("built").run(async move |caller: Caller| {
        early.await.unwrap();
        caller
    });
    assert_eq!(same.unwrap(), built);
}

pub fn cal_what_cannot_run_leaves_no_child<F: Fixture>() {
    let parent = F::new().caller();
    let name = "a\0b";
    for error in [
        parent.child(name).unwrap_err(),
        parent.child_builder().name(name).build().unwrap_err(),
        parent.child_builder().name(name).run(async |_| ()).unwrap_err(),
    ] {
        assert!(error.is_start() && error.to_string().contains("NUL"), "{error}");
    }
    // No runtime surrounds this.
    let mut scope = Box::pin(parent.child_builder().name("scope").scope(async |_| ()));
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    let Poll::Ready(ended) = scope.as_mut().poll(&mut cx) else { panic!("a scope goes on") };
    assert_eq!(ended.is_ok(), F::scopes_anywhere());
    assert_eq!(parent.children(), [], "none is left behind");
}

pub fn cal_the_body_goes_on_behind_the_end<F: Fixture>() {
    async fn body(caller: Caller) -> Caller {
        let never = caller.call_soon(async || std::future::pending::<()>().await);
        caller.call_soon(async || ()).await.unwrap();
        // It would come after the body: the stop begins here.
        caller.stopped().await;
        assert_eq!(caller.state(), CallerState::Stopped);
        assert!(never.is_done() && never.await.unwrap_err().is_closed());
        assert!(Caller::current().is_err(), "the thread is free");
        caller
    }
    ends_soon("a scope in a scope that has ended", || {
        let fixture = F::new();
        let (one, two) = fixture.block_on(async {
            Caller::scope(fixture.backend(), async |caller| {
                let one = body(caller).await;
                let two = Caller::scope(fixture.backend(), async |caller| body(caller).await).await.unwrap();
                (one, two)
            })
            .await
            .unwrap()
        });
        assert_ne!(one, two);
    });
    let ran = ends_soon("a run that has ended", || {
        F::new().builder().run(async |caller: Caller| body(caller).await.id())
    });
    assert!(ran.is_ok());
}

pub fn cal_serving_until_somebody_stops_it<F: Fixture>() {
    let fixture = F::new();
    let (sender, begun) = mpsc::channel::<Caller>();
    let stops = thread::spawn(move || {
        let caller = receive(&begun);
        assert_eq!(caller.call_soon(async || 1).wait_blocking().unwrap(), 1, "it serves");
        caller.force_stop();
    });
    let ran = fixture.builder().run(async move |caller: Caller| {
        sender.send(caller.clone()).unwrap();
        caller.stopping().await;
        caller.is_running()
    });
    assert!(!ran.unwrap());
    stops.join().unwrap();
}
