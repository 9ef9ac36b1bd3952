//! A front end, as it is seen by a kernel.

use super::client::Client;
use crate::{Connection, Header, Json, Kernel, KernelBuilder, Message, Session, Transport, zmtp::Endpoint};
use serde_json::{Value, json};
use std::{collections::VecDeque, fmt::Write, mem};
use tokio::sync::{Mutex, MutexGuard};

/// A process has one kernel, and where all tests are in one process they take turns.
static TURN: Mutex<()> = Mutex::const_new(());

/// A kernel with a front end, until it is dropped.
pub(super) struct Bench {
    pub(super) kernel: Kernel,
    // It leaves before the kernel stops: that would wait for what it does not read.
    pub(super) front: Front,
    _stop: Stop,
    _turn: MutexGuard<'static, ()>,
}

/// Stops a kernel when it is dropped.
struct Stop(Kernel);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.stop();
        let _stopped = self.0.stopped().blocking();
    }
}

/// The turn of a test that makes its own kernels.
pub(super) fn turn() -> MutexGuard<'static, ()> {
    TURN.blocking_lock()
}

impl Bench {
    pub(super) async fn new() -> Self {
        Self::with(|builder| builder).await
    }

    pub(super) async fn with(options: impl FnOnce(KernelBuilder) -> KernelBuilder) -> Self {
        let turn = TURN.lock().await;
        let kernel = options(Kernel::builder()).start().unwrap();
        let front = Front::new(kernel.connection(), "one").await;
        Self { _stop: Stop(kernel.clone()), kernel, front, _turn: turn }
    }
}

/// A client with all channels but the heartbeat.
pub(super) struct Front {
    pub(super) connection: Connection,
    pub(super) session: Session,
    shell: Client,
    control: Client,
    stdin: Client,
    iopub: Client,
    /// What was read on the way to something else.
    waiting: VecDeque<Message>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum On {
    Shell,
    Control,
}

impl Front {
    pub(super) async fn new(connection: &Connection, identity: &'static str) -> Self {
        let Connection { shell_port, control_port, stdin_port, iopub_port, .. } = *connection;
        let connect = async |port, kind| {
            let Connection { transport, ip, .. } = connection;
            let endpoint = match transport {
                Transport::Tcp => Endpoint::Tcp(ip.clone(), port),
                Transport::Ipc => Endpoint::Ipc(format!("{ip}-{port}").into()),
            };
            Client::connect(&endpoint, kind, identity).await
        };
        let mut iopub = connect(iopub_port, "SUB").await;
        iopub.command("SUBSCRIBE", b"").await;
        let mut front = Self {
            session: Session::new(&connection.key),
            shell: connect(shell_port, "DEALER").await,
            control: connect(control_port, "DEALER").await,
            stdin: connect(stdin_port, "DEALER").await,
            iopub,
            waiting: VecDeque::new(),
            connection: connection.clone(),
        };
        assert_eq!(front.published().await.msg_type(), "iopub_welcome");
        front
    }

    /// A client of the heartbeat.
    pub(super) async fn heart(connection: &Connection) -> Client {
        let Connection { ip, hb_port, .. } = connection.clone();
        Client::connect(&Endpoint::Tcp(ip, hb_port), "REQ", "").await
    }

    pub(super) fn request(&self, msg_type: &str, content: Value) -> Message {
        self.session.message(msg_type, &Json::empty(), &content).unwrap()
    }

    /// The same request, for a subshell.
    pub(super) fn in_subshell(request: Message, id: &str) -> Message {
        let mut header: Value = request.header.json().read().unwrap();
        header["subshell_id"] = id.into();
        Message { header: Header::new(Json::new(&header).unwrap()), ..request }
    }

    /// A cell with tags.
    pub(super) fn tagged(&self, code: &str, tags: Value) -> Message {
        let metadata = Json::new(&json!({ "tags": tags })).unwrap();
        self.request("execute_request", json!({ "code": code })).with_metadata(metadata)
    }

    pub(super) async fn send(&mut self, on: On, message: &Message) {
        let frames = self.session.encode(message);
        let parts: Vec<&[u8]> = frames.iter().map(|part| &part[..]).collect();
        match on {
            On::Shell => self.shell.send(&parts).await,
            On::Control => self.control.send(&parts).await,
        }
    }

    /// Sends a cell, and does not wait.
    pub(super) async fn cell(&mut self, code: &str) -> Message {
        let request = self.request("execute_request", json!({ "code": code }));
        self.send(On::Shell, &request).await;
        request
    }

    pub(super) async fn reply(&mut self, on: On) -> Message {
        let frames = match on {
            On::Shell => self.shell.recv().await,
            On::Control => self.control.recv().await,
        };
        self.session.decode(frames.unwrap()).unwrap()
    }

    /// The next question to the user.
    pub(super) async fn asked(&mut self) -> Message {
        self.session.decode(self.stdin.recv().await.unwrap()).unwrap()
    }

