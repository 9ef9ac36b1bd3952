//! Bounded queues: that are closed while they are full, and that many wait for.

use std::{
    collections::VecDeque,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, mpsc},
    task::{Wake, Waker},
    thread,
    time::{Duration, Instant},
};

use super::receive;
use crate::{
    Caller, Error, Queue, Resolver,
    testing::{
        Fixture,
        probe::{SOON, Wakes, ends_soon, poll_with, soon},
    },
};

/// A queue with one item that runs until the resolver is used, and with as many that wait as there is room for.
fn full(caller: &Caller, bound: usize) -> (Queue<usize>, Resolver<()>) {
    let (resolver, gate) = Resolver::<()>::new();
    let gate = gate.shared();
    let (begun, begins) = mpsc::channel();
    let queue = caller
        .bounded_queue(bound, async move |number: usize| {
            let _nobody = begun.send(number);
            let _gone = gate.wait().protect().await;
        })
        .unwrap();
    queue.call(0).unwrap();
    receive(&begins);
    (1..=bound).for_each(|number| queue.call(number).unwrap());
    assert!(queue.call(99).unwrap_err().1.is_full());
    (queue, resolver)
}

pub fn a_full_queue_that_was_closed_says_that_it_is_closed<F: Fixture>() {
    let caller = F::new().caller();
    let (queue, _resolver) = full(&caller, 2);
    queue.close();
    let (back, error) = queue.call(7).unwrap_err();
    assert!(back == 7 && error.is_closed() && !error.is_full(), "{error}");
    let (queue, _resolver) = full(&caller, 2);
    queue.pending().unwrap().cancel("close it");
    let (_, error) = queue.call(7).unwrap_err();
    assert!(error.is_closed(), "{error}");
    let (queue, _resolver) = full(&caller, 2);
    caller.stop();
    soon("the end of the caller", || caller.stopped().is_past());
    let (_, error) = queue.call(7).unwrap_err();
    assert!(error.is_closed(), "{error}");
}

/// What a wait for room in a full queue gives when `end` has ended the queue, before or after the wait began.
fn room_of_an_ended_queue<F: Fixture>(before: bool, end: impl Fn(&Caller, &Queue<usize>)) {
    let caller = F::new().caller();
    let (queue, _resolver) = full(&caller, 1);
    if before {
        end(&caller, &queue);
    }
    let other = queue.clone();
    let (polled, polls) = mpsc::channel();
    let (sender, ended) = mpsc::channel::<Result<(), (usize, Error)>>();
    thread::spawn(move || {
        let mut wait = Box::pin(other.call_when_room(7));
        let first = poll_with(wait.as_mut(), Waker::noop()).is_ready();
        polled.send(()).unwrap();
        if !first {
            let _nobody = sender.send(futures::executor::block_on(wait));
        } else {
            let _nobody = sender.send(Err((7, other.call(7).unwrap_err().1)));
        }
    });
    receive(&polls);
    if !before {
        end(&caller, &queue);
    }
    let (back, error) = ended.recv_timeout(SOON).expect("a wait for room ends with its queue").unwrap_err();
    assert!(back == 7 && error.is_closed(), "{error}");
}

pub fn a_wait_for_room_ends_when_the_queue_is_closed<F: Fixture>() {
    room_of_an_ended_queue::<F>(false, |_, queue| queue.close());
}

pub fn a_wait_for_room_ends_when_the_queue_is_cancelled<F: Fixture>() {
    room_of_an_ended_queue::<F>(false, |_, queue| assert!(queue.pending().unwrap().cancel("close it")));
}

pub fn a_wait_for_room_ends_when_the_caller_stops<F: Fixture>() {
    room_of_an_ended_queue::<F>(false, |caller, _| {
        caller.stop();
        soon("the end of the caller", || caller.stopped().is_past());
    });
}

pub fn a_wait_for_room_in_a_closed_queue_ends_at_once<F: Fixture>() {
    room_of_an_ended_queue::<F>(true, |_, queue| queue.close());
}

/// Adders that race with a close all hear of it.
pub fn adding_while_the_queue_is_closed_ends<F: Fixture>() {
    let fixture = F::new();
    let caller = fixture.caller();
    let until = Instant::now() + Duration::from_secs(2);
    while Instant::now() < until {
        let queue = caller.bounded_queue(1, async |_number: usize| ()).unwrap();
        let adding: Vec<_> = (0..3)
            .map(|_| {
                let queue = queue.clone();
                thread::spawn(move || {
                    futures::executor::block_on(async { while queue.call_when_room(1).await.is_ok() {} });
                })
            })
            .collect();
        thread::yield_now();
        queue.close();
        soon("the end of those who add", || adding.iter().all(thread::JoinHandle::is_finished));
    }
}

