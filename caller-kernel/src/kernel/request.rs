//! A request on its way through the kernel: busy, reply, idle.

use std::{sync::Arc, thread, time::Instant};

use jiff::Timestamp;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;

use super::shared::Shared;
use crate::{
    shell::CellError,
    sockets::{ChannelSender, IoPub},
    wire::{Json, Message},
    zmtp::Class,
};

/// A message that a client sent, and the way back to it.
///
/// However its handling ends, all see [busy and idle][status] around it, and its sender gets one reply if the message
/// wants one: dropped on the way, because its handler panicked or its caller stopped, it answers with an error.
///
/// [status]: https://jupyter-client.readthedocs.io/en/stable/messaging.html#kernel-status
pub(crate) struct Request {
    pub(crate) message: Message,
    sender: ChannelSender,
    shared: Arc<Shared>,
    /// When it was read, by the clock that is never set.
    pub(crate) received: Instant,
    /// The same by the clock that dates of headers are of.
    pub(crate) received_date: Timestamp,
    /// The number of the cell, once it has one.
    pub(crate) count: Option<u32>,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Waiting,
    Busy,
    Ended,
}

impl Request {
    pub(crate) fn new(message: Message, sender: ChannelSender, shared: &Arc<Shared>) -> Self {
        Self {
            message,
            sender,
            shared: Arc::clone(shared),
            received: Instant::now(),
            received_date: Timestamp::now(),
            count: None,
            stage: Stage::Waiting,
        }
    }

    pub(crate) fn msg_type(&self) -> &str {
        self.message.msg_type()
    }

    /// What becomes the parent of all that answers it.
    pub(crate) fn parent(&self) -> &Json {
        self.message.header.json()
    }

    /// Tells all that it is being handled. Doing so again does nothing.
    pub(crate) fn begin(&mut self) {
        if self.stage == Stage::Waiting {
            self.stage = Stage::Busy;
            self.status("busy");
        }
    }

    /// Its content.
    ///
    /// # Errors
    ///
    /// A field is missing or of another type than the protocol says.
    pub(crate) fn content<T: DeserializeOwned>(&self) -> Result<T, CellError> {
        self.message.content.read().map_err(|error| {
            let text =
                format!("the content of this {} is not as the protocol has it: {error}", self.msg_type());
            CellError::new("BadRequest", text)
        })
    }

    /// Replies, and ends it.
    pub(crate) fn reply<T: Serialize + ?Sized>(mut self, content: &T) {
        self.begin();
        self.send_reply(content);
        self.finish();
    }

    /// Replies with an error, and ends it. Where it is a cell, all see the error.
    pub(crate) fn fail(mut self, error: &CellError) {
        self.begin();
        self.send_error(error);
        self.finish();
    }

    /// Ends it without a reply.
    pub(crate) fn end(mut self) {
        self.begin();
        self.finish();
    }

    fn send_reply<T: Serialize + ?Sized>(&self, content: &T) {
        let Some(kind) = self.msg_type().strip_suffix("_request") else { return };
        match self.sender.session().reply(&self.message, &format!("{kind}_reply"), content) {
            // A client that has gone wants no reply.
            Ok(reply) => drop(self.sender.send(&reply)),
            Err(error) => tracing::error!(%error, kind, "a reply cannot be json"),
        }
    }

    fn send_error(&self, error: &CellError) {
        let mut content = error_content(error);
        match self.msg_type() {
            "execute_request" => {
                publish(&self.shared.iopub, self.parent(), "error", &described(error), Class::Essential);
                content["execution_count"] = self.count.unwrap_or_else(|| self.shared.counter.last()).into();
                content["user_expressions"] = json!({});
                content["payload"] = json!([]);
            }
            // The one reply that has words of its own for the status.
            "is_complete_request" => content["status"] = "unknown".into(),
            kind if kind.ends_with("_request") => {}
            msg_type => return tracing::warn!(%error, msg_type, "a message could not be handled"),
        }
        self.send_reply(&content);
    }

    fn finish(&mut self) {
        self.stage = Stage::Ended;
        self.shared.iopub.tell_dropped();
        self.status("idle");
    }

    fn status(&self, state: &str) {
        publish(
            &self.shared.iopub,
            self.parent(),
            "status",
            &json!({ "execution_state": state }),
            Class::Essential,
        );
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        if self.stage == Stage::Ended {
            return;
        }
        self.begin();
        self.send_error(&if thread::panicking() {
            CellError::new("Panic", "the handler of this request panicked")
        } else {
            CellError::new("Stopped", "what was to handle this request has stopped")
        });
        self.finish();
    }
}

/// An error as [replies] have it.
///
/// [replies]: https://jupyter-client.readthedocs.io/en/stable/messaging.html#request-reply
pub(crate) fn error_content(error: &CellError) -> serde_json::Value {
    let mut content = described(error);
    content["status"] = "error".into();
    content
}

/// An error as all see it.
fn described(error: &CellError) -> serde_json::Value {
    json!({ "ename": error.ename, "evalue": error.evalue, "traceback": error.traceback })
}

/// Publishes a message on the topic of its type.
pub(crate) fn publish<T: Serialize + ?Sized>(
    iopub: &IoPub,
    parent: &Json,
    msg_type: &str,
    content: &T,
    class: Class,
) {
    match iopub.session().message(msg_type, parent, content) {
        Ok(message) => iopub.publish(&message.on_topic(msg_type.to_owned()), class),
        Err(error) => tracing::error!(%error, msg_type, "a message cannot be json"),
    }
}
