//! Queues of functions: the calls of one function, one at a time and in order.

mod room;
mod running;

mod queue;

mod handle;
mod registry;

pub use self::handle::{CallWhenRoom, Queue, QueueHandle};
pub(crate) use self::{
    queue::{FnQueue, QueueItem},
    registry::{Key, Queues, key, method_key},
    running::Running,
};
