//! Notebooks that run without a front end.

use std::{sync::Arc, time::Duration};

use caller::Caller;
use caller_kernel::{
    lua::{Exposed, LuaLanguage},
    notebook::{Ended, Notebook, NotebookError, Report, RunOptions},
    shell::Interrupter,
};
use caller_tokio::Tokio;
use serde_json::{Value, json};
use tokio::sync::mpsc;

/// A notebook with these code cells, each with tags.
pub(crate) fn notebook(cells: &[(&str, &[&str])]) -> Notebook {
    let cells: Vec<Value> = cells
        .iter()
        .map(|(source, tags)| {
            json!({
                "cell_type": "code", "source": source, "metadata": { "tags": tags }, "execution_count": 99,
                "outputs": [{ "output_type": "stream", "name": "stdout", "text": "old" }],
            })
        })
        .collect();
    let root = json!({ "nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": cells });
    Notebook::parse(&root.to_string()).unwrap()
}

/// Runs it on a caller of its own.
fn run(notebook: &mut Notebook, language: LuaLanguage, options: RunOptions) -> Result<Report, NotebookError> {
    let shell = Caller::builder().name("shell").backend(Tokio::new()).spawn().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let report = runtime.block_on(notebook.run(&shell, Arc::new(language), options));
    shell.stop();
    if !matches!(&report, Ok(report) if report.ended == Ended::Stuck) {
        shell.stopped().blocking().unwrap();
    }
    report
}

fn run_plain(notebook: &mut Notebook) -> Report {
    run(notebook, LuaLanguage::new(), RunOptions::new()).unwrap()
}

/// The numbers and outputs of the cells, one output a line.
fn transcript(notebook: &Notebook) -> String {
    let root: Value = serde_json::from_str(&notebook.to_text()).unwrap();
    let text = |value: &Value| match value {
        Value::Array(lines) => lines.iter().map(|line| line.as_str().unwrap()).collect::<String>(),
        other => other.to_string(),
    };
    let mut lines = Vec::new();
    for cell in root["cells"].as_array().unwrap() {
        lines.push(format!("In [{}]", cell["execution_count"]).replace("null", " "));
        for output in cell["outputs"].as_array().unwrap() {
            let said = match output["output_type"].as_str().unwrap() {
                "stream" => format!("{}: {}", output["name"].as_str().unwrap(), text(&output["text"])),
                "error" => {
                    let traceback = output["traceback"].as_array().unwrap().iter();
                    traceback.map(|line| line.as_str().unwrap()).collect::<Vec<_>>().join("\n")
                }
                kind => {
                    let formats = output["data"].as_object().unwrap().iter();
                    let formats: Vec<_> =
                        formats.map(|(mime, data)| format!("{mime}: {}", text(data))).collect();
                    format!("{kind} {}", formats.join(", "))
                }
            };
            lines.extend(said.lines().map(|line| format!("  {line}")));
        }
    }
    lines.join("\n")
}

