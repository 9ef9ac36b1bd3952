//! The task of a socket: it accepts peers and owns their tasks.

use super::{
    command::Properties,
    endpoint::{BindError, Endpoint, Halves, Listener},
    limits::Limits,
    mechanism::Security,
    peer::{self, Setting},
    socket::Socket,
};
use bytes::Bytes;
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::watch,
    task::{JoinHandle, JoinSet},
    time,
};

/// A socket that listens. Dropped, it closes as with [`close`](Self::close), in the background.
#[derive(Debug)]
pub(crate) struct Server {
    endpoint: Endpoint,
    closing: watch::Sender<()>,
    task: JoinHandle<()>,
}

/// How long what is queued may take to be written when the socket closes.
const FLUSH: Duration = Duration::from_secs(1);

/// How long to wait after a failure to accept: mostly, there are too many open files.
const PAUSE: Duration = Duration::from_millis(50);

impl Server {
    /// Listens, and serves peers on the current runtime.
    pub(crate) async fn bind<S: Socket>(
        endpoint: Endpoint,
        socket: Arc<S>,
        limits: Limits,
        security: Security,
    ) -> Result<Self, BindError> {
        let (listener, endpoint) = Listener::bind(endpoint).await?;
        let (closing, closed) = watch::channel(());
        let task = tokio::spawn(accept(listener, socket, limits, security, closed));
        Ok(Self { endpoint, closing, task })
    }

    /// Where it listens, with the port that was chosen.
    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Frees the endpoint, writes what is queued for at most a second, and ends all peers. Begins at once; the future
    /// is done when that is.
    pub(crate) fn close(self) -> impl Future<Output = ()> + Send {
        drop(self.closing);
        // Its failure is a panic, which was reported where it happened.
        async { _ = self.task.await }
    }
}

async fn accept<S: Socket>(
    listener: Listener,
    socket: Arc<S>,
    limits: Limits,
    security: Security,
    mut closing: watch::Receiver<()>,
) {
    let mut peers = JoinSet::new();
    let mut ids = 0;
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                // What is over the limit is closed at once.
                Ok(_) if peers.len() >= limits.peers => {
                    tracing::warn!(socket = S::TYPE, limit = limits.peers, "a peer was turned away");
                }
                Ok(halves) => {
                    ids += 1;
                    let own = Properties { socket_type: Bytes::from_static(S::TYPE.as_bytes()), ..Properties::default() };
                    let (mechanism, socket, closing) =
                        (security.mechanism(own), Arc::clone(&socket), closing.clone());
                    peers.spawn(serve(halves, Setting { socket, mechanism, limits, id: ids, closing }));
                }
                Err(error) => {
                    tracing::warn!(socket = S::TYPE, %error, "a peer could not be accepted");
                    time::sleep(PAUSE).await;
                }
            },
            Some(_) = peers.join_next() => {}
            _ = closing.changed() => break,
        }
    }
    drop(listener);
    let ended = async { while peers.join_next().await.is_some() {} };
    if time::timeout(FLUSH, ended).await.is_err() {
        peers.shutdown().await;
    }
    socket.closed();
}

async fn serve<S: Socket>((reader, writer): Halves, setting: Setting<S>) {
    let id = setting.id;
    if let Err(error) = peer::serve(reader, writer, setting).await {
        tracing::debug!(socket = S::TYPE, peer = id, %error, "a peer was disconnected");
    }
}