    /// Leaves the stdin channel, and comes back by this identity.
    pub(super) async fn rejoin_stdin(&mut self, identity: &'static str) {
        let Connection { ip, stdin_port, .. } = self.connection.clone();
        let again = Client::raw(&Endpoint::Tcp(ip, stdin_port)).await;
        let mut stdin = mem::replace(&mut self.stdin, again);
        stdin.shutdown().await;
        stdin.end().await;
        self.stdin.join("DEALER", identity).await;
    }

    pub(super) async fn answer(&mut self, question: Option<&Message>, value: &str) {
        let parent = question.map_or(Json::empty(), |question| question.header.json().clone());
        let reply = self.session.message("input_reply", &parent, &json!({ "value": value })).unwrap();
        let frames = self.session.encode(&reply);
        self.stdin.send(&frames.iter().map(|part| &part[..]).collect::<Vec<_>>()).await;
    }

    /// The next message on iopub.
    pub(super) async fn published(&mut self) -> Message {
        if let Some(message) = self.waiting.pop_front() {
            return message;
        }
        self.session.decode(self.iopub.recv().await.unwrap()).unwrap()
    }

    /// What is published for a request up to the message that this one is; what is for others waits.
    pub(super) async fn published_for(
        &mut self,
        request: &Message,
        is_last: impl Fn(&Message) -> bool,
    ) -> Vec<Message> {
        let (mut own, mut others) = (Vec::new(), VecDeque::new());
        loop {
            let message = self.published().await;
            if message.parent_header != *request.header.json() {
                others.push_back(message);
                continue;
            }
            let last = is_last(&message);
            own.push(message);
            if last {
                others.append(&mut self.waiting);
                self.waiting = others;
                return own;
            }
        }
    }

    /// All that is published for a request.
    pub(super) async fn all_for(&mut self, request: &Message) -> Vec<Message> {
        self.published_for(request, is_idle).await
    }

    /// Waits until a cell prints something.
    pub(super) async fn printed(&mut self, request: &Message) {
        self.published_for(request, |message| message.msg_type() == "stream").await;
    }

    /// Sends a request, and gives what comes of it: the reply, and what is published.
    pub(super) async fn exchange(&mut self, on: On, request: &Message) -> (Message, Vec<Message>) {
        self.send(on, request).await;
        let reply = self.reply(on).await;
        assert_eq!(&reply.parent_header, request.header.json(), "the reply to another request");
        (reply, self.all_for(request).await)
    }

    /// As [`exchange`](Self::exchange), written down.
    pub(super) async fn transcript(&mut self, on: On, msg_type: &str, content: Value) -> String {
        let request = self.request(msg_type, content);
        let (reply, published) = self.exchange(on, &request).await;
        transcript(on, Some(&reply), &published)
    }

    /// Runs a cell, and writes down all that comes of it.
    pub(super) async fn run(&mut self, code: &str) -> String {
        self.transcript(On::Shell, "execute_request", json!({ "code": code })).await
    }

    /// The reply to a request.
    pub(super) async fn ask(&mut self, on: On, msg_type: &str, content: Value) -> Value {
        let request = self.request(msg_type, content);
        content_of(&self.exchange(on, &request).await.0)
    }

    /// What a cell prints.
    pub(super) async fn prints(&mut self, code: &str) -> String {
        let request = self.request("execute_request", json!({ "code": code }));
        let (_, published) = self.exchange(On::Shell, &request).await;
        text_of(&published)
    }
}

pub(super) fn is_idle(message: &Message) -> bool {
    message.msg_type() == "status" && content_of(message)["execution_state"] == "idle"
}

pub(super) fn content_of(message: &Message) -> Value {
    message.content.read().unwrap()
}

/// All text of streams, and of errors.
pub(super) fn text_of(published: &[Message]) -> String {
    published
        .iter()
        .map(content_of)
        .filter_map(|content| {
            let text = content.get("text").or_else(|| content.get("evalue"))?;
            Some(text.as_str()?.to_owned())
        })
        .collect()
}

/// A line a message: channel, type, content, and what else it has. Tracebacks are left out, since others test them.
pub(super) fn transcript(on: On, reply: Option<&Message>, published: &[Message]) -> String {
    let mut text = String::new();
    let channel = if on == On::Shell { "shell" } else { "control" };
    let own = published.iter().map(|message| ("iopub", message));
    for (channel, message) in own.chain(reply.map(|reply| (channel, reply))) {
        let mut content = content_of(message);
        if let Some(content) = content.as_object_mut() {
            content.remove("traceback");
        }
        write!(text, "{channel} {} {content}", message.msg_type()).unwrap();
        if message.metadata != Json::empty() {
            write!(text, " metadata={:?}", message.metadata).unwrap();
        }
        if !message.buffers.is_empty() {
            write!(text, " buffers={:?}", message.buffers).unwrap();
        }
        text.push('\n');
    }
    without_ids(&text)
}

/// Replaces ids that are made up.
fn without_ids(text: &str) -> String {
    let mut out = String::new();
    for (at, part) in text.split("\"lua-").enumerate() {
        match part.split_once('"') {
            Some((_, rest)) if at > 0 => write!(out, "\"…\"{rest}").unwrap(),
            _ => out.push_str(part),
        }
    }
    out
}
