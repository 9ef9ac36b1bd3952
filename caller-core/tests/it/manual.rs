//! The manual backend itself.

use std::panic::{AssertUnwindSafe, catch_unwind};

use caller::{Backend, testing::Manual};

#[test]
fn a_panic_leaves_the_thread_undriven() {
    let manual = Manual::new();
    let runtime = manual.block_on(async { manual.runtime().unwrap() });
    let panicked = catch_unwind(AssertUnwindSafe(|| manual.block_on(async { panic!("inside, on purpose") })));
    assert!(panicked.is_err() && !Manual::is_current());
    let panicked = catch_unwind(AssertUnwindSafe(|| runtime.enter(&mut || panic!("inside, on purpose"))));
    assert!(panicked.is_err() && !Manual::is_current());
}
