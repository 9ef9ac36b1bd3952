//! The connecting side, as small as a kernel needs it: one connection, one question, one answer.

use super::{
    command::{self, Properties},
    endpoint::Endpoint,
    error::PeerError,
    frame::Decoder,
    handshake::handshake,
    limits::Limits,
    mechanism::{Opener, Sealer, Security},
    traffic::{Assembler, Inbound},
};
use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// A kind of socket that connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Messages as they are. See [DEALER](https://rfc.zeromq.org/spec/28/).
    Dealer,
    /// Messages after an empty part. See [REQ](https://rfc.zeromq.org/spec/28/).
    Req,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Dealer => "DEALER",
            Self::Req => "REQ",
        }
    }

    fn peers(self) -> &'static [&'static str] {
        match self {
            Self::Dealer => &["ROUTER", "DEALER"],
            Self::Req => &["ROUTER", "REP"],
        }
    }
}

/// A connection to a socket that listens.
pub(crate) struct Dialer {
    kind: Kind,
    reader: Box<dyn AsyncRead + Send + Unpin>,
    writer: Box<dyn AsyncWrite + Send + Unpin>,
    decoder: Decoder,
    assembler: Assembler,
    opener: Opener,
    sealer: Sealer,
}

impl Dialer {
    /// Connects once, and does not come back when the connection ends.
    pub(crate) async fn connect(endpoint: &Endpoint, kind: Kind, limits: &Limits) -> Result<Self, PeerError> {
        let (mut reader, mut writer) = endpoint.connect().await?;
        let own = Properties { socket_type: kind.name().into(), ..Properties::default() };
        let (mut mechanism, mut decoder) = (Security::Null.mechanism(own), Decoder::new(limits));
        let greeting = mechanism.greeting();
        let peer = handshake(&mut reader, &mut writer, greeting, &mut mechanism, &mut decoder).await?;
        if !kind.peers().iter().any(|kind| kind.as_bytes() == peer.socket_type) {
            return Err(PeerError::SocketType(peer.socket_type));
        }
        let (opener, sealer) = mechanism.traffic(limits)?;
        let assembler = Assembler::new(limits);
        Ok(Self { kind, reader, writer, decoder, assembler, opener, sealer })
    }

    pub(crate) async fn send(&mut self, parts: &[Bytes]) -> Result<(), PeerError> {
        let mut out = BytesMut::new();
        if self.kind == Kind::Req {
            let _ = self.sealer.part(&mut out, b"", true);
        }
        for (index, part) in parts.iter().enumerate() {
            if let Some(rest) = self.sealer.part(&mut out, part, index + 1 < parts.len()) {
                out.extend_from_slice(rest);
            }
        }
        Ok(self.writer.write_all(&out).await?)
    }

    /// The next message, or `None` when the peer has left.
    pub(crate) async fn recv(&mut self) -> Result<Option<Vec<Bytes>>, PeerError> {
        loop {
            while let Some(frame) = self.decoder.next()? {
                match self.assembler.push(self.opener.open(frame)?)? {
                    Some(Inbound::Message(parts)) => return Ok(Some(parts)),
                    Some(Inbound::Ping(context)) => {
                        let mut out = BytesMut::new();
                        self.sealer.command(&mut out, &command::encode("PONG", &context));
                        self.writer.write_all(&out).await?;
                    }
                    // There is nothing to subscribe to.
                    Some(Inbound::Subscribe(_) | Inbound::Cancel(_)) | None => {}
                }
            }
            if self.reader.read_buf(self.decoder.room()).await? == 0 {
                return Ok(None);
            }
        }
    }
}
