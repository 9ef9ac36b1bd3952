//! What calls and threads wait for together: events, countdowns, queues, locks.

mod countdown;
mod event;
mod lock;
mod queue;

pub(crate) use self::event::Flag;
#[cfg(all(test, loom))]
pub(crate) use self::lock::RawLock;
pub use self::{
    countdown::{CountdownEvent, WaitCountdown},
    event::{AsyncEvent, Moment, WaitEvent},
    lock::{
        AsyncLock, AsyncLockGuard, AsyncLockGuardArc, ReentrantAsyncLock, ReentrantGuard, ReentrantGuardArc,
    },
    queue::{Consumer, Next, SingleConsumerQueue},
};
