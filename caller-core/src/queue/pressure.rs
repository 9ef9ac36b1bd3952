//! A consumer that is faster than its producers would meet them at the lock for every single item. Under pressure it
//! holds back, the longer the more came the last time, so that what it then takes is worth the lock. A flood grows into
//! batches of a few microseconds; where work comes one by one, it is held back by a fraction of one.

use std::{hint, sync::LazyLock, thread};

use super::RawQueue;

/// How often in a row new work has to be there at once before it is pressure, and not somebody's next call.
const STREAK: u8 = 4;

/// How many times `spin_loop` is for the work to gather: for each item of the last time, and at most. And how many to
/// see whether there is more at all.
const GATHER_EACH: usize = 8;
const GATHER: usize = 128;
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
    /// How many items there were the last time.
    last: usize,
}

impl Pressure {
    /// The consumer looked for work: was it there at once? Under pressure, lets some more gather.
    pub(crate) fn looked(&mut self, at_once: bool) {
        self.streak = if at_once { self.streak.saturating_add(1) } else { 0 };
        if self.streak > STREAK {
            let spins = self.last.saturating_mul(GATHER_EACH).min(GATHER);
            (0..spins).for_each(|_| hint::spin_loop());
        }
    }

    /// The consumer took so many items.
    pub(crate) fn took(&mut self, items: usize) {
        self.last = items;
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