pub fn a_wait_for_room_that_is_dropped_leaves_nothing<F: Fixture>() {
    const WAITS: usize = 100_000;
    let caller = F::new().caller();
    let (queue, _resolver) = full(&caller, 1);
    let wakes = Wakes::default();
    for number in 0..WAITS {
        let mut wait = Box::pin(queue.call_when_room(number));
        assert!(poll_with(wait.as_mut(), &wakes.waker()).is_pending());
    }
    assert_eq!(wakes.kept(), 0, "wakers of {WAITS} waits that are gone");
}

pub fn a_wait_for_room_that_is_polled_again_keeps_one_waker<F: Fixture>() {
    const POLLS: usize = 1000;
    let caller = F::new().caller();
    let (queue, _resolver) = full(&caller, 1);
    let wakes = Wakes::default();
    let mut wait = Box::pin(queue.call_when_room(7));
    for _ in 0..POLLS {
        assert!(poll_with(wait.as_mut(), &wakes.waker()).is_pending());
    }
    assert!(wakes.kept() <= 1, "{} wakers of one wait", wakes.kept());
    drop(wait);
    assert_eq!(wakes.kept(), 0);
}

/// With each item there is room for one: it is not those behind that are woken.
pub fn room_for_one_wakes_one<F: Fixture>() {
    const WAITS: usize = 500;

    /// Puts its number on a list.
    struct Listed(usize, Arc<Mutex<VecDeque<usize>>>);
    impl Wake for Listed {
        fn wake(self: Arc<Self>) {
            self.1.lock().unwrap().push_back(self.0);
        }
    }

    let caller = F::new().caller();
    let (queue, resolver) = full(&caller, 1);
    let woken = Arc::new(Mutex::new(VecDeque::new()));
    type Adding<'a> = Pin<Box<dyn Future<Output = Result<(), (usize, Error)>> + 'a>>;
    let mut waits: Vec<Option<Adding<'_>>> =
        (0..WAITS).map(|number| Some(Box::pin(queue.call_when_room(number)) as Adding<'_>)).collect();
    let wakers: Vec<Waker> =
        (0..WAITS).map(|number| Waker::from(Arc::new(Listed(number, woken.clone())))).collect();
    for (wait, waker) in waits.iter_mut().zip(&wakers) {
        assert!(poll_with(wait.as_mut().unwrap().as_mut(), waker).is_pending());
    }
    resolver.resolve(()).unwrap();
    let (mut left, mut wakes) = (WAITS, 0);
    let until = Instant::now() + SOON;
    while left > 0 {
        assert!(Instant::now() < until, "{left} of {WAITS} still wait after {wakes} wakes");
        let Some(number) = woken.lock().unwrap().pop_front() else {
            thread::yield_now();
            continue;
        };
        wakes += 1;
        if let Some(wait) = &mut waits[number]
            && poll_with(wait.as_mut(), &wakers[number]).is_ready()
        {
            waits[number] = None;
            left -= 1;
        }
    }
    assert!(wakes <= 4 * WAITS, "{wakes} wakes for {WAITS} waits");
}

/// Nobody who waits is forgotten when others leave just as they are woken.
pub fn leaving_does_not_take_the_room_of_another<F: Fixture>() {
    let fixture = F::new();
    let caller = fixture.caller();
    let (queue, resolver) = full(&caller, 1);
    let wakes = Wakes::default();
    let mut leaving: Vec<_> = (0..10).map(|number| Box::pin(queue.call_when_room(number))).collect();
    for wait in &mut leaving {
        assert!(poll_with(wait.as_mut(), &wakes.waker()).is_pending());
    }
    let stays = {
        let queue = queue.clone();
        let (sender, polled) = mpsc::channel();
        let stays = thread::spawn(move || {
            ends_soon("a wait for room", move || {
                let mut wait = Box::pin(queue.call_when_room(77));
                assert!(poll_with(wait.as_mut(), Waker::noop()).is_pending());
                sender.send(()).unwrap();
                futures::executor::block_on(wait).map_err(|(_, error)| error)
            })
        });
        receive(&polled);
        stays
    };
    resolver.resolve(()).unwrap();
    soon("a wake for room", || wakes.count() > 0);
    drop(leaving);
    stays.join().expect("the wait ends").unwrap();
    assert_eq!(wakes.kept(), 0);
}
