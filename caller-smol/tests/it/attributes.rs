//! The attributes, on each of the three backends.

use std::{thread, time::Duration};

use caller::Caller;
use caller_async_std::AsyncStd;
use caller_smol::Smol;
use caller_tokio::Tokio;

#[caller::test(backends = [Tokio::new(), AsyncStd::new(), Smol::new()], timeout = Duration::from_secs(20))]
async fn a_test_on_each() -> caller::Result<()> {
    let here = Caller::current()?;
    let name = here.backend().name();
    match name {
        "tokio" => tokio::time::sleep(Duration::from_millis(1)).await,
        "async-std" => async_std::task::sleep(Duration::from_millis(1)).await,
        _ => drop(async_io::Timer::after(Duration::from_millis(1)).await),
    }
    let child = here.call_soon(async || Caller::current().map(|caller| caller.backend().name()));
    assert_eq!(child.await??, name);
    assert_eq!(here.name(), format!("a_test_on_each_{}", name.replace('-', "_")));
    Ok(())
}

#[caller::main(backend = Tokio::new())]
async fn on_tokio() -> thread::ThreadId {
    tokio::time::sleep(Duration::from_millis(1)).await;
    thread::current().id()
}

#[caller::main(backend = AsyncStd::new())]
async fn on_async_std() -> thread::ThreadId {
    async_std::task::sleep(Duration::from_millis(1)).await;
    thread::current().id()
}

#[caller::main(backend = Smol::new())]
async fn on_smol() -> thread::ThreadId {
    let spawned = caller_smol::spawn_local(async_io::Timer::after(Duration::from_millis(1)));
    spawned.expect("a caller on smol runs").await;
    thread::current().id()
}

#[test]
fn a_main_on_each() {
    let here = thread::current().id();
    assert_eq!([on_tokio(), on_async_std(), on_smol()], [here; 3]);
}
