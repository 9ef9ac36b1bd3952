//! Groups inside groups: a member is on the list of the innermost group, and counts as a member of all around it.
//!
//! A group that has members is counted by the group around it, so that a call costs the same however deep it is made. The
//! count is changed under the lock of the group that is counted; the groups above are looked at afterwards, from the inside
//! out, each under its own lock alone. A group that has ended stays in its place while groups or members inside it go on.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
};

use rustc_hash::FxBuildHasher;

use super::{Members, PendingGroup, PendingHandle, Phase, State, guard};
use crate::sys::Ordering;

impl PendingGroup {
    /// Looks at a group in which another one has changed, and at those around it.
    pub(super) fn climb(mut next: Option<Arc<Self>>) {
        while let Some(group) = next {
            let mut state = group.state();
            let waker = group.waker_if_over(&mut state);
            next = group.count(&mut state);
            drop(state);
            waker.into_iter().for_each(guard::wake);
        }
    }

    fn address(&self) -> usize {
        self.this.as_ptr().addr()
    }

    /// Whether it has a member, or a group inside has.
    pub(super) fn is_busy(&self, state: &State) -> bool {
        // Acquire pairs with the changes in `count`.
        !state.members.is_empty() || self.busy_inside.load(Ordering::Acquire) > 0
    }

    /// The group around it.
    pub(super) fn around(&self) -> Option<Arc<Self>> {
        self.state().tree.around.clone()
    }

    /// Whether this call runs it, or a group around it.
    pub(super) fn is_run_by(self: &Arc<Self>, call: &PendingHandle) -> bool {
        let mut next = Some(self.clone());
        // Few calls run groups, and nests may be deep.
        while call.leads()
            && let Some(group) = next
        {
            let state = group.state();
            if state.runner.as_ref() == Some(call) {
                return true;
            }
            next = state.tree.around.clone();
        }
        false
    }

    /// Has the group around it count it anew. Gives that, to be looked at, if the count has changed.
    pub(super) fn count(&self, state: &mut State) -> Option<Arc<Self>> {
        let around = state.tree.around.as_ref()?;
        let busy = self.is_busy(state);
        if busy == state.tree.counted {
            return None;
        }
        // Under the lock of the one that is counted, so that the count of the other is never too low.
        if busy {
            around.busy_inside.fetch_add(1, Ordering::AcqRel);
        } else {
            around.busy_inside.fetch_sub(1, Ordering::AcqRel);
        }
        state.tree.counted = busy;
        Some(around.clone())
    }

    /// Looks at it, and at those around it.
    pub(super) fn recount(self: &Arc<Self>) {
        Self::climb(Some(self.clone()));
    }

    /// Takes its place in a group that is current where it begins to run.
    pub(super) fn settle(self: &Arc<Self>, around: Option<Arc<Self>>) {
        let mut candidate = around.filter(|around| !self.is_around(around));
        let (around, order, condemned) = loop {
            let Some(group) = candidate else { return };
            let mut state = group.state();
            if state.phase == Phase::Ended {
                // It takes no group in; the one around it does.
                let next = state.tree.around.clone();
                drop(state);
                candidate = next;
                continue;
            }
            state.tree.inside.insert(self.address(), self.this.clone());
            state.tree.had_inside = true;
            let (order, condemned) = (state.members.share_order(), state.condemned.clone());
            drop(state);
            break (group, order, condemned);
        };
        let mut state = self.state();
        state.tree.around = Some(around);
        state.members.join_order(order);
        let (members, inside) = match &condemned {
            Some(reason) => state.condemn(reason),
            None => (Vec::new(), Vec::new()),
        };
        let around = self.count(&mut state);
        drop(state);
        Self::climb(around);
        if let Some(reason) = condemned {
            super::Told { reason, members, inside, waker: None }.tell();
        }
    }

    /// Whether it is this group, or one that this group runs inside.
    fn is_around(self: &Arc<Self>, other: &Arc<Self>) -> bool {
        if Arc::ptr_eq(self, other) {
            return true;
        }
        if self.state().tree.is_leaf() {
            return false;
        }
        let mut next = other.around();
        while let Some(group) = next {
            if Arc::ptr_eq(self, &group) {
                return true;
            }
            next = group.around();
        }
        false
    }

    /// It has ended: if nothing goes on inside, the group around it forgets it.
    pub(super) fn unsettle(&self) {
        let state = self.state();
        let around =
            state.tree.around.clone().filter(|_| state.tree.inside.is_empty() && !self.is_busy(&state));
        drop(state);
        let Some(around) = around else { return };
        let forgotten = around.state().tree.inside.remove(&self.address());
        drop(forgotten);
    }

    /// It and the groups inside it, one after the other.
    fn each(&self, mut look: impl FnMut(&Arc<Self>, &mut Members) -> bool) {
        let mut groups: Vec<_> = self.this.upgrade().into_iter().collect();
        while let Some(group) = groups.pop() {
            let mut state = group.state();
            let over = look(&group, &mut state.members);
            let inside = state.tree.inside();
            drop(state);
            if over {
                return;
            }
            groups.extend(inside.iter().filter_map(Weak::upgrade));
        }
    }

    /// The members that are not done, each once, with its place in the order of adding.
    pub(super) fn gather(&self) -> HashMap<PendingHandle, u64, FxBuildHasher> {
        let mut all = HashMap::default();
        if self.state().phase != Phase::Ended {
            self.each(|_, members| {
                all.extend(members.with_places().map(|(at, pending)| (pending, at)));
                false
            });
        }
        all
    }

    /// The group that has this member on its list: this one, or one inside.
    pub(super) fn find(&self, pending: &PendingHandle) -> Option<Arc<Self>> {
        let mut found = None;
        self.each(|group, members| {
            found = members.contains(pending).then(|| group.clone());
            found.is_some()
        });
        found
    }
}

impl Drop for PendingGroup {
    /// The groups around it are let go one after the other: nested destructors of a deep nest would overflow the stack.
    fn drop(&mut self) {
        let mut next = self.leave();
        while let Some(group) = next {
            next = Arc::into_inner(group).and_then(|group| group.leave());
        }
    }
}

impl PendingGroup {
    /// Leaves the group around it, which is handed back.
    fn leave(&self) -> Option<Arc<Self>> {
        let mut state = self.state();
        let around = state.tree.around.take()?;
        let counted = std::mem::take(&mut state.tree.counted);
        drop(state);
        if counted {
            around.busy_inside.fetch_sub(1, Ordering::AcqRel);
        }
        let forgotten = around.state().tree.inside.remove(&self.address());
        drop(forgotten);
        Some(around)
    }
}
