//! The attributes as programs use them, on tokio unless a test says otherwise.

mod entry;
mod hygiene;
mod queued;
mod resident;
mod ui;
mod verbs;
