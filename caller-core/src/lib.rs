//! Run async work *on a certain thread*, from any thread.
//!
//! A [`Caller`] belongs to one thread and runs an async runtime there. From any thread you hand it a function; it
//! runs in that thread, where state lives that is not `Send`, and you get a [`Pending`]: a thread-safe, cancellable
//! result to await, to block on, or to watch.
//!
//! This crate knows no runtime. Depend on it together with a backend, such as `caller-tokio`.
//!
//! # How a call flows
//!
//! ```text
//! call_soon ─▶ Call (function + context + outcome) ─▶ queue of the caller
//!                                                        │        any thread
//! ───────────────────────────────────────────────────────┼──────────────────
//!                                                        ▼        its thread
//!              waiter ◀─ Pending ◀─ task ◀─ Scheduler polls it once, at once,
//!                                           and keeps it if it does not end
//! ```
//!
//! # The verbs
//!
//! | verb | runs the function | gives |
//! | --- | --- | --- |
//! | [`call_soon`](Caller::call_soon) | in the caller's thread | `Pending<T>` |
//! | [`call_later`](Caller::call_later) | there, after a delay | `Pending<T>` |
//! | [`call_direct`](Caller::call_direct) | there, by the scheduler itself | nothing |
//! | [`to_thread`](Caller::to_thread) | in a worker of the caller's pool | `Pending<T>` |
//! | [`queue_call`](Caller::queue_call) | there, one call of the function at a time | nothing |
//! | [`call_using_backend`](Caller::call_using_backend) | there, on another runtime, as a guest | `Pending<T>` |
//! | [`schedule_call`](Caller::schedule_call) | there, with everything explicit | `Pending<T>` |
//! | [`call_soon_local`](Caller::call_soon_local) | there, from there, not `Send` | `Pending<T>` |
//! | [`resident`](Caller::resident) | there, once | a [`Resident`]: the value, which stays there |
//! | [`as_completed`](Caller::as_completed), [`wait`](Caller::wait) | | what is done first |
//! | [`group`](Caller::group) | | a scope that waits for all that is made in it |
//!
//! Those that give a pending have a `try_` form for functions that return a `Result`: an `Err` makes the call
//! *failed*.
//!
//! # State that is not `Send`
//!
//! A [`Resident`] is the home of such a value: a connection, a widget, an interpreter. The value is made in a caller's thread,
//! lives there, and is dropped there. The handle is `Send`, `Sync` and `Clone`, and any thread reaches the value by calls.
//!
//! ```
//! # use caller::{Caller, Resident, testing::Manual};
//! # use std::{cell::RefCell, rc::Rc};
//! # fn main() -> caller::Result<()> {
//! # Caller::builder().backend(Manual::new()).run(async |caller| {
//! type Lines = Rc<RefCell<Vec<String>>>; // not `Send`
//!
//! let lines: Resident<Lines> = caller.resident(async || Lines::default()).await?;
//! lines.call_mut(async |lines| lines.borrow_mut().push("one".to_owned())).await?;
//! assert_eq!(lines.call(async |lines| lines.borrow().len()).await?, 1);
//!
//! // In its own thread the value is at hand, without a call and without waiting.
//! assert_eq!(lines.with(|lines| lines.borrow().join(" "))?, "one");
//!
//! // The value itself, when the calls that were made before have ended.
//! let text = lines.close_with(async |lines| lines.take().join("\n")).await?;
//! assert_eq!(text, "one");
//! # caller::Result::Ok(())
//! # })?
//! # }
//! ```
//!
//! - **Making.** [`resident`](Caller::resident) runs the function that makes the value, in the caller's thread;
//!   [`try_resident`](Caller::try_resident) takes one that may fail. [`resident_local`](Caller::resident_local) takes a value
//!   that exists already, in this thread, such as a widget. [`derive`](Resident::derive) keeps what one value gives as another
//!   resident: a function of an interpreter.
//! - **Calling.** [`call`](Resident::call) gives a function `&T`; such calls run together.
//!   [`call_mut`](Resident::call_mut) gives it `&mut T`, alone. Both keep the order in which they are made, and have `try_` forms.
//!   Each gives a [`Pending`] like that of any other call. [`bind`](Resident::bind) makes a function for the other verbs.
//! - **Ending.** The last handle ends the value, as do [`close`](Resident::close), [`close_with`](Resident::close_with) and the
//!   caller's stop. Calls that were made before run first, except at a stop, which cancels them.
//! - **Panics.** A panic costs the call that it happens in. [`OnPanic`] says whether the value is kept or dropped then, and
//!   [`build_remaking`](ResidentBuilder::build_remaking) makes it anew.
//! - **Values that block.** A function that blocks holds up its thread. A database connection wants a thread of its own:
//!   [`own_thread`](ResidentBuilder::own_thread) of the [builder](Caller::resident_builder) starts one that ends with the value.
//!   Such a function cannot be dropped while it blocks; it asks from time to time whether its call
//!   [was cancelled](PendingHandle::is_cancelled), by [`current_pending`], and whether its caller [runs](Caller::is_running).
//! - **Errors that are not `Send`.** What a call gives crosses threads. An error that cannot, such as that of a Lua
//!   interpreter, is turned into its text or into a type of your own inside the call:
//!   `map_err(|error| error.to_string())`. Or it stays in the thread, as a resident, by [`derive`](Resident::derive).
//!
//! ```
//! # use caller::{Caller, testing::Manual};
//! # use std::{fmt, rc::Rc};
//! # fn main() -> caller::Result<()> {
//! # let caller = Caller::builder().backend(Manual::new()).spawn()?;
//! /// Refers to a value of its interpreter, so it is not `Send`.
//! struct ScriptError(Rc<str>);
//! # impl fmt::Display for ScriptError {
//! #     fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
//! #         f.write_str(&self.0)
//! #     }
//! # }
//! # struct Interpreter;
//! # impl Interpreter {
//! #     fn run(&self, _script: &str) -> Result<(), ScriptError> {
//! #         Err(ScriptError("no such function".into()))
//! #     }
//! # }
//!
//! let interpreter = caller.resident(async || Interpreter).wait_blocking()?;
//! let run = interpreter.try_call(async |lua| lua.run("f()").map_err(|error| error.to_string()));
//! let error = run.wait_blocking().unwrap_err();
//! assert_eq!(error.failure().unwrap().to_string(), "no such function");
//! # caller.stop();
//! # Ok(())
//! # }
//! ```
//!
//! # Giving up
//!
//! Dropping a [`Pending`] does nothing: the call runs on. Dropping an unfinished *wait* for it (`.await`,
//! [`Pending::wait`]) cancels the call, unless the wait was made with [`protect`](Wait::protect) or on a reference.
//! Cancelling is asked for, then done: the future is dropped in its own thread.
//!
//! # What waits for itself
//!
//! A call that awaits its own pending, one in a queue that awaits the queue or another call in it, a direct call that
//! awaits a call behind it, a group that the call around it is added to, a thread that blocks on work only it could do,
//! threads that block on each other in a ring, and a call that awaits one which needs the value of a resident that it has
//! itself, in any ring, get an error. What cannot be seen is a deadlock as anywhere: calls
//! that *await* each other in a ring, and pendings made by hand ([`Resolver`]) that nobody resolves; two locks taken in
//! opposite order, and a call that was made *before* a lock was taken, wants it, and is awaited under it; a group that is
//! run by a call that has the value of a resident, while a member of the group wants that value.
//!
//! # When not to use it
//!
//! For work that may run on any thread, your runtime's own `spawn` is simpler. For a plain function that blocks, so is
//! `spawn_blocking`. A caller is for state that must stay where it is: a GUI, a GPU context, an interpreter, a database
//! handle, anything that is not `Send`.
//!
//! # Attributes
//!
//! [`queued`], [`call_soon`](macro@call_soon), [`call_later`](macro@call_later), [`call_direct`](macro@call_direct) and
//! [`to_thread`](macro@to_thread) give a function its form for other threads; [`main`](macro@main) and
//! [`test`](macro@test) run one on a caller.
//!
//! # Features
//!
//! - `macros`, which is on unless switched off: the attributes.
//! - `tracing`: calls carry the current span of their submitter, and failures that nobody waits for become events
//!   instead of lines on stderr.
//! - `winit`, `glib`, `gio`: loops of windows as hosts of callers.
//! - `test-util`: the manual backend with virtual time, and the suite that every backend passes.
// The one exception is the guard of `AsyncLock`: see `sync/lock/exclusive.rs`.
#![deny(unsafe_code)]

