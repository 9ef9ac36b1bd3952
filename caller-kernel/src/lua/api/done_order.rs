//! The order in which several pendings are done.

use std::{
    collections::VecDeque,
    future::poll_fn,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Poll, Waker},
};

use caller::{DoneCallback, current_pending};
use mlua::AnyUserData;

use super::pending_object::PendingObject;
use crate::lua::raise::Outcome;

/// In which order pendings are done.
#[derive(Default)]
pub(super) struct Order(Mutex<Done>);

#[derive(Default)]
pub(super) struct Done {
    pub(super) keys: VecDeque<usize>,
    waker: Option<Waker>,
}

impl Order {
    pub(super) fn done(&self) -> MutexGuard<'_, Done> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, key: usize) {
        let mut done = self.done();
        done.keys.push_back(key);
        let waker = done.waker.take();
        drop(done);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Of these, which is done; in order.
    pub(super) fn watch(objects: &[AnyUserData]) -> Outcome<Arc<Self>> {
        let order = Arc::new(Self::default());
        for (key, object) in objects.iter().enumerate() {
            let handle = object.borrow::<PendingObject>()?.handle.clone();
            if current_pending().as_ref() == Some(&handle) {
                return Err("a call would wait for itself for ever; leave its own pending out".into());
            }
            let told = order.clone();
            handle.add_done_callback(&DoneCallback::new(move |_| told.put(key)));
        }
        Ok(order)
    }

    pub(super) async fn next(&self) -> usize {
        poll_fn(|cx| {
            let mut done = self.done();
            match done.keys.pop_front() {
                Some(key) => Poll::Ready(key),
                None => {
                    let old = done.waker.replace(cx.waker().clone());
                    drop(done);
                    drop(old);
                    Poll::Pending
                }
            }
        })
        .await
    }
}
