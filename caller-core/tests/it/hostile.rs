//! Backends that panic, do nothing, or have no threads; threads that end; chains that are deep. Nobody hangs, nothing
//! aborts, and everybody gets an error that says why.

use std::{
    io,
    rc::Rc,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    task::Poll,
    thread,
    time::Duration,
};

use caller::{
    AsyncEvent, AsyncLock, Backend, BoxError, Caller, CallerState, Clock, Error, Guest, Host, LocalFuture,
    Pending, PoolSettings, ReentrantAsyncLock, Runtime,
    testing::{Manual, Process, probe::ends_soon},
};

const LONG: Duration = Duration::from_secs(20);

/// Never drops it. Its place is written down, so that a tool that looks for leaks knows that somebody meant it.
fn forget<T>(value: T) {
    static PLACES: Mutex<Vec<usize>> = Mutex::new(Vec::new());
    let place: *const T = Box::leak(Box::new(value));
    PLACES.lock().unwrap().push(place.addr());
}

/// How a backend misbehaves.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    RunPanics,
    RunReturns,
    RunForgets,
    RunPollsOnceAndForgets,
    RuntimePanics,
    ClockPanics,
    StackSizePanics,
}

const FAULTS: [Fault; 7] = [
    Fault::RunPanics,
    Fault::RunReturns,
    Fault::RunForgets,
    Fault::RunPollsOnceAndForgets,
    Fault::RuntimePanics,
    Fault::ClockPanics,
    Fault::StackSizePanics,
];

#[derive(Debug)]
struct Faulty(Fault, Manual);

impl Backend for Faulty {
    fn name(&self) -> &'static str {
        "faulty"
    }

    fn is_same(&self, _other: &dyn Backend) -> bool {
        false
    }

    fn run(&self, mut root: LocalFuture<'_>) -> io::Result<()> {
        match self.0 {
            Fault::RunPanics => panic!("no runtime today"),
            Fault::RunReturns => {}
            Fault::RunForgets => forget(root),
            Fault::RunPollsOnceAndForgets => self.1.block_on(async {
                let _pending = std::future::poll_fn(|cx| Poll::Ready(root.as_mut().poll(cx))).await;
                forget(root);
            }),
            _ => self.1.run(root)?,
        }
        Ok(())
    }

    fn runtime(&self) -> caller::Result<Rc<dyn Runtime>> {
        assert!(self.0 != Fault::RuntimePanics, "no runtime today");
        self.1.runtime()
    }

    fn clock(&self) -> Arc<dyn Clock> {
        assert!(self.0 != Fault::ClockPanics, "no clock today");
        self.1.clock()
    }

    fn stack_size(&self) -> Option<usize> {
        assert!(self.0 != Fault::StackSizePanics, "no size today");
        None
    }
}

/// Whatever comes first of an error of the start and the error of every call.
fn error_of_a_thread(fault: Fault) -> Error {
    let caller = match Caller::builder().backend(Faulty(fault, Manual::new())).build() {
        Ok(caller) => caller,
        Err(error) => return error,
    };
    let early = caller.call_soon(async || std::future::pending::<()>().await);
    let started = caller.start();
    let moments = [caller.started(), caller.stopping(), caller.stopped()];
    moments.into_iter().for_each(|moment| moment.blocking().unwrap());
    assert_eq!(caller.state(), CallerState::Stopped);
    assert!(early.is_done());
    let error = early.wait_blocking().unwrap_err();
    assert!(error.is_closed(), "{error}");
    let late = caller.call_soon(async || ()).wait_blocking().unwrap_err();
    assert!(late.is_closed() && late.to_string().contains("could not run"), "{late}");
    assert!(Caller::by_id(caller.id()).is_none());
    started.err().unwrap_or(late)
}

#[test]
fn a_caller_whose_backend_misbehaves_ends_with_an_error() {
    for fault in FAULTS {
        let error = ends_soon(&format!("{fault:?}"), move || error_of_a_thread(fault));
        assert!(error.is_start() || error.is_closed(), "{fault:?}: {error}");
        let text = error.to_string();
        assert!(text.contains("panicked") || text.contains("returned before"), "{fault:?}: {text}");
    }
}

