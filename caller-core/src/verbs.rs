//! The verbs, each with an `impl Caller` of its own.

mod call;
mod completed;
mod group;
mod guest;
mod pool;
mod queue;
mod schedule;
mod wait;

pub(crate) use self::queue::Turn;
pub use self::{
    completed::{AsCompleted, FromIter, FromStream, FromVec, IntoPending},
    schedule::Schedule,
    wait::{ReturnWhen, WaitMany, Waited},
};
