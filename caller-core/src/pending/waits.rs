//! Which calls wait for which others by way of a resident: a wait that could never end is an error.
//!
//! A call waits for a pending, or at the gate in front of a value. It may do so while it has another value: then whoever waits
//! at the gate of that one waits for the same thing. A ring of such waits is seen by whoever closes it. It is looked for only
//! while a resident lives, and by calls that really wait.

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashSet},
    num::NonZeroUsize,
    ops::RangeInclusive,
    sync::{
        LazyLock, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use super::{current::current_address, observers::PendingHandle};
use crate::error::{Error, Kind, Result};

/// How many residents live.
static RESIDENTS: AtomicUsize = AtomicUsize::new(0);

static WAITS: LazyLock<Mutex<Waits>> = LazyLock::new(Mutex::default);

thread_local! {
    /// The gates inside of which this thread polls right now, each with the call that is inside.
    static UNDER: RefCell<Vec<(usize, Gate)>> = const { RefCell::new(Vec::new()) };
}

fn waits() -> MutexGuard<'static, Waits> {
    WAITS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A call, by its address, which no other has while it waits or has a value.
type Call = NonZeroUsize;

/// A gate in front of a value, by a number.
type Gate = u64;

/// The running call. None outside of any, where nobody can wait for it.
fn current() -> Option<Call> {
    NonZeroUsize::new(current_address())
}

/// What a wait is for, and what cannot go on before the wait has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Node {
    /// The end of a call.
    Call(usize),
    /// The turn at a gate.
    Gate(Gate),
}

/// The waits, each under a number of its own.
#[derive(Default)]
struct Waits {
    last: u64,
    /// By what cannot go on before: what the wait is for.
    of: BTreeMap<(Node, u64), Node>,
    /// By what the wait is for: the call that waits, and the gates that it is inside of meanwhile.
    on: BTreeMap<(Node, u64), (Call, Vec<Gate>)>,
}

impl Waits {
    fn add(&mut self, call: Call, under: Vec<Gate>, on: Node) -> u64 {
        self.last += 1;
        let number = self.last;
        for node in waiting(call, &under) {
            self.of.insert((node, number), on);
        }
        self.on.insert((on, number), (call, under));
        number
    }

    fn remove(&mut self, on: Node, number: u64) {
        if let Some((call, under)) = self.on.remove(&(on, number)) {
            for node in waiting(call, &under) {
                self.of.remove(&(node, number));
            }
        }
    }

    /// Whether the wait of a call, inside of some gates, would close a ring that has a gate in it.
    ///
    /// A ring is looked for from both ends in turn, for one end may have few and the other many: of a crowd at a gate, each is
    /// waited for by one call or none.
    fn is_ring(&self, call: Call, under: &[Gate], on: Node) -> bool {
        let (of, on) = (waiting(call, under).collect::<Vec<_>>(), [on]);
        let mut ahead = Search::new(&on, &of);
        let mut behind = Search::new(&of, &on);
        loop {
            let next = |node, after| {
                let ((_, number), on) = self.of.range(later(node, after)).next()?;
                Some((*number, vec![*on]))
            };
            if let Some(is_found) = ahead.step(next) {
                return is_found;
            }
            let next = |node, after| {
                let ((_, number), (call, under)) = self.on.range(later(node, after)).next()?;
                Some((*number, waiting(*call, under).collect()))
            };
            if let Some(is_found) = behind.step(next) {
                return is_found;
            }
        }
    }
}

/// The waits of one node behind that of a number.
fn later(node: Node, after: u64) -> RangeInclusive<(Node, u64)> {
    (node, after + 1)..=(node, u64::MAX)
}

/// What cannot go on before the wait of a call has ended: the call, and the gates that it is inside of meanwhile.
fn waiting(call: Call, under: &[Gate]) -> impl Iterator<Item = Node> {
    [Node::Call(call.get())].into_iter().chain(under.iter().copied().map(Node::Gate))
}

/// Looks, wait by wait, for a way from some nodes to others that has a gate on it or at one of its ends.
struct Search<'a> {
    to: &'a [Node],
    /// The nodes that were reached, each with whether a gate is on the way there, and the last of its waits that was looked at.
    left: Vec<(Node, bool, u64)>,
    seen: HashSet<(Node, bool)>,
    is_found: bool,
}

impl<'a> Search<'a> {
    fn new(from: &[Node], to: &'a [Node]) -> Self {
        let mut search = Self { to, left: Vec::new(), seen: HashSet::new(), is_found: false };
        from.iter().for_each(|node| search.reach(*node, false));
        search
    }