#[test]
fn a_run_whose_backend_misbehaves_ends_with_an_error() {
    for fault in FAULTS.into_iter().filter(|fault| *fault != Fault::StackSizePanics) {
        let error = ends_soon(&format!("{fault:?}"), move || {
            let ran = Caller::builder().backend(Faulty(fault, Manual::new())).run(async |caller: Caller| {
                caller.call_soon(async || std::future::pending::<()>().await).await.unwrap_err()
            });
            assert!(Caller::current().is_err(), "the thread is free");
            ran.unwrap_err()
        });
        assert!(error.is_start(), "{fault:?}: {error}");
    }
}

/// Says that somebody is there, and lets go when the other end is dropped.
type Gate = (mpsc::Sender<()>, mpsc::Receiver<()>);

/// A backend that has so many threads, and can be held up when it is asked for one.
#[derive(Clone, Debug)]
struct Scarce {
    left: Arc<AtomicUsize>,
    asked: Arc<Mutex<Option<Gate>>>,
    manual: Manual,
}

impl Scarce {
    fn new(threads: usize) -> Self {
        Self { left: Arc::new(AtomicUsize::new(threads)), asked: Arc::default(), manual: Manual::new() }
    }

    /// Says when the next thread is asked for, and holds that up until the sender is dropped.
    fn hold_up(&self) -> (mpsc::Receiver<()>, mpsc::Sender<()>) {
        let ((sender, asked), (go_on, held_up)) = (mpsc::channel(), mpsc::channel());
        *self.asked.lock().unwrap() = Some((sender, held_up));
        (asked, go_on)
    }
}

impl Backend for Scarce {
    fn name(&self) -> &'static str {
        "scarce"
    }

    fn is_same(&self, _other: &dyn Backend) -> bool {
        true
    }

    fn run(&self, root: LocalFuture<'_>) -> io::Result<()> {
        self.manual.run(root)
    }

    fn runtime(&self) -> caller::Result<Rc<dyn Runtime>> {
        self.manual.runtime()
    }

    fn clock(&self) -> Arc<dyn Clock> {
        self.manual.clock()
    }

    fn stack_size(&self) -> Option<usize> {
        let asked = self.asked.lock().unwrap().take();
        if let Some((asked, held_up)) = asked {
            asked.send(()).unwrap();
            let _dropped = held_up.recv_timeout(LONG);
        }
        let one_less = |left: usize| left.checked_sub(1);
        let had = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_ok();
        // More than there is room for.
        (!had).then_some(1 << 60)
    }
}

fn error<T: Send + 'static>(call: Pending<T>) -> Error {
    call.wait().timeout(LONG).blocking().err().expect("no thread was had")
}

#[test]
fn without_threads_every_call_that_waits_for_a_worker_gets_the_error() {
    let backend = Scarce::new(1);
    let caller =
        Caller::builder().backend(backend.clone()).pool(PoolSettings::default().limit(1)).spawn().unwrap();
    let (asked, go_on) = backend.hold_up();
    let first = {
        let caller = caller.clone();
        thread::spawn(move || caller.to_thread(async || ()))
    };
    asked.recv_timeout(LONG).unwrap();
    // The limit is reached by the worker that is being made.
    let waiting: Vec<_> = (0..5).map(|_| caller.to_thread(async || ())).collect();
    drop(go_on);
    for error in [first.join().unwrap()].into_iter().chain(waiting).map(error) {
        assert!(error.is_closed() && error.to_string().contains("could not be started"), "{error}");
    }
    assert_eq!(caller.workers(), (0, 0));
    caller.stop();
}

#[test]
fn without_more_threads_calls_wait_for_the_workers_that_there_are() {
    let backend = Scarce::new(2);
    let caller = Caller::builder().backend(backend).spawn().unwrap();
    let (release, released) = mpsc::channel::<()>();
    let busy = caller.to_thread(async move || released.recv_timeout(LONG).unwrap());
    let waiting: Vec<_> = (0..5).map(|at| caller.to_thread(async move || at)).collect();
    assert!(waiting.iter().all(|call| !call.is_done()));
    release.send(()).unwrap();
    busy.wait_blocking().unwrap();
    let given: Vec<_> = waiting.into_iter().map(|call| call.wait_blocking().unwrap()).collect();
    assert_eq!(given, [0, 1, 2, 3, 4]);
    caller.stop();
}

