//! Waiting and waking: lists of waiters, wakers that remember being woken, blocked threads, bounded waits.

mod flag;
mod list;
mod park;
mod timeout;
mod yield_now;

#[cfg(feature = "test-util")]
pub(crate) use self::park::park_on;
pub use self::timeout::Timeout;
pub(crate) use self::{
    flag::Flagged,
    list::{Key, List, Wakers},
    park::block_on,
    timeout::timeout_by_wrapping,
    yield_now::yield_now,
};
