//! Arguments of the attributes: unknown, repeated, without a value, with a wrong one. All are told together.

#[caller::queued(colour = 1, pending, pending, caller, name = 5, fallible = 7, crate = 3 + 4)]
async fn queued() {}

#[caller::queued(fallible = true, pending = true, associated = 1, 17)]
async fn flags() {}

#[caller::queued(pending(true), associated[1], fallible = true false)]
async fn values() {}

#[caller::queued(fallible = true)]
async fn no_pending() -> Result<(), String> {
    Ok(())
}

#[caller::queued(caller = &on.main, pending)]
async fn on_argument(on: std::sync::Arc<Callers>) {
    let _ = on;
}

struct Callers {
    main: caller::Caller,
}

#[caller::call_soon(pending, name = soon, name = later)]
async fn soon() {}

#[caller::call_later(delay = 5, caller = )]
async fn later() {}

#[caller::to_thread(caller = one two)]
async fn to_thread() {}

#[caller::call_direct(fallible = true)]
async fn direct() {}

struct Thing;

impl Thing {
    #[caller::queued(associated)]
    async fn method(&self) {}

    #[caller::queued(limit = 5)]
    pub fn limited(&self, _number: u8) {}

    #[caller::call_soon]
    pub fn borrows(&self, _text: &str) -> &u8 {
        &1
    }

    #[caller::call_later]
    pub fn changes<T>(&mut self, value: T) -> Result<T, String> {
        Ok(value)
    }

    #[caller::call_direct(associated)]
    pub fn notes(&self) {}
}

// The functions are there all the same, and so are their wrappers: there is no message of these.
fn main() {
    let _futures = (queued(), flags(), soon(), later(), to_thread(), direct(), Thing.method());
    let _pending: caller::Pending<u8> = thing().changes_later(std::time::Duration::ZERO, 1);
    let _none = (thing().limited_queued(1), thing().limited_queue(), thing().borrows_soon(""));
    thing().notes_direct();
    let _queued = (no_pending_queued(), on_argument_queued(callers()), flags_queued(), flags_queue());
}

fn callers() -> std::sync::Arc<Callers> {
    std::sync::Arc::new(Callers { main: caller::Caller::current().unwrap() })
}

fn thing() -> std::sync::Arc<Thing> {
    std::sync::Arc::new(Thing)
}
