//! Calls as tasks of the runtime's own, for a runtime whose tasks have an identity: what the scheduler would do with a call
//! itself, it has the task do.

use std::{
    cell::{Cell, RefCell},
    future::Future,
    mem,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context as TaskContext, Poll, Waker},
};

use slab::Slab;

use super::Tasks;
use crate::{
    backend::Spawner,
    call::{Lease, Run},
};

/// What all of these tasks share.
pub(super) struct OwnTasks {
    spawn: Spawner,
    /// Calls whose task has not been polled yet.
    starting: RefCell<Slab<Arc<dyn Run>>>,
    /// How many tasks there are.
    live: Cell<usize>,
    /// How many of them have an order that they have not obeyed.
    ordered: Cell<usize>,
    /// Why calls that have not begun never will, once the caller stops.
    refusing: RefCell<Option<String>>,
    /// The scheduler, to be told when no call is starting, and when no task is left.
    scheduler: RefCell<Option<Waker>>,
}

/// What a task is to do with its call when it is polled next, and how it is woken.
#[derive(Default)]
pub(super) struct Slot {
    order: RefCell<Option<Order>>,
    waker: RefCell<Option<Waker>>,
}

enum Order {
    /// Its first poll.
    Start(usize, Option<Lease>),
    Resume,
    End(String),
}

impl Slot {
    /// True if it had no order.
    fn give(&self, order: Order) -> bool {
        let first = {
            let mut known = self.order.borrow_mut();
            let first = known.is_none();
            // Nothing comes after the end; and the start sees by itself whether there is something left to start.
            if matches!(*known, None | Some(Order::Resume)) {
                *known = Some(order);
            }
            first
        };
        self.wake();
        first
    }

    /// Has the task polled.
    pub(super) fn wake(&self) {
        let waker = self.waker.borrow_mut().take();
        waker.into_iter().for_each(Waker::wake);
    }
}

impl OwnTasks {
    pub(super) fn new(spawn: Spawner) -> Self {
        Self {
            spawn,
            starting: RefCell::default(),
            live: Cell::new(0),
            ordered: Cell::new(0),
            refusing: RefCell::default(),
            scheduler: RefCell::default(),
        }
    }

    /// Whether some call has a task that was not polled yet.
    pub(super) fn is_starting(&self) -> bool {
        !self.starting.borrow().is_empty()
    }

    /// Whether some task has not ended.
    pub(super) fn is_live(&self) -> bool {
        self.live.get() > 0
    }

    /// Whether some task has something to do.
    pub(super) fn is_ordered(&self) -> bool {
        self.ordered.get() > 0
    }

    fn give(&self, slot: &Slot, order: Order) {
        if slot.give(order) {
            self.ordered.set(self.ordered.get() + 1);
        }
    }

    /// What the task of this slot is to do.
    fn take_order(&self, slot: &Slot) -> Option<Order> {
        let order = slot.order.borrow_mut().take()?;
        self.ordered.set(self.ordered.get() - 1);
        Some(order)
    }

    /// Renews who is told.
    pub(super) fn tell(&self, scheduler: &Waker) {
        let old = self.scheduler.replace(Some(scheduler.clone()));
        drop(old);
    }

    /// What has not begun never will.
    pub(super) fn refuse(&self, reason: &str) {
        let old = self.refusing.replace(Some(reason.to_owned()));
        drop(old);
    }

    /// The calls whose task was not polled, and never will be, because the scheduler is gone.
    pub(super) fn abandon(&self) -> Vec<Arc<dyn Run>> {
        let mut starting = self.starting.borrow_mut();
        mem::take(&mut *starting).into_iter().map(|(_, call)| call).collect()
    }

    pub(super) fn wake_scheduler(&self) {
        let waker = self.scheduler.borrow_mut().take();
        waker.into_iter().for_each(Waker::wake);
    }

    /// Gives a call a task, in which it is polled for the first time.
    pub(super) fn start(&self, tasks: &Rc<Tasks>, call: Arc<dyn Run>, lease: Option<Lease>) {
        let key = self.starting.borrow_mut().insert(call.clone());
        let slot = Rc::new(Slot { order: RefCell::new(Some(Order::Start(key, lease))), ..Slot::default() });
        if let Some(kept) = call.kept() {
            tasks.set_slot(kept, &slot);
        }
        self.live.set(self.live.get() + 1);
        self.ordered.set(self.ordered.get() + 1);
        (self.spawn)(Box::pin(OwnTask { tasks: tasks.clone(), call, slot }));
    }

    /// Has the task of a call go on with it.
    pub(super) fn resume(&self, tasks: &Rc<Tasks>, call: Arc<dyn Run>) {
        let Some(kept) = call.kept() else { return };
        match tasks.slot(kept) {
            Some(slot) => self.give(&slot, Order::Resume),
            // Deferred work that was cancelled is only forgotten; otherwise its time has come.
            None if call.state().is_done() => call.resume(&**tasks),
            None => self.start(tasks, call, None),
        }
    }

    /// Has the task of a call end it. False if it has none.
    pub(super) fn end(&self, tasks: &Tasks, kept: usize, reason: &str) -> bool {
        let Some(slot) = tasks.slot(kept) else { return false };
        self.give(&slot, Order::End(reason.to_owned()));
        true
    }
}

/// A task of the runtime's own, for one call.
struct OwnTask {
    tasks: Rc<Tasks>,
    call: Arc<dyn Run>,
    slot: Rc<Slot>,
}

impl OwnTask {
    fn own(&self) -> &OwnTasks {
        match &self.tasks.own {
            Some(own) => own,
            None => unreachable!("it was made by them"),
        }
    }

    fn obey(&self, order: Order) {
        let (tasks, call) = (&*self.tasks, self.call.clone());
        match order {
            Order::Start(key, lease) => {
                let unstarted = self.own().starting.borrow_mut().try_remove(key).is_some();
                let refusing = self.own().refusing.borrow().clone();
                match refusing {
                    // It was ended when the scheduler went.
                    _ if !unstarted => drop(lease),
                    Some(reason) => {
                        drop(lease);
                        call.end(Some(tasks), &reason);
                    }
                    None => {
                        tasks.lease.set(lease);
                        call.begin(tasks);
                    }
                }
                if !self.own().is_starting() {
                    self.own().wake_scheduler();
                }
            }
            Order::Resume => call.resume(tasks),
            Order::End(reason) => call.end(Some(tasks), &reason),
        }
    }
}

impl Future for OwnTask {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<()> {
        let old = self.slot.waker.replace(Some(cx.waker().clone()));
        drop(old);
        let order = self.own().take_order(&self.slot);
        if let Some(order) = order {
            let outer = self.tasks.polled.replace(Some(self.slot.clone()));
            self.obey(order);
            drop(self.tasks.polled.replace(outer));
            self.tasks.guests.polled();
        }
        // What is not kept has ended, here or by whoever cancelled it before it began.
        if self.call.kept().is_some() { Poll::Pending } else { Poll::Ready(()) }
    }
}

impl Drop for OwnTask {
    fn drop(&mut self) {
        let own = self.own();
        drop(own.take_order(&self.slot));
        own.live.set(own.live.get() - 1);
        if !own.is_live() {
            own.wake_scheduler();
        }
    }
}
