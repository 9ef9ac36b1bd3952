//! The attribute macros of [`caller-core`](https://docs.rs/caller-core), which is the crate to depend on: it exports
//! them, and is what they expand to.
#![forbid(unsafe_code)]

mod errors;

mod args;

mod item;

mod spans;

mod tokens;

mod anonymous;

mod borrows;

mod result;

mod receiver;

mod function;

mod bounds;

mod guard;

mod attrs;

mod wrapper;

mod verbs;

mod queued;

mod entry;

mod block;

mod resident;

#[cfg(test)]
mod snapshots;

use proc_macro::TokenStream;

use crate::verbs::Verb;

/// Calls of the function are queued, and run one at a time, in order, on a caller.
///
/// For a function `report` it makes `report_queued`, which takes the same arguments, queues a call, and returns at once; and
/// `report_queue`, which finds the queue, as a `QueueHandle`: to measure it, to close it, to wait for its end. The function
/// itself stays as it is. A call that fails or panics is reported with the caller's name, and the next one runs. The queue ends
/// with its caller: what is still queued when `main` returns never runs. Whoever needs to know that a call has run says
/// `pending`, and awaits it.
///
/// ```
/// use caller_tokio::Tokio;
///
/// #[caller::queued] // its calls run one at a time, in order
/// async fn report(line: String, copies: usize) {
///     println!("{}", line.repeat(copies));
/// }
///
/// #[caller::main(backend = Tokio::new())]
/// async fn main() -> caller::Result<()> {
///     report("at once ".to_owned(), 1).await;
///     report_queued("in its turn ".to_owned(), 2)?;
///     report_queued("and then ".to_owned(), 3)?;
///
///     let queue = report_queue().expect("it runs since the first call");
///     assert_eq!(queue.len(), 2);
///     queue.close();
///     assert!(report_queue().is_none());
///     Ok(())
/// }
/// ```
///
/// # Arguments
///
/// | argument | says |
/// | --- | --- |
/// | `caller = expression` | on which caller: a `Caller`, a `&Caller`, or a `Result` of one. `Caller::current()` unless given. It may use `self`, and not the function's arguments. |
/// | `name = identifier` | how the wrapper is called, with `_queue` behind it for the handle |
/// | `pending` | that the wrapper gives a `Pending` of the result |
/// | `fallible = bool` | with `pending`, whether an `Err` is a failure of the call. Unless given, it is if the type is called `Result`. |
/// | `associated` | that the function stands in an `impl`, though it has no `self`; see below |
/// | `crate = path` | where the crate `caller` is, if it goes by another name |
///
/// With `pending` the wrapper gives what the function returns, and its failure and panic too. Cancelling the pending drops
/// that call alone. There is no error beside it: where there is no caller, the pending has that error. Such a call is one as
/// those of [`call_soon`](macro@call_soon), which the queue begins in its turn: it is a member of the group it is made in, and
/// has the context variables of that place. One that awaits another call of its own queue, or the end of that queue, gets an
/// error, since that would be waiting for itself. Without `pending`, they are those of the call that began the queue.
///
/// ```
/// # use caller_tokio::Tokio;
/// #[caller::queued(pending)]
/// async fn parse(text: String) -> Result<u32, std::num::ParseIntError> {
///     text.parse()
/// }
///
/// #[caller::main(backend = Tokio::new())]
/// async fn main() -> caller::Result<()> {
///     assert_eq!(parse_queued("42".to_owned()).await?, 42);
///     assert!(parse_queued("four".to_owned()).await.unwrap_err().is_failed());
///     Ok(())
/// }
/// ```
///
/// # Methods
///
/// A method takes `&self` (or an `Arc<Self>`, or a reference to one), and its wrapper `&Arc<Self>`. Each object has a queue of
/// its own, which holds it weakly and ends with it. A `self` that is moved is an argument like others.
///
/// ```
/// use std::sync::{Arc, Mutex};
/// use caller::Caller;
/// # use caller_tokio::Tokio;
///
/// struct Account {
///     bank: Caller,
///     total: Mutex<u64>,
/// }
///
/// impl Account {
///     #[caller::queued(caller = &self.bank, pending)]
///     async fn add(&self, amount: u64) -> u64 {
///         let mut total = self.total.lock().unwrap();
///         *total += amount;
///         *total
///     }
///
///     #[caller::queued(associated)]
///     async fn audit(year: u32) {
///         println!("nothing to tell of {year}");
///     }
/// }
///
/// #[caller::main(backend = Tokio::new())]
/// async fn main() -> caller::Result<()> {
///     let bank = Caller::current()?.child("bank")?;
///     let account = Arc::new(Account { bank, total: Mutex::new(0) });
///     drop(account.add_queued(1));
///     assert_eq!(account.add_queued(2).await?, 3);
///     Account::audit_queued(2026)
/// }
/// ```
///
/// An attribute sees the function, and not the `impl` around it. `Self` means what it does anywhere in that `impl`. A function
/// that has no `self`, and no `Self` in its head, cannot be told from one that stands alone: say `associated`. Where that is
/// left out, the compiler does not find `__IN_AN_IMPL_OF_THE_TYPE_ITSELF_SAY_ASSOCIATED_…`. In the `impl` of a trait there is no
/// place for a wrapper, and the compiler says that it is not a member of the trait, nor is
/// `__WRITE_IT_IN_AN_IMPL_OF_THE_TYPE_ITSELF_…`: write the method in an `impl` of the type, and call it from the trait's.
///
/// # What goes along
///
/// Arguments and result are `Send` and `'static`, and borrow nothing; where a type parameter is not, it has to be where the
/// wrapper is used. Type and const parameters, `where`, patterns and `impl Trait` arguments are as they are in any function;
/// for an `impl Trait`, the type is named when the queue is looked up: `report_queue::<String>()`. Visibility, documentation,
/// `cfg`, `deprecated` and lint levels are those of the function too (what is expected of it is allowed); other attributes stay
/// with the function.
///
/// ```
/// use std::fmt::Display;
/// # use caller_tokio::Tokio;
///
/// #[caller::queued]
/// async fn show<T: Display, const N: usize>((first, second): (T, T), all: [u8; N], last: impl Display) {
///     println!("{first} {second} {all:?} {last}");
/// }
///
/// #[caller::main(backend = Tokio::new())]
/// async fn main() -> caller::Result<()> {
///     show_queued(("a", "b"), [1, 2, 3], 'c')?;
///     assert!(show_queue::<&str, 3, char>().is_some());
///     Ok(())
/// }
/// ```
///
/// # What to know
///
/// - For a second queue of the same function, or one more wrapper of any kind, say `name`.
/// - A method with a body in a trait may have these attributes. The trait is not dyn-compatible then, for the wrapper takes
///   `&Arc<Self>`; in an `impl dyn Trait` they do no such harm.
/// - A lifetime that is left out of a type is not seen: write `Cow<'static, str>` for `Cow<str>`.
/// - A `cfg` stands on the whole function, and not on an argument or parameter of it.
/// - Without `pending`, the wrapper says in a section "Errors" when it fails, if the function has no such section.
#[proc_macro_attribute]
pub fn queued(args: TokenStream, item: TokenStream) -> TokenStream {
    queued::expand(args.into(), item.into()).into()
}

