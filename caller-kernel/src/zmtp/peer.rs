//! One connection, from its greeting to its end.

use super::{
    command,
    error::PeerError,
    frame::Decoder,
    handshake::handshake,
    limits::Limits,
    mechanism::{Mechanism, Opener, Sealer},
    queue::{Outgoing, Queue},
    socket::{Peer, Socket},
    traffic::{Assembler, Inbound},
};
use bytes::{Bytes, BytesMut};
use std::{io, pin::pin, sync::Arc};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    sync::watch,
    time,
};

/// What a connection is run with.
#[derive(Debug)]
pub(crate) struct Setting<S> {
    pub(crate) socket: Arc<S>,
    pub(crate) mechanism: Mechanism,
    pub(crate) limits: Limits,
    pub(crate) id: u64,
    /// Changes, or loses its sender, when the socket closes.
    pub(crate) closing: watch::Receiver<()>,
}

/// Serves a connection until it ends.
pub(crate) async fn serve<S: Socket>(
    mut reader: impl AsyncRead + Unpin,
    mut writer: impl AsyncWrite + Unpin,
    setting: Setting<S>,
) -> Result<(), PeerError> {
    let Setting { socket, mut mechanism, limits, id, mut closing } = setting;
    let mut decoder = Decoder::new(&limits);
    let greeting = mechanism.greeting();
    let handshake = handshake(&mut reader, &mut writer, greeting, &mut mechanism, &mut decoder);
    let properties = tokio::select! {
        done = time::timeout(limits.handshake, handshake) => done.map_err(|_| PeerError::Slow)??,
        _ = closing.changed() => return Ok(()),
    };
    if !S::PEERS.iter().any(|kind| kind.as_bytes() == properties.socket_type) {
        return Err(PeerError::SocketType(properties.socket_type));
    }
    let (opener, sealer) = mechanism.traffic(&limits)?;
    decoder.wrapped_by(opener.overhead());
    let identity = match &*properties.identity {
        [] => automatic()?,
        [0, ..] => return Err(PeerError::Identity),
        own if own.len() > 255 => return Err(PeerError::Identity),
        // A copy, as the rest of a read would live as long as the identity.
        own => Bytes::copy_from_slice(own),
    };
    let peer = Arc::new(Peer { id, identity, queue: Queue::new(limits.unread) });
    socket.join(&peer);
    let member = Member { socket, peer };
    let inbound = Reader { reader: &mut reader, decoder, opener, limits };
    let outbound = Writer { writer: &mut writer, sealer };
    let written = converse(inbound, outbound, &member, &mut closing).await?;
    drop(member);
    if written {
        linger(&mut reader, &mut writer).await?;
    }
    Ok(())
}

/// An identity for a peer that has none of its own: a zero byte, with which none of those begins, and random ones.
///
/// So it means this peer of this socket and no other: were it a number, a question to the user would go to whoever has the
/// same number at the socket for questions, and be answered by them.
fn automatic() -> io::Result<Bytes> {
    let mut identity = [0; 17];
    getrandom::fill(&mut identity[1..]).map_err(io::Error::other)?;
    Ok(Bytes::copy_from_slice(&identity))
}

/// The bytes of a peer, and what makes messages of them.
struct Reader<R> {
    reader: R,
    decoder: Decoder,
    opener: Opener,
    limits: Limits,
}

/// The way to a peer, and what messages go through to it.
struct Writer<W> {
    writer: W,
    sealer: Sealer,
}

/// Reads and writes until the peer leaves (`false`), or the socket closes and all is written (`true`).
async fn converse<S: Socket>(
    inbound: Reader<impl AsyncRead + Unpin>,
    outbound: Writer<impl AsyncWrite + Unpin>,
    Member { socket, peer }: &Member<S>,
    closing: &mut watch::Receiver<()>,
) -> Result<bool, PeerError> {
    let mut reading = pin!(read(inbound, &**socket, peer));
    let mut writing = pin!(write(outbound, &peer.queue));
    let mut broken = false;
    loop {
        tokio::select! {
            read = &mut reading => return read.map(|()| false),
            // A peer that has left can be told nothing, but what it said last is still to be read: its end follows.
            written = &mut writing, if !broken => match written {
                Ok(()) => return Ok(true),
                Err(error) => {
                    tracing::debug!(peer = peer.id, %error, "a peer cannot be written to");
                    broken = true;
                    peer.queue.close();
                }
            },
            why = peer.queue.ended() => return Err(why.into()),
            // Closing has the writing end, once all is written.
            _ = closing.changed(), if !peer.queue.is_closing() => peer.queue.close(),
        }
    }
}

/// A peer is one of its socket until its task ends, in whatever way.
struct Member<S: Socket> {
    socket: Arc<S>,
    peer: Arc<Peer>,
}

impl<S: Socket> Drop for Member<S> {
    fn drop(&mut self) {
        // Who still knows the queue finds it closed.
        self.peer.queue.close();
        self.socket.leave(&self.peer);
    }
}

/// Reads until the peer leaves.
async fn read<S: Socket>(
    Reader { mut reader, mut decoder, mut opener, limits }: Reader<impl AsyncRead + Unpin>,
    socket: &S,
    peer: &Arc<Peer>,
) -> Result<(), PeerError> {
    let mut assembler = Assembler::new(&limits);
    loop {
        while let Some(frame) = decoder.next()? {
            match assembler.push(opener.open(frame)?)? {
                Some(Inbound::Ping(context)) => peer.queue.pong(Bytes::copy_from_slice(&context)),
                Some(inbound) => socket.receive(peer, inbound).await,
                None => {}
            }
        }
        if reader.read_buf(decoder.room()).await? == 0 {
            return Ok(());
        }
    }
}

/// What is gathered is written when it has this many bytes, and the room for it is given back when it grew past that.
const GATHERED: usize = 256 << 10;

/// Writes until the queue is closed and empty.
async fn write(
    Writer { mut writer, mut sealer }: Writer<impl AsyncWrite + Unpin>,
    queue: &Queue,
) -> Result<(), PeerError> {
    let mut out = BytesMut::new();
    while let Some(batch) = queue.next().await {
        if let Some(context) = &batch.pong {
            sealer.command(&mut out, &command::encode("PONG", context));
        }
        for Outgoing { parts, .. } in &batch.messages {
            for (index, part) in parts.iter().enumerate() {
                let rest = sealer.part(&mut out, part, index + 1 < parts.len());
                if rest.is_some() || out.len() >= GATHERED {
                    writer.write_all(&out).await?;
                    out.clear();
                }
                if let Some(rest) = rest {
                    writer.write_all(rest).await?;
                }
            }
        }
        writer.write_all(&out).await?;
        out.clear();
        if out.capacity() > GATHERED {
            out = BytesMut::new();
        }
    }
    Ok(())
}

/// Says that no more comes, and waits until the peer has seen it.
///
/// A connection closed over unread input is reset, and a reset may overtake what was written last.
async fn linger(
    reader: &mut (impl AsyncRead + Unpin),
    writer: &mut (impl AsyncWrite + Unpin),
) -> Result<(), PeerError> {
    writer.shutdown().await?;
    let mut unread = [0; 4096];
    while reader.read(&mut unread).await? > 0 {}
    Ok(())
}
