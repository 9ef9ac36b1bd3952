//! What people read: the texts of pendings and callers, and the table of callers.

use std::{sync::mpsc, time::Duration};

use caller::{
    Caller, GroupMode, PendingGroup, Resolver, Trackers, callers_table,
    testing::{Manual, Running},
};

/// The text, without what differs from run to run.
fn plain(text: &str) -> String {
    let Some((head, tail)) = text.split_once("texts.rs:") else { return text.to_owned() };
    format!("{head}texts.rs:_{}", tail.trim_start_matches(|c: char| c.is_ascii_digit()))
}

#[test]
fn pendings() {
    let caller = Running(Caller::builder().name("clerk").backend(Manual::new()).build().unwrap());
    let (resolver, gate) = Resolver::<()>::new();
    let waiting = caller.call_soon(async move || gate.await.unwrap());
    waiting.set_metadata("request", 7);
    waiting.set_metadata("note", "a label that is far too long to be shown in a line of text");
    insta::assert_snapshot!(plain(&waiting.to_string()), @r#"Pending waiting `it::texts::pendings` (caller-core/tests/it/texts.rs:_) request="7" note="a label that is far too long to be shown"…"#);
    caller.start().unwrap();
    caller.call_soon(async || ()).wait_blocking().unwrap();
    insta::assert_snapshot!(plain(&waiting.to_string()), @r#"Pending running `it::texts::pendings` (caller-core/tests/it/texts.rs:_) request="7" note="a label that is far too long to be shown"…"#);
    resolver.resolve(()).unwrap();
    waiting.handle().wait().blocking().unwrap();
    insta::assert_snapshot!(plain(&waiting.to_string()), @"Pending done `it::texts::pendings` (caller-core/tests/it/texts.rs:_)");
    let failed = caller.try_call_soon(async || "x".parse::<u32>());
    failed.handle().wait().blocking().unwrap();
    insta::assert_snapshot!(plain(&failed.to_string()), @r#"Pending failed `it::texts::pendings` (caller-core/tests/it/texts.rs:_) error="invalid digit found in string""#);
    let cancelled = caller.call_soon(async || std::future::pending::<()>().await);
    cancelled.handle().cancel_and_wait("enough").blocking().unwrap();
    insta::assert_snapshot!(plain(&cancelled.to_string()), @r#"Pending cancelled `it::texts::pendings` (caller-core/tests/it/texts.rs:_) error="cancelled: enough""#);
}

#[test]
fn callers() {
    let caller =
        Running(Caller::builder().name("clerk").protected(true).backend(Manual::new()).build().unwrap());
    insta::assert_snapshot!(*caller, @r#"Caller "clerk" (protected) backend=manual host=none not running"#);
    caller.start().unwrap();
    let this = caller.0.clone();
    let (text, table, ids) = caller
        .call_soon(async move || {
            let child = this.child("desk").unwrap();
            child.started().await;
            (this.to_string(), callers_table(), [this.id(), child.id()])
        })
        .wait_blocking()
        .unwrap();
    insta::assert_snapshot!(text, @r#"Caller "clerk" (current) (protected) backend=manual host=none running 1 child"#);
    // Without the callers of other tests, and without what differs from run to run.
    let ids = ids.map(|id| id.to_string());
    let ours: Vec<_> = table
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|words| words[0] == "Name" || words.iter().any(|word| ids.iter().any(|id| id == word)))
        .map(|words| {
            words.into_iter().filter(|word| word.parse::<u64>().is_err()).collect::<Vec<_>>().join(" ")
        })
        .collect();
    insta::assert_snapshot!(ours.join("\n"), @r"
    Name State Protected Thread Id
    clerk running yes clerk ← current
    desk running desk
    ");
}

#[test]
fn groups() {
    let group = PendingGroup::builder().mode(GroupMode::AllOrError).build();
    let (_resolver, member) = Resolver::<()>::new();
    group.add(&member.handle()).unwrap();
    insta::assert_snapshot!(group, @r#"PendingGroup 1 pending mode="all or error""#);
    group.cancel("enough");
    insta::assert_snapshot!(format!("{group:?}"), @r#"<PendingGroup 0 pending mode="all or error" (cancelled)>"#);
}

#[test]
fn errors_of_groups() {
    let caller = Running(Caller::builder().name("clerk").backend(Manual::new()).spawn().unwrap());
    let this = caller.0.clone();
    // Holds a resolver until the end of the test.
    let (keep, _kept) = mpsc::channel();
    let ended = caller.call_soon(async move || {
        this.group()
            .cancellation_timeout(Duration::ZERO)
            .try_run(async |_| {
                drop(this.try_call_soon(async || "x".parse::<u32>()));
                let (never, stays) = Resolver::<()>::new();
                never.set_canceller(|_| {}).unwrap();
                stays.handle().track(&Trackers::all());
                keep.send(never).unwrap();
                std::future::pending::<Result<(), std::num::ParseIntError>>().await
            })
            .await
    });
    let error = ended.wait_blocking().unwrap().unwrap_err().to_string();
    let lines: Vec<_> = error.lines().map(plain).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    1 call of the group failed:
    - `it::texts::errors_of_groups` (caller-core/tests/it/texts.rs:_) failed: invalid digit found in string
    1 call of the group went on though cancelled, and stay behind:
    - Pending cancelling `caller::pending::resolver::Resolver<()>` (caller-core/tests/it/texts.rs:_)
    ");
    let this = caller.0.clone();
    let ended = caller.call_soon(async move || this.group().try_run(async |_| "y".parse::<u32>()).await);
    let error = ended.wait_blocking().unwrap().unwrap_err();
    insta::assert_snapshot!(error, @"the body of the group failed: invalid digit found in string");
}
