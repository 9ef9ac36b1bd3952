//! Where the attribute cannot see what the function stands in.

struct Thing;

trait Does {
    async fn does(&self);

    fn makes();
}

impl Does for Thing {
    #[caller::queued]
    async fn does(&self) {}

    #[caller::call_soon]
    fn makes() {}
}

impl Thing {
    #[caller::queued]
    async fn make() {}
}

/// Not what `find` below is to call, though it has all that is made beside it.
#[caller::queued]
#[caller::call_soon]
#[caller::call_direct]
fn find() {}

impl Thing {
    #[caller::queued]
    #[caller::call_soon]
    #[caller::call_direct]
    fn find() {}
}

/// The same tokens, once alone and once in an `impl`.
macro_rules! open {
    () => {
        #[caller::queued]
        #[caller::to_thread]
        fn open() {}
    };
}

open!();

impl Thing {
    open!();
}

// Wrappers whose names differ in case alone are two all the same.
#[caller::call_soon(name = foobar)]
fn small() {}

#[allow(non_snake_case)]
#[caller::call_soon(name = fooBar)]
fn large() {}

#[caller::queued(associated)]
async fn alone() {}

#[caller::call_soon(associated)]
async fn alone_soon() {}

fn main() {}
