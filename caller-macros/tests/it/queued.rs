//! `#[caller::queued]`: order, failures, lookups, and how queues end.

use std::{
    fmt::Display,
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};

use caller::{Caller, Pending, Resolver};
use caller_tokio::Tokio;

type Log = Arc<Mutex<Vec<String>>>;

fn caller(name: &str) -> Caller {
    Caller::builder().name(name).backend(Tokio::new()).spawn().unwrap()
}

fn lines(log: &Log) -> Vec<String> {
    log.lock().unwrap().clone()
}

/// Yields for a while, so that calls would overlap if they could.
async fn dawdle() {
    for _ in 0..3 {
        tokio::task::yield_now().await;
    }
}

#[caller::queued]
async fn step(log: Log, number: u32) {
    log.lock().unwrap().push(format!("{number} begins"));
    dawdle().await;
    log.lock().unwrap().push(format!("{number} ends"));
}

/// Runs `body` in a call of a fresh caller, which is then the current one, and stops it.
fn inside<T: Send + 'static>(body: impl AsyncFnOnce() -> T + Send + 'static) -> T {
    let here = caller("inside");
    let result = here.call_soon(body).wait_blocking().unwrap();
    here.force_stop();
    result
}

#[test]
fn calls_run_one_at_a_time_in_order() {
    let log = Log::default();
    let queued = log.clone();
    inside(async move || {
        for number in 0..3 {
            step_queued(queued.clone(), number).unwrap();
        }
        while !step_queue().unwrap().is_empty() || Arc::strong_count(&queued) > 2 {
            tokio::task::yield_now().await;
        }
    });
    assert_eq!(lines(&log), ["0 begins", "0 ends", "1 begins", "1 ends", "2 begins", "2 ends"]);
}

#[test]
fn the_plain_function_is_as_it_was() {
    let log = Log::default();
    let plain = log.clone();
    inside(async move || step(plain, 7).await);
    assert_eq!(lines(&log), ["7 begins", "7 ends"]);
}

#[caller::queued]
fn plain(log: Log, number: u32) {
    log.lock().unwrap().push(number.to_string());
}

#[test]
fn without_a_caller_the_wrapper_says_so() {
    assert!(plain_queued(Log::default(), 1).unwrap_err().is_no_caller());
    assert!(plain_queue().is_none());
}

#[caller::queued]
async fn fallible(log: Log, number: u32) -> Result<(), String> {
    match number {
        0 => Err("this one fails".to_owned()),
        1 => panic!("this one panics"),
        _ => {
            log.lock().unwrap().push(number.to_string());
            Ok(())
        }
    }
}

#[test]
fn a_failure_and_a_panic_leave_the_queue_going() {
    let log = inside(async || {
        let log = Log::default();
        for number in 0..4 {
            fallible_queued(log.clone(), number).unwrap();
        }
        while log.lock().unwrap().len() < 2 {
            tokio::task::yield_now().await;
        }
        lines(&log)
    });
    assert_eq!(log, ["2", "3"]);
}

struct OnDrop(mpsc::Sender<()>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.send(()).unwrap();
    }
}

#[caller::queued]
async fn hang(begun: Resolver<()>, _dropped: OnDrop) {
    begun.resolve(()).unwrap();
    std::future::pending().await
}

#[test]
fn a_queue_is_measured_and_closed() {
    let (dropped, drops) = mpsc::channel();
    inside(async move || {
        assert!(hang_queue().is_none(), "there is none before the first call");
        let (begun, begins) = Resolver::new();
        hang_queued(begun, OnDrop(dropped.clone())).unwrap();
        begins.await.unwrap();
        let (never, waits) = Resolver::new();
        hang_queued(never, OnDrop(dropped)).unwrap();

        let queue = hang_queue().unwrap();
        assert_eq!((queue.len(), queue.is_empty(), queue.is_closed()), (1, false, false));
        let pending = queue.pending().unwrap();
        assert!(queue.close());
        pending.wait().await.unwrap();
        assert!(queue.is_closed() && !queue.close());
        assert!(hang_queue().is_none());
        assert!(waits.await.unwrap_err().is_abandoned(), "what waits never runs");
    });
    drops.recv_timeout(Duration::from_secs(5)).unwrap();
    drops.recv_timeout(Duration::from_secs(5)).unwrap();
}

