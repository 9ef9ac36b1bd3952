//! How many wakers the lists of the process hold: for tests, which see a waker that a dropped future left behind.
//!
//! It is counted in builds with debug assertions alone, since the count is shared by all threads.

#[cfg(all(any(test, feature = "test-util"), debug_assertions))]
static KEPT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);

#[inline]
pub(crate) fn add(number: usize) {
    #[cfg(all(any(test, feature = "test-util"), debug_assertions))]
    KEPT.fetch_add(number, std::sync::atomic::Ordering::Relaxed);
    let _counted = number;
}

#[inline]
pub(crate) fn remove(number: usize) {
    #[cfg(all(any(test, feature = "test-util"), debug_assertions))]
    KEPT.fetch_sub(number, std::sync::atomic::Ordering::Relaxed);
    let _counted = number;
}

/// How many wakers and callbacks of futures, threads and timers this process keeps, in all lists of waiters and of
/// deadlines. Always zero in a build without debug assertions.
///
/// A test that drops futures sees here whether they left something behind.
#[cfg(feature = "test-util")]
pub fn kept_wakers() -> usize {
    #[cfg(debug_assertions)]
    return KEPT.load(std::sync::atomic::Ordering::SeqCst);
    #[cfg(not(debug_assertions))]
    0
}
