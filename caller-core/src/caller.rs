//! A caller: what it is made of, how it lives, how it is found and run.

mod options;

mod ending;
mod pool;

mod inner;

mod registry;

mod lifecycle;
mod submit;

mod builder;
mod scope;

mod attach;
mod run;

#[cfg(feature = "gio")]
mod application;

mod handle;
mod table;

#[cfg(all(test, loom))]
pub(crate) use self::ending::Ending;
pub use self::{
    attach::Attached,
    builder::Builder,
    inner::Caller,
    options::{CallerState, PoolSettings},
    run::run,
    table::callers_table,
};
pub(crate) use self::{
    inner::{Inner, Part},
    pool::{Call, Returned, Step},
};