/// For a function `add` it makes `add_soon`, which calls it in the caller's thread, and gives a `Pending` of what it
/// returns.
///
/// The function may be async or not; what it makes inside need not be `Send`. If it returns a `Result`, an `Err` makes the
/// call failed, as with `try_call_soon`. Where there is no caller, the pending has that error.
///
/// It takes `caller`, `name`, `fallible`, `associated` and `crate`, and goes on the same functions and methods, as
/// [`queued`](macro@queued) says; the call of a method holds its object.
///
/// ```
/// use std::{rc::Rc, sync::Arc};
/// use caller::Caller;
/// # use caller_tokio::Tokio;
///
/// #[caller::call_soon]
/// async fn add(left: u32, right: u32) -> u32 {
///     let left = Rc::new(left); // never leaves the caller's thread
///     *left + right
/// }
///
/// struct Store(Caller);
///
/// impl Store {
///     #[caller::call_soon(caller = &self.0, name = read)]
///     fn read_here(&self, path: String) -> std::io::Result<String> {
///         std::fs::read_to_string(path)
///     }
/// }
///
/// #[caller::main(backend = Tokio::new())]
/// async fn main() -> caller::Result<()> {
///     assert_eq!(add_soon(1, 2).await?, 3);
///     let store = Arc::new(Store(Caller::current()?.child("store")?));
///     assert!(store.read("no such file".to_owned()).await.unwrap_err().is_failed());
///     Ok(())
/// }
/// ```
#[proc_macro_attribute]
pub fn call_soon(args: TokenStream, item: TokenStream) -> TokenStream {
    verbs::expand(Verb::CallSoon, args.into(), item.into()).into()
}

