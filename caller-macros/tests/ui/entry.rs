//! Wrong uses of `main` and `test`.

#[allow(unused_imports, reason = "nothing is expanded")]
use caller_tokio::Tokio;

#[caller::main]
async fn without_a_backend() {}

#[caller::main(backend = Tokio::new(), timeout = 5)]
fn not_async() {}

#[caller::main(backend = Tokio::new())]
const unsafe extern "C" fn qualified<T>(_one: u8, _two: u8)
where
    T: Copy,
{
}

#[caller::main(backend = Tokio::new())]
unsafe extern "C" fn variadic(_: u8, _: ...) {}

#[caller::test(backends = [fn = Tokio::new()])]
async fn no_label() {}

#[caller::main(backend = Tokio::new())]
mod no_function {}

#[caller::test]
async fn without_any() {}

#[caller::test(backend = Tokio::new(), backends = [Tokio::new()])]
async fn both() {}

#[caller::test(backends = Tokio::new())]
async fn no_list() {}

#[caller::test(backends = [])]
async fn empty_list() {}

#[caller::test(backends = [1 = Tokio::new()])]
async fn wrong_label() {}

#[caller::test(backend = Tokio::new(), name = "one")]
fn not_async_either(_caller: caller::Caller) {}

#[caller::test(backend = Tokio::new())]
#[test]
async fn twice() {}

#[caller::test(backends = [Tokio::new()])]
#[should_panic]
#[caller::test(backend = Tokio::new())]
async fn twice_too() {}

fn main() {}
