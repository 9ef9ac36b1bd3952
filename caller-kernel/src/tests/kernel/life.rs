//! How kernels begin and end.

use crate::{
    Connection, Kernel, KernelError,
    lua::{Exposed, LuaLanguage},
    tests::front::{Bench, Front, On, content_of, text_of, turn},
};
use serde_json::json;
use std::{
    io::{IoSlice, Write},
    net::TcpListener,
};

#[test]
fn handles_go_to_any_thread() {
    fn is<T: Send + Sync + Unpin + 'static>() {}
    is::<Kernel>();
    is::<KernelError>();
    is::<crate::KernelBuilder>();
    is::<crate::KernelStream>();
    is::<crate::InputError>();
}

/// LIF-02.
#[tokio::test]
async fn a_process_has_one_kernel() {
    let bench = Bench::new().await;
    assert!(matches!(Kernel::builder().start(), Err(KernelError::Running)));
    assert_eq!(Kernel::current().unwrap().connection(), bench.kernel.connection());
    let kernel = bench.kernel.clone();
    kernel.stop();
    kernel.stopped().await;
    assert!(matches!(Kernel::current(), Err(KernelError::NotRunning)));
    let other = Kernel::builder().start().unwrap();
    other.stop();
    other.stopped().blocking().unwrap();
    drop(bench);
}

/// LIF-04.
#[test]
fn a_start_that_fails_leaves_nothing() {
    let _turn = turn();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut connection = Connection::new();
    connection.hb_port = taken.local_addr().unwrap().port();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kernel.json");
    let started = Kernel::builder().connection(connection).connection_file(&file).start();
    assert!(matches!(started, Err(KernelError::Bind(error)) if error.is_in_use()));
    let broken = LuaLanguage::new().setup(|_| Err(crate::lua::mlua::Error::runtime("no luck")));
    let error = Kernel::builder().language(broken).start().unwrap_err();
    assert_eq!(error.to_string(), "the shell cannot be made: Error: no luck");
    let away = folder.path().join("no").join("file");
    assert!(matches!(Kernel::builder().connection_file(&away).start(), Err(KernelError::Connection(_))));
    std::fs::write(&file, "[").unwrap();
    let in_file = file.join("history");
    assert!(matches!(Kernel::builder().history(&in_file).start(), Err(KernelError::History { .. })));
    assert!(matches!(Kernel::builder().connection_file(&file).start(), Err(KernelError::Connection(_))));
    assert!(caller::Caller::all_existing().is_empty(), "{:?}", caller::Caller::all_existing());
    let kernel = Kernel::builder().start().unwrap();
    kernel.stop();
    kernel.stopped().blocking().unwrap();
}

/// LIF-01.
#[test]
fn the_connection_file_is_written_and_removed_or_used_and_kept() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kernel.json");
    let run = |check: &dyn Fn(&Kernel)| {
        let kernel = Kernel::builder().connection_file(&file).start().unwrap();
        check(&kernel);
        kernel.stop();
        kernel.stopped().blocking().unwrap();
    };
    run(&|kernel| {
        assert_eq!(&Connection::read(&file).unwrap(), kernel.connection());
        assert_eq!(kernel.connection().key.len(), 64);
    });
    assert!(!file.exists());
    std::fs::write(&file, r#"{"key": "abc", "kernel_name": "lua"}"#).unwrap();
    let mut ports = [0; 2];
    for port in &mut ports {
        let first = std::cell::Cell::new(0);
        run(&|kernel| {
            assert_eq!((&*kernel.connection().key, &*kernel.connection().kernel_name), ("abc", "lua"));
            assert_eq!(&Connection::read(&file).unwrap(), kernel.connection());
            first.set(kernel.connection().shell_port);
        });
        *port = first.get();
    }
    // What was chosen once is used again.
    assert_eq!(ports[0], ports[1]);
}

/// LIF-03, LIF-09.
#[tokio::test]
async fn a_shutdown_stops_the_kernel_and_not_the_program() {
    for restart in [true, false] {
        let mut bench = Bench::new().await;
        // Whatever runs and waits gets its answer.
        let running = bench.front.cell("print('on') while true do end").await;
        bench.front.cell("1").await;
        bench.front.printed(&running).await;
        let request = bench.front.request("shutdown_request", json!({ "restart": restart }));
        bench.front.send(On::Control, &request).await;
        let reply = bench.front.reply(On::Control).await;
        assert_eq!(content_of(&reply), json!({"status": "ok", "restart": restart}));
        for _ in 0..2 {
            let status = content_of(&bench.front.reply(On::Shell).await)["status"].clone();
            assert!(status == "error" || status == "aborted", "{status}");
        }
        let types: Vec<_> =
            bench.front.all_for(&request).await.iter().map(|message| message.msg_type().to_owned()).collect();
        assert_eq!(types, ["status", "shutdown_reply", "status"]);
        bench.kernel.stopped().await;
        let Connection { shell_port, iopub_port, hb_port, .. } = *bench.kernel.connection();
        for port in [shell_port, iopub_port, hb_port] {
            drop(TcpListener::bind(("127.0.0.1", port)).unwrap());
        }
        assert!(caller::Caller::all_existing().is_empty());
    }
}

