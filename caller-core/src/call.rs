//! A call: its work and its outcome, and how it is queued for its scheduler.

mod cell;
mod item;
mod outcome;

pub use self::outcome::{Failure, Outcome, Unattended};
pub(crate) use self::{
    cell::{Home, Run, Woken, call, local_call},
    item::{Inbox, Item, Lease, UnobservedFailure},
    outcome::{Convert, Fallible, Plain},
};
