//! Signals of a process that is nothing but a kernel.

use std::{io, sync::Arc};

use caller::Caller;

use super::hub::Hub;

/// Listens to signals from now on, in the thread of this caller, which is on tokio.
pub(crate) fn listen(caller: &Caller, hub: &Arc<Hub>) -> io::Result<()> {
    let hub = Arc::clone(hub);
    let listening = caller.call_soon(async move || {
        let signals = Signals::new()?;
        let here = Caller::current().map_err(io::Error::other)?;
        drop(here.call_soon(async move || signals.serve(&hub).await));
        Ok(())
    });
    listening.wait_blocking().map_err(io::Error::other)?
}

impl Signals {
    async fn serve(mut self, hub: &Hub) {
        while let Some(signal) = self.next().await {
            match signal {
                Signal::Interrupt if hub.running.any() => hub.interrupt(),
                Signal::Interrupt | Signal::End => hub.stop.set(),
            }
        }
    }
}

enum Signal {
    Interrupt,
    End,
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hang_up: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Option<Signal> {
        tokio::select! {
            some = self.interrupt.recv() => some.map(|()| Signal::Interrupt),
            some = self.terminate.recv() => some.map(|()| Signal::End),
            some = self.hang_up.recv() => some.map(|()| Signal::End),
        }
    }
}

#[cfg(windows)]
struct Signals {
    interrupt: tokio::signal::windows::CtrlC,
    close: tokio::signal::windows::CtrlClose,
    shut_down: tokio::signal::windows::CtrlShutdown,
}

#[cfg(windows)]
impl Signals {
    fn new() -> io::Result<Self> {
        use tokio::signal::windows::{ctrl_c, ctrl_close, ctrl_shutdown};
        Ok(Self { interrupt: ctrl_c()?, close: ctrl_close()?, shut_down: ctrl_shutdown()? })
    }

    async fn next(&mut self) -> Option<Signal> {
        tokio::select! {
            some = self.interrupt.recv() => some.map(|()| Signal::Interrupt),
            some = self.close.recv() => some.map(|()| Signal::End),
            some = self.shut_down.recv() => some.map(|()| Signal::End),
        }
    }
}
