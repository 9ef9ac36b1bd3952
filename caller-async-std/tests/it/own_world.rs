//! What belongs to async-std works inside calls.

use std::{
    cell::Cell,
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use async_std::{
    fs,
    io::{ReadExt, WriteExt},
    net::{TcpListener, TcpStream},
    task,
};
use caller::{Caller, ContextVar, testing::Running};
use caller_async_std::AsyncStd;

async_std::task_local! {
    static NUMBER: Cell<u32> = Cell::new(0);
}

fn caller() -> Running {
    Running(Caller::builder().backend(AsyncStd::new()).spawn().unwrap())
}

static OWN: ContextVar<u32> = ContextVar::new();

/// The calls of a caller are polled in one task of async-std's; what belongs to a call alone is a context value.
#[test]
fn calls_share_a_task_and_have_values_of_their_own() {
    let caller = caller();
    let calls: Vec<_> = (1..=10)
        .map(|number| {
            caller.call_soon(async move || {
                let id = task::current().id();
                OWN.set(number).unwrap();
                NUMBER.with(|shared| shared.set(shared.get() + 1));
                for _ in 0..3 {
                    task::yield_now().await;
                    assert_eq!(OWN.get(), Some(number), "no other call's value is seen");
                    assert_eq!(task::current().id(), id, "the same task at each poll");
                }
                (id, NUMBER.with(Cell::get))
            })
        })
        .collect();
    let seen: Vec<_> = calls.into_iter().map(|call| call.wait_blocking().unwrap()).collect();
    assert_eq!(seen.iter().map(|(id, _)| id).collect::<HashSet<_>>().len(), 1);
    assert_eq!(seen.iter().map(|(_, count)| *count).max(), Some(10));
}

#[test]
fn a_destructor_of_a_cancelled_call_runs_in_its_task() {
    struct Asks(Arc<AtomicUsize>);
    impl Drop for Asks {
        fn drop(&mut self) {
            let seen = if task::try_current().is_some() { OWN.get().unwrap_or(1) } else { 0 };
            self.0.store(seen as usize, Ordering::SeqCst);
        }
    }
    let caller = caller();
    for stops in [false, true] {
        let seen = Arc::new(AtomicUsize::new(0));
        let asks = Asks(seen.clone());
        let (begun, begins) = std::sync::mpsc::channel();
        let call = caller.call_soon(async move || {
            let _asks = asks;
            OWN.set(7).unwrap();
            begun.send(()).unwrap();
            std::future::pending::<()>().await;
        });
        begins.recv().unwrap();
        if stops {
            caller.force_stop();
        } else {
            call.cancel("enough");
        }
        assert!(call.wait_blocking().unwrap_err().is_cancelled());
        assert_eq!(seen.load(Ordering::SeqCst), 7);
    }
}

#[test]
fn timers_sockets_files_and_tasks() {
    let caller = caller();
    let here = caller.call_soon(async || thread::current().id()).wait_blocking().unwrap();
    let call = caller.call_soon(async move || {
        task::sleep(Duration::from_millis(1)).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let echo = task::spawn_local(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut word = [0; 4];
            stream.read_exact(&mut word).await.unwrap();
            stream.write_all(&word).await.unwrap();
            thread::current().id()
        });
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"ping").await.unwrap();
        let mut word = [0; 4];
        stream.read_exact(&mut word).await.unwrap();
        assert_eq!(&word, b"ping");
        assert_eq!(echo.await, here, "a local task runs in the caller's thread");
        assert_ne!(task::spawn(async { thread::current().id() }).await, here);
        assert_ne!(task::spawn_blocking(|| thread::current().id()).await, here);
        let manifest = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).await.unwrap();
        assert!(manifest.contains("caller-async-std"));
        thread::current().id()
    });
    assert_eq!(call.wait_blocking().unwrap(), here);
}

#[test]
fn a_scope_inside_a_running_async_std() {
    let value = task::block_on(async {
        Caller::scope(AsyncStd::new(), async |caller| {
            let worker = caller.to_thread(async || {
                task::sleep(Duration::from_millis(1)).await;
                20
            });
            worker.await.unwrap() + caller.call_soon(async || 22).await.unwrap()
        })
        .await
    });
    assert_eq!(value.unwrap(), 42);
}