#[test]
fn cells_run_in_order_and_their_outputs_take_the_place_of_the_old() {
    let mut notebook = notebook(&[
        ("x = 20\nprint(x)\nio.stderr:write('remark\\n')", &[]),
        ("  \n", &[]),
        ("error('never')", &["skip-execution"]),
        ("-- queue\nhandle = display({ ['text/html'] = 'old' }, { id = 'a' })\nx + 1", &[]),
        ("# task\nhandle:update({ ['text/html'] = 'new' })", &[]),
        ("for i = 1, 3 do io.write('\\r', i) end\nprint()\nclear_output(true)\nprint('cleared')", &[]),
    ]);
    let report = run_plain(&mut notebook);
    assert!(report.is_ok());
    assert_eq!((report.ran, report.total), (4, 4));
    insta::assert_snapshot!(transcript(&notebook), @r"
    In [1]
      stdout: 20
      stderr: remark
    In [ ]
    In [99]
      stdout: old
    In [2]
      display_data text/html: new
      execute_result text/plain: 21
    In [3]
    In [4]
      stdout: cleared
    ");
}

#[test]
fn what_is_printed_after_a_cell_has_ended_is_its_own() {
    let mut notebook = notebook(&[
        ("p = caller:call_soon(function() sleep(0) print('late') end)", &[]),
        ("p:wait()\nprint('second')", &[]),
    ]);
    assert!(run_plain(&mut notebook).is_ok());
    insta::assert_snapshot!(transcript(&notebook), @r"
    In [1]
      stdout: late
    In [2]
      stdout: second
    ");
}

#[test]
fn the_first_cell_that_fails_is_the_last() {
    let cells: &[(&str, &[&str])] = &[
        ("error('as it should')", &["raises-exception"]),
        ("local a = 1\nerror('no')", &[]),
        ("print('on')", &[]),
    ];
    let mut stopped = notebook(cells);
    let report = run_plain(&mut stopped);
    assert_eq!((report.ran, report.total, report.ended), (2, 3, Ended::Failed));
    let [failure] = &*report.failures else { panic!("{report:?}") };
    assert_eq!((failure.number, &failure.line), (2, &Some((2, "error('no')".to_owned()))));
    insta::assert_snapshot!(transcript(&stopped), @r"
    In [1]
      Error: In [1]:1: as it should
        In [1]:1: in the cell
          1 │ error('as it should')
    In [2]
      Error: In [2]:2: no
        In [2]:2: in the cell
          2 │ error('no')
    In [ ]
    ");

    let mut kept_on = notebook(cells);
    let report = run(&mut kept_on, LuaLanguage::new(), RunOptions::new().keep_going(true)).unwrap();
    assert_eq!((report.ran, report.failures.len(), report.ended), (3, 1, Ended::AllRan));
    assert!(!report.is_ok());
    assert!(transcript(&kept_on).ends_with("In [3]\n  stdout: on"));
}

#[test]
fn nobody_answers_a_question() {
    let mut notebook = notebook(&[("input('name? ')", &[])]);
    run_plain(&mut notebook);
    insta::assert_snapshot!(transcript(&notebook), @r"
    In [1]
      Error: In [1]:1: nobody is there to answer: this notebook runs without a front end; set the value in a cell
        In [1]:1: in the cell
          1 │ input('name? ')
    ");
}

#[test]
fn a_cell_that_hangs_is_stopped_at_its_time() {
    let mut notebook = notebook(&[
        ("print('begun')\nwhile true do end", &["timeout=0.3", "raises-exception"]),
        ("sleep(1e9)", &[]),
        ("sleep(0)\nprint('quick')", &["timeout=0"]),
    ]);
    let options = RunOptions::new().timeout(Duration::from_millis(400)).keep_going(true);
    let report = run(&mut notebook, LuaLanguage::new(), options).unwrap();
    assert_eq!((report.ran, report.failures.len(), report.ended), (3, 2, Ended::AllRan));
    insta::assert_snapshot!(transcript(&notebook), @r"
    In [1]
      stdout: begun
      TimeoutError: stopped after 0.3 s; give the cell more time, or less to do
        In [1]:2: in the cell
          2 │ while true do end
    In [2]
      TimeoutError: stopped after 0.4 s; give the cell more time, or less to do
        In [2]:1: in the cell
          1 │ sleep(1e9)
    In [3]
      stdout: quick
    ");
}

#[test]
fn cells_run_where_their_first_line_or_their_tags_say() {
    let here = "Caller.current().name";
    let with_data = &format!("{here} .. ' ' .. data[1] .. ' ' .. tostring(f)");
    let mut notebook = notebook(&[
        (&format!("data, f = {{ 'plain' }}, print\n{here}"), &[]),
        (&format!("-- task\n{here}"), &[]),
        (&format!("# thread name='My thread'\nkept = 1\n{with_data}"), &[]),
        (&format!("{here} == 'shell'"), &["other", "thread"]),
        (&format!("-- queue\n{here} .. ' ' .. tostring(kept)"), &["thread", "timeout=-1"]),
        ("-- caller name=gui\n1", &[]),
        ("-- thread name='My thread'\nerror('no')", &[]),
        ("1", &["timeout=soon"]),
        ("-- queue timeout=0.2\nsleep(1e9)", &[]),
        ("-- thread name=other timeout=0.2\nprint('begun')\nwhile true do end", &[]),
        ("-- thread\ncaller:stop()\nsleep(1e9)", &[]),
        ("data[1]", &[]),
    ]);
    let report = run(&mut notebook, LuaLanguage::new(), RunOptions::new().keep_going(true)).unwrap();
    assert_eq!((report.ran, report.ended), (12, Ended::AllRan));
    insta::assert_snapshot!(transcript(&notebook), @r#"
    In [1]
      execute_result text/plain: "shell"
    In [2]
      execute_result text/plain: "shell"
    In [3]
      execute_result text/plain: "My thread plain nil"
    In [4]
      execute_result text/plain: false
    In [5]
      execute_result text/plain: "shell nil"
    In [6]
      RunModeError: this kernel knows no caller `gui`; it knows none
    In [7]
      Error: In [7]:2: no
        In [7]:2: in the cell
          2 │ error('no')
    In [8]
      RunModeError: `timeout=soon` is no number of seconds
    In [9]
      TimeoutError: stopped after 0.2 s; give the cell more time, or less to do
        In [9]:2: in the cell
          2 │ sleep(1e9)
    In [10]
      stdout: begun
      TimeoutError: stopped after 0.2 s; give the cell more time, or less to do
        In [10]:3: in the cell
          3 │ while true do end
    In [11]
      Cancelled: the cell was cancelled, or its caller has stopped
    In [12]
      execute_result text/plain: "plain"
    "#);
}

#[test]
fn a_cell_that_cannot_be_stopped_is_left_behind() {
    let (release, held) = std::sync::mpsc::channel::<()>();
    let held = std::sync::Mutex::new(held);
    let exposed =
        Exposed::new().function("block", "block()", move |(): ()| held.lock().unwrap().recv().is_ok());
    let mut notebook = notebook(&[("print('begun')\nblock()", &[]), ("print('never')", &[])]);
    let options = RunOptions::new().timeout(Duration::from_millis(300)).keep_going(true);
    let report = run(&mut notebook, LuaLanguage::new().expose(exposed), options).unwrap();
    assert_eq!((report.ran, report.ended), (1, Ended::Stuck));
    insta::assert_snapshot!(transcript(&notebook), @r"
    In [1]
      stdout: begun
      TimeoutError: stopped after 0.3 s; give the cell more time, or less to do
        the cell does not stop: it is inside of a function that cannot be interrupted
    In [ ]
    ");
    drop(release);
}

#[test]
fn an_interrupt_ends_the_cell_and_the_notebook() {
    let stop = Interrupter::new();
    let stops = stop.clone();
    let exposed = Exposed::new().function("stop", "stop()", move |(): ()| stops.interrupt());
    let mut notebook =
        notebook(&[("print('begun')\nstop()\nsleep(1e9)", &["raises-exception"]), ("print('never')", &[])]);
    let options = RunOptions::new().stop_by(stop).keep_going(true);
    let report = run(&mut notebook, LuaLanguage::new().expose(exposed), options).unwrap();
    assert_eq!((report.ran, report.ended), (1, Ended::Interrupted));
    insta::assert_snapshot!(transcript(&notebook), @r"
    In [1]
      stdout: begun
      Interrupted: interrupted
        In [1]:3: in the cell
          3 │ sleep(1e9)
    In [ ]
    ");
}

#[test]
fn a_run_that_is_dropped_ends_its_cell_where_it_waits() {
    /// Tells when it is dropped.
    struct Ends(mpsc::UnboundedSender<&'static str>);
    impl Drop for Ends {
        fn drop(&mut self) {
            self.0.send("ended").unwrap();
        }
    }
    let (tells, mut told) = mpsc::unbounded_channel();
    let exposed = Exposed::new().async_function("hold", "hold()", move |(): ()| {
        let ends = Ends(tells.clone());
        async move {
            ends.0.send("begun").unwrap();
            std::future::pending::<()>().await;
        }
    });
    let language = Arc::new(LuaLanguage::new().expose(exposed));
    let shell = Caller::builder().name("shell").backend(Tokio::new()).spawn().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut notebook = notebook(&[("-- thread\nhold()", &[])]);
    runtime.block_on(async {
        tokio::select! {
            _ = notebook.run(&shell, language, RunOptions::new()) => panic!("it waits for ever"),
            begun = told.recv() => assert_eq!(begun, Some("begun")),
        }
        assert_eq!(told.recv().await, Some("ended"));
    });
    assert!(shell.is_running());
    assert_eq!(transcript(&notebook), "In [ ]");
    shell.stop();
    shell.stopped().blocking().unwrap();
}

#[test]
fn a_cell_may_stop_its_own_caller() {
    let mut notebook = notebook(&[("caller:stop()\nsleep(1e9)", &[]), ("print('never')", &[])]);
    let report = run(&mut notebook, LuaLanguage::new(), RunOptions::new().keep_going(true)).unwrap();
    assert_eq!((report.ran, report.ended), (1, Ended::Stuck));
    assert_eq!(report.failures[0].error.evalue, "the cell was cancelled, or its caller has stopped");
}

#[test]
fn what_cannot_be_run_stays_as_it_is() {
    let text = r#"{"nbformat": 4, "cells": [], "metadata": {"kernelspec": {"language": "python"}}}"#;
    let error = run(&mut Notebook::parse(text).unwrap(), LuaLanguage::new(), RunOptions::new()).unwrap_err();
    assert!(matches!(error, NotebookError::Language { .. }), "{error}");
    let text = text.replace("python", "Lua");
    assert!(run(&mut Notebook::parse(&text).unwrap(), LuaLanguage::new(), RunOptions::new()).is_ok());

    let broken = LuaLanguage::new().setup(|_| Err(caller_kernel::lua::mlua::Error::runtime("no")));
    let mut notebook = notebook(&[("1", &[])]);
    let error = run(&mut notebook, broken, RunOptions::new()).unwrap_err();
    assert_eq!(error.to_string(), "no cell can be run: Error: no");
}

#[test]
fn progress_is_told_when_a_cell_begins() {
    let told = Arc::new(std::sync::Mutex::new(Vec::new()));
    let tells = told.clone();
    let options =
        RunOptions::new().progress(move |number, total| tells.lock().unwrap().push((number, total)));
    run(&mut notebook(&[("1", &[]), ("", &[]), ("2", &[])]), LuaLanguage::new(), options).unwrap();
    assert_eq!(*told.lock().unwrap(), [(1, 2), (2, 2)]);
}