#[test]
fn a_queue_ends_with_its_caller() {
    let (dropped, drops) = mpsc::channel();
    inside(async move || {
        let (begun, begins) = Resolver::new();
        hang_queued(begun, OnDrop(dropped)).unwrap();
        begins.await.unwrap();
    });
    drops.recv_timeout(Duration::from_secs(5)).unwrap();
}

struct Counter {
    caller: Caller,
    total: Mutex<u32>,
}

impl Counter {
    #[caller::queued(caller = &self.caller, pending)]
    async fn add(&self, number: u32) -> u32 {
        let before = *self.total.lock().unwrap();
        dawdle().await;
        *self.total.lock().unwrap() = before + number;
        before + number
    }

    #[caller::queued(caller = &self.caller)]
    #[allow(unused_parens, reason = "they change nothing")]
    async fn forget(self: (Arc<Self>), begun: Resolver<()>) {
        begun.resolve(()).unwrap();
        dawdle().await;
    }

    #[caller::queued(caller = self.caller.clone(), pending)]
    fn shared(self: &Arc<Self>) -> usize {
        Arc::strong_count(self)
    }

    #[caller::queued(caller = find("of the impl"), associated, pending)]
    async fn make(number: u32) -> u32 {
        Self::twice(number)
    }

    #[caller::queued(caller = find("of the impl"), pending)]
    #[allow(clippy::boxed_local, reason = "a receiver that is neither `self` nor shared")]
    fn take(self: Box<Self>) -> u32 {
        *self.total.lock().unwrap()
    }

    fn twice(number: u32) -> u32 {
        number * 2
    }
}

fn find(name: &str) -> caller::Result<Caller> {
    let all = Caller::all_existing();
    Ok(all.into_iter().find(|caller| caller.name() == name).expect("it runs"))
}

#[test]
fn methods_are_queued_for_each_object() {
    let caller = caller("methods");
    let counter = Arc::new(Counter { caller: caller.clone(), total: Mutex::new(0) });
    let sums: Vec<Pending<u32>> = (1..=4).map(|number| counter.add_queued(number)).collect();
    let sums: Vec<u32> = sums.into_iter().map(|sum| sum.wait_blocking().unwrap()).collect();
    assert_eq!(sums, [1, 3, 6, 10], "calls that overlap would lose some");
    assert!(counter.add_queue().unwrap().is_empty());
    let other = Arc::new(Counter { caller: caller.clone(), total: Mutex::new(0) });
    assert!(other.add_queue().is_none(), "another object has another queue");
    caller.force_stop();
}

#[test]
fn the_queue_of_a_method_holds_its_object_weakly() {
    let caller = caller("weak");
    let counter = Arc::new(Counter { caller: caller.clone(), total: Mutex::new(0) });
    let (begun, begins) = Resolver::new();
    counter.forget_queued(begun).unwrap();
    begins.wait_blocking().unwrap();
    let queue = counter.forget_queue().unwrap();
    let object = Arc::downgrade(&counter);
    drop(counter);
    // The item that runs has it, until it ends.
    while object.strong_count() > 0 {
        std::thread::yield_now();
    }
    assert!(queue.is_closed());
    caller.force_stop();
}

#[test]
fn what_a_method_takes_as_self() {
    let here = caller("of the impl");
    let counter = Arc::new(Counter { caller: here.clone(), total: Mutex::new(5) });
    // One here, one in the item.
    assert_eq!(counter.shared_queued().wait_blocking().unwrap(), 2);
    assert_eq!(Counter::make_queued(4).wait_blocking().unwrap(), 8);
    let counter = Box::new(Counter { caller: here.clone(), total: Mutex::new(6) });
    assert!(counter.take_queue().is_none());
    assert_eq!(counter.take_queued().wait_blocking().unwrap(), 6);
    here.force_stop();
}

#[caller::queued(pending)]
async fn parse(text: String) -> Result<u32, std::num::ParseIntError> {
    text.parse()
}

#[caller::queued(pending, fallible = false)]
async fn parse_raw(text: String) -> Result<u32, std::num::ParseIntError> {
    text.parse()
}

#[caller::queued(pending)]
async fn panics() {
    panic!("as it should")
}

