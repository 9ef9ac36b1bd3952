//! The example `lua_scripts`, on a clock that the test advances.

use std::sync::{Arc, Mutex};

use caller::Caller;
use insta::assert_snapshot;

use crate::lua::on_caller;

#[path = "../../examples/lua_scripts.rs"]
mod example;

#[test]
fn scripts_run_together() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let lines = told.clone();
    on_caller(async move || {
        tokio::time::pause();
        let caller = Caller::current().unwrap();
        example::tour(&caller, Arc::new(move |line| lines.lock().unwrap().push(line))).await
    })
    .unwrap();
    assert_snapshot!(told.lock().unwrap().join("\n"), @"
    a 1
    b 1
    c 1
    a 2
    b 2
    a 3
    c 2
    a is done
    b 3
    b is done
    c 3
    c is done
    9 steps in one interpreter
    twice 21 is 42
    d 1
    a script failed: runtime error: no such thing
    d 2
    d 3
    d is done
    tick
    tick
    tick
    a script was given up: true
    ");
}
