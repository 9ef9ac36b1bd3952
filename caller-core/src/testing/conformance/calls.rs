//! SCH: the verbs that hand over a function.

use std::{
    cell::Cell,
    rc::Rc,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use super::{Trouble, receive, yield_now};
use crate::{Caller, Context, ContextVar, Pending, Resolver, current_pending, testing::Fixture};

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
    let fixture = F::new();
    let caller = fixture.caller();
    let delay = Duration::from_millis(20);
    let ran = Arc::new(AtomicBool::new(false));
    let begun = Instant::now();
    let later = caller.call_later(delay, {
        let ran = ran.clone();
        async move || ran.store(true, Ordering::SeqCst)
    });
    caller.call_soon(async || ()).wait_blocking().unwrap();
    assert!(begun.elapsed() >= delay || !ran.load(Ordering::SeqCst));
    fixture.elapse(delay);
    later.wait_blocking().unwrap();
    // Several, in the order of their times.
    let order = Arc::new(Mutex::new(Vec::new()));
    let calls = [30, 10, 20].map(|milliseconds| {
        let order = order.clone();
        caller.call_later(Duration::from_millis(milliseconds), async move || {
            order.lock().unwrap().push(milliseconds);
        })
    });
    caller.call_soon(async || ()).wait_blocking().unwrap();
    fixture.elapse(Duration::from_millis(30));
    for call in calls {
        call.wait_blocking().unwrap();
    }
    assert_eq!(*order.lock().unwrap(), [10, 20, 30]);
}

pub fn sch_03_direct_calls_in_order<F: Fixture>() {
    let caller = F::new().caller();
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
    let caller = F::new().caller();
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
    let explicit = Context::new().with(&COLOR, "blue");
    let call =
        COLOR.sync_scope("red", || caller.schedule_call(async || COLOR.get()).context(explicit).submit());
    assert_eq!(call.unwrap().wait_blocking().unwrap(), Some("blue"));
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