#[test]
fn the_pending_has_the_outcome() {
    inside(async || {
        assert_eq!(parse_queued("42".to_owned()).await.unwrap(), 42);
        let error = parse_queued("four".to_owned()).await.unwrap_err();
        assert!(error.downcast_ref::<std::num::ParseIntError>().is_some());
        assert!(error.to_string().contains("`it::queued::parse_queued` (caller-macros"), "{error}");
        let queue = parse_queue().unwrap().pending().unwrap();
        assert_eq!((queue.function(), queue.location().file()), ("it::queued::parse_queued", file!()));
        assert!(parse_raw_queued("four".to_owned()).await.unwrap().is_err());
        assert!(panics_queued().await.unwrap_err().is_panic());
        // The queue goes on.
        assert!(panics_queued().await.unwrap_err().is_panic());
    });
    assert!(parse_queued("1".to_owned()).wait_blocking().unwrap_err().is_no_caller());
}

#[caller::queued(pending)]
async fn hang_pending(begun: Option<Resolver<()>>, _dropped: OnDrop) -> u32 {
    if let Some(begun) = begun {
        begun.resolve(()).unwrap();
        std::future::pending::<()>().await;
    }
    7
}

#[test]
fn cancelling_the_pending_gives_way_to_the_next() {
    let (dropped, drops) = mpsc::channel();
    inside(async move || {
        let (begun, begins) = Resolver::new();
        let runs = hang_pending_queued(Some(begun), OnDrop(dropped.clone()));
        let waits = hang_pending_queued(None, OnDrop(dropped.clone()));
        let next = hang_pending_queued(None, OnDrop(dropped.clone()));
        begins.await.unwrap();
        assert!(waits.cancel("not wanted"));
        assert!(runs.cancel("nor this"));
        assert_eq!(next.await.unwrap(), 7);
        assert!(runs.await.unwrap_err().is_cancelled());
        drop(dropped);
    });
    assert_eq!(drops.iter().count(), 3);
}

#[test]
fn closing_the_queue_ends_the_pendings() {
    let (dropped, _drops) = mpsc::channel();
    inside(async move || {
        let (begun, begins) = Resolver::new();
        let runs = hang_pending_queued(Some(begun), OnDrop(dropped.clone()));
        let waits = hang_pending_queued(None, OnDrop(dropped));
        begins.await.unwrap();
        assert!(hang_pending_queue().unwrap().close());
        assert!(runs.await.unwrap_err().is_closed());
        assert!(waits.await.unwrap_err().is_closed());
    });
}

/// Everything at once.
#[caller::queued(name = gather, pending)]
#[expect(clippy::too_many_arguments, reason = "one of each kind")]
async fn many<T, const N: usize>(
    values: [T; N],
    (left, _): (u8, u8),
    mut own: String,
    _unused: (),
    shown: impl Display,
    all: Vec<impl Display>,
    function: impl for<'a> Fn(&'a str) -> String,
    pointer: for<'a> fn(&'a str) -> &'a str,
) -> String
where
    T: Display,
{
    own.push_str(pointer(&function("!")));
    let all: Vec<_> = all.iter().map(ToString::to_string).collect();
    let (first, last) = (&values[0], &values[N - 1]);
    format!("{first} {last} {left} {own} {shown} {}", all.join("+"))
}

#[test]
fn generics_patterns_and_impl_trait() {
    inside(async || {
        let gathered = gather(
            [1, 2, 3],
            (4, 5),
            "own".to_owned(),
            (),
            'c',
            vec![1.5, 2.5],
            |text| text.repeat(2),
            str::trim,
        );
        assert_eq!(gathered.await.unwrap(), "1 3 4 own!! c 1.5+2.5");
        assert!(gather_queue::<u8, 3, char, f64, fn(&str) -> String>().is_none(), "those are other types");
    });
}

struct Shelf<T>(Mutex<Vec<T>>);

impl<T: Clone + Send + 'static> Shelf<T> {
    #[caller::queued(pending)]
    async fn put<U: Into<T> + Send + 'static>(&self, value: U) -> Vec<T> {
        let mut shelf = self.0.lock().unwrap();
        shelf.push(value.into());
        shelf.clone()
    }
}

#[test]
fn methods_of_generic_types() {
    inside(async || {
        let shelf = Arc::new(Shelf::<String>(Mutex::default()));
        assert_eq!(shelf.put_queued("a").await.unwrap(), ["a"]);
        assert_eq!(shelf.put_queued('b').await.unwrap(), ["a", "b"]);
        assert!(shelf.put_queue::<char>().is_some() && shelf.put_queue::<String>().is_none());
    });
}

