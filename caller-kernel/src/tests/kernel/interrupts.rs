//! What stops cells.

use crate::tests::front::{Bench, On, content_of, text_of};
use caller::{AsyncEvent, Caller};
use caller_tokio::Tokio;
use serde_json::json;
use std::time::{Duration, Instant};

/// MSG-14. Cells that wait, that loop, and that run elsewhere; their state is kept.
#[tokio::test]
async fn an_interrupt_stops_what_runs() {
    let mut bench = Bench::new().await;
    let front = &mut bench.front;
    front.run("kept = 7").await;
    for code in [
        "print('on') sleep(1000)",
        "print('on') while true do end",
        "print('on') while true do pcall(error) end",
        "-- task\nprint('on') sleep(1000)",
        "-- thread\nprint('on') while true do end",
        "-- thread name=x\nprint('on') sleep(1000)",
    ] {
        let cell = front.cell(code).await;
        front.printed(&cell).await;
        let asked = Instant::now();
        assert_eq!(front.ask(On::Control, "interrupt_request", json!({})).await["status"], "ok");
        let took = asked.elapsed();
        assert!(took < Duration::from_millis(100), "{took:?}");
        let reply = front.reply(On::Shell).await;
        assert_eq!(&reply.parent_header, cell.header.json());
        assert_eq!(content_of(&reply)["ename"], "Interrupted", "{code}");
        front.all_for(&cell).await;
    }
    assert_eq!(front.prints("print(kept)").await, "7\n");
}

#[tokio::test]
async fn an_interrupt_of_nothing_does_nothing() {
    let mut bench = Bench::new().await;
    bench.front.ask(On::Shell, "interrupt_request", json!({})).await;
    assert_eq!(bench.front.prints("print(1)").await, "1\n");
}

/// RUN-04.
#[tokio::test]
async fn a_cell_has_a_time() {
    let mut bench = Bench::with(|builder| builder.cell_timeout(Duration::from_millis(50))).await;
    let front = &mut bench.front;
    for (code, tags) in [
        ("sleep(1000)", json!([])),
        ("while true do end", json!([])),
        ("-- task timeout=0.02\nsleep(1000)", json!([])),
        ("sleep(1000)", json!(["other", "timeout=0.01"])),
        ("-- thread\nsleep(1000)", json!([])),
    ] {
        let cell = front.tagged(code, tags);
        front.send(On::Shell, &cell).await;
        // One that waits behind it still runs.
        let behind = front.cell("print('behind')").await;
        let published = front.all_for(&cell).await;
        assert!(text_of(&published).contains("the cell took longer than"), "{code}");
        assert_eq!(text_of(&front.all_for(&behind).await), "behind\n");
    }
    for _ in 0..10 {
        front.reply(On::Shell).await;
    }
    // One may have more time than others.
    let cell = front.tagged("sleep(0.1) print('done')", json!(["timeout=0"]));
    assert_eq!(text_of(&front.exchange(On::Shell, &cell).await.1), "done\n");
}

/// Control answers, and the shell's other messages are handled, while a cell computes.
#[tokio::test]
async fn questions_are_answered_while_a_cell_computes() {
    let mut bench = Bench::new().await;
    let front = &mut bench.front;
    let cell = front.cell("print('on') while true do end").await;
    front.printed(&cell).await;
    for (on, msg_type, content) in [
        (On::Control, "kernel_info_request", json!({})),
        (On::Shell, "kernel_info_request", json!({})),
        (On::Shell, "history_request", json!({"hist_access_type": "tail"})),
        (On::Control, "usage_request", json!({})),
        (On::Shell, "complete_request", json!({"code": "stri", "cursor_pos": 4})),
        (On::Shell, "is_complete_request", json!({"code": "x = 1"})),
        (On::Shell, "comm_info_request", json!({})),
        (On::Control, "list_subshell_request", json!({})),
    ] {
        let reply = front.ask(on, msg_type, content).await;
        assert!(matches!(reply["status"].as_str(), Some("ok" | "complete")), "{msg_type}: {reply}");
    }
    assert!(bench.kernel.is_busy());
    bench.kernel.interrupt();
    assert_eq!(text_of(&bench.front.all_for(&cell).await), "interrupted");
}

/// A panic of the program's function loses its cell alone.
#[tokio::test]
async fn a_panic_loses_its_cell_alone() {
    let exposed = crate::lua::Exposed::new().function("boom", "boom()", |(): ()| -> bool { panic!("boom") });
    let mut bench = Bench::with(|builder| builder.expose(exposed)).await;
    let front = &mut bench.front;
    assert!(front.prints("boom()").await.contains("boom"));
    assert_eq!(front.prints("print('alive')").await, "alive\n");
}

/// MSG-14. A cell behind other work of its thread is not running yet, and is not to begin any more.
#[tokio::test]
async fn an_interrupt_finds_a_cell_that_waits_for_its_thread() {
    let released = AsyncEvent::new();
    // What keeps its thread until it is released, and the moment it has begun to.
    let blocking = || {
        let (begun, released) = (AsyncEvent::new(), released.clone());
        let own = begun.clone();
        let block = move || {
            own.set();
            released.wait().blocking();
        };
        (begun, block)
    };
    let ((cell_begun, in_cell), (program_begun, in_program)) = (blocking(), blocking());
    let exposed = crate::lua::Exposed::new().function("block", "block()", move |(): ()| in_cell());
    let gui = Caller::builder().name("gui").backend(Tokio::new()).spawn().unwrap();
    let mut bench = Bench::with(|builder| builder.expose(exposed).caller("gui", &gui)).await;
    let front = &mut bench.front;
    front.run("-- caller name=gui\nx = 1").await;
    let blocked = front.cell("-- thread name=w\nblock()").await;
    cell_begun.wait().await;
    let of_program = gui.call_soon(async move || in_program());
    program_begun.wait().await;
    let waiting = [
        front.cell("-- thread name=w\nwhile true do end").await,
        front.cell("-- caller name=gui\nwhile true do end").await,
    ];
    // Behind them: they have been read.
    front.send(On::Shell, &front.request("kernel_info_request", json!({}))).await;
    front.reply(On::Shell).await;
    front.ask(On::Control, "interrupt_request", json!({})).await;
    released.set();
    of_program.await.unwrap();
    for cell in &waiting {
        assert_eq!(text_of(&front.all_for(cell).await), "interrupted while it waited for its thread");
    }
    front.all_for(&blocked).await;
    for _ in 0..3 {
        front.reply(On::Shell).await;
    }
    assert_eq!(front.prints("-- caller name=gui\nprint(x)").await, "1\n");
    drop(bench);
    gui.stop();
    gui.stopped().await;
}

/// LIF-06. An interrupt is meant for a call that computes, and not for one that waits.
#[tokio::test]
async fn a_kernel_with_a_call_that_computes_is_busy() {
    let mut bench = Bench::new().await;
    let front = &mut bench.front;
    front.run("waits = caller:call_soon(sleep, 1000)").await;
    assert!(!bench.kernel.is_busy());
    bench.front.run("computes = caller:call_soon(function() while true do end end)").await;
    while !bench.kernel.is_busy() {
        tokio::task::yield_now().await;
    }
    bench.kernel.interrupt();
    bench.front.run("wait { computes }").await;
    assert_eq!(bench.front.prints("print(computes, waits)").await, "<pending: failed>\t<pending: pending>\n");
    assert!(!bench.kernel.is_busy());
}
