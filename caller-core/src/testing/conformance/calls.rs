//! SCH: the verbs that hand over a function.

use std::{
    cell::Cell,
    rc::Rc,
    sync::{Arc, Mutex, mpsc},
    thread,
    time::{Duration, Instant},
};

use super::{LONG, Trouble, receive, yield_now};
use crate::{Caller, Context, ContextVar, Pending, Resolver, current_pending, testing::Fixture};

/// What a row means by "soon".
pub(super) const SOON: Duration = Duration::from_millis(250);

/// Asserts that something takes at least `time`, and ends soon after that. A machine that is busy is late at times, so the
/// best of some tries counts.
pub(super) fn on_time(what: &str, time: Duration, mut measure: impl FnMut() -> Duration) {
    futures::executor::block_on(on_time_async(what, time, async || measure()));
}

pub(super) async fn on_time_async(what: &str, time: Duration, mut measure: impl AsyncFnMut() -> Duration) {
    let mut best = Duration::MAX;
    for _ in 0..20 {
        let took = measure().await;
        assert!(took >= time, "{what} came after {took:?}, before its time of {time:?}");
        best = best.min(took);
        if best <= time + SOON {
            return;
        }
    }
    panic!("{what} came after {best:?} at best, long after its time of {time:?}");
}

/// Gives a caller some turns, in which it does what it can do by now.
pub(super) fn turns(caller: &Caller) {
    let turns = caller.call_soon(async || {
        for _ in 0..4 {
            yield_now().await;
        }
    });
    turns.wait().timeout(LONG).blocking().expect("the caller goes on");
}

/// Listens to what is reported in the thread of a caller from now on: failures and panics that nobody waits for. Without
/// the feature `tracing` they are lines on stderr, which nobody hears in the process that writes them.
pub(super) struct Reports(#[cfg(feature = "tracing")] Arc<Mutex<Vec<String>>>);

#[cfg(not(feature = "tracing"))]
impl Reports {
    pub(super) fn of(_caller: &Caller) -> Self {
        Self()
    }

    pub(super) fn expect(&self, _texts: &[&[&str]]) {}
}

#[cfg(feature = "tracing")]
impl Reports {
    pub(super) fn of(caller: &Caller) -> Self {
        let lines: Arc<Mutex<Vec<String>>> = Arc::default();
        let listener = listener::Listener(lines.clone());
        let (sender, listening) = mpsc::channel();
        drop(caller.call_soon(async move || {
            let _until_the_caller_stops = tracing::subscriber::set_default(listener);
            sender.send(()).unwrap();
            std::future::pending::<()>().await;
        }));
        receive(&listening);
        Self(lines)
    }

    /// There were so many reports, and each has all of its texts in it.
    pub(super) fn expect(&self, texts: &[&[&str]]) {
        let lines = self.0.lock().unwrap().clone();
        assert_eq!(lines.len(), texts.len(), "{lines:#?}");
        for (line, texts) in lines.iter().zip(texts) {
            assert!(texts.iter().all(|text| line.contains(text)), "{line} should have {texts:?}");
        }
    }
}

#[cfg(feature = "tracing")]
mod listener {
    use std::{
        fmt::{Debug, Write},
        sync::{Arc, Mutex},
    };

    use tracing::{
        Event, Level, Metadata, Subscriber,
        field::{Field, Visit},
        span::{Attributes, Id, Record},
    };

    /// Writes down the fields of each error.
    pub(super) struct Listener(pub(super) Arc<Mutex<Vec<String>>>);

    struct Line(String);

    impl Visit for Line {
        fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
            write!(self.0, "{field}={value:?} ").unwrap();
        }
    }

    impl Subscriber for Listener {
        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            *metadata.level() == Level::ERROR
        }

        fn event(&self, event: &Event<'_>) {
            let mut line = Line(String::new());
            event.record(&mut line);
            self.0.lock().unwrap().push(line.0);
        }

        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }

        fn record(&self, _: &Id, _: &Record<'_>) {}
        fn record_follows_from(&self, _: &Id, _: &Id) {}
        fn enter(&self, _: &Id) {}
        fn exit(&self, _: &Id) {}
    }
}

async fn add(a: u32, b: u32) -> u32 {
    a + b
}

