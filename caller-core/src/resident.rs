//! Values that live in the thread of a caller, and are reached from any other through a handle that knows their type.

mod gate;

mod slot;

mod handle;

mod bind;
mod builder;
mod calls;
mod here;

pub use self::{
    builder::{OnPanic, ResidentBuilder},
    handle::{Resident, WeakResident},
    here::Refused,
};