#[test]
fn without_threads_a_worker_does_not_wait_for_itself() {
    let caller =
        Caller::builder().backend(Scarce::new(2)).pool(PoolSettings::default().limit(1)).spawn().unwrap();
    let this = caller.clone();
    let nested = caller.to_thread(async move || this.to_thread(async || ()).await.unwrap_err());
    let error = nested.wait().timeout(LONG).blocking().unwrap();
    assert!(error.is_closed() && error.to_string().contains("could not be started"), "{error}");
    caller.stop();
}

/// The host of a loop that needs the main thread, and runs nothing.
#[derive(Debug)]
struct OnMain;

impl Host for OnMain {
    fn name(&self) -> &'static str {
        "on-main"
    }

    fn needs_main_thread(&self) -> bool {
        true
    }

    fn run(&self, _program: LocalFuture<'static>) -> Result<(), BoxError> {
        Ok(())
    }
}

#[test]
fn the_main_thread_is_not_found_by_its_name() {
    let caller = Caller::builder().name("main").backend(Manual::new()).spawn().unwrap();
    caller.started().blocking().unwrap();
    assert!(Caller::main_thread().unwrap_err().is_no_caller());
    caller.stop();
    // A thread of the program's own is told from it where the system says which is the main one.
    if cfg!(target_os = "linux") {
        let ran = thread::Builder::new()
            .name("main".into())
            .spawn(|| Caller::builder().backend(Manual::new()).run(async |_| Caller::main_thread().is_err()));
        assert!(ran.unwrap().join().unwrap().unwrap());
    }
}

#[test]
fn a_child_that_cannot_be_started_is_not_left_behind() {
    let parent = Caller::builder().backend(Scarce::new(1)).spawn().unwrap();
    assert!(parent.child("no thread").unwrap_err().is_start());
    assert_eq!(parent.children(), []);
    assert!(parent.child("a\0b").unwrap_err().is_start());
    parent.stop();
}

#[test]
fn a_long_name_is_only_cut_by_the_system() {
    let name = "a name that is longer than fifteen bytes";
    let caller = Caller::builder().name(name).backend(Manual::new()).spawn().unwrap();
    assert_eq!(caller.call_soon(async || 1).wait_blocking().unwrap(), 1);
    assert_eq!((caller.name(), caller.thread().unwrap().1), (name, name));
    caller.stop();
}

const DEEP: usize = 100_000;

#[test]
fn a_deep_chain_of_callers_that_never_ran_is_dropped() {
    Process::of(concat!(module_path!(), "::a_deep_chain_of_callers_that_never_ran_is_dropped")).run(|| {
        // Each is held by a call to the one before.
        let manual = Manual::new();
        let build = || Caller::builder().backend(manual.clone()).build().unwrap();
        let mut first = build();
        let last = first.stopped();
        for _ in 0..DEEP {
            let next = build();
            drop(next.call_soon(async move || drop(first)));
            first = next;
        }
        drop(first);
        assert!(last.is_past());
        assert!(Caller::all_existing().is_empty());
    });
}

#[test]
fn many_generations_of_callers_end() {
    Process::of(concat!(module_path!(), "::many_generations_of_callers_end")).run(|| {
        for stopped in [true, false] {
            let first = Caller::builder().backend(Manual::new()).build().unwrap();
            let mut last = first.clone();
            for _ in 0..20_000 {
                last = last.child_builder().build().unwrap();
            }
            let end = first.stopped();
            drop(last);
            if stopped {
                first.stop();
            }
            drop(first);
            assert!(end.is_past());
            assert!(Caller::all_existing().is_empty());
        }
    });
}

