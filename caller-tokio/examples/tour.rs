//! A tour of callers: each part prints what it shows.

use std::{rc::Rc, sync::Arc, thread, time::Duration};

use caller::{
    AsyncEvent, AsyncLock, Caller, ContextVar, CountdownEvent, GroupMode, PendingGroup, ReentrantAsyncLock,
    ReturnWhen, callers_table, current_pending,
};
use caller_tokio::Tokio;
use futures::StreamExt;
use tokio::time::sleep;

#[tokio::main]
async fn main() -> caller::Result<()> {
    // A caller belongs to one thread. This one lives in the main thread as long as the body runs.
    Caller::builder().name("main").backend(Tokio::new()).scope(tour).await?
}

async fn tour(caller: Caller) -> caller::Result<()> {
    finding(&caller)?;
    new_threads(&caller).await?;
    children(&caller).await?;
    calls(&caller).await?;
    giving_up(&caller).await?;
    context(&caller).await?;
    queues(&caller).await?;
    direct_calls(&caller).await?;
    completion(&caller).await?;
    waiting(&caller).await?;
    groups(&caller).await?;
    locks(&caller).await
}

fn part(title: &str) {
    println!("\n── {title} ──");
}

fn finding(caller: &Caller) -> caller::Result<()> {
    part("finding a caller");
    assert_eq!(Caller::current()?, *caller);
    assert_eq!(Caller::main_thread()?, *caller);
    assert_eq!(Caller::by_id(caller.id()).as_ref(), Some(caller));
    println!("{caller}");
    Ok(())
}

async fn new_threads(caller: &Caller) -> caller::Result<()> {
    part("a thread of its own");
    let painter = Caller::builder().name("painter").backend(Tokio::new()).spawn()?;
    assert_ne!(painter, *caller);
    // It can be used at once. What it makes may stay in its thread: an `Rc` does not cross.
    let place = painter
        .call_soon(async || {
            let canvas = Rc::new("a canvas");
            sleep(Duration::from_millis(1)).await;
            format!("{canvas} in the thread {:?}", thread::current().name().unwrap_or("unnamed"))
        })
        .await?;
    println!("{place}");
    painter.stop();
    painter.stopped().await;
    println!("{painter}");
    Ok(())
}

async fn children(caller: &Caller) -> caller::Result<()> {
    part("children");
    let store = caller.child("store")?;
    assert_eq!(caller.child("store")?, store, "the same name gives the same child");
    assert_eq!(store.parent().as_ref(), Some(caller));
    let (one, two) = (store.new_child()?, store.new_child()?);
    assert_ne!(one, two, "without a name, a new one each time");
    for child in [&store, &one, &two] {
        child.started().await;
    }
    print!("{}", callers_table());
    store.stop();
    store.stopped().await;
    assert!(one.stopped().is_past() && two.stopped().is_past(), "children stop first");
    println!("stopped: {store}");
    Ok(())
}

async fn add(a: u32, b: u32) -> u32 {
    a + b
}

async fn calls(caller: &Caller) -> caller::Result<()> {
    part("calls that give a pending");
    // A plain function is an async closure that never awaits.
    assert_eq!(caller.call_soon(async || 1 + 1).await?, 2);
    assert_eq!(caller.call_later(Duration::ZERO, async || 1 + 1).await?, 2);
    assert_eq!(caller.schedule_call(async || 1 + 1).metadata("why", "to show it").submit()?.await?, 2);
    assert_eq!(caller.to_thread(async || 1 + 1).await?, 2);
    // An async one awaits.
    assert_eq!(caller.call_soon(|| add(1, 1)).await?, 2);
    assert_eq!(caller.call_later(Duration::from_millis(1), || add(1, 1)).await?, 2);
    assert_eq!(caller.to_thread(|| add(1, 1)).await?, 2);
    let failed = caller.try_call_soon(async || "forty-two".parse::<u32>()).await.unwrap_err();
    println!("a failure says where it comes from: {failed}");
    let worker = caller.to_thread(async || Caller::current().map(|worker| worker.to_string())).await??;
    println!("a worker: {worker}");
    Ok(())
}

async fn giving_up(caller: &Caller) -> caller::Result<()> {
    part("giving up");
    let slow = caller.call_soon(async || sleep(Duration::from_secs(3600)).await);
    let watching = slow.handle();
    let error = slow.wait().timeout(Duration::from_millis(2)).await.unwrap_err();
    println!("{error}");
    watching.wait().await?;
    println!("{watching}");
    let careful = caller.call_soon(async || {
        let Some(own) = current_pending() else { return };
        own.grace(Duration::from_secs(1));
        own.cancel_requested().await;
        println!("cancelled, and time to put things away");
    });
    // Let it begin first: what has not begun is cancelled at once.
    caller.call_soon(async || ()).await?;
    careful.cancel_and_wait("the tour goes on").await
}