    fn reach(&mut self, node: Node, through: bool) {
        let through = through || matches!(node, Node::Gate(_));
        self.is_found |= through && self.to.contains(&node);
        if self.seen.insert((node, through)) {
            self.left.push((node, through, 0));
        }
    }

    /// Looks at one more wait. Whether there is a way, once that is known. `next` gives the wait of a node behind that of a
    /// number, and the nodes that it leads to.
    fn step(&mut self, next: impl FnOnce(Node, u64) -> Option<(u64, Vec<Node>)>) -> Option<bool> {
        if self.is_found {
            return Some(true);
        }
        let Some((node, through, after)) = self.left.last_mut() else { return Some(false) };
        match next(*node, *after) {
            Some((number, nodes)) => {
                *after = number;
                let through = *through;
                nodes.into_iter().for_each(|node| self.reach(node, through));
            }
            None => drop(self.left.pop()),
        }
        None
    }
}

/// While it lives, there is a resident.
#[derive(Debug)]
pub(crate) struct Lives(());

impl Lives {
    pub(crate) fn new() -> Self {
        // A wait that begins meanwhile in another thread has not seen the resident, and waits for nobody inside.
        RESIDENTS.fetch_add(1, Ordering::Relaxed);
        Self(())
    }
}

impl Drop for Lives {
    fn drop(&mut self) {
        RESIDENTS.fetch_sub(1, Ordering::Relaxed);
    }
}

/// While it lives, the running call is polled inside of a gate: what it waits for holds up whoever waits there.
#[must_use]
pub(crate) struct Under {
    is_known: bool,
}

impl Under {
    pub(crate) fn enter(gate: Gate) -> Self {
        let known = UNDER.try_with(|under| under.borrow_mut().push((current_address(), gate)));
        Self { is_known: known.is_ok() }
    }
}

impl Drop for Under {
    fn drop(&mut self) {
        if self.is_known {
            let _known = UNDER.try_with(|under| under.borrow_mut().pop());
        }
    }
}

/// The gates inside of which a call is polled right now.
fn under(call: Call) -> Vec<Gate> {
    let of_call = |under: &RefCell<Vec<(usize, Gate)>>| {
        let under = under.borrow();
        under.iter().filter(|(inside, _)| *inside == call.get()).map(|(_, gate)| *gate).collect()
    };
    UNDER.try_with(of_call).unwrap_or_default()
}

/// That the running call waits for a pending, from the first poll that found it not done until this is dropped.
#[derive(Debug, Default)]
pub(super) struct WaitsFor(Option<(Call, usize, u64)>);

impl WaitsFor {
    /// The running call waits for this pending.
    ///
    /// # Errors
    ///
    /// If that could never end.
    pub(super) fn begin(&mut self, pending: &PendingHandle) -> Result<()> {
        if RESIDENTS.load(Ordering::Relaxed) == 0 && self.0.is_none() {
            return Ok(());
        }
        let (Some(call), on) = (current(), pending.address()) else { return Ok(()) };
        if self.0.is_some_and(|(known, known_on, _)| (known, known_on) == (call, on)) {
            return Ok(());
        }
        self.end();
        let under = under(call);
        let mut waits = waits();
        if waits.is_ring(call, &under, Node::Call(on)) {
            drop(waits);
            return Err(Error::new(Kind::SelfWait("a call that has a resident's value")));
        }
        self.0 = Some((call, on, waits.add(call, under, Node::Call(on))));
        Ok(())
    }

    /// It waits no longer.
    pub(super) fn end(&mut self) {
        if let Some((_, on, number)) = self.0.take() {
            waits().remove(Node::Call(on), number);
        }
    }
}

impl Drop for WaitsFor {
    fn drop(&mut self) {
        self.end();
    }
}

/// That the running call waits at a gate, until this is dropped.
#[derive(Debug)]
#[must_use]
pub(crate) struct AtGate(Option<(Gate, u64)>);

impl AtGate {
    /// The running call waits at this gate.
    ///
    /// # Errors
    ///
    /// If that could never end, because a call that is inside waits for it.
    pub(crate) fn begin(gate: u64) -> Result<Self, Kind> {
        let Some(call) = current() else { return Ok(Self(None)) };
        let under = under(call);
        let mut waits = waits();
        if waits.is_ring(call, &under, Node::Gate(gate)) {
            drop(waits);
            return Err(Kind::SelfWait("a call of a resident"));
        }
        Ok(Self(Some((gate, waits.add(call, under, Node::Gate(gate))))))
    }
}

impl Drop for AtGate {
    fn drop(&mut self) {
        if let Some((gate, number)) = self.0.take() {
            waits().remove(Node::Gate(gate), number);
        }
    }
}