pub fn sch_01_verbs_from_here_and_elsewhere<F: Fixture>() {
    fn all(caller: &Caller) -> Vec<Pending<(u32, thread::ThreadId)>> {
        let plain = |a: u32, b: u32| (a + b, thread::current().id());
        vec![
            caller.call_soon(async move || plain(1, 1)),
            caller.call_soon(async || (add(1, 1).await, thread::current().id())),
            caller.call_later(Duration::ZERO, async move || plain(1, 1)),
            caller.call_later(Duration::ZERO, async || (add(1, 1).await, thread::current().id())),
            caller.schedule_call(async move || plain(1, 1)).submit().unwrap(),
            caller.schedule_call(async || (add(1, 1).await, thread::current().id())).submit().unwrap(),
            caller.try_call_soon(async move || Ok::<_, Trouble>(plain(1, 1))),
        ]
    }
    let caller = F::new().caller();
    assert_eq!(caller.call_soon(|| add(1, 1)).wait_blocking().unwrap(), 2);
    let this = caller.0.clone();
    let inside = caller.call_soon(async move || {
        let mut got = Vec::new();
        for pending in all(&this) {
            got.push(pending.await.unwrap());
        }
        got
    });
    let from_inside = inside.wait_blocking().unwrap();
    let from_outside: Vec<_> =
        all(&caller).into_iter().map(|pending| pending.wait_blocking().unwrap()).collect();
    assert_eq!(from_inside, from_outside);
    let own = caller.thread().unwrap().0;
    assert!(from_outside.iter().all(|got| *got == (2, own)), "{from_outside:?}");
}

pub fn sch_02_not_before_its_time<F: Fixture>() {
    /// When it begins, by the clock of its caller.
    async fn begins() -> Instant {
        Caller::current().unwrap().backend().clock().now()
    }
    type Verb = fn(&Caller, Duration) -> Pending<Instant>;
    let verbs: [(&str, Verb); 4] = [
        ("call_later", |caller, delay| caller.call_later(delay, begins)),
        ("try_call_later", |caller, delay| {
            caller.try_call_later(delay, async || Ok::<_, Trouble>(begins().await))
        }),
        ("submit", |caller, delay| caller.schedule_call(begins).delay(delay).submit().unwrap()),
        ("try_submit", |caller, delay| {
            let call = caller.schedule_call(async || Ok::<_, Trouble>(begins().await));
            call.delay(delay).try_submit().unwrap()
        }),
    ];
    let fixture = F::new();
    let caller = fixture.caller();
    let clock = caller.backend().clock();
    let delay = Duration::from_millis(20);
    for (name, verb) in verbs {
        on_time(name, delay, || {
            let submitted = clock.now();
            let later = verb(&caller, delay);
            // What is due at half its time begins then.
            turns(&caller);
            fixture.elapse(delay / 2);
            turns(&caller);
            fixture.elapse(delay / 2);
            later.wait().timeout(LONG).blocking().unwrap() - submitted
        });
    }
    // Several, in the order of their times. Where making them took longer than lies between those, it is another order.
    loop {
        let (order, begun) = (Arc::new(Mutex::new(Vec::new())), clock.now());
        let calls = [30, 10, 20].map(|milliseconds| {
            let order = order.clone();
            caller.call_later(Duration::from_millis(milliseconds), async move || {
                order.lock().unwrap().push(milliseconds);
            })
        });
        let taken = clock.now() - begun;
        caller.call_soon(async || ()).wait_blocking().unwrap();
        fixture.elapse(Duration::from_millis(30));
        for call in calls {
            call.wait().timeout(LONG).blocking().unwrap();
        }
        if taken < Duration::from_millis(10) {
            assert_eq!(*order.lock().unwrap(), [10, 20, 30]);
            return;
        }
    }
}

