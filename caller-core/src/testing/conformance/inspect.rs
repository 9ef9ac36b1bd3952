//! INS: what people read.

use std::{collections::HashSet, sync::mpsc};

use super::{Trouble, receive};
use crate::{GroupMode, PendingGroup, Resolver, testing::Fixture};

pub fn ins_01_pending_texts<F: Fixture>() {
    let caller = F::new().caller();
    let (resolver, gate) = Resolver::<()>::new();
    let (sender, began) = mpsc::channel();
    let running = caller.call_soon({
        let sender = sender.clone();
        async move || {
            sender.send(()).unwrap();
            gate.await.unwrap();
        }
    });
    receive(&began);
    running.set_metadata("label", "x".repeat(300));
    let running_text = running.to_string();
    assert!(running_text.len() < 300 && running_text.contains('…'), "{running_text}");

    let (by_hand, unfinished) = Resolver::<()>::new();
    by_hand.set_canceller(|_| {}).unwrap();
    unfinished.cancel("soon");
    let cancelling_text = unfinished.to_string();

    resolver.resolve(()).unwrap();
    let done = running.handle();
    done.wait().blocking().unwrap();
    let cancelled = caller.call_soon(async || std::future::pending::<()>().await);
    let cancelled = cancelled.handle();
    cancelled.cancel_and_wait("enough").blocking().unwrap();
    let failed = caller.try_call_soon(async || Err::<(), _>(Trouble)).handle();
    failed.wait().blocking().unwrap();

    let failed_text = failed.to_string();
    assert!(failed_text.contains("the cat sat on the keyboard"), "{failed_text}");
    let texts = [running_text, done.to_string(), cancelling_text, cancelled.to_string(), failed_text];
    for (at, text) in texts.iter().enumerate() {
        let name = if at == 2 { "Resolver" } else { "ins_01_pending_texts" };
        assert!(text.contains(name), "{text} does not name its function");
    }
    let words: HashSet<_> = texts.iter().map(|text| text.split('`').next().unwrap().to_owned()).collect();
    assert_eq!(words.len(), 5, "{texts:#?}");
}

pub fn ins_02_caller_texts<F: Fixture>() {
    let fixture = F::new();
    let caller = fixture.builder().name("painter").protected(true).build().unwrap();
    let before = caller.to_string();
    assert!(before.contains("painter") && before.contains("not running") && before.contains("(protected)"));
    assert!(before.contains(caller.backend().name()) && before.contains("host="), "{before}");
    caller.start().unwrap();
    let child = caller.child("brush").unwrap();
    let inside = caller.clone();
    let during = caller.call_soon(async move || inside.to_string()).wait_blocking().unwrap();
    assert!(
        during.contains("(current)") && during.contains(" running") && during.contains("1 child"),
        "{during}"
    );
    assert!(!caller.to_string().contains("(current)"));
    child.stop();
    caller.force_stop();
    caller.stopped().blocking().unwrap();
    let after = caller.to_string();
    assert!(after.contains("stopped") && !after.contains("child"), "{after}");
}

pub fn ins_03_group_texts<F: Fixture>() {
    let group = PendingGroup::builder().mode(GroupMode::Strict).build();
    let members = [(); 2].map(|()| Resolver::<()>::new());
    for (_, pending) in &members {
        group.add(&pending.handle()).unwrap();
    }
    let before = group.to_string();
    assert!(
        before.contains("2 pending") && before.contains("strict") && !before.contains("cancelled"),
        "{before}"
    );
    members[0].0.resolve(()).unwrap();
    assert!(group.to_string().contains("1 pending"));
    group.cancel("enough");
    let after = group.to_string();
    assert!(after.contains("0 pending") && after.contains("(cancelled)"), "{after}");
}
