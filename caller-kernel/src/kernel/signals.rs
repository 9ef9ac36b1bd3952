//! Signals of a process that is nothing but a kernel.

use std::{io, sync::Arc};

use super::shared::Shared;

/// What they mean to a kernel.
pub(crate) async fn serve(mut signals: Signals, shared: Arc<Shared>) {
    while let Some(signal) = signals.next().await {
        match signal {
            Signal::Interrupt if shared.is_busy() => shared.interrupt(),
            Signal::Interrupt | Signal::End => shared.stop.set(),
        }
    }
}

enum Signal {
    Interrupt,
    End,
}

/// The signals that come from now on. They do not end the process any more.
#[cfg(unix)]
pub(crate) struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hang_up: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    /// In the thread of a caller that is on tokio.
    pub(crate) fn new() -> io::Result<Self> {
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

/// What ends a process, or interrupts it. None of it does so by itself any more.
#[cfg(windows)]
pub(crate) struct Signals {
    interrupt: tokio::signal::windows::CtrlC,
    close: tokio::signal::windows::CtrlClose,
    shut_down: tokio::signal::windows::CtrlShutdown,
}

#[cfg(windows)]
impl Signals {
    /// In the thread of a caller that is on tokio.
    pub(crate) fn new() -> io::Result<Self> {
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