pub fn sch_03_direct_calls_in_order<F: Fixture>() {
    async fn failing_later() -> Result<(), Trouble> {
        yield_now().await;
        Err(Trouble)
    }
    let caller = F::new().caller();
    let reports = Reports::of(&caller);
    let own = caller.call_soon(async || thread::current().id()).wait_blocking().unwrap();
    let (sender, order) = mpsc::channel();
    let send = |what: &'static str| {
        let sender = sender.clone();
        move || sender.send((what, thread::current().id())).unwrap()
    };
    let (resolver, gate) = Resolver::<()>::new();
    caller.call_direct({
        let send = send("failing");
        move || {
            send();
            Err::<(), _>(Trouble)
        }
    });
    caller.call_direct({
        let send = send("panicking");
        move || {
            send();
            if true {
                panic!("on purpose");
            }
        }
    });
    caller.call_direct(send("plain"));
    caller.call_direct_async({
        let (begin, end) = (send("async begins"), send("async ends"));
        async move || {
            begin();
            gate.await.unwrap();
            end();
        }
    });
    caller.call_direct(send("behind it"));
    caller.call_direct_async(failing_later);
    caller.call_direct_async(async || {
        yield_now().await;
        if true {
            panic!("on purpose too");
        }
    });
    caller.call_direct_async(async || Ok::<(), Trouble>(()));
    let soon = caller.call_soon({
        let send = send("call_soon");
        async move || send()
    });
    let mut seen: Vec<_> = (0..4).map(|_| receive(&order)).collect();
    assert!(order.try_recv().is_err(), "the scheduler awaits it before it goes on");
    resolver.resolve(()).unwrap();
    soon.wait_blocking().unwrap();
    seen.extend((0..3).map(|_| receive(&order)));
    let expected = ["failing", "panicking", "plain", "async begins", "async ends", "behind it", "call_soon"];
    assert_eq!(seen, expected.map(|what| (what, own)));
    // Each failure is reported: where, what, and why.
    let (name, why) = (caller.name(), Trouble.to_string());
    reports.expect(&[
        &[name, "sch_03_direct_calls_in_order", &why],
        &[name, "call_direct", "on purpose"],
        &[name, "failing_later", &why],
        &[name, "call_direct", "on purpose too"],
    ]);
}

pub fn sch_03_direct_calls_have_no_context<F: Fixture>() {
    static VAR: ContextVar<u32> = ContextVar::new();
    let fixture = F::new();
    let (sender, seen) = mpsc::channel();
    let backend = fixture.backend();
    fixture.block_on(VAR.scope(1, async move {
        let body = async move |caller: Caller| {
            let awaited = sender.clone();
            caller.call_direct(move || sender.send((VAR.get(), VAR.set(2).is_ok())).unwrap());
            caller.call_direct_async(async move || {
                awaited.send((VAR.get(), VAR.set(3).is_ok())).unwrap();
                yield_now().await;
                awaited.send((VAR.get(), VAR.set(4).is_ok())).unwrap();
            });
            let inherited = caller.call_soon(async || VAR.get()).await.unwrap();
            assert_eq!((inherited, VAR.get()), (Some(1), Some(1)));
        };
        Caller::scope(backend, body).await.unwrap();
        assert_eq!(VAR.get(), Some(1));
    }));
    assert_eq!(seen.try_iter().collect::<Vec<_>>(), [(None, false); 3]);
}

pub fn sch_04_current_pending<F: Fixture>() {
    let caller = F::new().caller();
    assert!(current_pending().is_none());
    let (sender, inside) = mpsc::channel();
    let (resolver, gate) = Resolver::<()>::new();
    let pending = caller.call_soon(async move || {
        sender.send(current_pending()).unwrap();
        gate.await.unwrap();
        sender.send(current_pending()).unwrap();
    });
    assert_eq!(receive(&inside), Some(pending.handle()));
    let (direct, from_direct) = mpsc::channel();
    caller.call_direct(move || direct.send(current_pending()).unwrap());
    assert_eq!(receive(&from_direct), None);
    resolver.resolve(()).unwrap();
    assert_eq!(receive(&inside), Some(pending.handle()));
    pending.wait_blocking().unwrap();
}

