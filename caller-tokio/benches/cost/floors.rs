//! Threads that run boxed closures, and do nothing else: the least that a row could cost.

use std::{
    sync::{Arc, Condvar, Mutex, mpsc},
    thread,
};

use tokio::sync::oneshot;

type Closure = Box<dyn FnOnce() + Send>;

/// A thread that runs boxed closures from a channel of std's.
pub(crate) fn closures() -> mpsc::Sender<Closure> {
    let (sender, receiver) = mpsc::channel::<Closure>();
    thread::spawn(move || receiver.into_iter().for_each(|closure| closure()));
    sender
}

/// Sends a closure whose result is waited for.
pub(crate) fn call(closures: &mpsc::Sender<Closure>, number: u64) -> oneshot::Receiver<u64> {
    let (sender, receiver) = oneshot::channel();
    let closure = Box::new(move || sender.send(number + 1).expect("it is waited for"));
    closures.send(closure).expect("the thread runs");
    receiver
}

/// The least that closures in a thread need: a list of boxes under a lock, taken whole, and a thread that is woken when
/// it sleeps. It cannot stop, has no runtime, and a closure that panics ends it.
#[derive(Clone, Default)]
pub(crate) struct Minimal(Arc<(Mutex<Waiting>, Condvar)>);

#[derive(Default)]
struct Waiting {
    closures: Vec<Closure>,
    /// The thread sleeps.
    asleep: bool,
}

impl Minimal {
    pub(crate) fn start() -> Self {
        let minimal = Self::default();
        let inner = minimal.clone();
        thread::spawn(move || inner.run());
        minimal
    }

    pub(crate) fn send(&self, closure: Closure) {
        let (list, wake) = &*self.0;
        let mut list = list.lock().unwrap();
        list.closures.push(closure);
        if std::mem::take(&mut list.asleep) {
            drop(list);
            wake.notify_one();
        }
    }

    fn run(&self) {
        let (list, wake) = &*self.0;
        let mut taken = Vec::new();
        loop {
            let mut list = list.lock().unwrap();
            while list.closures.is_empty() {
                list.asleep = true;
                list = wake.wait(list).unwrap();
            }
            std::mem::swap(&mut list.closures, &mut taken);
            drop(list);
            taken.drain(..).for_each(|closure| closure());
        }
    }
}
