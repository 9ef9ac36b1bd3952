//! What a function gives, where nobody waits for it or where it is not what the attribute says.

struct NoError;

#[caller::queued]
async fn queued() -> u32 {
    1
}

#[caller::call_direct]
fn direct() -> u32 {
    1
}

#[caller::call_soon]
fn fails() -> Result<u32, NoError> {
    Err(NoError)
}

#[caller::queued]
async fn queued_fails() -> Result<u32, NoError> {
    Err(NoError)
}

#[caller::queued(pending)]
async fn pending_fails() -> Result<u32, NoError> {
    Err(NoError)
}

#[caller::call_soon]
fn unit_fails() -> Result<u32, ()> {
    Err(())
}

#[caller::to_thread]
fn joins() -> std::thread::Result<u32> {
    Ok(1)
}

#[caller::queued(pending)]
fn stays() -> Result<u32, Box<dyn std::error::Error>> {
    Ok(1)
}

#[caller::call_soon(fallible = true)]
fn never_fails() -> u32 {
    1
}

mod called_so {
    struct Result;

    #[caller::queued(pending)]
    fn result() -> Result {
        Result
    }

    #[caller::call_soon(fallible = false)]
    fn fine() -> Result {
        Result
    }
}

#[caller::queued]
async fn queued_never() -> ! {
    std::future::pending().await
}

#[caller::call_soon]
fn soon_never() -> ! {
    panic!()
}

#[caller::call_soon(caller = "db")]
fn somewhere() {}

#[caller::main(backend = "tokio")]
async fn program() {}

fn main() {}
