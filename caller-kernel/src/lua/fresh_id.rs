//! Ids that nobody chose.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

/// An id for a display or a comm.
pub(super) fn fresh_id() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    // Front ends keep ids longer than this process lives.
    let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("lua-{:x}-{}", time.as_nanos(), NEXT.fetch_add(1, Ordering::Relaxed))
}
