//! [`interrupt_request`] and [`shutdown_request`].
//!
//! [`interrupt_request`]: https://jupyter-client.readthedocs.io/en/stable/messaging.html#kernel-interrupt
//! [`shutdown_request`]: https://jupyter-client.readthedocs.io/en/stable/messaging.html#kernel-shutdown

use serde::Deserialize;
use serde_json::json;

use crate::{
    kernel::{
        request::{Request, publish},
        shared::Shared,
    },
    wire::or_default,
    zmtp::Class,
};

/// Stops what runs, in all shells, which keep their state.
pub(crate) fn interrupt(shared: &Shared, mut request: Request) {
    request.begin();
    shared.interrupt();
    request.reply(&json!({ "status": "ok" }));
}

/// Stops the kernel. The process is its owner's.
pub(crate) fn shut_down(shared: &Shared, mut request: Request) {
    #[derive(Deserialize)]
    struct Shutdown {
        #[serde(default, deserialize_with = "or_default")]
        restart: bool,
    }
    request.begin();
    match request.content::<Shutdown>() {
        Ok(Shutdown { restart }) => {
            let reply = json!({ "status": "ok", "restart": restart });
            // Other front ends of this kernel learn of it too.
            publish(&shared.iopub, request.parent(), "shutdown_reply", &reply, Class::Essential);
            request.reply(&reply);
            shared.stop.set();
        }
        Err(error) => request.fail(&error),
    }
}