/// Runs a function in the destructor of a thread-local that outlives those of the library.
fn in_a_destructor(function: impl FnOnce() + Send + 'static) {
    struct Last(Option<Box<dyn FnOnce()>>);
    impl Drop for Last {
        fn drop(&mut self) {
            self.0.take().into_iter().for_each(|function| function());
        }
    }
    thread_local! {
        static LAST: std::cell::RefCell<Last> = const { std::cell::RefCell::new(Last(None)) };
    }
    thread::spawn(move || {
        // Destroyed in the reverse order of their first use.
        LAST.with_borrow_mut(|last| last.0 = Some(Box::new(function)));
        let used = Caller::builder().backend(Manual::new()).run(async |caller: Caller| {
            let local = caller.call_soon_local(async || caller::current_pending().is_some()).unwrap();
            assert!(local.await.unwrap());
            caller::current_host()
        });
        assert!(used.unwrap().is_none());
    })
    .join()
    .unwrap();
}

#[test]
fn the_destructors_of_thread_locals_may_use_all_of_it() {
    Process::of(concat!(module_path!(), "::the_destructors_of_thread_locals_may_use_all_of_it")).run(|| {
        let caller = Caller::builder().backend(Manual::new()).spawn().unwrap();
        let (sender, seen) = mpsc::channel();
        let this = caller.clone();
        in_a_destructor(move || {
            assert!(caller::current_host().is_none());
            assert!(Caller::current().unwrap_err().is_no_caller());
            assert!(Caller::main_thread().is_err());
            assert_eq!(this.call_soon(async || 1).wait_blocking().unwrap(), 1);
            assert_eq!(this.to_thread(async || 2).wait_blocking().unwrap(), 2);
            this.call_direct(|| ());
            let run = Caller::builder().backend(Manual::new()).run(async |_| ());
            assert!(run.unwrap_err().is_start());
            let never = Caller::builder().backend(Manual::new()).build().unwrap();
            let call = never.call_soon(async || ());
            drop(never);
            assert!(call.wait_blocking().unwrap_err().is_closed());
            let other = Caller::builder().backend(Manual::new()).spawn().unwrap();
            other.stop();
            other.stopped().blocking().unwrap();
            let event = AsyncEvent::new();
            event.set();
            event.wait().blocking();
            sender.send(()).unwrap();
        });
        seen.recv_timeout(LONG).unwrap();
        caller.stop();
    });
}

#[test]
fn a_lock_is_known_to_be_held_in_the_destructors_of_thread_locals() {
    const TEST: &str =
        concat!(module_path!(), "::a_lock_is_known_to_be_held_in_the_destructors_of_thread_locals");
    Process::of(TEST).run(|| {
        let (sender, seen) = mpsc::channel();
        in_a_destructor(move || {
            let lock = AsyncLock::new(0);
            let again =
                lock.with_blocking(|_| lock.with_blocking(|_| 0).map_err(|error| error.is_self_wait()));
            let entered = ReentrantAsyncLock::new(0);
            let twice = entered.with_blocking(|_| entered.with_blocking(|_| entered.count()).unwrap());
            sender.send((again.unwrap(), twice.unwrap())).unwrap();
        });
        assert_eq!(seen.recv_timeout(LONG).unwrap(), (Err(true), 2));
    });
}

#[test]
fn a_loop_that_needs_the_main_thread_is_not_begun_in_another_of_that_name() {
    let error = thread::Builder::new()
        .name("main".into())
        .spawn(|| caller::run(OnMain, caller_tokio::Tokio::new(), async |_| ()).unwrap_err())
        .unwrap()
        .join()
        .unwrap();
    assert!(!cfg!(target_os = "linux") || error.is_mismatch(), "{error}");
}

/// How a guest, or the loop of its host, misbehaves.
#[derive(Clone, Copy, Debug, PartialEq)]
enum GuestFault {
    IsNotMade,
    EntersNothing,
    EntersOnce,
    EnterPanics,
    AdoptPanics,
    AdoptForgets,
    DrivePanics,
    LoopForgets,
    LoopPanics,
}

#[derive(Debug)]
struct FaultyGuest {
    fault: GuestFault,
    manual: Manual,
    entered: AtomicUsize,
}

