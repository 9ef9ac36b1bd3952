//! New measurements, which a server sends.

use std::{error::Error, io, time::Duration};

use caller::{Caller, DoneCallback, Resident};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    time::sleep,
};

use crate::{
    database::{Database, Measurement, Weather},
    view::View,
};

/// Reads the socket, in the window's thread: each measurement is shown at once, and the database is told.
pub(crate) async fn read(
    gui: &Caller,
    view: &Resident<View>,
    database: &Resident<Database>,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let server = gui.child_builder().name("server").spawn()?;
    let address = server.try_call_soon(async || {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        tokio::task::spawn_local(serve(listener));
        io::Result::Ok(address)
    });
    let mut lines = BufReader::new(TcpStream::connect(address.await?).await?).lines();
    let failed = DoneCallback::new({
        let view = view.clone();
        move |write| {
            if let Ok(Some(error)) = write.error() {
                drop(view.run(move |view| view.fail(&error.to_string())));
            }
        }
    });
    while let Some(line) = lines.next_line().await? {
        let (station, value) = line.split_once(' ').ok_or("a line has two words")?;
        let new = Measurement::now(station.parse()?, value.parse()?);
        view.with_mut(|view| view.add_new(new))?;
        // Not awaited: it has its turn when the search that runs has ended.
        database.try_run(move |database| database.add(new)).handle().add_done_callback(&failed);
    }
    Err("the server has left".into())
}

/// Sends a line now and then: the number of a station, and a temperature.
async fn serve(listener: TcpListener) -> io::Result<()> {
    let (mut stream, _) = listener.accept().await?;
    let mut weather = Weather::default();
    loop {
        let Measurement { station, value, .. } = weather.measure();
        stream.write_all(format!("{station} {value:.2}\n").as_bytes()).await?;
        sleep(Duration::from_millis(50)).await;
    }
}
