//! A program whose core is built without the feature `tracing`: what nobody waits for is reported on stderr. The test
//! `reports` builds it as a package of its own, and runs it.

use std::{
    io,
    pin::pin,
    rc::Rc,
    sync::{Arc, mpsc},
    task::{Context, Poll, Wake, Waker},
    thread,
    time::{Duration, Instant},
};

use caller::{Backend, Caller, DoneCallback, LocalFuture, Runtime};

/// The least that a caller can run on.
#[derive(Clone, Debug)]
struct Least;

struct Unpark(thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

impl Backend for Least {
    fn name(&self) -> &'static str {
        "least"
    }

    fn is_same(&self, other: &dyn Backend) -> bool {
        other.name() == self.name()
    }

    fn run(&self, root: LocalFuture<'_>) -> io::Result<()> {
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut root = pin!(root);
        while let Poll::Pending = root.as_mut().poll(&mut Context::from_waker(&waker)) {
            thread::park();
        }
        Ok(())
    }

    fn runtime(&self) -> caller::Result<Rc<dyn Runtime>> {
        Ok(Rc::new(Self))
    }
}

impl Runtime for Least {
    fn enter(&self, function: &mut dyn FnMut()) {
        function();
    }

    fn sleep_until(&self, at: Instant) -> LocalFuture<'static> {
        Box::pin(caller::sleep_until(at))
    }
}

fn fails() -> Result<(), String> {
    Err("out of ink".into())
}

async fn fails_later() -> Result<(), String> {
    Err("out of paper".into())
}

async fn item((number, done): (u32, mpsc::Sender<u32>)) -> Result<(), String> {
    match number {
        0 => Err("out of time".into()),
        1 => panic!("item number {number}"),
        good => {
            done.send(good).unwrap();
            Ok(())
        }
    }
}

fn panics<T: Default>(text: &'static str) -> T {
    if text.is_empty() { T::default() } else { panic!("{text}") }
}

fn main() {
    // What std says of panics is not what is looked at.
    std::panic::set_hook(Box::new(|_| {}));
    let clerk = Caller::builder().name("clerk").backend(Least).spawn().unwrap();
    clerk.call_direct(fails);
    clerk.call_direct(|| panics::<()>("in a direct call"));
    clerk.call_direct_async(fails_later);
    clerk.call_direct_async(async || panics::<()>("in an async direct call"));
    clerk.call_soon(async || ()).wait().timeout(Duration::from_secs(20)).blocking().unwrap();
    let (sender, done) = mpsc::channel();
    for number in 0..3 {
        clerk.queue_call(item, (number, sender.clone())).unwrap();
    }
    assert_eq!(done.recv_timeout(Duration::from_secs(20)), Ok(2));
    let call = clerk.call_soon(async || 7);
    call.handle().wait().timeout(Duration::from_secs(20)).blocking().unwrap();
    call.add_done_callback(&DoneCallback::new(|_| panics("in a callback")));
    println!("{}", call.wait_blocking().unwrap());
}
