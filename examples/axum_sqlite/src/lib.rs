//! A web service whose SQLite connection is a [`Resident`](caller::Resident) with a thread of its own. Its state is a
//! [`StoreHandle`], which the attribute `#[caller::resident]` wrote for the methods of [`Store`].
//!
//! Each request is one call of the resident. A client that leaves drops the future of its handler; that drops the wait for
//! the call, which cancels the call. A call that waits for its turn never runs. A call that is inside SQLite cannot be
//! dropped, so SQLite asks by its progress handler whether the call was cancelled, and interrupts the statement. A write is
//! protected: it is finished though its client has left.

mod store;

mod service;

pub use self::{
    service::router,
    store::{Note, Store, StoreHandle},
};