/// For a function `remind` it makes `remind_later`, which takes a delay first, and calls the function in the caller's thread
/// when that has gone by.
///
/// Otherwise it is as [`call_soon`](macro@call_soon). Cancelled before it has begun, the function never runs.
///
/// ```
/// use std::time::{Duration, Instant};
/// # use caller_tokio::Tokio;
///
/// #[caller::call_later]
/// fn remind(text: String) -> usize {
///     text.len()
/// }
///
/// #[caller::main(backend = Tokio::new())]
/// async fn main() -> caller::Result<()> {
///     let begun = Instant::now();
///     assert_eq!(remind_later(Duration::from_millis(5), "tea".to_owned()).await?, 3);
///     assert!(begun.elapsed() >= Duration::from_millis(5));
///     Ok(())
/// }
/// ```
#[proc_macro_attribute]
pub fn call_later(args: TokenStream, item: TokenStream) -> TokenStream {
    verbs::expand(Verb::CallLater, args.into(), item.into()).into()
}

/// For a function `note` it makes `note_direct`, which has the caller's scheduler call it itself, in order with the calls
/// around it.
///
/// There is no pending and no context: a failure or panic is only reported, and so is that there is no caller. The function
/// returns nothing, or a `Result`. An async function is awaited by the scheduler before it goes on. For short work.
///
/// It takes `caller`, `name`, `associated` and `crate`, and goes on the same functions and methods, as
/// [`queued`](macro@queued) says.
///
/// ```
/// use std::sync::mpsc;
/// # use caller_tokio::Tokio;
///
/// #[caller::call_direct]
/// fn note(number: u32, to: mpsc::Sender<u32>) -> Result<(), mpsc::SendError<u32>> {
///     to.send(number)
/// }
///
/// #[caller::main(backend = Tokio::new())]
/// async fn main() {
///     let (to, from) = mpsc::channel();
///     note_direct(1, to.clone());
///     note_direct(2, to);
///     tokio::task::yield_now().await;
///     assert_eq!(from.iter().collect::<Vec<_>>(), [1, 2]);
/// }
/// ```
#[proc_macro_attribute]
pub fn call_direct(args: TokenStream, item: TokenStream) -> TokenStream {
    verbs::expand(Verb::CallDirect, args.into(), item.into()).into()
}

/// For a function `hash` it makes `hash_to_thread`, which calls it in a worker of the caller's pool, and gives a `Pending` of
/// what it returns.
///
/// Otherwise it is as [`call_soon`](macro@call_soon). Inside, the current caller is the worker.
///
/// ```
/// # use caller_tokio::Tokio;
/// #[caller::to_thread]
/// fn sum(numbers: Vec<u64>) -> u64 {
///     numbers.iter().sum() // may take as long as it likes
/// }
///
/// #[caller::main(backend = Tokio::new())]
/// async fn main() -> caller::Result<()> {
///     assert_eq!(sum_to_thread(vec![1, 2, 3]).await?, 6);
///     Ok(())
/// }
/// ```
#[proc_macro_attribute]
pub fn to_thread(args: TokenStream, item: TokenStream) -> TokenStream {
    verbs::expand(Verb::ToThread, args.into(), item.into()).into()
}

/// Runs an async function on a caller of this thread, on a runtime that is made for it; the caller stops when it returns.
///
/// What its calls have not done by then is cancelled, and what is still queued never runs: await what has to be done.
///
/// It goes on `main`, and on any other function without arguments, which then is not async any more. It returns what the
/// function returns.
///
/// | argument | says |
/// | --- | --- |
/// | `backend = expression` | on which backend; there is no default |
/// | `host = expression` | under which host, such as the loop of a window; none unless given |
/// | `name = expression` | how the caller is called: as the function, unless given |
/// | `crate = path` | where the crate `caller` is, if it goes by another name |
///
/// ```
/// use caller::Caller;
/// use caller_tokio::Tokio;
///
/// #[caller::main(backend = Tokio::new())]
/// async fn main() -> caller::Result<()> {
///     let here = Caller::current()?;
///     assert_eq!(here.name(), "main");
///     assert_eq!(here.call_soon(async || 1 + 1).await?, 2);
///     Ok(())
/// }
/// ```
///
/// # Panics
///
/// The function it makes panics if its caller cannot run: where there is a caller or a runtime already, or if the runtime or
/// the host's loop cannot be made, or the loop ends before the function does.
#[proc_macro_attribute]
pub fn main(args: TokenStream, item: TokenStream) -> TokenStream {
    entry::main(args.into(), item.into()).into()
}

