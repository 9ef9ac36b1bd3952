//! The calls that a scheduler keeps: each in its place, with what is woken and what waits for its time.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, VecDeque},
    mem,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    time::Instant,
};

use slab::Slab;

use super::{guests::Guests, residents::Residents};
use crate::{
    backend::Runtime,
    call::{Boxes, Home, Inbox, Kept, TimeKey, Woken},
    queue::give_back_room,
    timer::Timers,
};

/// How many places are kept when no call is left.
const KEPT_PLACES: usize = 1024;

/// What calls need from their scheduler. It never leaves the thread.
pub(crate) struct Calls {
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) timers: Arc<Timers>,
    pub(crate) runtime: Rc<dyn Runtime>,
    pub(crate) guests: Guests,
    pub(crate) residents: Residents,
    kept: RefCell<Slab<Pin<Box<dyn Kept>>>>,
    /// The places of calls to go on with.
    ready: RefCell<VecDeque<u32>>,
    times: RefCell<BTreeMap<TimeKey, u32>>,
    next_time: Cell<u64>,
    boxes: Boxes,
}

/// Stands where a call is kept that is being polled.
struct Polled;

impl Kept for Polled {
    fn begin(self: Pin<&mut Self>) {}
    fn go_on(self: Pin<Box<Self>>, _home: &dyn Home, _key: u32) {}
    fn due(self: Pin<&mut Self>) {}
    fn end(self: Pin<Box<Self>>, _home: &dyn Home, _key: u32, _reason: &str, _now: bool) {}
}

/// A box without a size is no allocation.
fn polled() -> Pin<Box<dyn Kept>> {
    Box::pin(Polled)
}

impl Calls {
    pub(crate) fn new(inbox: Arc<Inbox>, timers: Arc<Timers>, runtime: Rc<dyn Runtime>) -> Rc<Self> {
        Rc::new(Self {
            inbox,
            timers,
            runtime,
            guests: Guests::new(),
            residents: Residents::default(),
            kept: RefCell::default(),
            ready: RefCell::default(),
            times: RefCell::default(),
            next_time: Cell::new(0),
            boxes: Boxes::default(),
        })
    }

    /// How many calls are kept.
    pub(crate) fn len(&self) -> usize {
        self.kept.borrow().len()
    }

    /// How many of them have begun: the others wait for their time.
    pub(crate) fn running(&self) -> usize {
        // A call in its time to clean up is counted as one that waits. Nobody minds.
        self.len().saturating_sub(self.times.borrow().len())
    }

    /// How many places there are to go on with.
    pub(crate) fn ready(&self) -> usize {
        self.ready.borrow().len()
    }

    /// Adds the places of calls that were woken, in order.
    pub(crate) fn add_ready(&self, woken: &mut VecDeque<u32>) {
        self.ready.borrow_mut().append(woken);
    }

    /// Goes on with the next call. False if there is none.
    pub(crate) fn go_on_with_next(&self) -> bool {
        let mut ready = self.ready.borrow_mut();
        let Some(key) = ready.pop_front() else { return false };
        give_back_room(&mut ready);
        drop(ready);
        self.go_on(key);
        true
    }

    /// Polls the call at a place for the first time.
    pub(crate) fn begin(&self, key: u32) {
        if let Some(kept) = self.kept.borrow_mut().get_mut(index(key)) {
            kept.as_mut().begin();
        }
        self.go_on(key);
    }

    /// Goes on with the call at a place.
    pub(crate) fn go_on(&self, key: u32) {
        if let Some(kept) = self.take(key) {
            kept.go_on(self, key);
        }
    }

    /// Ends the call at a place, because the caller stops.
    pub(crate) fn end(&self, key: u32, reason: &str, now: bool) {
        if let Some(kept) = self.take(key) {
            kept.end(self, key, reason, now);
        }
    }

    /// Ends all calls, because the caller stops. Unless `now`, those that asked for time to clean up have it.
    pub(crate) fn end_all(&self, reason: &str, now: bool) {
        // A destructor may end other calls, so each is looked up anew.
        let keys: Vec<usize> = self.kept.borrow().iter().map(|(key, _)| key).collect();
        for key in keys {
            self.end(number(key), reason, now);
        }
    }