mod sys;

mod report;

mod guard;

mod kept;

mod error;

mod caller_id;

mod this_thread;

mod blocked;
mod timer;
mod wake;

mod queue;

mod context;

mod backend;
mod guest_task;
mod root;

mod host;

mod pending;

mod tracker;

mod turn;

mod sync;

mod call;

mod fn_queue;

mod scheduler;

mod caller;

mod group;

mod verbs;

mod resident;

mod private;

#[cfg(feature = "test-util")]
pub mod testing;

#[cfg(all(test, loom))]
mod loom_models;

/// The crate that [`Gio`] is a host of, in the version that fits.
#[cfg(feature = "gio")]
#[doc(no_inline)]
pub use ::gio;
/// The crate that [`Glib`] is a host of, in the version that fits.
#[cfg(feature = "glib")]
#[doc(no_inline)]
pub use ::glib;
/// The crate that [`Winit`] is a host of, in the version that fits.
#[cfg(feature = "winit")]
#[doc(no_inline)]
pub use ::winit;

#[cfg(feature = "gio")]
pub use self::host::Gio;
#[cfg(feature = "glib")]
pub use self::host::Glib;
#[cfg(feature = "winit")]
pub use self::host::Winit;
pub use self::{
    backend::{Backend, Guest, LocalFuture, Runtime, check_threads},
    call::Unattended,
    caller::{Attached, Builder, Caller, CallerState, PoolSettings, callers_table, run},
    caller_id::CallerId,
    context::{Context, ContextVar, InContext},
    error::{BoxError, Error, Result},
    fn_queue::{CallWhenRoom, Queue, QueueHandle},
    group::{GroupBuilder, GroupMode, PendingGroup},
    guest_task::{AdoptedCall, GuestTask},
    host::{Host, Pump, current_host, host_named},
    pending::{
        CancelRequested, DoneCallback, Pending, PendingHandle, Resolver, Shared, Wait, WaitDone, WaitIgnored,
        WaitMut, WaitShared, current_pending,
    },
    resident::{OnPanic, Refused, Resident, ResidentBuilder, WeakResident},
    sync::{
        AsyncEvent, AsyncLock, AsyncLockGuard, AsyncLockGuardArc, Consumer, CountdownEvent, Moment, Next,
        ReentrantAsyncLock, ReentrantGuard, ReentrantGuardArc, SingleConsumerQueue, WaitCountdown, WaitEvent,
    },
    timer::{Clock, SystemClock, sleep_until},
    tracker::{Activation, PendingSet, Tracker, Trackers},
    verbs::{
        AsCompleted, FromIter, FromStream, FromVec, IntoPending, ReturnWhen, Schedule, WaitMany, Waited,
    },
    wake::Timeout,
};

#[cfg(feature = "macros")]
pub use caller_macros::{call_direct, call_later, call_soon, main, queued, resident, test, to_thread};

/// What the attributes expand to.
#[doc(hidden)]
pub mod __private {
    pub use crate::private::*;
}
