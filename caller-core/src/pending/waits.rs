//! Which calls wait for which others by way of a resident: a wait that could never end is an error.
//!
//! A call waits for pendings; a call that wants a resident's value waits for those that have it. A ring of both is seen by
//! whoever closes it. It is looked for only while a resident lives, and by calls that really wait.

use std::{
    collections::{HashMap, HashSet},
    hash::Hash,
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

fn waits() -> MutexGuard<'static, Waits> {
    WAITS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A call, by its address, which no other has while it waits or has a value.
type Call = usize;

/// A gate in front of a value, by a number.
type Gate = u64;

#[derive(Default)]
struct Waits {
    /// The pendings that a call waits for.
    pendings: HashMap<Call, Vec<Call>>,
    /// The gates at which a call waits.
    gates: HashMap<Call, Vec<Gate>>,
    /// Who is inside the gates at which somebody waits.
    inside: HashMap<Gate, Vec<Call>>,
}

impl Waits {
    /// Whether what these wait for is, by way of some gate, the call itself. `through` says whether they are inside of one.
    fn is_ring(&self, call: Call, first: &[Call], through: bool) -> bool {
        let mut seen = HashSet::new();
        let mut next: Vec<(Call, bool)> = first.iter().map(|first| (*first, through)).collect();
        while let Some((at, through)) = next.pop() {
            if at == call && through {
                return true;
            }
            if !seen.insert((at, through)) {
                continue;
            }
            next.extend(self.pendings.get(&at).into_iter().flatten().map(|on| (*on, through)));
            let gates = self.gates.get(&at).into_iter().flatten();
            let inside = gates.filter_map(|gate| self.inside.get(gate)).flatten();
            next.extend(inside.map(|inside| (*inside, true)));
        }
        false
    }
}

/// Removes one of equal values. The entry goes with the last.
fn remove_one<V: PartialEq>(map: &mut HashMap<usize, Vec<V>>, key: usize, value: &V) {
    if let Some(values) = map.get_mut(&key) {
        if let Some(at) = values.iter().position(|known| known == value) {
            values.swap_remove(at);
        }
        if values.is_empty() {
            map.remove(&key);
        }
        give_back(map);
    }
}

/// Gives back the room that a crowd has left.
fn give_back<K: Eq + Hash, V>(map: &mut HashMap<K, V>) {
    const KEPT: usize = 64;
    if map.is_empty() && map.capacity() > KEPT {
        map.shrink_to_fit();
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

/// That the running call waits for a pending, from the first poll that found it not done until this is dropped.
#[derive(Debug, Default)]
pub(super) struct WaitsFor(Option<(Call, Call)>);

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
        let edge = (current_address(), pending.address());
        if self.0 == Some(edge) || edge.0 == 0 {
            return Ok(());
        }
        self.end();
        let mut waits = waits();
        if waits.is_ring(edge.0, &[edge.1], false) {
            drop(waits);
            return Err(Error::new(Kind::SelfWait("a call that has a resident's value")));
        }
        waits.pendings.entry(edge.0).or_default().push(edge.1);
        self.0 = Some(edge);
        Ok(())
    }

    /// It waits no longer.
    pub(super) fn end(&mut self) {
        if let Some((call, on)) = self.0.take() {
            remove_one(&mut waits().pendings, call, &on);
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
pub(crate) struct AtGate(Call, Gate);

impl AtGate {
    /// The running call waits at this gate.
    ///
    /// # Errors
    ///
    /// If that could never end, because who is inside waits for it.
    pub(crate) fn begin(gate: u64, inside: &[usize]) -> Result<Self, Kind> {
        // Zero outside of any call, where nobody can wait for it.
        let call = current_address();
        let mut waits = waits();
        if call != 0 && waits.is_ring(call, inside, true) {
            drop(waits);
            return Err(Kind::SelfWait("a call of a resident"));
        }
        waits.gates.entry(call).or_default().push(gate);
        waits.inside.insert(gate, inside.to_vec());
        Ok(Self(call, gate))
    }
}

impl Drop for AtGate {
    fn drop(&mut self) {
        remove_one(&mut waits().gates, self.0, &self.1);
    }
}

/// Others are inside a gate now, at which somebody waits; or nobody waits there any more.
pub(crate) fn changed(gate: u64, inside: Option<&[usize]>) {
    let mut waits = waits();
    match inside {
        Some(inside) => {
            waits.inside.insert(gate, inside.to_vec());
        }
        None => {
            waits.inside.remove(&gate);
            give_back(&mut waits.inside);
        }
    }
}