impl Backend for FaultyGuest {
    fn name(&self) -> &'static str {
        "faulty"
    }

    fn is_same(&self, _other: &dyn Backend) -> bool {
        false
    }

    fn run(&self, _root: LocalFuture<'_>) -> io::Result<()> {
        unreachable!("it has a host")
    }

    fn runtime(&self) -> caller::Result<Rc<dyn Runtime>> {
        Err(Error::no_runtime("none runs here"))
    }

    fn can_be_guest(&self) -> bool {
        true
    }

    fn guest(&self) -> io::Result<Rc<dyn Guest>> {
        assert!(self.fault != GuestFault::IsNotMade, "no guest today");
        Ok(Rc::new(FaultyGuest {
            fault: self.fault,
            manual: self.manual.clone(),
            entered: AtomicUsize::new(0),
        }))
    }
}

impl Guest for FaultyGuest {
    fn enter(&self, function: &mut dyn FnMut()) {
        let entered = self.entered.fetch_add(1, Ordering::SeqCst);
        match self.fault {
            GuestFault::EntersNothing => {}
            GuestFault::EntersOnce if entered > 0 => {}
            GuestFault::EnterPanics => panic!("nobody enters today"),
            _ => function(),
        }
    }

    fn adopt(&self, call: LocalFuture<'static>) -> LocalFuture<'static> {
        match self.fault {
            GuestFault::AdoptPanics => panic!("nobody is adopted today"),
            GuestFault::AdoptForgets => {
                forget(call);
                Box::pin(async {})
            }
            _ => call,
        }
    }

    fn runtime(&self) -> Rc<dyn Runtime> {
        Rc::new(self.manual.clone())
    }

    fn drive(&self, _cx: &mut std::task::Context<'_>) {
        assert!(self.fault != GuestFault::DrivePanics, "nobody drives today");
    }
}

#[derive(Debug)]
struct Loop(GuestFault, Manual);

impl Host for Loop {
    fn name(&self) -> &'static str {
        "loop"
    }

    fn run(&self, program: LocalFuture<'static>) -> Result<(), BoxError> {
        match self.0 {
            GuestFault::LoopForgets => forget(program),
            GuestFault::LoopPanics => panic!("no loop today"),
            _ => self.1.block_on(program),
        }
        Ok(())
    }
}

#[test]
fn a_caller_whose_guest_or_loop_misbehaves_ends_with_an_error() {
    let faults = [
        GuestFault::IsNotMade,
        GuestFault::EntersNothing,
        GuestFault::EntersOnce,
        GuestFault::EnterPanics,
        GuestFault::AdoptPanics,
        GuestFault::AdoptForgets,
        GuestFault::DrivePanics,
        GuestFault::LoopForgets,
        GuestFault::LoopPanics,
    ];
    for fault in faults {
        let build = move || {
            let manual = Manual::new();
            let backend = FaultyGuest { fault, manual: manual.clone(), entered: AtomicUsize::new(0) };
            Caller::builder().backend(backend).host(Loop(fault, manual))
        };
        ends_soon(&format!("{fault:?} in a thread of its own"), move || {
            let caller = build().build().unwrap();
            let call = caller.call_soon(async || std::future::pending::<()>().await);
            caller.start().unwrap();
            caller.stopped().blocking().unwrap();
            assert!(call.is_done() && call.wait_blocking().unwrap_err().is_closed());
            let late = caller.call_soon(async || ()).wait_blocking().unwrap_err();
            assert!(late.is_closed() && late.to_string().contains("could not run"), "{late}");
        });
        ends_soon(&format!("{fault:?} in this thread"), move || {
            let run = || {
                build().run(async |caller: Caller| {
                    caller.call_soon(async || std::future::pending::<()>().await).await.unwrap_err()
                })
            };
            let ran = std::panic::catch_unwind(run);
            match ran {
                // A panic of the loop goes on.
                Err(_) => assert_eq!(fault, GuestFault::LoopPanics),
                Ok(ran) => assert!(ran.unwrap_err().is_host(), "{fault:?}"),
            }
            assert!(Caller::current().is_err() && caller::current_host().is_none());
        });
    }
}
