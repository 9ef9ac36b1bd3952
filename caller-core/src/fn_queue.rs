//! Queues of functions: the calls of one function, one at a time and in order.

mod handle;
mod queue;
mod registry;

pub use self::handle::{Queue, QueueHandle};
pub(crate) use self::{
    queue::{FnQueue, QueueItem},
    registry::{Key, Queues, key, method_key},
};
