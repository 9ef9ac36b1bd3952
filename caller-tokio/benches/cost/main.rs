//! Times of calls beside the peers' times, measured in one process and one run, in turn.
//!
//! Ratios count, not times. Each row is the median of several rounds of ours and of the peer's, one after the other, so
//! that a noisy moment hits both. Both sides do the same work under the same submitter, a tokio `current_thread`
//! runtime, and every result is looked at. Context is on (a value is set in the submitter), and so are the `tracing`
//! feature, cancelling and callbacks, which cannot be switched off. Bytes and allocations are counted in the bench
//! `memory`, a process of its own: no time here contains a counting allocator.
//!
//! `cargo xtask bench` runs it. It prints a table and writes `target/bench.json`.

mod rounds;
mod table;

mod floors;
mod pin;
mod submitter;

mod calls;
mod growth;
mod locks;
mod owners;
mod residents;
mod together;
mod without_results;

use self::rounds::Size;

fn main() {
    let size = Size::of_this_run();
    let mut rows = Vec::new();
    calls::calls(size, &mut rows);
    without_results::without_results(size, &mut rows);
    locks::locks(size, &mut rows);
    together::together(size, &mut rows);
    residents::residents(size, &mut rows);
    growth::growth(size, &mut rows);
    table::show(&rows);
}