/// Makes tests of an async function: each runs it on a caller, on a runtime that is made for it.
///
/// | argument | says |
/// | --- | --- |
/// | `backend = expression` | on which backend; the test is called as the function |
/// | `backends = [expression, …]` | on each of these, in a test of its own |
/// | `timeout = expression` | how long it may take, as a `Duration`: 60 seconds unless given |
/// | `crate = path` | where the crate `caller` is, if it goes by another name |
///
/// A test on one of several backends has the name of the function and that of the backend's type: `works_tokio`,
/// `works_async_std`; of two with one name, the later has its place in the list behind it. For another name write
/// `label = expression` in the list. The attributes of the function, such as
/// `should_panic` and `ignore`, are those of each test, and so is what it returns.
///
/// The body runs in a thread of its own, so that the test ends when its time is over, even if the body blocks; the message has
/// the callers that there are. The thread is left behind then.
///
/// ```
/// use std::time::Duration;
/// use caller::{Caller, testing::Manual};
/// use caller_tokio::Tokio;
///
/// #[caller::test(backends = [Tokio::new(), Manual::new(), no_io = Tokio::new().io(false)], timeout = Duration::from_secs(5))]
/// async fn works() -> caller::Result<()> {
///     let here = Caller::current()?;
///     assert_eq!(here.call_soon(async || 1 + 1).await?, 2);
///     Ok(())
/// }
/// # fn main() {}
/// ```
#[proc_macro_attribute]
pub fn test(args: TokenStream, item: TokenStream) -> TokenStream {
    entry::test(args.into(), item.into()).into()
}

