//! User code that causes more user code: a callback that completes the next pending, a waker that runs a task at once,
//! a destructor that drops the next link of a chain. Nested without a bound, a long chain would overflow the stack.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    marker::PhantomData,
};

/// How many pieces of such code are inside each other before the next one waits for its turn.
const DEPTH: usize = 32;

type Work = Box<dyn FnOnce()>;

thread_local! {
    static DEEP: Cell<usize> = const { Cell::new(0) };
    /// The same for wakers alone.
    static WAKING: Cell<usize> = const { Cell::new(0) };
    /// What waits until the stack is less deep. It is empty whenever no such code runs in the thread.
    static LATER: RefCell<VecDeque<Work>> = const { RefCell::new(VecDeque::new()) };
}

/// Runs `work` with `value`: now, or, if the thread is too deep in such work already, when the piece that is `DEPTH`
/// levels up has ended. `work` must not panic.
#[inline]
pub(crate) fn nested<T: 'static>(value: T, work: impl FnOnce(T) + 'static) {
    // In a destructor of a thread-local value there is nowhere to count: the depth of that is the program's own.
    let Some(level) = Level::<Deep>::enter() else { return work(value) };
    let depth = level.depth;
    if depth < DEPTH {
        work(value);
    } else {
        return postpone(Box::new(move || work(value)));
    }
    if depth == DEPTH - 1 {
        run_postponed();
    }
}

/// Runs `wake`, which must not panic. Most wakers only put a task on a list, or end the sleep of a thread, for which what is
/// around this may be waiting: so a wake is put off only where wakers themselves are nested too deep.
#[inline]
pub(crate) fn waking(wake: impl FnOnce() + 'static) {
    match Level::<Waking>::enter() {
        Some(level) if level.depth >= DEPTH => nested((), move |()| wake()),
        _level => wake(),
    }
}

/// Runs what was put off, because this thread is about to sleep.
pub(crate) fn catch_up() {
    if DEEP.try_with(Cell::get).is_ok_and(|depth| depth >= DEPTH) {
        run_postponed();
    }
}

/// Where a depth is counted: a type, so that the count is found without a call.
trait Counted {
    fn replace(change: impl FnOnce(usize) -> usize) -> Option<usize>;
}

struct Deep;

impl Counted for Deep {
    #[inline]
    fn replace(change: impl FnOnce(usize) -> usize) -> Option<usize> {
        DEEP.try_with(|deep| deep.replace(change(deep.get()))).ok()
    }
}

struct Waking;

impl Counted for Waking {
    #[inline]
    fn replace(change: impl FnOnce(usize) -> usize) -> Option<usize> {
        WAKING.try_with(|deep| deep.replace(change(deep.get()))).ok()
    }
}

/// One level of such work. It is left when it is dropped.
struct Level<C: Counted> {
    depth: usize,
    counted: PhantomData<C>,
}

impl<C: Counted> Level<C> {
    #[inline]
    fn enter() -> Option<Self> {
        Some(Self { depth: C::replace(|depth| depth + 1)?, counted: PhantomData })
    }
}

impl<C: Counted> Drop for Level<C> {
    #[inline]
    fn drop(&mut self) {
        let _ended = C::replace(|_| self.depth);
    }
}

#[cold]
fn postpone(work: Work) {
    let mut work = Some(work);
    let _ended = LATER.try_with(|later| later.borrow_mut().extend(work.take()));
    if let Some(work) = work {
        work();
    }
}

fn run_postponed() {
    // The borrow ends before the work begins, which may postpone more.
    while let Some(work) = LATER.try_with(|later| later.borrow_mut().pop_front()).ok().flatten() {
        work();
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::rc::Rc;

    fn chain(left: usize, seen: Rc<Cell<usize>>) {
        nested((left, seen), |(left, seen)| {
            seen.set(seen.get() + 1);
            if left > 1 {
                chain(left - 1, seen);
            }
        });
    }

    #[test]
    fn a_long_chain_needs_no_deep_stack() {
        let seen = Rc::new(Cell::new(0));
        chain(1_000_000, seen.clone());
        assert_eq!(seen.get(), 1_000_000, "all of it has run when the first call returns");
        assert_eq!(DEEP.get(), 0);
    }

    #[test]
    fn a_short_chain_is_nested() {
        let order = Rc::new(RefCell::new(Vec::new()));
        let inner = order.clone();
        nested(order.clone(), move |order| {
            order.borrow_mut().push("begin");
            nested(inner, |inner| inner.borrow_mut().push("inside"));
            order.borrow_mut().push("end");
        });
        assert_eq!(*order.borrow(), ["begin", "inside", "end"]);
    }
}