/// What a call with a pending has by being a call.
mod pending_calls {
    use std::{
        sync::{Arc, mpsc},
        time::Duration,
    };

    use caller::{Caller, ContextVar, PendingHandle, Resolver, current_pending};

    use super::{OnDrop, caller, dawdle, hang_pending_queued, inside};

    #[caller::queued(pending)]
    async fn slow(log: mpsc::Sender<u8>) {
        dawdle().await;
        log.send(1).unwrap();
    }

    #[test]
    fn it_is_a_member_of_the_group_it_is_made_in() {
        inside(async || {
            let (log, lines) = mpsc::channel();
            let ended = Caller::current().unwrap().group().run(async move |group| {
                let _made = slow_queued(log.clone());
                let _other = slow_queued(log);
                assert_eq!(group.len(), 2);
            });
            ended.await.unwrap();
            assert_eq!(lines.try_iter().count(), 2, "the group waits for its calls");

            let (dropped, drops) = mpsc::channel();
            let cancelled = Caller::current().unwrap().group().run(async move |group| {
                let (begun, begins) = Resolver::new();
                let runs = hang_pending_queued(Some(begun), OnDrop(dropped.clone()));
                let waits = hang_pending_queued(None, OnDrop(dropped));
                begins.await.unwrap();
                group.cancel("enough");
                assert!(runs.await.unwrap_err().is_cancelled());
                assert!(waits.await.unwrap_err().is_cancelled());
            });
            let _cancelled = cancelled.await;
            assert_eq!(drops.try_iter().count(), 2);
        });
    }

    #[caller::queued(pending)]
    async fn one() -> u8 {
        1
    }

    #[test]
    fn blocking_for_it_in_its_own_thread_is_an_error() {
        inside(async || {
            assert!(one_queued().wait_blocking().unwrap_err().is_self_wait());
            assert_eq!(one_queued().await.unwrap(), 1, "the queue goes on");
        });
    }

    #[caller::queued(pending, caller = super::find("ring b"))]
    fn there() -> bool {
        back_queued().wait_blocking().is_err_and(|error| error.is_self_wait())
    }

    #[caller::queued(pending, caller = super::find("ring a"))]
    fn back() {}

    #[test]
    fn a_ring_of_blocked_callers_is_an_error() {
        let (a, b) = (caller("ring a"), caller("ring b"));
        // The second of them hears of it, whichever that is.
        let ring = a.call_soon(async || match there_queued().wait_blocking() {
            Ok(heard) => heard,
            Err(error) => error.is_self_wait(),
        });
        assert!(ring.wait_blocking().unwrap());
        a.force_stop();
        b.force_stop();
    }

    #[caller::queued(pending)]
    async fn itself() -> (PendingHandle, bool) {
        let this = current_pending().unwrap();
        let waited = this.wait().await;
        (this, waited.is_err_and(|error| error.is_self_wait()))
    }

    #[test]
    fn it_is_the_current_pending_inside_and_does_not_wait_for_itself() {
        inside(async || {
            let made = itself_queued();
            let handle = made.handle();
            let (inside, told) = made.await.unwrap();
            assert!(told);
            assert_eq!(inside, handle);
        });
    }

    struct Rings;

    impl Rings {
        #[caller::queued(pending, associated)]
        async fn queue_of_its_own() -> bool {
            let queue = Self::queue_of_its_own_queue().unwrap().pending().unwrap();
            queue.wait().await.is_err_and(|error| error.is_self_wait())
        }

        #[caller::queued(pending)]
        async fn next(self: &Arc<Self>, of: Option<Arc<Self>>) -> bool {
            let Some(of) = of else { return false };
            of.next_queued(None).await.is_err_and(|error| error.is_self_wait())
        }

        #[caller::queued(pending)]
        async fn next_of_several(self: &Arc<Self>, last: bool) -> bool {
            if last {
                return false;
            }
            let next = || self.next_of_several_queued(true);
            let shared = next().shared().await.unwrap_err();
            let several = Caller::current().unwrap().wait([next()]).await.unwrap_err();
            shared.is_self_wait() && several.is_self_wait()
        }
    }

    #[test]
    fn a_call_that_awaits_its_own_queue_hears_that_it_waits_for_itself() {
        inside(async || {
            let (this, other) = (Arc::new(Rings), Arc::new(Rings));
            assert!(Rings::queue_of_its_own_queued().await.unwrap());
            assert!(this.next_queued(Some(this.clone())).await.unwrap());
            assert!(!this.next_queued(Some(other)).await.unwrap(), "the queue of another object is another");
            assert!(this.next_of_several_queued(false).await.unwrap());
        });
    }

