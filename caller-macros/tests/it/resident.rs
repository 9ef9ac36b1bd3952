//! Handles of what stays in a thread, used from others.

use std::{
    cell::{Cell, RefCell},
    collections::{HashMap, HashSet},
    fmt::Display,
    hash::Hash,
    num::ParseIntError,
    rc::Rc,
    sync::{Arc, LazyLock, Mutex, mpsc},
    thread::{self, ThreadId},
};

use caller::{AsyncEvent, Caller, OnPanic, Pending, Resident};
use caller_tokio::Tokio;

/// Where the values of all tests live.
static HOME: LazyLock<Caller> =
    LazyLock::new(|| Caller::builder().name("home").backend(Tokio::new()).spawn().unwrap());

fn home_thread() -> ThreadId {
    HOME.call_soon(async || thread::current().id()).wait_blocking().unwrap()
}

/// Is not `Send`.
struct Store {
    lines: Rc<RefCell<Vec<String>>>,
    dropped: Option<mpsc::Sender<ThreadId>>,
}

#[caller::resident]
impl Store {
    /// The most that is kept.
    const MOST: usize = 3;

    /// Makes an empty one.
    async fn open() -> Self {
        tokio::task::yield_now().await;
        Self { lines: Rc::default(), dropped: None }
    }

    fn parse(text: String, dropped: mpsc::Sender<ThreadId>) -> Result<Self, ParseIntError> {
        let number: u32 = text.parse()?;
        Ok(Self::with_lines(Rc::new(RefCell::new(vec![number.to_string()])), Some(dropped)))
    }

    fn count(&self) -> usize {
        self.lines.borrow().len()
    }

    #[expect(clippy::needless_arbitrary_self_type, reason = "one way to write it")]
    fn thread(self: &Self) -> ThreadId {
        thread::current().id()
    }

    fn add(&mut self, line: String) -> Result<usize, String> {
        let mut lines = self.lines.borrow_mut();
        if lines.len() == Self::MOST {
            return Err(format!("no room for {line}"));
        }
        lines.push(line);
        Ok(lines.len())
    }

    #[caller::resident(fallible = false)]
    fn last(&self) -> Result<String, &'static str> {
        self.lines.borrow().last().cloned().ok_or("it is empty")
    }

    /// Waits, with others.
    async fn meet(&self, come: AsyncEvent, wait: AsyncEvent) -> usize {
        come.set();
        wait.wait().await;
        self.count()
    }

    /// Waits, and lets nobody else in.
    async fn alone(&mut self, come: AsyncEvent, wait: AsyncEvent) {
        come.set();
        wait.wait().await;
        self.lines.borrow_mut().push("alone".to_owned());
    }

    /// Another with the same lines.
    fn fork(&self) -> Self {
        Self { lines: self.lines.clone(), dropped: None }
    }

    async fn try_fork(&self, fails: bool) -> Result<Store, String> {
        if fails { Err("it was to fail".to_owned()) } else { Ok(self.fork()) }
    }

    fn close(mut self) -> Vec<String> {
        self.dropped = None;
        self.lines.take()
    }

    fn try_close(self, fails: bool) -> Result<usize, String> {
        if fails { Err("it was to fail".to_owned()) } else { Ok(self.count()) }
    }

    fn panics(&self) {
        panic!("on purpose");
    }

    /// Not in the handle.
    fn helper(text: &str) -> usize {
        text.len()
    }
}

/// What takes an `Rc` cannot be in the interface.
impl Store {
    const fn with_lines(lines: Rc<RefCell<Vec<String>>>, dropped: Option<mpsc::Sender<ThreadId>>) -> Store {
        Store { lines, dropped }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if let Some(dropped) = self.dropped.take() {
            let _gone = dropped.send(thread::current().id());
        }
    }
}

impl StoreHandle {
    /// What is not in the block can be added; this is no name of the handle's.
    fn helper(&self) -> usize {
        Store::helper("text")
    }
}