pub fn sch_05_context<F: Fixture>() {
    static COLOR: ContextVar<&str> = ContextVar::new();
    let fixture = F::new();
    let caller = fixture.caller();
    assert!(COLOR.set("outside").unwrap_err().is_mismatch());
    let (resolver, gate) = Resolver::<()>::new();
    let other = caller.0.clone();
    let call = COLOR.sync_scope("red", || {
        caller.call_soon(async move || {
            let first = COLOR.get();
            COLOR.set("green").unwrap();
            gate.await.unwrap();
            let inherited = other.call_soon(async || COLOR.get()).await.unwrap();
            (first, COLOR.get(), inherited)
        })
    });
    // Another call, in between, sees nothing of it.
    assert_eq!(caller.call_soon(async || COLOR.get()).wait_blocking().unwrap(), None);
    resolver.resolve(()).unwrap();
    assert_eq!(call.wait_blocking().unwrap(), (Some("red"), Some("green"), Some("green")));
    assert_eq!(COLOR.get(), None);
    // The submitter changes its value after it has submitted; each call sees what there was, through all of its polls, and
    // what it sets itself the submitter never sees.
    let this = caller.0.clone();
    let submitter = caller.call_soon(async move || {
        COLOR.set("red").unwrap();
        let (resolver, gate) = Resolver::<()>::new();
        let gate = gate.shared();
        let watch = || {
            let gate = gate.clone();
            async move || {
                let first = COLOR.get();
                yield_now().await;
                gate.await.unwrap();
                let second = COLOR.get();
                COLOR.set("green").unwrap();
                yield_now().await;
                (first, second, COLOR.get())
            }
        };
        let calls = [
            this.call_soon(watch()),
            this.call_later(Duration::from_nanos(1), watch()),
            this.schedule_call(watch()).submit().unwrap(),
            this.to_thread(watch()),
            this.call_soon_local(watch()).unwrap(),
        ];
        COLOR.set("blue").unwrap();
        let later = this.call_soon(watch());
        yield_now().await;
        assert_eq!(COLOR.get(), Some("blue"));
        resolver.resolve(()).unwrap();
        let mut seen = Vec::new();
        for call in calls.into_iter().chain([later]) {
            seen.push(call.await.unwrap());
            assert_eq!(COLOR.get(), Some("blue"));
        }
        seen
    });
    while submitter.handle().wait().timeout(Duration::from_millis(1)).blocking().is_err() {
        fixture.elapse(Duration::from_millis(1));
    }
    let seen = submitter.wait_blocking().unwrap_or_else(|error| panic!("{error}"));
    let (red, green, blue) = (Some("red"), Some("green"), Some("blue"));
    assert_eq!(seen[..5], [(red, red, green); 5]);
    assert_eq!(seen[5], (blue, blue, green));
    // A context that is given is used instead, and neither the submitter nor the context sees what the call sets.
    let explicit = Context::new().with(&COLOR, "blue");
    let set = async || (COLOR.get(), COLOR.set("green").is_ok());
    let (call, still) = COLOR.sync_scope("red", || {
        let call = caller.schedule_call(set).context(explicit.clone()).submit().unwrap();
        (call.wait_blocking().unwrap(), COLOR.get())
    });
    assert_eq!((call, still), ((blue, true), red));
    assert_eq!(explicit.run(|| COLOR.get()), blue);
    let none = COLOR.sync_scope("red", || {
        caller.schedule_call(async || COLOR.get()).context(Context::new()).submit().unwrap()
    });
    assert_eq!(none.wait_blocking().unwrap(), None);
    // A direct call has none of it.
    let (sender, direct) = mpsc::channel();
    COLOR.sync_scope("red", || caller.call_direct(move || sender.send(COLOR.get()).unwrap()));
    assert_eq!(receive(&direct), None);
}

pub fn sch_06_failures<F: Fixture>() {
    let caller = F::new().caller();
    let failing = caller.try_call_soon(async || Err::<(), _>(Trouble));
    let error = failing.wait_blocking().unwrap_err();
    assert_eq!(error.downcast_ref::<Trouble>(), Some(&Trouble));
    assert!(error.function().unwrap().contains("sch_06_failures") && error.location().is_some());
    let number = std::hint::black_box(7);
    let panicking = caller.call_soon(async move || panic!("the number was {number}"));
    let error = panicking.wait_blocking().unwrap_err();
    assert!(
        error.is_panic() && error.is_failed() && error.to_string().contains("the number was 7"),
        "{error}"
    );
    assert_eq!(error.take_panic().unwrap().downcast_ref::<String>().unwrap(), "the number was 7");
    assert!(error.take_panic().is_none());
    let later = caller.try_call_later(Duration::ZERO, async || Err::<(), _>(Trouble));
    assert!(later.wait_blocking().unwrap_err().is_failed());
    assert_eq!(caller.call_soon(async || 1).wait_blocking().unwrap(), 1);
}

