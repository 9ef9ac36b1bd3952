//! The handlers: one file a group of messages, named as the protocol names them.

pub(crate) mod comm;

pub(crate) mod control;

pub(crate) mod execute;

pub(crate) mod history;

pub(crate) mod introspect;

pub(crate) mod kernel_info;

pub(crate) mod usage;