fn store() -> StoreHandle {
    StoreHandle::open(&*HOME).wait_blocking().unwrap()
}

#[test]
fn methods_run_where_the_value_lives() {
    let (send, dropped) = mpsc::channel();
    let store = StoreHandle::parse(&*HOME, "7".to_owned(), send).wait_blocking().unwrap();
    let home = home_thread();
    assert_ne!(home, thread::current().id());
    assert_eq!(store.thread().wait_blocking().unwrap(), home);
    assert_eq!(store.add("one".to_owned()).wait_blocking().unwrap(), 2);
    assert_eq!(store.helper(), 4);
    let elsewhere = store.clone();
    let count = thread::spawn(move || elsewhere.count().wait_blocking().unwrap()).join().unwrap();
    assert_eq!(count, 2);
    assert!(dropped.try_recv().is_err());
    drop(store);
    assert_eq!(dropped.recv().unwrap(), home);
}

#[test]
fn an_err_is_a_failure_of_the_call_unless_the_method_says_otherwise() {
    let (send, _dropped) = mpsc::channel();
    let error = StoreHandle::parse(&*HOME, "seven".to_owned(), send).wait_blocking().unwrap_err();
    assert!(error.is_failed() && error.downcast_ref::<ParseIntError>().is_some());
    let store = store();
    let last: Pending<Result<String, &'static str>> = store.last();
    assert_eq!(last.wait_blocking().unwrap(), Err("it is empty"));
    for number in 1..=3 {
        let count: Pending<usize> = store.add(number.to_string());
        assert_eq!(count.wait_blocking().unwrap(), number);
    }
    let error = store.add("four".to_owned()).wait_blocking().unwrap_err();
    assert!(error.is_failed() && error.to_string().contains("no room for four"), "{error}");
    assert_eq!(store.last().wait_blocking().unwrap().unwrap(), "3");
}

#[test]
fn errors_name_the_method_of_the_type_and_the_place_of_the_call() {
    let store = store();
    let pending = store.panics();
    let line = line!() - 1;
    let error = pending.wait_blocking().unwrap_err();
    assert!(error.is_panic());
    assert_eq!(error.function(), Some("it::resident::Store::panics"));
    let location = error.location().unwrap();
    assert_eq!((location.file(), location.line()), (file!(), line));

    let (send, _dropped) = mpsc::channel();
    let pending = StoreHandle::parse(&*HOME, String::new(), send);
    let line = line!() - 1;
    let error = pending.wait_blocking().unwrap_err();
    assert_eq!(error.function(), Some("it::resident::Store::parse"));
    assert_eq!(error.location().unwrap().line(), line);

    let pending = store.try_fork(true);
    let line = line!() - 1;
    let error = pending.wait_blocking().unwrap_err();
    assert_eq!(error.function(), Some("it::resident::Store::try_fork"));
    assert_eq!(error.location().unwrap().line(), line);

    let pending = store.try_close(true);
    let line = line!() - 1;
    let error = pending.wait_blocking().unwrap_err();
    assert_eq!(error.function(), Some("it::resident::Store::try_close"));
    assert_eq!(error.location().unwrap().line(), line);
}

#[test]
fn a_shared_self_shares_and_an_exclusive_one_is_alone() {
    let store = store();
    let events = || (AsyncEvent::new(), AsyncEvent::new());
    let ((come, wait), (second, second_wait)) = (events(), events());
    let first = store.meet(come.clone(), wait.clone());
    let other = store.meet(second.clone(), second_wait.clone());
    // Both are inside.
    come.wait().blocking();
    second.wait().blocking();
    let (alone_come, alone_wait) = events();
    let alone = store.alone(alone_come.clone(), alone_wait.clone());
    let count = store.count();
    HOME.call_soon(async || ()).wait_blocking().unwrap();
    assert!(!alone_come.is_set());
    wait.set();
    second_wait.set();
    assert_eq!(first.wait_blocking().unwrap() + other.wait_blocking().unwrap(), 0);
    alone_come.wait().blocking();
    HOME.call_soon(async || ()).wait_blocking().unwrap();
    assert!(!count.is_done());
    alone_wait.set();
    alone.wait_blocking().unwrap();
    assert_eq!(count.wait_blocking().unwrap(), 1);
}