pub fn sch_07_interleaving<F: Fixture>() {
    let fixture = F::new();
    let caller = fixture.caller();
    let steps = Arc::new(Mutex::new(Vec::new()));
    let pause = Duration::from_millis(10);
    let (sender, asleep) = mpsc::channel();
    let calls = ["a", "b"].map(|name| {
        let (steps, sleep, sender) = (steps.clone(), fixture.sleeper(), sender.clone());
        caller.call_soon(async move || {
            for step in 0..2 {
                steps.lock().unwrap().push((step, name));
                let sleep = sleep(pause);
                sender.send(()).unwrap();
                sleep.await;
            }
            thread::current().id()
        })
    });
    for _ in 0..2 {
        (0..2).for_each(|_| receive(&asleep));
        fixture.elapse(pause);
    }
    let threads = calls.map(|call| call.wait_blocking().unwrap());
    assert_eq!(threads[0], threads[1]);
    let mut steps = steps.lock().unwrap().clone();
    steps[..2].sort_unstable();
    steps[2..].sort_unstable();
    assert_eq!(steps, [(0, "a"), (0, "b"), (1, "a"), (1, "b")]);
}

pub fn sch_08_runtime_is_current<F: Fixture>() {
    /// Says whether the runtime was current, and in which thread, when it was dropped.
    struct Probe(mpsc::Sender<(bool, thread::ThreadId)>, fn() -> bool);
    impl Drop for Probe {
        fn drop(&mut self) {
            self.0.send(((self.1)(), thread::current().id())).unwrap();
        }
    }
    let fixture = F::new();
    let caller = fixture.caller();
    let own = caller.call_soon(async || thread::current().id()).wait_blocking().unwrap();
    assert!(caller.call_soon(async || F::is_current()).wait_blocking().unwrap());
    let (sender, seen) = mpsc::channel();
    caller.call_direct({
        let sender = sender.clone();
        move || sender.send((F::is_current(), thread::current().id())).unwrap()
    });
    assert_eq!(receive(&seen), (true, own));
    // A destructor that runs because of a cancel, of a stop, and of a panic.
    let probing = |caller: &Caller, panics: bool| {
        let (sender, sleep) = (sender.clone(), fixture.sleeper());
        let (began, begins) = mpsc::channel();
        let call = caller.call_soon(async move || {
            let _probe = Probe(sender, F::is_current);
            let _timer = sleep(Duration::from_secs(3600));
            began.send(()).unwrap();
            assert!(!panics, "on purpose");
            std::future::pending::<()>().await;
        });
        receive(&begins);
        call
    };
    let cancelled = probing(&caller, false);
    cancelled.cancel("enough");
    assert_eq!(receive(&seen), (true, own));
    drop(probing(&caller, true));
    assert_eq!(receive(&seen), (true, own));
    drop(probing(&caller, false));
    caller.stop();
    assert_eq!(receive(&seen), (true, own));
    // A scope that is dropped outside of its runtime's turn.
    fixture.block_on(async {
        let (sender, sleep) = (sender.clone(), fixture.sleeper());
        let (resolver, began) = Resolver::<()>::new();
        let mut scope = Box::pin(Caller::scope(fixture.backend(), async |caller| {
            let call = caller.call_soon(async move || {
                let _probe = Probe(sender, F::is_current);
                let _timer = sleep(Duration::from_secs(3600));
                resolver.resolve(()).unwrap();
                std::future::pending::<()>().await;
            });
            call.await.unwrap();
        }));
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        while !began.is_done() {
            assert!(scope.as_mut().poll(&mut cx).is_pending());
            yield_now().await;
        }
    });
    assert_eq!(receive(&seen), (true, thread::current().id()));
}

pub fn sch_local_calls<F: Fixture>() {
    let fixture = F::new();
    let caller = fixture.caller();
    assert!(caller.call_soon_local(async || ()).unwrap_err().is_mismatch());
    let this = caller.0.clone();
    let count = caller.call_soon(async move || {
        let count = Rc::new(Cell::new(0));
        let counting = count.clone();
        let local = this.call_soon_local(async move || counting.set(counting.get() + 1)).unwrap();
        local.await.unwrap();
        let counting = count.clone();
        let cancelled = this
            .call_soon_local(async move || {
                counting.set(100);
            })
            .unwrap();
        cancelled.cancel("never mind");
        assert!(cancelled.await.unwrap_err().is_cancelled());
        let failing = this.try_call_soon_local(async || Err::<(), _>(Trouble)).unwrap();
        assert!(failing.await.unwrap_err().is_failed());
        (count.get(), Rc::strong_count(&count))
    });
    assert_eq!(count.wait_blocking().unwrap(), (1, 1));
}
