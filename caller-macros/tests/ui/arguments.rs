//! Arguments of the attributes: unknown, repeated, without a value, with a wrong one. All are told together.

#[caller::queued(colour = 1, pending, pending, caller, name = 5, fallible = 7, crate = 3 + 4)]
async fn queued() {}

#[caller::queued(fallible = true, pending = true, associated = 1, 17)]
async fn flags() {}

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
}

// The functions are there all the same: there is no message of these.
fn main() {
    let _futures = (queued(), flags(), soon(), later(), to_thread(), direct(), Thing.method());
}
