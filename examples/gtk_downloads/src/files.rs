//! A server that has every file, and takes its time, and its client.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::sleep,
};

const PIECES: u32 = 64;
const PIECE: usize = 16 * 1024;

/// Starts the server in this thread, and gives its address.
pub(crate) async fn serve() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::task::spawn_local(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A client that leaves costs nothing but its own file.
            tokio::task::spawn_local(async move { drop(send(stream).await) });
        }
    });
    Ok(address)
}

/// Sends one file: its number of pieces, and the pieces. The last letter of the name decides how fast.
async fn send(mut stream: TcpStream) -> io::Result<()> {
    let length = stream.read_u32().await?;
    let mut name = vec![0; usize::try_from(length).unwrap_or(0).min(1024)];
    stream.read_exact(&mut name).await?;
    let last = u64::from(name.last().copied().unwrap_or(0) % 8);
    stream.write_u32(PIECES).await?;
    for _ in 0..PIECES {
        stream.write_all(&[0; PIECE]).await?;
        sleep(Duration::from_millis(4 + 2 * last)).await;
    }
    Ok(())
}

/// Loads a file. `progress` is told what part of it is there. Gives its length in bytes.
pub(crate) async fn load(address: SocketAddr, name: &str, progress: impl Fn(f64)) -> io::Result<usize> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_u32(u32::try_from(name.len()).map_err(io::Error::other)?).await?;
    stream.write_all(name.as_bytes()).await?;
    let pieces = stream.read_u32().await?;
    let mut piece = vec![0; PIECE];
    for number in 0..pieces {
        stream.read_exact(&mut piece).await?;
        progress(f64::from(number + 1) / f64::from(pieces));
    }
    Ok(PIECE * usize::try_from(pieces).map_err(io::Error::other)?)
}