#[test]
fn what_takes_self_closes_it() {
    let store = store();
    let (come, wait) = (AsyncEvent::new(), AsyncEvent::new());
    let alone = store.alone(come.clone(), wait.clone());
    let other = store.clone();
    let lines = store.close();
    come.wait().blocking();
    wait.set();
    alone.wait_blocking().unwrap();
    assert_eq!(lines.wait_blocking().unwrap(), ["alone"]);
    assert!(other.resident().is_gone());
    assert!(other.count().wait_blocking().unwrap_err().is_closed());

    // The handle that it takes may be the last.
    let last = super::resident::store();
    let waits = last.alone(come.clone(), AsyncEvent::new());
    let (added, closed) = (last.add("one".to_owned()), last.try_close(false));
    waits.cancel("the test");
    assert_eq!(added.wait_blocking().unwrap(), 1);
    assert_eq!(closed.wait_blocking().unwrap(), 1);
}

#[test]
fn a_value_makes_others_in_its_thread() {
    let store = store();
    let fork: StoreHandle = store.fork().wait_blocking().unwrap();
    assert_ne!(fork, store);
    fork.add("to both".to_owned()).wait_blocking().unwrap();
    assert_eq!(store.last().wait_blocking().unwrap().unwrap(), "to both");
    let fork = store.try_fork(false).wait_blocking().unwrap();
    assert_eq!(fork.count().wait_blocking().unwrap(), 1);
    assert!(store.try_fork(true).wait_blocking().unwrap_err().is_failed());
}

#[test]
fn handles_are_equal_by_identity() {
    let (one, other) = (store(), store());
    assert_eq!(one, one.clone());
    assert_ne!(one, other);
    #[expect(clippy::mutable_key_type, reason = "it is hashed by identity")]
    let all: HashSet<_> = [one.clone(), one.clone(), other].into_iter().collect();
    assert_eq!(all.len(), 2);
    let text = format!("{one:?}");
    assert!(text.starts_with("StoreHandle(Resident {") && text.contains("home"), "{text}");
}

#[test]
fn a_builder_says_more_than_a_caller() {
    let builder = HOME.resident_builder().own_thread("own-store").name("db").on_panic(OnPanic::Close);
    let store = StoreHandle::open(builder).wait_blocking().unwrap();
    assert_eq!(store.resident().name(), Some("db"));
    assert_eq!(store.resident().caller().name(), "own-store");
    assert_ne!(store.thread().wait_blocking().unwrap(), home_thread());
    assert!(store.panics().wait_blocking().unwrap_err().is_panic());
    assert!(store.count().wait_blocking().unwrap_err().is_closed());
}

#[test]
fn a_resident_gets_a_handle() {
    let made: Resident<Store> = HOME.resident(Store::open).wait_blocking().unwrap();
    let store = StoreHandle::from(made.clone());
    assert_eq!(store.resident(), &made);
    store.add("one".to_owned()).wait_blocking().unwrap();
    assert_eq!(made.call(async |store| store.count()).wait_blocking().unwrap(), 1);
}

#[test]
fn a_call_is_one_as_any_other() {
    let store = store();
    let (come, wait) = (AsyncEvent::new(), AsyncEvent::new());
    let alone = store.alone(come.clone(), wait);
    come.wait().blocking();
    alone.cancel("the test");
    assert!(alone.wait_blocking().unwrap_err().is_cancelled());
    assert_eq!(store.count().wait_blocking().unwrap(), 0);
    let stopped = HOME.child("stopped").unwrap();
    stopped.stop();
    assert!(StoreHandle::open(&stopped).wait_blocking().unwrap_err().is_closed());
}

