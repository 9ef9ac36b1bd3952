//! A connecting peer for tests: it says what it is told to, right or wrong.

use crate::zmtp::{
    Endpoint, Halves, Limits, PeerError, Security,
    command::{self, Properties},
    frame::{Decoder, Frame},
    greeting::Greeting,
    handshake::handshake,
    mechanism::{Mechanism, Opener, Sealer},
};
use bytes::{BufMut, Bytes, BytesMut};
use std::{io, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpSocket,
    time,
};

/// A peer of a socket under test.
pub(super) struct Client {
    reader: Box<dyn AsyncRead + Unpin + Send>,
    writer: Box<dyn AsyncWrite + Unpin + Send>,
    decoder: Decoder,
    opener: Opener,
    sealer: Sealer,
}

impl Client {
    /// A connection on which nothing was said yet.
    pub(super) async fn raw(endpoint: &Endpoint) -> Self {
        let (reader, writer): Halves = match endpoint {
            Endpoint::Tcp(host, port) => {
                let socket = TcpSocket::new_v4().unwrap();
                // Little room, so that a client that does not read is soon felt.
                socket.set_recv_buffer_size(64 << 10).unwrap();
                let stream = socket.connect(format!("{host}:{port}").parse().unwrap()).await.unwrap();
                // What is sent behind something else arrives behind it, and not when that was acknowledged.
                stream.set_nodelay(true).unwrap();
                let (reader, writer) = stream.into_split();
                (Box::new(reader), Box::new(writer))
            }
            endpoint @ Endpoint::Ipc(_) => endpoint.connect().await.unwrap(),
        };
        let decoder = Decoder::new(&Limits::default());
        Self { reader, writer, decoder, opener: Opener::Plain, sealer: Sealer::Plain }
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
        let own = Properties { socket_type: socket_type.into(), identity: identity.into() };
        self.join_with(minor, Security::Null.mechanism(own)).await.unwrap();
    }

    /// The handshake of a raw connection by this mechanism.
    pub(super) async fn join_with(&mut self, minor: u8, mut mechanism: Mechanism) -> Result<(), PeerError> {
        let greeting = Greeting { minor, ..mechanism.greeting() };
        let Self { reader, writer, decoder, .. } = self;
        soon(handshake(reader, writer, greeting, &mut mechanism, decoder)).await?;
        (self.opener, self.sealer) = mechanism.traffic(&Limits::default())?;
        self.decoder.wrapped_by(self.opener.overhead());
        Ok(())
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) {
        soon(self.writer.write_all(bytes)).await.unwrap();
    }

    pub(super) async fn command(&mut self, name: &str, data: &[u8]) {
        let mut out = BytesMut::new();
        self.sealer.command(&mut out, &command::encode(name, data));
        self.write(&out).await;
    }

    pub(super) async fn send(&mut self, parts: &[&[u8]]) {
        let out = self.sealed(parts);
        self.write(&out).await;
    }

    /// The bytes that say this message.
    pub(super) fn sealed(&mut self, parts: &[&[u8]]) -> BytesMut {
        let mut out = BytesMut::new();
        for (index, part) in parts.iter().enumerate() {
            if let Some(rest) = self.sealer.part(&mut out, part, index + 1 < parts.len()) {
                out.put_slice(rest);
            }
        }
        out
    }

    /// The next frame, or `None` at the end of the connection.
    pub(super) async fn frame(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.decoder.next().unwrap() {
                return Some(self.opener.open(frame).unwrap());
            }
            match soon(self.reader.read_buf(self.decoder.room())).await {
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
            while self.reader.read(&mut read).await.is_ok_and(|read| read > 0) {}
        })
        .await;
    }

    /// Says that no more is sent.
    pub(super) async fn shutdown(&mut self) {
        self.writer.shutdown().await.unwrap();
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
