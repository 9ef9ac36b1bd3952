//! A call: its function, its future, its outcome, and how it is queued for its scheduler.

mod outcome;

mod job;

mod cell;

mod boxes;

mod running;

mod item;

pub use self::outcome::{Failure, Made, MakingFailure, Outcome, Unattended};
pub(crate) use self::{
    boxes::Boxes,
    cell::Woken,
    item::{Inbox, Item, UnobservedFailure},
    job::{FnJob, Named, job},
    outcome::{Checked, Convert, Fallible, Plain},
    running::{Extra, Home, Kept, Lender, Run, TimeKey, call, defer, local_call},
};
