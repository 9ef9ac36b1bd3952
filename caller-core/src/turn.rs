//! How the kinds of work of one caller share a turn of its scheduler.
//!
//! The inbox of a caller and each queue of a function have a backlog. The one with the largest backlog of the turn serves
//! [`SHARE`] items, and each other serves in proportion to its own. So work that was submitted together progresses
//! together, whatever verb it came by. Everything here belongs to the thread of the caller.

use std::cell::Cell;

/// How many items the kind with the largest backlog serves in one turn. Enough that a turn of the runtime, which takes
/// about half a microsecond, adds nothing to speak of to each item; few enough that a flood of items does not keep
/// timers and sockets waiting.
pub(crate) const SHARE: usize = 64;

/// The largest backlog of the last turn, and of the one that runs.
#[derive(Clone, Copy)]
struct Largest {
    last: usize,
    now: usize,
}

thread_local! {
    static LARGEST: Cell<Largest> = const { Cell::new(Largest { last: 0, now: 0 }) };
}

/// A turn of the scheduler of this thread begins.
pub(crate) fn begin_turn() {
    // In a destructor of a thread-local value there is no scheduler.
    let _ended = LARGEST.try_with(|largest| largest.set(Largest { last: largest.get().now, now: 0 }));
}

/// How many of `backlog` items may be served before others have their turn: at least one, at most [`SHARE`].
pub(crate) fn share(backlog: usize) -> usize {
    let largest = LARGEST.try_with(|largest| {
        let known = largest.get();
        let now = known.now.max(backlog);
        largest.set(Largest { now, ..known });
        // A kind that is served before the others knows of their backlogs from the last turn.
        now.max(known.last)
    });
    part(backlog, largest.unwrap_or(backlog))
}

fn part(backlog: usize, largest: usize) -> usize {
    if backlog >= largest { SHARE } else { (backlog.saturating_mul(SHARE) / largest).clamp(1, SHARE) }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn one_kind_alone_has_the_whole_turn() {
        for backlog in [1, 63, 64, 65, 1_000_000, usize::MAX] {
            begin_turn();
            begin_turn();
            assert_eq!(share(backlog), SHARE, "{backlog}");
        }
    }

    #[test]
    fn a_share_is_in_proportion_to_the_largest_backlog() {
        begin_turn();
        begin_turn();
        assert_eq!(share(2000), 64);
        assert_eq!(share(1000), 32);
        assert_eq!(share(500), 16);
        assert_eq!(share(1), 1, "each kind serves at least one item");
        assert_eq!(share(0), 1);
    }

    #[test]
    fn the_kind_that_is_served_first_knows_the_others_from_the_last_turn() {
        begin_turn();
        begin_turn();
        assert_eq!((share(1000), share(2000)), (64, 64), "nothing is known of the second kind yet");
        begin_turn();
        assert_eq!((share(936), share(1936)), (29, 61));
        begin_turn();
        begin_turn();
        assert_eq!(share(10), SHARE, "a flood that has ended is forgotten");
    }

    #[test]
    fn what_begins_together_progresses_together() {
        begin_turn();
        begin_turn();
        let all = [3000_usize, 1000, 2000];
        let mut left = all;
        while left.iter().any(|left| *left > 0) {
            begin_turn();
            for left in &mut left {
                if *left > 0 {
                    *left -= share(*left).min(*left);
                }
            }
            let done: Vec<_> = left.iter().zip(all).map(|(left, all)| (all - left) * 1000 / all).collect();
            let lead = done.iter().max().unwrap() - done.iter().min().unwrap();
            assert!(lead <= 64, "of a thousand, one kind is {lead} ahead: {done:?}");
        }
    }
}