    fn take(&self, key: u32) -> Option<Pin<Box<dyn Kept>>> {
        Some(mem::replace(self.kept.borrow_mut().get_mut(index(key))?, polled()))
    }

    /// Puts what is due by `now` on the list, in the order of its times. Gives the next time.
    pub(crate) fn fire(&self, now: impl Fn() -> Instant) -> Option<Instant> {
        loop {
            let (at, key) = {
                let times = self.times.borrow();
                let ((at, _), key) = times.first_key_value()?;
                (*at, *key)
            };
            if at > now() {
                return Some(at);
            }
            self.times.borrow_mut().pop_first();
            if let Some(kept) = self.kept.borrow_mut().get_mut(index(key)) {
                kept.as_mut().due();
            }
            self.again(key);
        }
    }

    /// The next time at which a call wants to be looked at.
    pub(crate) fn next_time(&self) -> Option<Instant> {
        self.times.borrow().first_key_value().map(|((at, _), _)| *at)
    }

    /// Everything has ended: forgets what was woken.
    pub(crate) fn close(&self) {
        self.inbox.woken.close();
        self.ready.take();
        self.times.take();
    }
}

fn index(key: u32) -> usize {
    key as usize
}

/// Memory is full long before there are so many calls.
fn number(key: usize) -> u32 {
    u32::try_from(key).unwrap_or(u32::MAX)
}

impl Home for Calls {
    fn woken(&self) -> &Arc<Woken> {
        &self.inbox.woken
    }

    fn boxes(&self) -> &Boxes {
        &self.boxes
    }

    fn reserve(&self) -> u32 {
        number(self.kept.borrow_mut().insert(polled()))
    }

    fn put(&self, key: u32, kept: Pin<Box<dyn Kept>>) {
        let mut kept = Some(kept);
        if let Some(place) = self.kept.borrow_mut().get_mut(index(key)) {
            kept = kept.map(|kept| mem::replace(place, kept));
        }
        // What comes out stood there while this was polled, and is nothing.
        drop(kept);
    }

    fn forget(&self, key: u32) {
        let mut places = self.kept.borrow_mut();
        let kept = places.try_remove(index(key));
        if places.is_empty() && places.capacity() > KEPT_PLACES {
            // What a flood has left. Who was woken in a place that is another's then is not mistaken for it.
            *places = Slab::new();
        }
        drop(places);
        drop(kept);
    }

    fn again(&self, key: u32) {
        self.ready.borrow_mut().push_back(key);
    }

    fn wake_at(&self, key: u32, at: Instant) -> TimeKey {
        let time = (at, self.next_time.replace(self.next_time.get() + 1));
        self.times.borrow_mut().insert(time, key);
        time
    }

    fn forget_time(&self, time: TimeKey) {
        self.times.borrow_mut().remove(&time);
    }

    fn now(&self) -> Instant {
        self.timers.now()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::{backend::LocalFuture, timer::SystemClock};

    struct NoRuntime;

    impl Runtime for NoRuntime {
        fn enter(&self, function: &mut dyn FnMut()) {
            function();
        }

        fn sleep_until(&self, _at: Instant) -> LocalFuture<'static> {
            Box::pin(std::future::pending())
        }
    }

    #[test]
    fn what_a_flood_left_is_given_back() {
        let timers = Arc::new(Timers::new(Arc::new(SystemClock)));
        let calls = Calls::new(Arc::new(Inbox::new()), timers, Rc::new(NoRuntime));
        let keys: Vec<_> = (0..100_000).map(|_| calls.reserve()).collect();
        keys.iter().for_each(|key| calls.again(*key));
        while calls.go_on_with_next() {}
        keys.into_iter().for_each(|key| calls.forget(key));
        assert_eq!(calls.len(), 0);
        assert!(calls.kept.borrow().capacity() <= KEPT_PLACES);
        assert!(calls.ready.borrow().capacity() <= KEPT_PLACES);
    }
}
