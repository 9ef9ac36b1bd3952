//! Where a caller can live in tokio, and what works inside its calls.

use std::{rc::Rc, thread, time::Duration};

use caller::{Caller, CallerState, Result};
use caller_tokio::Tokio;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    runtime::{Builder, Handle, LocalOptions, Runtime},
    task::{LocalSet, spawn_local},
};

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn multi_thread() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Uses a scope for what only a thread's own caller can do.
async fn in_a_scope() -> Result<()> {
    Caller::scope(Tokio::new(), async |caller| {
        let here = thread::current().id();
        let kept = Rc::new(5);
        let local = caller.call_soon_local(async move || {
            tokio::time::sleep(Duration::from_millis(1)).await;
            *kept
        })?;
        assert_eq!(local.await?, 5);
        let nested = caller.call_soon(async move || {
            let spawned = tokio::spawn(async { 6 });
            (spawned.await.unwrap(), thread::current().id())
        });
        assert_eq!(nested.await?, (6, here));
        assert_eq!(caller.to_thread(async || 7).await?, 7);
        Ok(())
    })
    .await?
}

#[test]
fn a_scope_in_every_flavor() {
    multi_thread().block_on(in_a_scope()).unwrap();
    current_thread().block_on(in_a_scope()).unwrap();
    let local = Builder::new_current_thread().enable_all().build_local(LocalOptions::default()).unwrap();
    local.block_on(in_a_scope()).unwrap();
    LocalSet::new().block_on(&current_thread(), in_a_scope()).unwrap();
    // In a local task beside others.
    local.block_on(async { spawn_local(in_a_scope()).await.unwrap().unwrap() });
}

#[test]
fn implicit_start_in_local_runtimes() {
    async fn started() -> Caller {
        let caller = Tokio::current().unwrap();
        assert_eq!(Tokio::current().unwrap(), caller);
        assert_eq!(caller.call_soon(async || 1).await.unwrap(), 1);
        let spawned = caller.call_soon(async || spawn_local(async { 2 }).await.unwrap());
        assert_eq!(spawned.await.unwrap(), 2);
        caller
    }
    let local = Builder::new_current_thread().enable_all().build_local(LocalOptions::default()).unwrap();
    let first = local.block_on(started());
    drop(local);
    first.stopped().blocking().unwrap();
    let runtime = current_thread();
    let set = LocalSet::new();
    let second = set.block_on(&runtime, started());
    assert_ne!(first, second);
    drop(set);
    second.stopped().blocking().unwrap();
}

#[test]
fn implicit_start_elsewhere_says_what_to_do() {
    for runtime in [current_thread(), multi_thread()] {
        let error = runtime.block_on(async { Tokio::current() }).unwrap_err();
        assert!(error.is_no_caller());
        assert!(error.to_string().contains("Caller::scope"), "{error}");
        assert!(runtime.block_on(async { Caller::current() }).is_err(), "nothing is left behind");
    }
    let error = Tokio::current().unwrap_err();
    assert!(error.is_no_caller() && error.to_string().contains("no tokio runtime"), "{error}");
}

#[test]
fn tokio_works_inside_a_call() {
    let caller = Caller::builder().backend(Tokio::new()).spawn().unwrap();
    let echoed = caller.call_soon(async || {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let echo = spawn_local(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut word = [0; 4];
            stream.read_exact(&mut word).await.unwrap();
            stream.write_all(&word).await.unwrap();
        });
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"ping").await.unwrap();
        let mut word = [0; 4];
        stream.read_exact(&mut word).await.unwrap();
        echo.await.unwrap();
        tokio::task::spawn_blocking(move || word).await.unwrap()
    });
    assert_eq!(&echoed.wait_blocking().unwrap(), b"ping");
    // A socket that a worker made goes on working elsewhere, since the worker's reactor turns while it is idle.
    let stream = caller.to_thread(async || {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (near, far) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
        (near.unwrap(), far.unwrap().0)
    });
    let (mut near, mut far) = stream.wait_blocking().unwrap();
    let word = caller.call_soon(async move || {
        far.write_all(b"pong").await.unwrap();
        let mut word = [0; 4];
        near.read_exact(&mut word).await.unwrap();
        word
    });
    assert_eq!(&word.wait_blocking().unwrap(), b"pong");
    caller.stop();
    caller.stopped().blocking().unwrap();
}

