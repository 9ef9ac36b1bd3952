//! Where cells run.

use crate::tests::front::{Bench, On, content_of, text_of};
use caller::Caller;
use caller_tokio::Tokio;
use serde_json::json;
use std::{cell::Cell, thread, time::Duration};

fn here((): ()) -> String {
    thread::current().name().unwrap_or("none").to_owned()
}

async fn bench() -> Bench {
    let exposed = crate::lua::Exposed::new().function("here", "here()", here);
    Bench::with(|builder| builder.expose(exposed)).await
}

/// RUN-01, RUN-02.
#[tokio::test]
async fn tasks_go_before_cells_that_wait() {
    let mut bench = bench().await;
    let front = &mut bench.front;
    let waiting = front.cell("-- queue\nprint('on') while not go do sleep(0.001) end return here()").await;
    front.printed(&waiting).await;
    let queued = front.cell("return 2").await;
    let task = front.cell("# task\ngo = true\nreturn here()").await;
    let order: Vec<_> =
        [front.reply(On::Shell).await, front.reply(On::Shell).await, front.reply(On::Shell).await]
            .iter()
            .map(|reply| reply.parent_header.clone())
            .collect();
    assert_eq!(order, [task, waiting, queued].map(|request| request.header.json().clone()));
}

/// RUN-03.
#[tokio::test]
async fn threads_are_elsewhere() {
    let mut bench = bench().await;
    let front = &mut bench.front;
    assert_eq!(front.prints("data = {1, {2}} f = print print(here())").await, "Shell\n");
    let shell = "print(here(), data and data[2][1], f)";
    let line = front.prints(&format!("# thread\n{shell}")).await;
    // Plain data goes along, functions do not.
    assert!(line.ends_with("\t2\tnil\n") && !line.starts_with("Shell\t"), "{line}");
    let cell = front.tagged(shell, json!(["thread"]));
    assert!(!text_of(&front.exchange(On::Shell, &cell).await.1).starts_with("Shell\t"));
    for _ in 0..2 {
        let line = front.prints(&format!("# thread name='My thread'\n{shell}")).await;
        assert_eq!(line, "My thread\t2\tnil\n");
    }
    // What it sets stays there.
    front.run("-- thread\ndata = nil").await;
    assert_eq!(front.prints("print(data[1])").await, "1\n");
    // The kernel's own threads are not for cells.
    let told = front.prints("-- thread name=Control\nprint(here())").await;
    assert_eq!(told, "the name `Control` belongs to a thread of the kernel's own; choose another");
}

#[tokio::test]
async fn a_thread_runs_while_the_shell_computes() {
    let mut bench = bench().await;
    let front = &mut bench.front;
    front.run("data = 5").await;
    let busy = front.cell("print('on') while true do end").await;
    front.printed(&busy).await;
    let cell = front.cell("-- thread\nprint(data)").await;
    assert_eq!(text_of(&front.all_for(&cell).await), "5\n");
    bench.kernel.interrupt();
    assert_eq!(text_of(&bench.front.all_for(&busy).await), "interrupted");
}

thread_local! {
    /// State that is not `Send`, and is of one caller.
    static CLICKS: Cell<u32> = const { Cell::new(0) };
}

#[tokio::test]
async fn cells_run_in_callers_of_the_program() {
    let gui = Caller::builder().name("window").backend(Tokio::new()).spawn().unwrap();
    let gone = Caller::builder().name("gone").backend(Tokio::new()).spawn().unwrap();
    gone.stop();
    gone.stopped().await;
    let exposed =
        crate::lua::Exposed::new().function("here", "here()", here).function("click", "click()", |(): ()| {
            CLICKS.set(CLICKS.get() + 1);
            CLICKS.get()
        });
    let mut bench =
        Bench::with(|builder| builder.expose(exposed).caller("gui", &gui).caller("gone", &gone)).await;
    let front = &mut bench.front;
    assert_eq!(front.prints("click() print(here(), click())").await, "Shell\t2\n");
    assert_eq!(front.prints("-- caller name=gui\nmine = 'kept' print(here(), click())").await, "window\t1\n");
    assert_eq!(front.prints("-- caller name=gui\nprint(mine, click())").await, "kept\t2\n");
    assert_eq!(front.prints("print(mine)").await, "nil\n");
    assert_eq!(gui.call_soon(async || CLICKS.get()).await.unwrap(), 2);
    for (code, told) in [
        ("-- caller name=gone\n1", "the caller `gone` has stopped"),
        ("-- caller name=nobody\n1", "this kernel knows no caller `nobody`; it knows `gone`, `gui`"),
        ("-- caller\n1", "say which caller is to run the cell, as in `caller name=gui`"),
    ] {
        assert_eq!(front.ask(On::Shell, "execute_request", json!({"code": code})).await["evalue"], told);
    }
    // An interrupt is felt there too, and the end of the kernel.
    let cell = front.cell("-- caller name=gui\nprint('on') while true do end").await;
    front.printed(&cell).await;
    bench.kernel.interrupt();
    assert_eq!(text_of(&bench.front.all_for(&cell).await), "interrupted");
    let cell = bench.front.cell("-- caller name=gui\nprint('on') while true do end").await;
    bench.front.printed(&cell).await;
    drop(bench);
    // The program's caller goes on, and nothing is left that runs there.
    assert!(gui.is_running());
    gui.call_soon(async || ()).await.unwrap();
    assert!(gui.queues().is_empty());
    gui.stop();
    tokio::time::timeout(Duration::from_secs(20), gui.stopped()).await.unwrap();
}

#[tokio::test]
async fn a_caller_that_stops_takes_its_shell_with_it() {
    let gui = Caller::builder().name("window").backend(Tokio::new()).spawn().unwrap();
    let mut bench = Bench::with(|builder| builder.caller("gui", &gui)).await;
    let cell = bench.front.cell("-- caller name=gui\nprint('on') sleep(1000)").await;
    bench.front.printed(&cell).await;
    gui.stop();
    gui.stopped().await;
    assert_eq!(content_of(&bench.front.reply(On::Shell).await)["ename"], "Stopped");
    assert_eq!(bench.front.ask(On::Shell, "execute_request", json!({"code": "1"})).await["status"], "ok");
}
