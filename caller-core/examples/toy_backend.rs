//! A whole backend, with its tests: the runtime is nothing but a thread which polls one future.

use std::{
    any::Any,
    cell::Cell,
    io,
    pin::pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::{Duration, Instant},
};

use caller::{Backend, Caller, Error, Guest, LocalFuture, Result, Runtime};

#[derive(Clone, Debug)]
struct Toy;

impl Backend for Toy {
    fn name(&self) -> &'static str {
        "toy"
    }

    fn is_same(&self, other: &dyn Backend) -> bool {
        // Options would be compared here.
        (other as &dyn Any).is::<Self>()
    }

    fn run(&self, root: LocalFuture<'_>) -> io::Result<()> {
        block_on(root);
        Ok(())
    }

    fn runtime(&self) -> Result<Rc<dyn Runtime>> {
        if !is_current() {
            return Err(Error::no_runtime("no toy runs in this thread; call this inside `toy::block_on`"));
        }
        Ok(Rc::new(World))
    }

    fn can_be_guest(&self) -> bool {
        true
    }

    fn guest(&self) -> io::Result<Rc<dyn Guest>> {
        Ok(Rc::new(World))
    }
}

/// What is current inside the runtime: here, no more than that it is.
struct World;

impl Runtime for World {
    fn enter(&self, function: &mut dyn FnMut()) {
        let _before = Before(CURRENT.replace(true));
        function();
    }

    fn sleep_until(&self, at: Instant) -> LocalFuture<'static> {
        // The core's own timers, which work anywhere. A runtime has better ones.
        Box::pin(caller::sleep_until(at))
    }
}

impl Guest for World {
    fn runtime(&self) -> Rc<dyn Runtime> {
        Rc::new(Self)
    }

    fn enter(&self, function: &mut dyn FnMut()) {
        Runtime::enter(self, function);
    }

    fn drive(&self, _cx: &mut Context<'_>) {
        // It has no tasks of its own.
    }
}

thread_local! {
    static CURRENT: Cell<bool> = const { Cell::new(false) };
}

/// Puts back what was before, also when there is a panic.
struct Before(bool);

impl Drop for Before {
    fn drop(&mut self) {
        CURRENT.set(self.0);
    }
}

/// Whether this thread is inside the runtime.
fn is_current() -> bool {
    CURRENT.get()
}

/// The runtime: polls a future to its end.
fn block_on<F: Future>(future: F) -> F::Output {
    let _before = Before(CURRENT.replace(true));
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        thread::park();
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn main() -> Result<()> {
    let caller = Caller::builder().name("worker").backend(Toy).spawn()?;
    let later = caller.call_later(Duration::from_millis(10), async || 6 * 7);
    println!("{} from {caller}", later.wait_blocking()?);
    assert!(caller.call_soon(async || is_current()).wait_blocking()?);
    caller.stop();
    Ok(())
}

#[cfg(test)]
mod tests {
    use caller::testing::Fixture;

    use super::*;

    struct OnToy;

    impl Fixture for OnToy {
        type Backend = Toy;

        fn new() -> Self {
            Self
        }

        fn backend(&self) -> Toy {
            Toy
        }

        fn block_on<F: Future>(&self, future: F) -> F::Output {
            block_on(future)
        }

        fn sleep(&self, time: Duration) -> LocalFuture<'static> {
            self.sleeper()(time)
        }

        fn sleeper(&self) -> impl Fn(Duration) -> LocalFuture<'static> + Clone + Send + Sync + 'static {
            |time| Box::pin(caller::sleep_until(Instant::now() + time))
        }

        fn is_current() -> bool {
            is_current()
        }

        fn elapse(&self, time: Duration) {
            thread::sleep(time);
        }

        fn start_implicitly(&self) -> Option<Result<Caller>> {
            None // there are no tasks that a caller could be
        }
    }

    caller::conformance!(OnToy);
}
