//! A message off the wire.

use super::{header::Header, json::Json};
use bytes::Bytes;

/// A message of the Jupyter protocol. See [general message format][format].
///
/// Made by [`Session`](super::Session): one that came by its channel, others by
/// [`message`](super::Session::message) and [`reply`](super::Session::reply). The public parts may be changed before
/// it is sent.
///
/// [format]: https://jupyter-client.readthedocs.io/en/stable/messaging.html#general-message-format
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Message {
    /// Whom it is from, or to. On iopub, the topic alone.
    pub identities: Vec<Bytes>,
    /// Who said what.
    pub header: Header,
    /// The header of what it answers, or an empty object.
    pub parent_header: Json,
    /// What is told about the content.
    pub metadata: Json,
    /// What is said, by the type of the message.
    pub content: Json,
    /// Binary data that goes with the content. It is not signed.
    pub buffers: Vec<Bytes>,
}

impl Message {
    /// The type, which the header tells.
    #[must_use]
    pub fn msg_type(&self) -> &str {
        self.header.msg_type()
    }

    /// The same message on an iopub topic.
    #[must_use]
    pub fn on_topic(mut self, topic: impl Into<Bytes>) -> Self {
        self.identities = vec![topic.into()];
        self
    }

    /// The same message with other metadata.
    #[must_use]
    pub fn with_metadata(mut self, metadata: Json) -> Self {
        self.metadata = metadata;
        self
    }

    /// The same message with these buffers.
    #[must_use]
    pub fn with_buffers(mut self, buffers: Vec<Bytes>) -> Self {
        self.buffers = buffers;
        self
    }
}