    /// Tells whether the call was done when its future was dropped.
    struct Looks(mpsc::Sender<bool>);

    impl Drop for Looks {
        fn drop(&mut self) {
            self.0.send(current_pending().is_some_and(|this| !this.is_done())).unwrap();
        }
    }

    #[caller::queued(pending)]
    async fn looked_at(begun: Resolver<()>, _looks: Looks) {
        begun.resolve(()).unwrap();
        std::future::pending().await
    }

    #[test]
    fn once_cancelled_it_is_done_when_its_future_is_dropped() {
        inside(async || {
            let (looks, seen) = mpsc::channel();
            let (begun, begins) = Resolver::new();
            let made = looked_at_queued(begun, Looks(looks));
            begins.await.unwrap();
            let error = made.handle();
            made.cancel("not wanted");
            error.wait().await.unwrap();
            assert_eq!(seen.try_recv(), Ok(true), "dropped before it is done, in its own call");
            let error = made.await.unwrap_err().to_string();
            assert!(error.contains("looked_at_queued") && error.contains("not wanted"), "{error}");
            assert!(format!("{:?}", one_queued()).contains("one_queued"));
        });
    }

    #[test]
    fn after_the_stop_of_its_caller_it_says_so() {
        let stopped = caller("c");
        let begins = {
            let (begun, begins) = Resolver::new();
            let (dropped, _drops) = mpsc::channel();
            let made = stopped.call_soon(async move || {
                let running = hang_pending_queued(Some(begun), OnDrop(dropped.clone()));
                (running, hang_pending_queued(None, OnDrop(dropped)), _drops)
            });
            begins.wait_blocking().unwrap();
            made.wait_blocking().unwrap()
        };
        stopped.force_stop();
        let (running, waiting, _drops) = begins;
        for ended in [running, waiting, on_queued(stopped)] {
            let error = ended.wait().timeout(Duration::from_secs(5)).blocking().unwrap_err();
            assert!(
                error.is_closed() && error.to_string().contains("the caller \"c\" has stopped"),
                "{error}"
            );
        }
    }

    fn on_queued(caller: Caller) -> caller::Pending<u32> {
        struct On(Caller);
        impl On {
            #[caller::queued(pending, caller = &self.0)]
            async fn late(&self) -> u32 {
                1
            }
        }
        std::sync::Arc::new(On(caller)).late_queued()
    }

    static WHO: ContextVar<u8> = ContextVar::new();

    #[caller::queued(pending)]
    async fn who() -> Option<u8> {
        WHO.get()
    }

    #[test]
    fn it_has_the_context_it_is_made_in() {
        inside(async || {
            let first = WHO.sync_scope(1, who_queued);
            let second = WHO.sync_scope(2, who_queued);
            assert_eq!((first.await.unwrap(), second.await.unwrap()), (Some(1), Some(2)));
        });
    }
}

/// An object may be of a type without a size.
mod objects {
    use std::sync::Arc;

    trait Shows: Send + Sync {
        fn shown(&self) -> String;
    }

    impl Shows for u8 {
        fn shown(&self) -> String {
            self.to_string()
        }
    }

    impl dyn Shows {
        #[caller::queued(pending)]
        #[caller::call_soon]
        fn show(&self, times: usize) -> String {
            self.shown().repeat(times)
        }
    }

    /// Its methods have bodies, which know nothing of the type.
    trait Names: Send + Sync + 'static {
        #[caller::queued(pending)]
        #[caller::call_soon]
        async fn name(&self) -> &'static str {
            std::any::type_name::<Self>()
        }
    }

    impl Names for str {}

    #[caller::test(backend = caller_tokio::Tokio::new())]
    async fn have_queues() -> caller::Result<()> {
        let one: Arc<dyn Shows> = Arc::new(1);
        assert_eq!(one.show_queued(2).await?, "11");
        assert_eq!(one.show_soon(3).await?, "111");
        assert!(one.show_queue().is_some());
        let text: Arc<str> = "text".into();
        assert_eq!(text.name_queued().await?, "str");
        assert_eq!(text.name_soon().await?, "str");
        Ok(())
    }
}
