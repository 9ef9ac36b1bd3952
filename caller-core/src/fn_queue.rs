//! Queues of functions: the calls of one function, one at a time and in order.

mod handle;
mod queue;
mod registry;
mod room;
mod running;

pub use self::handle::{CallWhenRoom, Queue, QueueHandle};
pub(crate) use self::{
    queue::{FnQueue, QueueItem},
    registry::{Key, Queues, key, method_key},
    running::Running,
};