/// For a type `Store` it makes `StoreHandle`: a `Resident<Store>` with the methods of the block as plain methods.
///
/// It goes on an `impl` of the type itself, which stays as it is. The value is made in the thread of a caller, lives there, and
/// is dropped there; it need not be `Send`. The handle is `Send`, `Sync` and `Clone`, and equal and hashed by identity. Any
/// thread calls its methods, which give a `Pending` each.
///
/// ```
/// use std::{cell::Cell, num::ParseIntError, rc::Rc};
/// use caller::Caller;
/// # use caller_tokio::Tokio;
///
/// struct Store {
///     sum: Rc<Cell<u32>>, // never leaves its thread
/// }
///
/// #[caller::resident]
/// impl Store {
///     /// Makes one: the method of the handle takes the caller first.
///     fn open(first: String) -> Result<Self, ParseIntError> {
///         Ok(Self { sum: Rc::new(Cell::new(first.parse()?)) })
///     }
///
///     /// Runs together with other calls.
///     async fn sum(&self) -> u32 {
///         tokio::task::yield_now().await;
///         self.sum.get()
///     }
///
///     /// Runs alone. An `Err` makes the call failed.
///     fn add(&mut self, number: String) -> Result<(), ParseIntError> {
///         self.sum.set(self.sum.get() + number.parse::<u32>()?);
///         Ok(())
///     }
///
///     /// Closes the resident, after the calls made before.
///     fn close(self) -> u32 {
///         self.sum.get()
///     }
/// }
///
/// #[caller::main(backend = Tokio::new())]
/// async fn main() -> caller::Result<()> {
///     let db = Caller::current()?.child("db")?;
///     let store = StoreHandle::open(&db, "1".to_owned()).await?;
///
///     let elsewhere = store.clone();
///     std::thread::spawn(move || elsewhere.add("2".to_owned()).wait_blocking()).join().unwrap()?;
///     assert!(store.add("three".to_owned()).await.unwrap_err().is_failed());
///     assert_eq!(store.sum().await?, 3);
///     assert_eq!(store.close().await?, 3);
///     Ok(())
/// }
/// ```
///
/// # Methods
///
/// The block is the interface: each of its functions, async or not, has a method in the handle, with the same name,
/// arguments, visibility and documentation.
///
/// | function | method of the handle |
/// | --- | --- |
/// | returns `Self` or `Result<Self, E>`, without `self` | takes the caller first, makes the value in that thread, and gives a `Pending` of a handle |
/// | `&self` | runs together with other calls, as by `Resident::call` |
/// | `&mut self` | runs alone, as by `Resident::call_mut` |
/// | `self` | takes the handle and closes the resident, as by `Resident::close_with`; calls through other handles end with `is_closed` |
/// | `&self`, returns `Self` or `Result<Self, E>` | makes another value in the same thread, as by `Resident::derive`, and gives a `Pending` of a handle |
///
/// Constants, and functions without `self` that do not return `Self`, belong to the type alone. So do functions that are not
/// meant for the handle: they stand in another `impl`. A call of a macro inside the block is not looked into.
///
/// A call is one as those of [`call_soon`](macro@call_soon). Its errors name the function of the type, such as `Store::add`,
/// and the place that called the handle.
///
/// # Arguments
///
/// | argument | says |
/// | --- | --- |
/// | `name = identifier` | how the handle is called: as the type with `Handle` behind it, unless given |
/// | `vis = visibility` | who sees the handle, such as `pub(crate)`; `pub(self)` for the module alone. Unless given, it is the widest visibility of its methods, since an attribute on an `impl` does not see the type. |
/// | `crate = path` | where the crate `caller` is, if it goes by another name |
///
/// The same attribute on a function of the block says what is different for that one:
///
/// | argument | says |
/// | --- | --- |
/// | `name = identifier` | how the method of the handle is called |
/// | `fallible = bool` | whether an `Err` is a failure of the call. Unless given, it is if the type is called `Result`. On a function without `self`, `true` says that an alias is a `Result<Self, E>`. |
///
/// ```
/// # use caller_tokio::Tokio;
/// struct Cache(Vec<String>);
///
/// #[caller::resident(name = SharedCache, vis = pub(crate))]
/// impl Cache {
///     fn new() -> Self {
///         Self(Vec::new())
///     }
///
///     #[caller::resident(fallible = false)]
///     fn first(&self) -> Result<String, String> {
///         self.0.first().cloned().ok_or_else(|| "it is empty".to_owned())
///     }
///
///     #[caller::resident(name = empty)]
///     fn clear(&mut self) {
///         self.0.clear();
///     }
/// }
///
/// #[caller::main(backend = Tokio::new())]
/// async fn main() -> caller::Result<()> {
///     let cache = SharedCache::new(&caller::Caller::current()?).await?;
///     assert_eq!(cache.first().await?, Err("it is empty".to_owned()));
///     cache.empty().await
/// }
/// ```
///
/// # The resident behind it
///
/// What takes the caller takes a `ResidentBuilder` as well: for a thread of its own, a name, or what a panic does to the
/// value. `handle.resident()` gives the `Resident`, and `StoreHandle::from(resident)` the handle of one that was made in
/// another way.
///
/// ```
/// # use caller::{Caller, testing::Manual};
/// # struct Store;
/// #[caller::resident]
/// impl Store {
///     fn open() -> Self {
///         Self
///     }
/// }
/// # fn main() -> caller::Result<()> {
/// # let caller = Caller::builder().backend(Manual::new()).spawn()?;
///
/// let store = StoreHandle::open(caller.resident_builder().own_thread("store")).wait_blocking()?;
/// assert_eq!(store.resident().caller().name(), "store");
/// store.resident().close().wait_blocking()?;
///
/// let made = caller.resident(async || Store::open());
/// let store = StoreHandle::from(made.wait_blocking()?);
/// assert!(!store.resident().is_gone());
/// # caller.stop();
/// # Ok(())
/// # }
/// ```
///
/// # What goes along
///
/// Arguments and results are owned and `Send`; where a type parameter is not, it has to be where the method is used. The type
/// may have type and const parameters, which the handle has too, and no lifetimes; the functions may have parameters, `where`
/// and `impl Trait` arguments. The documentation, `cfg`, `deprecated` and lint levels of the block and of each function go
/// along; other attributes stay where they are.
///
/// # What to know
///
/// - Every handle has `resident`, and the methods `clone`, `clone_from`, `eq`, `ne`, `hash`, `fmt` and `from` of its traits. A
///   function of such a name needs another in the handle.
/// - A type has one such block, or gives the handle of each a `name`.
/// - A lifetime that is left out of a type is not seen: write `Cow<'static, str>` for `Cow<str>`.
#[proc_macro_attribute]
pub fn resident(args: TokenStream, item: TokenStream) -> TokenStream {
    resident::expand(args.into(), item.into()).into()
}
