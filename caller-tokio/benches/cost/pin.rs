//! Binds threads to cores, where the system allows it. Elsewhere the row is measured with threads that move.

use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};

/// The thread that calls.
const THIS_THREAD: Pid = Pid::from_raw(0);

/// Binds this thread to a core. Returns the cores that it could use before.
pub(crate) fn pin(core: usize) -> CpuSet {
    let before = sched_getaffinity(THIS_THREAD).expect("the cores of this thread");
    let mut cores = CpuSet::new();
    if cores.set(core).is_ok() {
        let _not_allowed = sched_setaffinity(THIS_THREAD, &cores);
    }
    before
}

/// Lets this thread use `cores` again.
pub(crate) fn unpin(cores: CpuSet) {
    sched_setaffinity(THIS_THREAD, &cores).expect("the thread had these cores");
}
