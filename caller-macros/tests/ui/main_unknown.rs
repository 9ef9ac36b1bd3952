//! A mistake at the `main` of a program.

#[allow(unused_imports, reason = "nothing is expanded")]
use caller_tokio::Tokio;

struct Thing;

impl Thing {
    async fn works(&self) {}
}

#[caller::main(backend = Tokio::new(), timeout = 5, name = )]
async fn main() -> Result<(), String> {
    Ok(Thing.works().await)
}
