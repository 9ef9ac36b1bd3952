//! A mistake at the `main` of a program.

#[allow(unused_imports, reason = "nothing is expanded")]
use caller_tokio::Tokio;

struct Thing;

impl Thing {
    async fn works(&self) {}
}

#[caller::main(backend = Tokio::new())]
async unsafe fn main<T>(_argument: u8) {
    Thing.works().await
}