/// Someone stops all callers of the process, the protected ones too.
#[tokio::test]
async fn a_kernel_whose_callers_are_stopped_has_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kernel.json");
    for name in ["Shell", "Sockets", "Control"] {
        let bench = Bench::with(|builder| builder.connection_file(&file)).await;
        let all = caller::Caller::all();
        let one = all.iter().find(|caller| caller.name() == name).unwrap();
        one.stop();
        assert!(one.is_running(), "it is protected");
        one.force_stop();
        bench.kernel.stopped().await;
        assert!(Kernel::current().is_err() && !file.exists(), "{name}");
        for caller in &all {
            caller.stopped().await;
        }
    }
}

/// INS-04.
#[tokio::test]
async fn the_table_of_callers_is_printed() {
    let mut bench = Bench::with(|builder| builder.name("db")).await;
    let table = bench.front.prints("%callers").await;
    for name in ["db Shell ", "db Control ", "db Sockets "] {
        assert!(table.contains(name), "{table}");
    }
    assert!(table.lines().find(|line| line.starts_with("db Shell")).unwrap().contains("current"), "{table}");
    let refused = bench.front.prints("caller:stop() print(caller.name)").await;
    assert!(bench.kernel.stopped().is_past() || !refused.is_empty());
    assert_eq!(bench.front.prints("print(1)").await, "1\n");
}

/// MSG-21.
#[cfg(unix)]
#[tokio::test]
async fn a_kernel_listens_at_files() {
    let folder = tempfile::tempdir().unwrap();
    let ip = folder.path().join("kernel").display().to_string();
    let mut bench = Bench::with(|builder| builder.connection(Connection::ipc(ip))).await;
    let over_ipc = bench.front.run("print(1) return 2").await;
    drop(bench);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    let mut bench = Bench::new().await;
    assert_eq!(bench.front.run("print(1) return 2").await, over_ipc);
}

/// LIF-07.
#[tokio::test]
async fn rust_code_writes_to_the_cell_it_runs_for() {
    let exposed = Exposed::new().function("shout", "shout()", |(): ()| {
        let kernel = Kernel::current().unwrap();
        let mut out = kernel.stdout();
        out.write_many(["one\n", "two\n"]).unwrap();
        assert_eq!(out.write_vectored(&[IoSlice::new(b"a"), IoSlice::new(b"b")]).unwrap(), 2);
        // A character in two pieces.
        for piece in ["ä".as_bytes()[..1].to_vec(), "ä".as_bytes()[1..].to_vec(), b"\xff!\n".to_vec()] {
            out.write_all(&piece).unwrap();
        }
        out.is_terminal()
    });
    let mut bench = Bench::with(|builder| builder.expose(exposed)).await;
    let front = &mut bench.front;
    let cell = front.request("execute_request", json!({"code": "return shout()"}));
    let (_, published) = front.exchange(On::Shell, &cell).await;
    assert_eq!(content_of(&published[2]), json!({"name": "stdout", "text": "one\ntwo\nabä\u{fffd}!\n"}));
    assert_eq!(content_of(&published[3])["data"]["text/plain"], "true");
    // Outside of a cell.
    writeln!(bench.kernel.stderr(), "alone").unwrap();
    let alone = bench.front.published().await;
    assert_eq!(text_of(std::slice::from_ref(&alone)), "alone\n");
    assert_eq!(alone.parent_header, crate::Json::empty());
}

/// A kernel is started in a call of a caller, in a group that waits for all that was started in it.
#[test]
fn a_kernel_is_no_part_of_what_started_it() {
    let _turn = turn();
    let caller = caller::Caller::builder().backend(caller_tokio::Tokio::new()).spawn().unwrap();
    let started = caller.call_soon(async || {
        let group = caller::Caller::current().unwrap().group();
        group.run(async |_| Kernel::builder().start().unwrap()).await.unwrap().unwrap()
    });
    let kernel = started.wait_blocking().unwrap();
    assert!(!kernel.stopped().is_past());
    kernel.stop();
    kernel.stopped().blocking().unwrap();
    caller.stop();
}

/// LIF-05 is in the tests of channels; here a heart beats while a cell computes.
#[tokio::test]
async fn the_heart_beats_while_a_cell_computes() {
    let mut bench = Bench::new().await;
    let cell = bench.front.cell("print('on') while true do end").await;
    bench.front.printed(&cell).await;
    let mut heart = Front::heart(bench.kernel.connection()).await;
    heart.send(&[b"", b"ping"]).await;
    assert_eq!(heart.recv().await.unwrap(), ["", "ping"]);
    bench.kernel.interrupt();
}
