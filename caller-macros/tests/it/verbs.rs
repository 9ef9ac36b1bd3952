//! The attributes of the other verbs.

use std::{
    fmt::{self, Display},
    sync::{Arc, LazyLock, Mutex, mpsc},
    thread::{self, ThreadId},
    time::{Duration, Instant},
};

use caller::{Caller, Pending};
use caller_tokio::Tokio;

/// One for all tests: an attribute can only name what it can see.
static VERBS: LazyLock<Caller> =
    LazyLock::new(|| Caller::builder().name("verbs").backend(Tokio::new()).spawn().unwrap());

#[caller::call_soon(caller = &*VERBS)]
#[caller::call_later(caller = &*VERBS)]
#[caller::to_thread(caller = &*VERBS)]
async fn place(number: u32) -> (u32, ThreadId, String) {
    tokio::task::yield_now().await;
    (number, thread::current().id(), Caller::current().unwrap().name().to_owned())
}

#[test]
fn each_runs_where_its_verb_says() {
    let id = VERBS.call_soon(async || thread::current().id()).wait_blocking().unwrap();
    assert_eq!(place_soon(1).wait_blocking().unwrap(), (1, id, "verbs".to_owned()));
    let begun = Instant::now();
    assert_eq!(place_later(Duration::from_millis(20), 2).wait_blocking().unwrap().1, id);
    assert!(begun.elapsed() >= Duration::from_millis(20));
    let (number, worker, _) = place_to_thread(3).wait_blocking().unwrap();
    assert_eq!(number, 3);
    assert_ne!(worker, id);
    assert_ne!(worker, thread::current().id());
}

#[caller::call_soon(caller = &*VERBS)]
#[caller::call_later(caller = &*VERBS)]
#[caller::to_thread(caller = &*VERBS)]
fn checked(text: String) -> Result<u32, std::num::ParseIntError> {
    text.parse()
}

#[caller::call_soon(caller = &*VERBS)]
fn formatted(fails: bool) -> fmt::Result {
    if fails { Err(fmt::Error) } else { Ok(()) }
}

#[caller::call_soon(caller = &*VERBS, fallible = false)]
fn raw() -> Result<u32, String> {
    Err("a value like another".to_owned())
}

type Outcome = Result<u32, std::num::ParseIntError>;

#[caller::call_soon(caller = &*VERBS, fallible = true)]
fn aliased(text: &'static str) -> Outcome {
    text.parse()
}

#[test]
fn an_err_is_a_failure_of_the_call() {
    let text = || "four".to_owned();
    for pending in [checked_soon(text()), checked_later(Duration::ZERO, text()), checked_to_thread(text())] {
        let error = pending.wait_blocking().unwrap_err();
        assert!(error.is_failed() && error.downcast_ref::<std::num::ParseIntError>().is_some());
    }
    let value: Pending<u32> = checked_soon("4".to_owned());
    assert_eq!(value.wait_blocking().unwrap(), 4);
    assert!(formatted_soon(true).wait_blocking().unwrap_err().is_failed());
    formatted_soon(false).wait_blocking().unwrap();
    assert!(raw_soon().wait_blocking().unwrap().is_err());
    assert_eq!(aliased_soon("5").wait_blocking().unwrap(), 5);
    assert!(aliased_soon("five").wait_blocking().unwrap_err().is_failed());
}

#[test]
fn the_error_names_the_function_and_the_place_of_the_call() {
    let pending = checked_soon("four".to_owned());
    let line = line!() - 1;
    let error = pending.wait_blocking().unwrap_err();
    assert!(error.function().unwrap().ends_with("::checked_soon"), "{error}");
    let location = error.location().unwrap();
    assert_eq!((location.file(), location.line()), (file!(), line));
}

#[caller::call_soon]
#[caller::call_later]
#[caller::call_direct]
#[caller::to_thread]
fn nowhere() {
    panic!("there is no caller to run it");
}

#[test]
fn without_a_caller_the_pending_says_so() {
    assert!(nowhere_soon().wait_blocking().unwrap_err().is_no_caller());
    assert!(nowhere_later(Duration::ZERO).wait_blocking().unwrap_err().is_no_caller());
    assert!(nowhere_to_thread().wait_blocking().unwrap_err().is_no_caller());
    nowhere_direct();
}

type Log = Arc<Mutex<Vec<u32>>>;

#[caller::call_direct(caller = &*VERBS)]
fn note(log: Log, number: u32) {
    log.lock().unwrap().push(number);
}

#[caller::call_direct(caller = &*VERBS)]
async fn note_async(log: Log, number: u32) -> Result<(), String> {
    tokio::task::yield_now().await;
    log.lock().unwrap().push(number);
    Err("only reported".to_owned())
}

#[caller::call_soon(caller = &*VERBS)]
fn noted(log: Log) -> Vec<u32> {
    log.lock().unwrap().clone()
}

#[test]
fn direct_calls_keep_their_order() {
    let log = Log::default();
    note_direct(log.clone(), 1);
    note_async_direct(log.clone(), 2);
    note_direct(log.clone(), 3);
    assert_eq!(noted_soon(log).wait_blocking().unwrap(), [1, 2, 3]);
}

struct Store<T> {
    caller: Caller,
    values: Mutex<Vec<T>>,
}

