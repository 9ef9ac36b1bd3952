//! Waiting and waking: lists of wakers, wakers that can be looked at, blocked threads.

mod flag;
mod list;
mod park;
mod yield_now;

#[cfg(feature = "test-util")]
pub(crate) use self::park::park_on;
pub(crate) use self::{
    flag::Flagged,
    list::{Wakers, wake},
    park::block_on,
    yield_now::yield_now,
};
