//! The runtimes, each with its own sockets and timers.

use std::{
    net::{SocketAddr, TcpListener},
    rc::Rc,
    time::Duration,
};

use caller::{Backend, LocalFuture};
use caller_async_std::AsyncStd;
use caller_smol::Smol;
use caller_tokio::Tokio;

const TIMER: Duration = Duration::from_millis(1);

/// A listener of nobody's yet, and where it listens.
pub(crate) fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("an option");
    let address = listener.local_addr().expect("an address");
    (listener, address)
}

pub(crate) trait World: Backend {
    fn make() -> Self;

    /// Accepts one stream, and sends each byte back.
    fn echo(listener: TcpListener) -> LocalFuture<'static>;

    /// Sends so many bytes, each when the last came back.
    fn talk(address: SocketAddr, trips: usize) -> LocalFuture<'static>;

    /// Sleeps so many times.
    fn ticks(count: usize) -> LocalFuture<'static>;

    /// Runs each in a task of its own, in this thread, without us.
    fn alone<const N: usize>(tasks: [LocalFuture<'static>; N]);
}

/// The two ends of the ping-pong, for streams whose traits have the same names.
macro_rules! ends {
    ($listener:ident => $listen:expr, $address:ident => $connect:expr) => {
        fn echo($listener: TcpListener) -> LocalFuture<'static> {
            Box::pin(async move {
                let mut stream = $listen;
                let mut byte = [0];
                while stream.read_exact(&mut byte).await.is_ok() {
                    stream.write_all(&byte).await.expect("a peer");
                }
            })
        }

        fn talk($address: SocketAddr, trips: usize) -> LocalFuture<'static> {
            Box::pin(async move {
                let mut stream = $connect;
                let mut byte = [0];
                for _ in 0..trips {
                    stream.write_all(&byte).await.expect("the echo");
                    stream.read_exact(&mut byte).await.expect("the echo");
                }
            })
        }
    };
}

mod on_tokio {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net,
        runtime::{Builder, LocalOptions},
        task::spawn_local,
        time::sleep,
    };

    use super::*;

    fn prompt(stream: net::TcpStream) -> net::TcpStream {
        stream.set_nodelay(true).expect("an option");
        stream
    }

    impl World for Tokio {
        fn make() -> Self {
            Self::new()
        }

        ends! {
            listener => {
                let listener = net::TcpListener::from_std(listener).expect("it does not block");
                prompt(listener.accept().await.expect("a peer").0)
            },
            address => prompt(net::TcpStream::connect(address).await.expect("the echo"))
        }

        fn ticks(count: usize) -> LocalFuture<'static> {
            Box::pin(async move {
                for _ in 0..count {
                    sleep(TIMER).await;
                }
            })
        }

        fn alone<const N: usize>(tasks: [LocalFuture<'static>; N]) {
            let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
            runtime.expect("a runtime").block_on(async {
                for task in tasks.map(spawn_local) {
                    task.await.expect("it ends");
                }
            });
        }
    }
}

mod on_async_std {
    use async_std::{io::prelude::*, net, task};

    use super::*;

    fn prompt(stream: net::TcpStream) -> net::TcpStream {
        stream.set_nodelay(true).expect("an option");
        stream
    }

    impl World for AsyncStd {
        fn make() -> Self {
            Self::new()
        }

        ends! {
            listener => prompt(net::TcpListener::from(listener).accept().await.expect("a peer").0),
            address => prompt(net::TcpStream::connect(address).await.expect("the echo"))
        }

        fn ticks(count: usize) -> LocalFuture<'static> {
            Box::pin(async move {
                for _ in 0..count {
                    task::sleep(TIMER).await;
                }
            })
        }

        fn alone<const N: usize>(tasks: [LocalFuture<'static>; N]) {
            task::block_on(async {
                for task in tasks.map(task::spawn_local) {
                    task.await;
                }
            });
        }
    }
}

mod on_smol {
    use async_executor::LocalExecutor;
    use async_io::{Async, Timer};
    use futures_lite::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    fn prompt(stream: Async<std::net::TcpStream>) -> Async<std::net::TcpStream> {
        stream.get_ref().set_nodelay(true).expect("an option");
        stream
    }

    impl World for Smol {
        fn make() -> Self {
            Self::new()
        }

        ends! {
            listener => prompt(Async::new(listener).expect("a socket").accept().await.expect("a peer").0),
            address => prompt(Async::<std::net::TcpStream>::connect(address).await.expect("the echo"))
        }

        fn ticks(count: usize) -> LocalFuture<'static> {
            Box::pin(async move {
                for _ in 0..count {
                    Timer::after(TIMER).await;
                }
            })
        }

        fn alone<const N: usize>(tasks: [LocalFuture<'static>; N]) {
            let executor = Rc::new(LocalExecutor::new());
            async_io::block_on(executor.run(async {
                for task in tasks.map(|task| executor.spawn(task)) {
                    task.await;
                }
            }));
        }
    }
}
