//! Run async work on a certain thread, from any thread.
#![deny(unsafe_code)]

mod sys;

mod error;
mod ident;
mod metadata;
mod park;
mod report;
mod timer;

mod context;
mod pending;

mod event;
mod queue;

mod backend;
mod call;
mod task;

mod scheduler;

mod caller;

mod verbs;

mod completed;
mod inspect;
mod pool;
mod queued;
mod wait;

#[cfg(feature = "test-util")]
pub mod testing;

pub use self::{
    backend::{Backend, LocalFuture, Runtime},
    caller::{Builder, Caller, CallerState, PoolSettings},
    completed::{AsCompleted, IntoPending},
    context::{Context, ContextVar, InContext},
    error::{BoxError, Error, Result},
    event::Moment,
    ident::CallerId,
    inspect::callers_table,
    pending::{
        CancelRequested, DoneCallback, Pending, PendingHandle, Resolver, Shared, Wait, WaitDone, WaitIgnored,
        WaitMut, WaitShared, current_pending,
    },
    queue::{Consumer, Next, SingleConsumerQueue},
    queued::Queue,
    timer::{Clock, SystemClock, sleep_until},
    verbs::{Schedule, Unattended},
    wait::{ReturnWhen, WaitMany, Waited},
};