async fn context(caller: &Caller) -> caller::Result<()> {
    part("context");
    static USER: ContextVar<&str> = ContextVar::new();
    let greeting = USER
        .scope("Ada", async {
            caller.to_thread(async || format!("hello {}", USER.get().unwrap_or("nobody"))).await
        })
        .await?;
    println!("{greeting}, from another thread");
    assert_eq!(USER.get(), None);
    Ok(())
}

async fn queues(caller: &Caller) -> caller::Result<()> {
    part("a queue for a function");
    async fn count_down(left: CountdownEvent) -> caller::Result<()> {
        println!("{left:?}");
        left.down().map(drop)
    }
    let left = CountdownEvent::new(10);
    for _ in 0..10 {
        caller.queue_call(count_down, left.clone())?;
    }
    left.wait().await;
    assert!(caller.queue_get(count_down).is_some(), "it waits for more");
    caller.queue_close(count_down);
    assert!(caller.queue_get(count_down).is_none());
    Ok(())
}

async fn direct_calls(caller: &Caller) -> caller::Result<()> {
    part("direct calls");
    let bell = AsyncEvent::new();
    let rope = bell.clone();
    caller.call_direct(move || rope.set());
    bell.wait().await;
    println!("the scheduler itself rang the bell: {}", bell.is_set());
    Ok(())
}

async fn completion(caller: &Caller) -> caller::Result<()> {
    part("as they are done");
    let naps = [15, 5, 10].map(|time| {
        caller.to_thread(async move || {
            sleep(Duration::from_millis(time)).await;
            time
        })
    });
    let mut completed = caller.as_completed(naps);
    while let Some(nap) = completed.next().await {
        println!("slept for {} ms", nap.await?);
    }
    let squares = (1..=20_u32).map(|number| caller.to_thread(async move || number * number));
    let squares = caller.as_completed_lazy(squares).max_concurrent(3)?;
    let sum = squares.fold(0, async |sum, square| sum + square.await.unwrap_or_default()).await;
    println!("twenty squares, three at a time: {sum}");
    assert_eq!(sum, 2870);
    Ok(())
}

async fn waiting(caller: &Caller) -> caller::Result<()> {
    part("waiting for several");
    let calls =
        || [1, 3600].map(|seconds| caller.call_later(Duration::from_millis(seconds), async move || seconds));
    let waited = caller.wait(calls()).return_when(ReturnWhen::FirstCompleted).await?;
    println!("first: {} done, {} not", waited.done.len(), waited.pending.len());
    for pending in &waited.pending {
        pending.cancel("not waited for");
    }
    let waited = caller.wait(calls()).timeout(Duration::from_millis(50)).await?;
    println!("after 50 ms: {} done, {} not", waited.done.len(), waited.pending.len());
    Ok(())
}

async fn groups(caller: &Caller) -> caller::Result<()> {
    part("groups");
    let group = caller.group().build();
    group
        .run(async |group| {
            // Nobody has to say which calls belong to it: those that are made here, and those that they make.
            drop(caller.call_soon(async || sleep(Duration::from_millis(5)).await));
            drop(caller.call_later(Duration::ZERO, async || PendingGroup::current().is_some()));
            drop(caller.to_thread(async || sleep(Duration::from_millis(5)).await));
            println!("inside:  {group}");
        })
        .await?;
    println!("outside: {group}");
    let failed = caller.group().run(async |group| {
        drop(group.call_soon(async || sleep(Duration::from_secs(3600)).await));
        drop(group.try_to_thread(async || "forty-two".parse::<u32>()));
    });
    println!("{}", failed.await.unwrap_err());
    let hasty = caller.group().mode(GroupMode::Strict).timeout(Duration::from_millis(2));
    let late = hasty.run(async |_| sleep(Duration::from_secs(3600)).await).await.unwrap_err();
    println!("{late}");
    Ok(())
}

async fn locks(caller: &Caller) -> caller::Result<()> {
    part("locks");
    let log = Arc::new(AsyncLock::new(Vec::new()));
    let writers = ["one", "two", "three"].map(|name| {
        let log = log.clone();
        caller.to_thread(async move || {
            let write = log.with(async |log| {
                log.push(format!("{name} begins"));
                sleep(Duration::from_millis(1)).await;
                log.push(format!("{name} ends"));
            });
            write.await
        })
    });
    for writer in writers {
        writer.await??;
    }
    println!("one at a time: {}", log.with(async |log| log.join(", ")).await?);
    let again = log.with(async |_| log.with(async |_| ()).await.unwrap_err()).await?;
    println!("under itself: {again}");
    let catalogue = Arc::new(ReentrantAsyncLock::new("the catalogue"));
    let entered = catalogue
        .with(async |_| {
            let inner = catalogue.clone();
            let enter =
                async move || inner.with(async |what| format!("{what}, {} times", inner.count())).await;
            caller.to_thread(enter).await
        })
        .await???;
    println!("entered again, in a worker: {entered}");
    Ok(())
}
