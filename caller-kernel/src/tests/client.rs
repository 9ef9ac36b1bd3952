//! The connecting side of ZMTP, as small as it can be.

use crate::zmtp::{
    Endpoint, Limits,
    command::{self, Properties},
    frame::{self, Decoder, Frame},
    greeting::{self, Greeting},
};
use bytes::{BufMut, Bytes, BytesMut};
use std::{io, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpSocket,
    time,
};

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// A peer of a socket under test.
pub(super) struct Client {
    stream: Box<dyn Stream>,
    decoder: Decoder,
}

impl Client {
    /// A connection on which nothing was said yet.
    pub(super) async fn raw(endpoint: &Endpoint) -> Self {
        let stream: Box<dyn Stream> = match endpoint {
            Endpoint::Tcp(host, port) => {
                let socket = TcpSocket::new_v4().unwrap();
                // Little room, so that a client that does not read is soon felt.
                socket.set_recv_buffer_size(64 << 10).unwrap();
                let stream = socket.connect(format!("{host}:{port}").parse().unwrap()).await.unwrap();
                // What is sent behind something else arrives behind it, and not when that was acknowledged.
                stream.set_nodelay(true).unwrap();
                Box::new(stream)
            }
            #[cfg(unix)]
            Endpoint::Ipc(path) => Box::new(tokio::net::UnixStream::connect(path).await.unwrap()),
            #[cfg(not(unix))]
            Endpoint::Ipc(_) => unreachable!("nothing listens there"),
        };
        Self { stream, decoder: Decoder::new(&Limits::default()) }
    }

    /// A peer of this type that has joined, speaking 3.1.
    pub(super) async fn connect(
        endpoint: &Endpoint,
        socket_type: &'static str,
        identity: &'static str,
    ) -> Self {
        Self::connect_as(1, endpoint, socket_type, identity).await
    }

    pub(super) async fn connect_as(
        minor: u8,
        endpoint: &Endpoint,
        socket_type: &'static str,
        identity: &'static str,
    ) -> Self {
        let mut client = Self::raw(endpoint).await;
        client.join_as(minor, socket_type, identity).await;
        client
    }

    /// The handshake of a raw connection.
    pub(super) async fn join(&mut self, socket_type: &'static str, identity: &'static str) {
        self.join_as(1, socket_type, identity).await;
    }

    async fn join_as(&mut self, minor: u8, socket_type: &'static str, identity: &'static str) {
        self.write(&Greeting { minor, ..Greeting::new("NULL", false) }.encode()).await;
        let own = Properties { socket_type: socket_type.into(), identity: identity.into() };
        self.command("READY", &own.encode()).await;
        let mut theirs = [0; greeting::LENGTH];
        soon(self.stream.read_exact(&mut theirs)).await.unwrap();
        assert_eq!(Greeting::decode(&theirs), Ok(Greeting::new("NULL", false)));
        assert!(matches!(self.frame().await, Some(Frame::Command(ready)) if ready.starts_with(b"\x05READY")));
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) {
        soon(self.stream.write_all(bytes)).await.unwrap();
    }

    pub(super) async fn command(&mut self, name: &str, data: &[u8]) {
        let mut out = BytesMut::new();
        frame::put_command(&mut out, &command::encode(name, data));
        self.write(&out).await;
    }

    pub(super) async fn send(&mut self, parts: &[&[u8]]) {
        let mut out = BytesMut::new();
        for (index, part) in parts.iter().enumerate() {
            frame::put_head(&mut out, part.len(), index + 1 < parts.len());
            out.put_slice(part);
        }
        self.write(&out).await;
    }

    /// The next frame, or `None` at the end of the connection.
    pub(super) async fn frame(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.decoder.next().unwrap() {
                return Some(frame);
            }
            match soon(self.stream.read_buf(self.decoder.room())).await {
                Ok(0) => return None,
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return None,
                read => drop(read.unwrap()),
            }
        }
    }

    /// Reads whatever comes until the connection ends.
    pub(super) async fn end(mut self) {
        soon(async {
            let mut read = [0; 4096];
            // A reset is an end too.
            while self.stream.read(&mut read).await.is_ok_and(|read| read > 0) {}
        })
        .await;
    }

    /// Says that no more is sent.
    pub(super) async fn shutdown(&mut self) {
        self.stream.shutdown().await.unwrap();
    }

    /// The next message, or `None` at the end of the connection.
    pub(super) async fn recv(&mut self) -> Option<Vec<Bytes>> {
        let mut parts = Vec::new();
        loop {
            match self.frame().await? {
                Frame::Part { body, more } => {
                    parts.push(body);
                    if !more {
                        return Some(parts);
                    }
                }
                Frame::Command(_) => {}
            }
        }
    }
}

/// Fails a test that waits for what does not come.
pub(super) async fn soon<T>(future: impl Future<Output = T>) -> T {
    time::timeout(Duration::from_secs(20), future).await.expect("it takes too long")
}

/// A port of this machine, to be chosen.
pub(super) fn anywhere() -> Endpoint {
    Endpoint::Tcp("127.0.0.1".into(), 0)
}
