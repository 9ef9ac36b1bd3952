//! From a fresh connection to a peer, on either side: greetings, and the commands of the mechanism.

use super::{
    command::Properties,
    error::PeerError,
    frame::{self, Decoder},
    greeting::{self, Greeting},
    mechanism::Mechanism,
};
use bytes::{Bytes, BytesMut};
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Greets and is greeted, and gives what the peer tells of itself. Its messages come through the decoder.
pub(crate) async fn handshake(
    reader: &mut (impl AsyncRead + Unpin),
    writer: &mut (impl AsyncWrite + Unpin),
    own: Greeting,
    mechanism: &mut Mechanism,
    decoder: &mut Decoder,
) -> Result<Properties, PeerError> {
    writer.write_all(&own.encode()).await?;
    let mut greeting = [0; greeting::LENGTH];
    // In two steps, so that one who speaks something else, and waits for us, is not waited for.
    reader.read_exact(&mut greeting[..greeting::SIGNATURE]).await?;
    greeting::check(&greeting[..greeting::SIGNATURE])?;
    reader.read_exact(&mut greeting[greeting::SIGNATURE..]).await?;
    mechanism.agree(&Greeting::decode(&greeting)?.mechanism)?;
    send(writer, mechanism.start()).await?;
    loop {
        let Some(frame) = decoder.next()? else {
            if reader.read_buf(decoder.room()).await? == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            continue;
        };
        let progress = mechanism.receive(frame)?;
        send(writer, progress.send).await?;
        if let Some(properties) = progress.done {
            return Ok(properties);
        }
    }
}

async fn send(writer: &mut (impl AsyncWrite + Unpin), commands: Vec<Bytes>) -> io::Result<()> {
    let mut out = BytesMut::new();
    for command in commands {
        frame::put_command(&mut out, &command);
    }
    writer.write_all(&out).await
}