struct Shelf<T, const N: usize> {
    values: RefCell<Vec<T>>,
    seen: Cell<[usize; N]>,
}

#[caller::resident(name = Shelves)]
impl<T, const N: usize> Shelf<T, N>
where
    T: Clone + Display,
{
    fn of(values: Vec<T>) -> Self
    where
        T: Send,
    {
        Self { values: RefCell::new(values), seen: Cell::new([0; N]) }
    }

    fn show(&self, (before, after): (&'static str, char)) -> String {
        let all: Vec<_> = self.values.borrow().iter().map(ToString::to_string).collect();
        format!("{before}{}{after}", all.join(","))
    }

    fn put(&mut self, value: T) {
        self.values.get_mut().push(value);
    }

    fn all(&self) -> Vec<T> {
        self.values.borrow().clone()
    }

    fn map<K: Eq + Hash, V>(&self, keys: Vec<K>, make: impl Fn(&T, &K) -> V) -> HashMap<K, V> {
        let (values, count) = (self.values.borrow(), self.seen.get().len());
        let pairs = values.iter().zip(keys).take(count);
        pairs.map(|(value, key)| (make(value, &key), key)).map(|(value, key)| (key, value)).collect()
    }

    async fn sized<const M: usize>(&self, _: [u8; M], other: Shelf<T, N>) -> [usize; M]
    where
        Self: Sized,
    {
        [other.values.borrow().len(); M]
    }
}

#[test]
fn generic_types_and_methods() {
    let shelf: Shelves<f64, 2> = Shelves::of(&*HOME, vec![1.5]).wait_blocking().unwrap();
    shelf.put(2.5).wait_blocking().unwrap();
    assert_eq!(shelf.show(("<", '>')).wait_blocking().unwrap(), "<1.5,2.5>");
    assert_eq!(shelf.all().wait_blocking().unwrap(), [1.5, 2.5]);
    let suffix = "!".to_owned();
    let map = shelf.map(vec!['a', 'b', 'c'], move |value, key| format!("{value}{key}{suffix}"));
    let map = map.wait_blocking().unwrap();
    assert_eq!((map.len(), &*map[&'a'], &*map[&'b']), (2, "1.5a!", "2.5b!"));
    let other = Shelf { values: RefCell::new(vec![1.0; 5]), seen: Cell::new([0; 2]) };
    assert_eq!(shelf.sized::<3>([0; 3], other).wait_blocking().unwrap(), [5; 3]);

    // Not `Send`: made there, and shown; it is not put in or got out.
    let local = HOME.resident(async || Shelf::<Local, 1> {
        values: RefCell::new(vec![Local(Rc::new(7))]),
        seen: Cell::new([0]),
    });
    let local = Shelves::from(local.wait_blocking().unwrap());
    assert_eq!(local.show(("", ' ')).wait_blocking().unwrap(), "7 ");
}

#[derive(Clone)]
struct Local(Rc<u8>);

impl Display for Local {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

#[test]
fn a_generic_method_is_named_with_its_types() {
    struct Fails<T>(T);

    #[caller::resident]
    impl<T> Fails<T> {
        fn fail<U>(&self, _with: U, _and: impl Sized) {
            panic!("on purpose");
        }
    }

    let fails = HOME.resident(async || Fails(1_u8)).wait_blocking().unwrap();
    let error = FailsHandle::from(fails).fail("a", 'b').wait_blocking().unwrap_err();
    let name = error.function().unwrap();
    assert!(
        name.contains("Fails<u8>>::fail<&str, char>") || name.ends_with("Fails<u8>::fail<&str, char>"),
        "{name}"
    );
}

/// Attributes that go on, and names that may not.
mod kinds {
    use super::*;

    /// Known here alone.
    struct Meter {
        caller: Caller,
        reads: u32,
    }

    type Made = Result<Meter, String>;

    #[cfg(not(any()))]
    #[caller::resident]
    impl Meter {
        #![allow(clippy::should_implement_trait, reason = "such a name is what is tested")]

        #[caller::resident(fallible = true)]
        pub(super) fn start(caller: Caller, reads: u32) -> Made {
            if reads == 0 { Err("nothing to read".to_owned()) } else { Ok(Self { caller, reads }) }
        }

        #[cfg(any())]
        pub(super) fn missing(&self) -> NoSuchType {}

        #[cfg_attr(not(any()), deprecated = "read it twice")]
        pub(super) fn read(&mut self) -> u32 {
            self.reads += 1;
            self.reads
        }

        #[caller::resident(name = copy)]
        pub(in super::super) fn clone(&self) -> u32 {
            self.reads
        }

        fn hidden(&self) -> String {
            self.caller.name().to_owned()
        }

        pub(crate) fn r#type(self: &mut Meter, Self { reads, .. }: Self) -> [u32; Self::SIZE] {
            self.reads += reads;
            [self.reads; Self::SIZE]
        }

        const SIZE: usize = {
            const fn two() -> usize {
                2
            }
            two()
        };
    }

    pub(super) fn name_of(meter: &MeterHandle) -> Pending<String> {
        meter.hidden()
    }

    pub(super) fn meter(reads: u32) -> MeterHandle {
        let meter = HOME.resident(async move || Meter { caller: HOME.clone(), reads });
        meter.wait_blocking().unwrap().into()
    }

    pub(super) fn add(meter: &MeterHandle, reads: u32) -> [u32; 2] {
        meter.r#type(Meter { caller: HOME.clone(), reads }).wait_blocking().unwrap()
    }
}

#[test]
fn each_method_has_its_own_attributes_and_visibility() {
    let meter = kinds::MeterHandle::start(&*HOME, HOME.clone(), 3).wait_blocking().unwrap();
    assert!(kinds::MeterHandle::start(&*HOME, HOME.clone(), 0).wait_blocking().unwrap_err().is_failed());
    #[expect(deprecated, reason = "it goes on")]
    let read = meter.read();
    assert_eq!(read.wait_blocking().unwrap(), 4);
    assert_eq!(meter.copy().wait_blocking().unwrap(), 4);
    assert_eq!(meter.clone(), meter);
    assert_eq!(kinds::name_of(&meter).wait_blocking().unwrap(), "home");
    assert_eq!(kinds::add(&meter, 2), [6, 6]);
    let other = kinds::meter(8);
    assert_eq!(other.copy().wait_blocking().unwrap(), 8);
}

macro_rules! counter {
    ($name:ident, $ty:ty, $method:ident) => {
        #[derive(Default)]
        struct $name($ty);

        #[caller::resident]
        impl $name {
            fn make() -> Self {
                Self::default()
            }

            fn $method(&mut self, by: $ty) -> $ty {
                self.0 += by;
                self.0
            }
        }
    };
}

counter!(Counter, u32, count);

#[test]
fn a_macro_may_make_it() {
    let counter = CounterHandle::make(&*HOME).wait_blocking().unwrap();
    assert_eq!(counter.count(2).wait_blocking().unwrap(), 2);
}

#[test]
fn handles_go_everywhere() {
    fn everywhere<T: Clone + Send + Sync + Unpin + 'static>(_: &T) {}
    let store = store();
    everywhere(&store);
    everywhere(&Shelves::from(
        HOME.resident(async || Shelf::<Local, 0> { values: RefCell::default(), seen: Cell::new([]) })
            .wait_blocking()
            .unwrap(),
    ));
    let shared = Arc::new(Mutex::new(store));
    let count = shared.lock().unwrap().count();
    assert_eq!(count.wait_blocking().unwrap(), 0);
}