impl<T: Clone + Display + Send + 'static> Store<T> {
    #[caller::call_soon(caller = &self.caller)]
    #[caller::to_thread(caller = &self.caller)]
    #[caller::call_later(caller = &self.caller)]
    async fn show<const N: usize>(&self, (before, delay): (&'static str, [u8; N])) -> String {
        let values: Vec<_> = self.values.lock().unwrap().iter().map(ToString::to_string).collect();
        format!("{before} {N} {delay:?} {}", values.join(","))
    }

    #[caller::call_direct(caller = &self.caller)]
    fn tell(self: &Arc<Self>, to: mpsc::Sender<Arc<Self>>) {
        to.send(self.clone()).unwrap();
    }

    #[caller::call_soon(caller = &self.caller)]
    async fn into_values(self) -> Vec<T> {
        self.values.into_inner().unwrap()
    }

    #[caller::call_later(caller = &*VERBS, name = make_after)]
    async fn make(delay: T) -> Self {
        Self { caller: VERBS.clone(), values: Mutex::new(vec![delay]) }
    }
}

#[test]
fn methods_of_all_kinds() {
    let made = Store::make_after(Duration::from_millis(1), 1.5).wait_blocking().unwrap();
    let store = Arc::new(made);
    for shown in [
        store.show_soon(("a", [1, 2])),
        store.show_to_thread(("a", [1, 2])),
        store.show_later(Duration::ZERO, ("a", [1, 2])),
    ] {
        assert_eq!(shown.wait_blocking().unwrap(), "a 2 [1, 2] 1.5");
    }
    let (to, from) = mpsc::channel();
    store.tell_direct(to);
    assert!(Arc::ptr_eq(&from.recv().unwrap(), &store));
    let store = Store { caller: VERBS.clone(), values: Mutex::new(vec![1.5]) };
    assert_eq!(store.into_values_soon().wait_blocking().unwrap(), [1.5]);
}

/// A result is one by what it is, whatever its parameters say.
/// One type, as a person may write it in several ways.
mod spellings {
    use std::sync::{Arc, Mutex};

    type Shows = Box<dyn Fn(&str) -> String + Send>;

    #[caller::queued(pending)]
    #[caller::call_soon]
    fn both(one: Shows, other: Box<dyn Fn(&str) -> String + Send>) -> String {
        one(&other("both"))
    }

    #[caller::queued(pending)]
    #[caller::to_thread]
    fn given(shows: Box<dyn for<'a> Fn(&'a str) -> String + Send>) -> Shows {
        shows
    }

    #[caller::queued]
    #[caller::call_direct]
    #[allow(clippy::type_complexity, reason = "each spelling is written out")]
    fn several(
        _: Option<Shows>,
        _: Arc<Mutex<Box<dyn Fn(&str) -> String + Send>>>,
        _: Arc<Mutex<Box<dyn Fn(&str) -> String + Send + 'static>>>,
        _: Arc<Mutex<Shows>>,
    ) {
    }

    #[caller::call_soon]
    fn of<T: Send + 'static>(value: T, shown: Box<dyn Fn(&T) -> String + Send>) -> String {
        shown(&value)
    }

    struct Shelf<T>(T);

    impl<T: Send + Sync> Shelf<T> {
        #[caller::queued(pending)]
        fn show(&self, shown: Box<dyn Fn(&T) -> String + Send>) -> String {
            shown(&self.0)
        }
    }

    #[caller::test(backend = caller_tokio::Tokio::new())]
    async fn are_one_type() {
        let twice = || -> Shows { Box::new(|text| text.repeat(2)) };
        assert_eq!(both_soon(twice(), twice()).await.unwrap(), "bothbothbothboth");
        assert_eq!(both_queued(twice(), twice()).await.unwrap(), "bothbothbothboth");
        assert_eq!(given_to_thread(twice()).await.unwrap()("a"), "aa");
        assert_eq!(given_queued(twice()).await.unwrap()("a"), "aa");
        let all = || Arc::new(Mutex::new(twice()));
        several_queued(None, all(), all(), all()).unwrap();
        several_direct(None, all(), all(), all());
        assert_eq!(of_soon(1, Box::new(|one| one.to_string())).await.unwrap(), "1");
        assert_eq!(Arc::new(Shelf('c')).show_queued(Box::new(|one| one.to_string())).await.unwrap(), "c");
    }
}

mod aliases {
    type Result<E, T = ()> = std::result::Result<T, E>;

    #[caller::call_soon]
    fn done() -> Result<String> {
        Ok(())
    }

    #[caller::to_thread]
    fn generic<T: Clone>(value: T) -> self::one::Result<(T, T)> {
        Ok((value.clone(), value))
    }

    #[caller::queued(pending)]
    async fn known(value: u8) -> std::io::Result<u8> {
        Ok(value)
    }

    mod one {
        pub(super) type Result<T> = std::result::Result<T, std::fmt::Error>;
    }

    #[caller::test(backend = caller_tokio::Tokio::new())]
    async fn the_value_is_that_of_the_result() -> caller::Result<()> {
        let () = done_soon().await?;
        assert_eq!(generic_to_thread('a').await?, ('a', 'a'));
        assert_eq!(known_queued(1).await?, 1);
        Ok(())
    }
}