#[test]
fn options_of_the_runtime() {
    let bare = Tokio::new().io(false).time(false).thread_name("helper").stack_size(1 << 20);
    let caller = Caller::builder().backend(bare.clone()).spawn().unwrap();
    assert_eq!(caller.call_later(Duration::from_millis(5), async || 1).wait_blocking().unwrap(), 1);
    let never = caller.call_soon(async || std::future::pending::<()>().await);
    let waited =
        caller.call_soon(async move || never.wait().timeout(Duration::from_millis(2)).await.unwrap_err());
    assert!(waited.wait_blocking().unwrap().is_timeout());
    let name = caller.call_soon(async || {
        let named = || thread::current().name().map(str::to_owned);
        tokio::task::spawn_blocking(named).await.unwrap()
    });
    assert_eq!(name.wait_blocking().unwrap().as_deref(), Some("helper"));
    let child = caller.new_child().unwrap();
    assert!(child.backend().is_same(&bare), "a child inherits the options");
    assert!(!child.backend().is_same(&Tokio::new()));
    caller.stop();
    caller.stopped().blocking().unwrap();
}

#[test]
fn calls_do_not_starve_each_other_of_the_budget() {
    // Each call uses up what tokio lets a task do in one go; together they are many times over it.
    let caller = Caller::builder().backend(Tokio::new()).spawn().unwrap();
    let calls: Vec<_> = (0..1000)
        .map(|number| {
            caller.call_soon(async move || {
                let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
                (0..50).for_each(|item| sender.send(item).unwrap());
                for _ in 0..50 {
                    receiver.recv().await.unwrap();
                }
                number
            })
        })
        .collect();
    for (number, call) in calls.into_iter().enumerate() {
        assert_eq!(call.wait_blocking().unwrap(), number);
    }
    // And a flood of calls does not keep the runtime from its own tasks.
    let flooding = caller.clone();
    let beside = caller.call_soon(async move || {
        let task = spawn_local(async {
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
        });
        for _ in 0..10_000 {
            drop(flooding.call_soon(async || ()));
        }
        task.await.unwrap();
        Handle::current().metrics().num_alive_tasks()
    });
    assert_eq!(beside.wait_blocking().unwrap(), 0);
    caller.stop();
    caller.stopped().blocking().unwrap();
}

/// The body of a scope and the calls share one budget of tokio's.
#[test]
fn a_body_that_is_always_busy_holds_up_no_call() {
    let (sender, name) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        Caller::builder().backend(Tokio::new()).run(async move |caller| {
            sender.send(caller.clone()).unwrap();
            let (again, mut received) = tokio::sync::mpsc::unbounded_channel();
            again.send(0_u64).unwrap();
            while let Some(number) = received.recv().await {
                again.send(number + 1).unwrap();
                if caller.state() != CallerState::Running {
                    return;
                }
            }
        })
    });
    let caller = name.recv().unwrap();
    let limit = Duration::from_secs(10);
    assert_eq!(caller.call_soon(async || 7).wait().timeout(limit).blocking().unwrap(), 7);
    // Nor one that needs some of that budget.
    let counts = caller.call_soon(async || {
        let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
        (0..300).for_each(|item| sender.send(item).unwrap());
        let mut sum = 0;
        for _ in 0..300 {
            sum += receiver.recv().await.unwrap();
        }
        sum
    });
    assert_eq!(counts.wait().timeout(limit).blocking().unwrap(), 299 * 150);
    caller.force_stop();
    thread.join().unwrap().unwrap();
}

/// What shares the task of a scope may leave nothing of the budget.
#[test]
fn a_neighbour_that_is_always_busy_holds_up_no_call() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let busy = async {
            loop {
                tokio::task::consume_budget().await;
            }
        };
        let scope = Caller::scope(Tokio::new(), async |caller| {
            let asked = std::thread::spawn(move || {
                caller.call_soon(async || 7).wait().timeout(Duration::from_secs(10)).blocking()
            });
            while !asked.is_finished() {
                tokio::task::yield_now().await;
            }
            asked.join().unwrap()
        });
        let never: std::convert::Infallible = tokio::select! {
            biased;
            never = busy => never,
            answer = scope => {
                assert_eq!(answer.unwrap().unwrap(), 7);
                return;
            }
        };
        match never {}
    });
}
