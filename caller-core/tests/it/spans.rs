//! With the feature `tracing`, the span of the submitter travels with its calls.

use caller::{
    Caller,
    testing::{Manual, Process, Running},
};
use tracing::Span;

fn name() -> Option<&'static str> {
    Span::current().metadata().map(|metadata| metadata.name())
}

#[test]
fn spans_travel_through_threads_and_queues() {
    // The subscriber is that of a whole process.
    Process::of(concat!(module_path!(), "::spans_travel_through_threads_and_queues")).run(|| {
        async fn queued(to: std::sync::mpsc::Sender<Option<&'static str>>) {
            to.send(name()).unwrap();
        }
        tracing::subscriber::set_global_default(tracing_subscriber::registry())
            .expect("no other test sets one");
        let caller = Running(Caller::builder().backend(Manual::new()).spawn().unwrap());
        let (sender, items) = std::sync::mpsc::channel();
        let call = || {
            caller.call_soon(async || {
                let before = name();
                let nested = Caller::current().unwrap().to_thread(async || name()).await.unwrap();
                (before, nested, name())
            })
        };
        let inside = tracing::info_span!("request").in_scope(|| {
            caller.queue_call(queued, sender.clone()).unwrap();
            call()
        });
        assert_eq!(inside.wait_blocking().unwrap(), (Some("request"), Some("request"), Some("request")));
        assert_eq!(call().wait_blocking().unwrap(), (None, None, None), "and leaks nowhere");
        // In a queue, the span is each item's own.
        tracing::info_span!("another").in_scope(|| caller.queue_call(queued, sender.clone()).unwrap());
        caller.queue_call(queued, sender).unwrap();
        let seen: Vec<_> = items.iter().take(3).collect();
        assert_eq!(seen, [Some("request"), Some("another"), None]);
    });
}
