//! A consumer that is faster than its producers would meet them at the lock for every single item. Under pressure it
//! holds back for a fraction of a microsecond, so that what it then takes is worth the lock.

use std::{hint, sync::LazyLock, thread};

use super::RawQueue;

/// How often in a row new work has to be there at once before it is pressure, and not somebody's next call.
const STREAK: u8 = 4;

/// How many times `spin_loop` is for the work to gather, and to see whether there is more at all.
const GATHER: u32 = 16;
const GLANCE: u32 = 40;

/// On one core, nobody could add what is waited for.
pub(crate) fn many_cores() -> bool {
    static CORES: LazyLock<usize> = LazyLock::new(|| thread::available_parallelism().map_or(1, usize::from));
    *CORES > 1
}

/// What a consumer knows of the pressure on its queue.
#[derive(Debug, Default)]
pub(crate) struct Pressure {
    streak: u8,
}

impl Pressure {
    /// The consumer looked for work: was it there at once? Under pressure, lets some more gather.
    pub(crate) fn looked(&mut self, at_once: bool) {
        self.streak = if at_once { self.streak.saturating_add(1) } else { 0 };
        if self.streak > STREAK {
            (0..GATHER).for_each(|_| hint::spin_loop());
        }
    }

    /// Looks for work about a microsecond long, before a consumer goes to sleep.
    pub(crate) fn glance<T>(&mut self, queue: &RawQueue<T>) {
        let looks = if many_cores() { GLANCE } else { 0 };
        let at_once = (0..looks).any(|_| {
            hint::spin_loop();
            queue.looks_ready()
        });
        self.looked(at_once);
    }
}
