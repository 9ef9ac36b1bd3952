//! The five channels of a kernel.

use crate::{
    connection::{self, Connection, Transport},
    wire::{Json, Message, Session},
    zmtp::{
        BindError, Class, Endpoint, Heartbeat, Limits, Publisher, Router, RouterSender, Server, Subscription,
    },
};
use bytes::Bytes;
use serde_json::json;
use std::{
    collections::HashMap,
    mem,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::mpsc;

const MIB: usize = 1 << 20;

/// The five channels of a kernel, listening. See [introduction][intro].
///
/// Their tasks live on the tokio runtime they were bound on, which needs its drivers for network and time. The fifth, the
/// heartbeat, answers there by itself. Channels and senders may be used in any thread, on any runtime.
///
/// [intro]: https://jupyter-client.readthedocs.io/en/stable/messaging.html#introduction
#[derive(Debug)]
#[non_exhaustive]
pub struct Sockets {
    /// Requests that run in order.
    pub shell: Channel,
    /// Requests that do not wait for those of the shell.
    pub control: Channel,
    /// Questions to the user, and their answers.
    pub stdin: Channel,
    /// Output for all.
    pub iopub: IoPub,
    /// Who subscribed to the output; to be answered by [`IoPub::welcome`]. Up to 256 wait to be taken, then a client
    /// that subscribes waits too.
    pub subscriptions: mpsc::Receiver<Subscription>,
    /// What keeps the sockets open, and closes them.
    pub closer: Closer,
}

/// Closes the sockets, and knows where they listen. Dropped, it closes them in the background.
#[derive(Debug)]
pub struct Closer {
    connection: Connection,
    servers: [Server; 5],
}

impl Sockets {
    /// Listens where the connection says, with ports that are 0 chosen: see [`Closer::connection`].
    ///
    /// With CURVE keys, all five talk only to clients that know the public one, and encrypt what they say; that takes the
    /// feature `curve`. As with ipykernel, a client may have any keys of its own.
    ///
    /// # Cancel safety
    ///
    /// When dropped before it is done, the ports it has are free again.
    ///
    /// # Errors
    ///
    /// A port is taken, there is no such address or folder, or the CURVE keys cannot be used.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime, or in one that lacks the drivers for network and time.
    pub async fn bind(connection: Connection) -> Result<Self, BindError> {
        Self::bind_with(connection, Limits::default()).await
    }

    pub(crate) async fn bind_with(mut connection: Connection, limits: Limits) -> Result<Self, BindError> {
        let security = connection::security(&connection)?;
        let session = Arc::new(Session::new(&connection.key));
        // Anybody may ask for an echo, and none is worth much.
        let echoes = Limits { unread: [MIB; 3], ..limits };

        let mut router = async |port| {
            let (server, router) =
                bind(&mut connection, port, |at| Router::bind(at, limits, security.clone())).await?;
            let sender = ChannelSender { session: Arc::clone(&session), router: router.sender().clone() };
            Ok::<_, BindError>((server, Channel { router, sender }))
        };
        let (first, shell) = router(|c| &mut c.shell_port).await?;
        let (second, control) = router(|c| &mut c.control_port).await?;
        let (third, stdin) = router(|c| &mut c.stdin_port).await?;
        let (fourth, (publisher, subscriptions)) =
            bind(&mut connection, |c| &mut c.iopub_port, |at| Publisher::bind(at, limits, security.clone()))
                .await?;
        let (fifth, ()) =
            bind(&mut connection, |c| &mut c.hb_port, |at| Heartbeat::bind(at, echoes, security.clone()))
                .await?;
        Ok(Self {
            shell,
            control,
            stdin,
            iopub: IoPub { session, publisher, dropped: Arc::default() },
            subscriptions,
            closer: Closer { connection, servers: [first, second, third, fourth, fifth] },
        })
    }
}

/// Binds one socket, and notes the port it got.
async fn bind<T, F: Future<Output = Result<(Server, T), BindError>>>(
    connection: &mut Connection,
    port: fn(&mut Connection) -> &mut u16,
    socket: impl Fn(Endpoint) -> F,
) -> Result<(Server, T), BindError> {
    let Connection { transport, ip, .. } = connection.clone();
    let wanted = port(connection);
    match transport {
        Transport::Tcp => {
            let bound = socket(Endpoint::Tcp(ip, *wanted)).await?;
            if let Endpoint::Tcp(_, chosen) = bound.0.endpoint() {
                *wanted = *chosen;
            }
            Ok(bound)
        }
        Transport::Ipc if *wanted == 0 => {
            // What follows the dash counts up to the first name that is free.
            for number in 1..u16::MAX {
                let path = PathBuf::from(format!("{ip}-{number}"));
                // Binding would ask whether anybody listens at a file that is there, which they would notice.
                if path.exists() {
                    continue;
                }
                *wanted = number;
                match socket(Endpoint::Ipc(path)).await {
                    // Another kernel was faster.
                    Err(error) if error.is_in_use() => {}
                    bound => return bound,
                }
            }
            *wanted = u16::MAX;
            socket(Endpoint::Ipc(format!("{ip}-{wanted}").into())).await
        }
        Transport::Ipc => socket(Endpoint::Ipc(format!("{ip}-{wanted}").into())).await,
    }
}

impl Closer {
    /// Where the sockets listen: no port is 0.
    #[must_use]
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Frees the ports, writes what is queued for at most one second, and disconnects all clients.
    ///
    /// What is sent from now on is lost.
    ///
    /// # Cancel safety
    ///
    /// When dropped before it is done, the sockets close all the same.
    pub async fn close(self) {
        // Each has its second at the same time: all begin to close before one is waited for.
        let closing = self.servers.map(Server::close);
        for closed in closing {
            closed.await;
        }
    }
}

/// The requests of one channel, and the way back to who sent them.
///
/// It may be moved to another thread and awaited on another runtime: signatures are checked there.
#[derive(Debug)]
pub struct Channel {
    router: Router,
    sender: ChannelSender,
}

impl Channel {
    /// Waits for the next message with a valid signature. Others are passed over, with a warning to the log.
    ///
    /// Up to 256 messages wait to be taken, then clients that send more wait too. `None` when the sockets are closed.
    ///
    /// # Cancel safety
    ///
    /// No message is lost when this is dropped.
    pub async fn recv(&mut self) -> Option<Message> {
        loop {
            match self.sender.session.decode(self.router.recv().await?) {
                Ok(message) => return Some(message),
                Err(error) => tracing::warn!(%error, "a message was passed over"),
            }
        }
    }

    /// What sends on this channel.
    #[must_use]
    pub fn sender(&self) -> &ChannelSender {
        &self.sender
    }
}

/// Sends replies and requests to single clients, from any thread.
#[derive(Clone, Debug)]
pub struct ChannelSender {
    session: Arc<Session>,
    router: RouterSender,
}

impl ChannelSender {
    /// Signs a message and queues it for the client it is for, which its identities tell.
    ///
    /// `false` when that client is not there any more; one that leaves more than 512 MiB unread is disconnected.
    pub fn send(&self, message: &Message) -> bool {
        let mut frames = self.session.encode(message);
        if message.identities.is_empty() {
            return false;
        }
        let client = frames.remove(0);
        self.router.send(&client, frames)
    }

    /// Whether the client that these identities name is there.
    pub(crate) fn has(&self, identities: &[Bytes]) -> bool {
        identities.first().is_some_and(|client| self.router.has(client))
    }

    /// Waits until a client has left since this was last waited for, which one waiter may do.
    pub(crate) async fn client_left(&self) {
        self.router.left().await;
    }

    /// What makes messages to send.
    #[must_use]
    pub fn session(&self) -> &Session {
        &self.session
    }
}

/// Publishes output, from any thread. It never waits for a client.
#[derive(Clone, Debug)]
pub struct IoPub {
    session: Arc<Session>,
    publisher: Publisher,
    dropped: Arc<Mutex<HashMap<Lack, Dropped>>>,
}

/// Which client lacks something, and the header of the request whose output that was.
type Lack = (u64, Json);

/// What was dropped and is not told yet.
#[derive(Clone, Copy, Debug, Default)]
struct Dropped {
    messages: usize,
    bytes: usize,
}

impl IoPub {
    /// Signs a message and queues it for all who subscribed to its topic, which is its one identity.
    ///
    /// Messages of one thread arrive in their order. What becomes of one whose receiver does not keep up is told by its
    /// [class](Class).
    pub fn publish(&self, message: &Message, class: Class) {
        if !self.publisher.is_heard() {
            return;
        }
        let frames = self.session.encode(message);
        let size: usize = frames.iter().map(|frame| frame.len()).sum();
        for client in self.publisher.publish(frames, class) {
            let mut all = self.dropped();
            let dropped = all.entry((client, message.parent_header.clone())).or_default();
            dropped.messages += 1;
            dropped.bytes += size;
        }
    }

    /// Tells each client what was dropped for it since this was last called, and no other: by a message on `stderr` for each
    /// request whose output it was, which is not dropped. To be called before a request is said to be over.
    pub fn tell_dropped(&self) {
        let dropped = mem::take(&mut *self.dropped());
        for ((client, parent), Dropped { messages, bytes }) in dropped {
            let text = format!(
                "[{} messages of output ({:.1} MB) were dropped: this front end did not read them in time]\n",
                grouped(messages),
                bytes as f64 / 1e6,
            );
            let note = self.session.message("stream", &parent, &json!({ "name": "stderr", "text": text }));
            let note = note.expect("an object of two texts is json").on_topic("stream.stderr");
            self.publisher.send_to(client, self.session.encode(&note));
        }
    }

    fn dropped(&self) -> MutexGuard<'_, HashMap<Lack, Dropped>> {
        // Nothing under the lock can leave it half changed.
        self.dropped.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells a new subscriber, and no other, that it will miss nothing from now on. See [JEP 65][jep].
    ///
    /// [jep]: https://jupyter.org/enhancement-proposals/65-jupyter-xpub/jupyter-xpub.html
    pub fn welcome(&self, subscription: &Subscription) {
        let topic = String::from_utf8_lossy(&subscription.topic);
        let welcome =
            self.session.message("iopub_welcome", &Json::empty(), &json!({ "subscription": topic }));
        let welcome = welcome.expect("an object of one text is json").on_topic(subscription.topic.clone());
        self.publisher.send_to(subscription.subscriber, self.session.encode(&welcome));
    }

    /// What makes messages to publish.
    #[must_use]
    pub fn session(&self) -> &Session {
        &self.session
    }
}

/// A number as people write it: `1,234`.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_numbers_are_grouped() {
        let shown = [0, 12, 123, 1234, 123_456, 1_234_567].map(grouped);
        assert_eq!(shown, ["0", "12", "123", "1,234", "123,456", "1,234,567"]);
    }
}
