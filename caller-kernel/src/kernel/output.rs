//! The output of one cell: what its code prints, shows and asks, from any thread.

use std::{
    io::Write,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use bytes::Bytes;
use caller::{Context, Pending, Resolver};
use serde_json::{Map, Value, json};

use super::{shared::Shared, stdin::InputError};
use crate::{
    shell::{CommMessage, Display, MimeBundle, Output, Stream},
    wire::{Json, Message},
    zmtp::Class,
};

/// How long printed text waits for more of its kind.
const PATIENCE: Duration = Duration::from_millis(10);

/// How much printed text waits, in bytes.
const ENOUGH: usize = 64 << 10;

/// The output of a cell, or of what else a request started. Whatever is published through it has that request as its
/// parent, also when it comes late.
///
/// Text of one stream is gathered: it is sent before any other message of the cell, when the cell ends, after 10 ms, or when it
/// is more than 64 KiB.
pub(crate) struct CellOutput {
    parent: Json,
    shared: Arc<Shared>,
    /// The shell that runs the cell, by the id of its handle.
    shell: u64,
    /// Whom to ask for input.
    client: Option<Vec<Bytes>>,
    text: Mutex<Text>,
    own: Weak<Self>,
}

/// What was printed and is not sent yet.
#[derive(Default)]
struct Text {
    stream: Option<Stream>,
    text: String,
    /// Whether somebody will come and send it.
    is_awaited: bool,
}

impl CellOutput {
    /// Output with this parent. `client` is asked for input, if it may be.
    pub(crate) fn new(
        shared: &Arc<Shared>,
        shell: u64,
        parent: &Json,
        client: Option<Vec<Bytes>>,
    ) -> Arc<Self> {
        Arc::new_cyclic(|own| Self {
            parent: parent.clone(),
            shared: Arc::clone(shared),
            shell,
            client,
            text: Mutex::default(),
            own: own.clone(),
        })
    }

    /// Sends what was printed.
    pub(crate) fn flush(&self) {
        self.send_text(&mut self.text());
    }

    /// Publishes a message that says what becomes of the cell, behind what was printed.
    pub(crate) fn publish(&self, msg_type: &str, content: &Value) {
        self.publish_with(msg_type, content, Class::Essential, |message| message);
    }

    /// Publishes what the cell shows, behind what was printed.
    fn show(&self, msg_type: &str, content: &Value) {
        self.publish_with(msg_type, content, Class::Display, |message| message);
    }

    /// Publishes what the cell ends in.
    pub(crate) fn result(&self, count: u32, result: &MimeBundle) {
        let MimeBundle { data, metadata } = result;
        self.publish(
            "execute_result",
            &json!({ "execution_count": count, "data": data, "metadata": metadata }),
        );
    }

    fn publish_with(
        &self,
        msg_type: &str,
        content: &Value,
        class: Class,
        more: impl FnOnce(Message) -> Message,
    ) {
        let mut text = self.text();
        self.send_text(&mut text);
        self.send(msg_type, msg_type.to_owned(), content, class, more);
        // Held until here: messages of several threads have one order.
        drop(text);
    }

    fn send(
        &self,
        msg_type: &str,
        topic: String,
        content: &Value,
        class: Class,
        more: impl FnOnce(Message) -> Message,
    ) {
        match self.shared.iopub.session().message(msg_type, &self.parent, content) {
            Ok(message) => self.shared.iopub.publish(&more(message).on_topic(topic), class),
            Err(error) => tracing::error!(%error, msg_type, "a message cannot be json"),
        }
    }

    fn send_text(&self, text: &mut Text) {
        let Some(stream) = text.stream.take() else { return };
        let content = json!({ "name": stream.name(), "text": mem::take(&mut text.text) });
        self.send("stream", format!("stream.{stream}"), &content, Class::Stream, |message| message);
    }

    fn comm(&self, msg_type: &str, mut content: Value, message: CommMessage) {
        content["data"] = message.data;
        let metadata = Json::new(&message.metadata).unwrap_or_default();
        let buffers = message.buffers.into_iter().map(Bytes::from).collect();
        self.publish_with(msg_type, &content, Class::Display, |message| {
            message.with_metadata(metadata).with_buffers(buffers)
        });
    }

    fn text(&self) -> MutexGuard<'_, Text> {
        self.text.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Output for CellOutput {
    fn stream(&self, stream: Stream, text: &str) {
        if text.is_empty() {
            return;
        }
        if !self.shared.quiet {
            echo(stream, text);
        }
        let mut held = self.text();
        if held.stream.is_some_and(|held| held != stream) {
            self.send_text(&mut held);
        }
        held.stream = Some(stream);
        held.text.push_str(text);
        if held.text.len() > ENOUGH {
            self.send_text(&mut held);
        } else if !mem::replace(&mut held.is_awaited, true) {
            let own = self.own.clone();
            // Nothing of the cell's: what waits for all that it has started does not wait for this.
            drop(Context::new().run(|| {
                self.shared.control.call_later(PATIENCE, async move || {
                    if let Some(output) = own.upgrade() {
                        let mut text = output.text();
                        text.is_awaited = false;
                        output.send_text(&mut text);
                    }
                })
            }));
        }
    }

    fn display(&self, display: Display) {
        let Display { bundle: MimeBundle { data, metadata }, id, update } = display;
        let transient: Map<String, Value> =
            id.map(|id| ("display_id".to_owned(), id.into())).into_iter().collect();
        let msg_type = if update { "update_display_data" } else { "display_data" };
        self.show(msg_type, &json!({ "data": data, "metadata": metadata, "transient": transient }));
    }

    fn clear_output(&self, wait: bool) {
        self.show("clear_output", &json!({ "wait": wait }));
    }

    fn input(&self, prompt: &str, password: bool) -> Pending<String> {
        let Some(client) = &self.client else {
            let (resolver, pending) = Resolver::new();
            resolver.fail(InputError::NotAllowed);
            return pending;
        };
        // The prompt may refer to it.
        self.flush();
        self.shared.stdin.ask(client, &self.parent, prompt, password)
    }

    fn comm_open(&self, id: &str, target: &str, message: CommMessage) {
        self.shared.comms.opened(id, target, self.shell);
        self.comm("comm_open", json!({ "comm_id": id, "target_name": target }), message);
    }

    fn comm_message(&self, id: &str, message: CommMessage) {
        self.comm("comm_msg", json!({ "comm_id": id }), message);
    }

    fn comm_close(&self, id: &str, message: CommMessage) {
        self.shared.comms.closed(id);
        self.comm("comm_close", json!({ "comm_id": id }), message);
    }
}

impl Drop for CellOutput {
    fn drop(&mut self) {
        self.flush();
    }
}

/// Writes to the program's own stream. Nobody is there to hear that it failed.
pub(super) fn echo(stream: Stream, text: &str) {
    let _written = match stream {
        Stream::Stdout => std::io::stdout().write_all(text.as_bytes()),
        Stream::Stderr => std::io::stderr().write_all(text.as_bytes()),
    };
}
