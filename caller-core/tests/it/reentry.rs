//! Code of a user's runs with no lock held: wakers, callbacks, destructors and texts call back into the object that they
//! came from, and nothing deadlocks. What a waker does when it is cloned is left out, since only `unsafe` code has a say
//! in that.

use std::{
    cell::Cell,
    fmt,
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex, OnceLock, Weak,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    task::{Wake, Waker},
    time::{Duration, Instant},
};

use caller::{
    AsyncEvent, AsyncLock, Caller, Context, ContextVar, CountdownEvent, DoneCallback, Pending, PendingGroup,
    PendingHandle, PendingSet, PoolSettings, Queue, ReentrantAsyncLock, Resolver, SingleConsumerQueue,
    Tracker, Trackers, current_pending, sleep_until,
    testing::{Manual, Running},
};

use futures::StreamExt;

use crate::support::{LONG, Wakes, caller, eventually, in_time, poll, receive, turns_of};

const HOUR: Duration = Duration::from_secs(3600);

type Act = Box<dyn FnOnce() + Send>;

/// Does something when it is woken, and something when it is dropped, once each.
struct Hook {
    woken: Mutex<Option<Act>>,
    _dropped: OnDrop,
}

impl Hook {
    fn woken(act: impl FnOnce() + Send + 'static) -> Waker {
        Waker::from(Arc::new(Self { woken: Mutex::new(Some(Box::new(act))), _dropped: OnDrop::nothing() }))
    }

    fn dropped(act: impl FnOnce() + Send + 'static) -> Waker {
        Waker::from(Arc::new(Self { woken: Mutex::new(None), _dropped: OnDrop::new(act) }))
    }
}

impl Wake for Hook {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let act = self.woken.lock().unwrap().take();
        if let Some(act) = act {
            act();
        }
    }
}

/// A value that does something when it is dropped.
struct OnDrop(Mutex<Option<Act>>);

impl OnDrop {
    fn new(act: impl FnOnce() + Send + 'static) -> Self {
        Self(Mutex::new(Some(Box::new(act))))
    }

    fn nothing() -> Self {
        Self(Mutex::new(None))
    }
}

impl Drop for OnDrop {
    fn drop(&mut self) {
        let act = self.0.get_mut().unwrap().take();
        if let Some(act) = act {
            act();
        }
    }
}

/// A text, and an error, that does something each time it is written.
struct Says(Box<dyn Fn() + Send + Sync>);

impl fmt::Display for Says {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (self.0)();
        f.write_str("what it says")
    }
}

impl fmt::Debug for Says {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Says {}

type Waiting = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Something with a lock inside, that futures wait for.
struct Object {
    name: &'static str,
    /// Asks all that can be asked of it. It may be done more than once.
    ask: Arc<dyn Fn() + Send + Sync>,
    wait: Arc<dyn Fn() -> Waiting + Send + Sync>,
    /// Makes what is waited for come.
    come: Act,
}

impl Object {
    fn new<W: Future<Output = ()> + Send + 'static>(
        name: &'static str,
        ask: impl Fn() + Send + Sync + 'static,
        wait: impl Fn() -> W + Send + Sync + 'static,
        come: impl FnOnce() + Send + 'static,
    ) -> Self {
        let wait = move || -> Waiting { Box::pin(wait()) };
        Self { name, ask: Arc::new(ask), wait: Arc::new(wait), come: Box::new(come) }
    }

    /// Asks all, and begins and gives up a wait of its own; `count` says that this was done.
    fn act(&self, count: &Arc<AtomicUsize>) -> impl FnOnce() + Send + use<> {
        let (ask, wait, count) = (self.ask.clone(), self.wait.clone(), count.clone());
        move || {
            let mut waiting = wait();
            let _ready = poll(&mut waiting, Waker::noop());
            ask();
            drop(waiting);
            ask();
            count.fetch_add(1, Ordering::SeqCst);
        }
    }
}

fn a_pending() -> Object {
    let (resolver, pending) = Resolver::<u32>::new();
    let (handle, asked) = (pending.handle(), pending.handle());
    let pending = Mutex::new(pending);
    let ask = move || {
        assert!(asked.to_string().contains("Pending"));
        let _ = (asked.is_done(), asked.is_cancelled(), asked.error(), asked.metadata("label"));
        asked.set_metadata("label", 1);
        asked.grace(HOUR);
        let callback = DoneCallback::new(|_| {});
        asked.add_done_callback(&callback);
        asked.remove_done_callback(&callback);
        let _ = pending.lock().unwrap().try_result();
        asked.cancel("asked");
    };
    let wait = move || {
        let wait = handle.wait();
        async { wait.await.unwrap() }
    };
    Object::new("a pending", ask, wait, move || {
        let _may_be_cancelled = resolver.resolve(7);
    })
}

fn a_request_to_cancel() -> Object {
    let (resolver, pending) = Resolver::<u32>::new();
    resolver.set_canceller(|_| {}).unwrap();
    let (handle, asked, cancels) = (pending.handle(), pending.handle(), pending.handle());
    let resolver = Arc::new(resolver);
    let kept = resolver.clone();
    let ask = move || {
        let _ = (asked.is_done(), asked.is_cancelled(), asked.to_string(), kept.is_cancelled());
        asked.cancel("asked");
    };
    let come = move || {
        cancels.cancel("enough");
        drop(resolver);
    };
    Object::new("a request to cancel", ask, move || handle.cancel_requested(), come)
}

fn a_shared_pending() -> Object {
    let (resolver, pending) = Resolver::<u32>::new();
    let shared = pending.shared();
    let asked = shared.clone();
    let ask = move || {
        let _ = (asked.is_done(), asked.result(), asked.error(), format!("{asked:?}"));
        asked.cancel("asked");
    };
    let wait = move || {
        let wait = shared.wait();
        async { drop(wait.await) }
    };
    Object::new("a shared pending", ask, wait, move || {
        let _may_be_cancelled = resolver.resolve(7);
    })
}

fn an_event() -> Object {
    let event = AsyncEvent::new();
    let (asked, sets) = (event.clone(), event.clone());
    let ask = move || drop((asked.is_set(), format!("{asked:?}")));
    Object::new("an event", ask, move || event.wait(), move || sets.set())
}

fn a_countdown() -> Object {
    let count = CountdownEvent::new(1);
    let (asked, down) = (count.clone(), count.clone());
    let ask = move || {
        let _ = (asked.waiting(), format!("{asked:?}"));
        let before = asked.count();
        assert_eq!(asked.up(), before + 1);
        assert_eq!(asked.down().unwrap(), before);
    };
    let come = move || assert_eq!(down.down().unwrap(), 0);
    Object::new("a countdown", ask, move || count.wait(), come)
}

fn a_lock() -> Object {
    let lock = Arc::new(AsyncLock::new(7));
    let guard = lock.try_lock_arc().unwrap();
    let asked = lock.clone();
    let ask = move || {
        let _ = (asked.count(), asked.is_in_context(), format!("{asked:?}"));
        drop(asked.try_lock());
        asked.try_with(|value| *value);
    };
    let wait = move || {
        let lock = lock.clone();
        async move { drop(lock.lock_arc().await.unwrap()) }
    };
    Object::new("a lock", ask, wait, move || drop(guard))
}

fn a_reentrant_lock() -> Object {
    let lock = Arc::new(ReentrantAsyncLock::new(7));
    let guard = lock.try_lock_arc().unwrap();
    let asked = lock.clone();
    let ask = move || {
        let _ = (asked.count(), asked.is_in_context(), format!("{asked:?}"));
        drop(asked.try_lock());
        asked.try_with(|value| *value);
    };
    let wait = move || {
        let lock = lock.clone();
        async move { drop(lock.lock_arc().await.unwrap()) }
    };
    Object::new("a reentrant lock", ask, wait, move || drop(guard))
}

fn a_single_consumer_queue() -> Object {
    let queue = SingleConsumerQueue::new();
    let consumer = Mutex::new(Some(queue.consume()));
    let (asked, adds) = (queue.clone(), queue.clone());
    let ask = move || {
        let _ = (asked.len(), asked.is_empty(), asked.is_stopped(), format!("{asked:?}"));
        asked.push_front(1);
        asked.extend([2, 3]);
        drop(asked.consume());
    };
    // The first wait has the consumer, and the others that of a second, which ends at once.
    let wait = move || {
        let taken = consumer.lock().unwrap().take();
        let mut consumer = taken.unwrap_or_else(|| queue.consume());
        async move {
            consumer.next().await;
        }
    };
    Object::new("a single-consumer queue", ask, wait, move || {
        adds.push_back(7);
    })
}

fn a_bounded_queue() -> Object {
    let caller = caller(&Manual::new());
    let (go_on, gate) = Resolver::<()>::new();
    let gate = gate.shared();
    let (sender, begun) = mpsc::channel();
    let queue = caller
        .bounded_queue(1, async move |_: u32| {
            sender.send(()).unwrap();
            gate.wait().protect().await.unwrap();
        })
        .unwrap();
    queue.call(1).unwrap();
    receive(&begun);
    queue.call(2).unwrap();
    let asked = queue.clone();
    let ask = move || {
        let _ = (asked.len(), asked.is_empty(), asked.is_closed(), asked.pending(), format!("{asked:?}"));
        drop(asked.call(3));
    };
    let wait = move || {
        let queue = queue.clone();
        async move { drop(queue.call_when_room(4).await) }
    };
    Object::new("a bounded queue", ask, wait, move || {
        go_on.resolve(()).unwrap();
        receive(&begun);
        turns_of(&caller);
    })
}

fn a_group() -> Object {
    let group = PendingGroup::builder().build();
    let (resolver, member) = Resolver::<u32>::new();
    group.add(&member.handle()).unwrap();
    let asked = group.clone();
    let ask = move || {
        let _ = (asked.len(), asked.is_empty(), asked.pendings(), asked.is_cancelled(), asked.to_string());
        let (_never, other) = Resolver::<u32>::new();
        let _may_have_ended = asked.add(&other.handle());
        asked.remove(&other.handle());
        asked.cancel("asked");
    };
    // It is run once; a second run is an error at once.
    let wait = move || {
        let group = group.clone();
        async move { drop(group.run(async |_| ()).await) }
    };
    Object::new("a group", ask, wait, move || {
        let _may_be_cancelled = resolver.resolve(7);
    })
}

fn some_that_complete() -> Object {
    let caller = Caller::builder().backend(Manual::new()).build().unwrap();
    let (resolver, pending) = Resolver::<u32>::new();
    let (asked, pending) = (pending.handle(), Mutex::new(Some(pending)));
    let ask = move || {
        let _ = (asked.is_done(), asked.to_string());
        asked.cancel("asked");
    };
    // The first wait has the pending, and the others nothing to wait for.
    let wait = move || {
        let mut completed = caller.as_completed(pending.lock().unwrap().take());
        async move { drop(completed.next().await) }
    };
    Object::new("some that complete", ask, wait, move || {
        let _may_be_cancelled = resolver.resolve(7);
    })
}

fn a_caller() -> Object {
    let caller = Caller::builder().backend(Manual::new()).build().unwrap();
    let (asked, stops) = (caller.clone(), caller.clone());
    let ask = move || {
        let _ = (asked.state(), asked.children(), asked.workers(), asked.to_string(), asked.queues());
        let _ = (Caller::all_existing(), Caller::by_id(asked.id()), caller::callers_table());
        drop(asked.call_soon(async || ()));
        drop(asked.to_thread(async || ()));
        let _may_have_stopped = asked.child("child");
    };
    Object::new(
        "the end of a caller",
        ask,
        move || caller.stopped(),
        move || {
            stops.stop();
            eventually("the end of the caller", || stops.stopped().is_past());
        },
    )
}

fn the_timers_of_the_machine() -> Object {
    let (never, pending) = Resolver::<u32>::new();
    let handle = pending.handle();
    let ask = || {
        let mut sleep = Box::pin(sleep_until(Instant::now() + HOUR));
        assert!(poll(&mut sleep, Waker::noop()).is_pending());
    };
    let wait = move || {
        let wait = handle.wait().timeout(Duration::from_millis(20));
        async { drop(wait.await) }
    };
    let come = move || {
        let at = Instant::now() + Duration::from_millis(40);
        futures::executor::block_on(sleep_until(at));
        drop(never);
    };
    Object::new("the timers of the machine", ask, wait, come)
}

fn virtual_timers() -> Object {
    let manual = Manual::new();
    let (asked, advances) = (manual.clone(), manual.clone());
    let ask = move || {
        let mut sleep = Box::pin(asked.sleep(HOUR));
        assert!(poll(&mut sleep, Waker::noop()).is_pending());
        asked.advance(Duration::from_nanos(1));
        drop(sleep);
    };
    Object::new("virtual timers", ask, move || manual.sleep(HOUR), move || advances.advance(HOUR))
}

const OBJECTS: [fn() -> Object; 14] = [
    a_pending,
    a_request_to_cancel,
    a_shared_pending,
    an_event,
    a_countdown,
    a_lock,
    a_reentrant_lock,
    a_single_consumer_queue,
    a_bounded_queue,
    a_group,
    some_that_complete,
    a_caller,
    the_timers_of_the_machine,
    virtual_timers,
];

/// Tries each object in a thread of its own, which a deadlock leaves behind. The hook of `scenario` has to act once.
fn each(scenario: fn(Object, &Arc<AtomicUsize>)) {
    for make in OBJECTS {
        let name = in_time("the making of an object", move || make().name);
        in_time(name, move || {
            let count = Arc::new(AtomicUsize::new(0));
            scenario(make(), &count);
            eventually(name, || count.load(Ordering::SeqCst) == 1);
        });
    }
}

#[test]
fn a_waker_that_is_woken() {
    each(|object, count| {
        let waker = Hook::woken(object.act(count));
        let mut wait = (object.wait)();
        assert!(poll(&mut wait, &waker).is_pending(), "{}", object.name);
        (object.come)();
    });
}

#[test]
fn a_waker_that_is_dropped_when_it_has_been_woken() {
    each(|object, count| {
        let waker = Hook::dropped(object.act(count));
        let mut wait = (object.wait)();
        assert!(poll(&mut wait, &waker).is_pending(), "{}", object.name);
        drop(waker);
        (object.come)();
        // Where the wait keeps it for longer.
        drop(wait);
    });
}

#[test]
fn a_waker_that_another_one_replaces() {
    each(|object, count| {
        let waker = Hook::dropped(object.act(count));
        let mut wait = (object.wait)();
        assert!(poll(&mut wait, &waker).is_pending(), "{}", object.name);
        drop(waker);
        let _ready = poll(&mut wait, Waker::noop());
        // Where the object keeps it for longer.
        (object.come)();
        drop(wait);
    });
}

#[test]
fn a_waker_of_a_wait_that_is_given_up() {
    each(|object, count| {
        let waker = Hook::dropped(object.act(count));
        let mut wait = (object.wait)();
        assert!(poll(&mut wait, &waker).is_pending(), "{}", object.name);
        drop(waker);
        drop(wait);
        (object.come)();
    });
}

#[test]
fn a_waker_that_has_the_last_handle() {
    type Handles = (Arc<dyn Fn() + Send + Sync>, Waiting);
    for make in OBJECTS {
        let name = in_time("the making of an object", move || make().name);
        in_time(name, move || {
            let Object { ask, wait, come, .. } = make();
            let mut waiting = wait();
            let slot = Arc::new(Mutex::new(None::<Handles>));
            let (last, (sender, dropped)) = (slot.clone(), mpsc::channel());
            let waker = Hook::woken(move || {
                let handles = last.lock().unwrap().take();
                drop(handles);
                sender.send(()).unwrap();
            });
            assert!(poll(&mut waiting, &waker).is_pending(), "{name}");
            drop(wait);
            // The wait itself is one of the handles.
            *slot.lock().unwrap() = Some((ask, waiting));
            come();
            receive(&dropped);
        });
    }
}

#[test]
fn the_callbacks_of_a_pending() {
    let (sender, called) = mpsc::channel();
    let (resolver, pending) = Resolver::<u32>::new();
    let handle = pending.handle();
    let all = || {
        let (sender, handle) = (sender.clone(), handle.clone());
        move || {
            let _ = (handle.is_done(), handle.is_cancelled(), handle.error(), handle.to_string());
            handle.set_metadata("label", 1);
            let _ = handle.metadata("label");
            let late = sender.clone();
            handle.add_done_callback(&DoneCallback::new(move |_| late.send("nested").unwrap()));
            let mut wait = Box::pin(handle.wait());
            let _ready = poll(&mut wait, Waker::noop());
            drop(wait);
            handle.cancel("once more");
            sender.send("called").unwrap();
        }
    };
    // One that is called, with what it captured, and one that is taken off.
    let (act, held) = (all(), OnDrop::new(all()));
    handle.add_done_callback(&DoneCallback::new(move |_| {
        let _held = &held;
        act();
    }));
    let held = OnDrop::new(all());
    let removed = DoneCallback::new(move |_| {
        let _held = &held;
    });
    handle.add_done_callback(&removed);
    in_time("the callbacks of a pending", move || {
        let mut taken_off = Some(removed);
        assert_eq!(taken_off.as_ref().map(|callback| handle.remove_done_callback(callback)), Some(1));
        drop(taken_off.take());
        let _may_be_cancelled = resolver.resolve(7);
    });
    let seen: Vec<_> = (0..6).map(|_| receive(&called)).collect();
    assert_eq!(seen.iter().filter(|what| **what == "called").count(), 3, "{seen:?}");
}

#[test]
fn the_canceller_the_reasons_and_the_labels_of_a_pending() {
    in_time("a canceller", || {
        let (resolver, pending) = Resolver::<u32>::new();
        let (told, dropped) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let ask = || {
            let handle = pending.handle();
            move || {
                let _ = (handle.is_done(), handle.is_cancelled(), handle.error().is_ok(), handle.to_string());
                handle.cancel("once more");
            }
        };
        let (act, last, count, end) = (ask(), ask(), told.clone(), dropped.clone());
        let held = OnDrop::new(move || {
            last();
            end.fetch_add(1, Ordering::SeqCst);
        });
        resolver
            .set_canceller(move |_| {
                let _held = &held;
                // Its own cancel only adds a reason.
                if count.fetch_add(1, Ordering::SeqCst) == 0 {
                    act();
                }
            })
            .unwrap();
        assert!(pending.cancel("enough"));
        resolver.resolve(7).unwrap();
        assert_eq!((told.load(Ordering::SeqCst), dropped.load(Ordering::SeqCst)), (1, 1));
    });
    /// A reason that asks when it is read.
    struct Reason(PendingHandle);
    impl AsRef<str> for Reason {
        fn as_ref(&self) -> &str {
            let _ = (self.0.is_done(), self.0.to_string(), self.0.metadata("label"));
            "the reason"
        }
    }
    in_time("a reason and a label", || {
        let (_resolver, pending) = Resolver::<u32>::new();
        let handle = pending.handle();
        let asks = handle.clone();
        handle.set_metadata(
            "label",
            Says(Box::new(move || {
                let _ = (asks.metadata("label"), asks.to_string(), asks.is_done());
            })),
        );
        assert_eq!(handle.metadata("label").as_deref(), Some("what it says"));
        assert!(pending.cancel(Reason(handle.clone())) && !handle.cancel(Reason(handle.clone())));
        assert_eq!(handle.error().unwrap().unwrap().reasons(), Some("the reason"));
    });
}

#[test]
fn the_value_and_the_error_of_a_pending() {
    in_time("a value", || {
        // One that is taken, one that comes when cancelling was asked for, and one that comes too late.
        for case in 0..3 {
            let (resolver, mut pending) = Resolver::<OnDrop>::new();
            let (sender, dropped) = mpsc::channel();
            let asks = pending.handle();
            let value = OnDrop::new(move || {
                let _ = (asks.is_done(), asks.error().is_ok(), asks.to_string(), asks.cancel("late"));
                let mut wait = Box::pin(asks.wait());
                let _ready = poll(&mut wait, Waker::noop());
                sender.send(()).unwrap();
            });
            if case == 1 {
                resolver.set_canceller(|_| {}).unwrap();
            }
            if case > 0 {
                pending.cancel("before");
            }
            assert_eq!(resolver.resolve(value).is_ok(), case < 2);
            assert_eq!(pending.try_result().is_ok(), case == 0);
            receive(&dropped);
        }
    });
    in_time("an error", || {
        let (resolver, pending) = Resolver::<u32>::new();
        let handle = pending.handle();
        let asks = Arc::new(handle.clone());
        let weak = Arc::downgrade(&asks);
        let error = Says(Box::new(move || {
            let asks = weak.upgrade().unwrap();
            let _ = (asks.is_done(), asks.is_cancelled(), asks.error().is_ok(), asks.metadata("label"));
            asks.cancel("late");
        }));
        assert!(resolver.fail(error));
        assert!(handle.to_string().contains("what it says"));
        assert!(pending.wait_blocking().unwrap_err().to_string().contains("what it says"));
        drop(asks);
    });
}

#[test]
fn the_items_of_a_single_consumer_queue() {
    in_time("items that nobody consumes", || {
        let dropped = Arc::new(AtomicUsize::new(0));
        let queue = SingleConsumerQueue::new();
        let item = || {
            let (asks, dropped) = (queue.clone(), dropped.clone());
            OnDrop::new(move || {
                let _ = (asks.len(), asks.is_stopped());
                // A further item is rejected at once, since the queue has stopped.
                assert!(!asks.push_back(OnDrop::nothing()) && !asks.extend([OnDrop::nothing()]));
                asks.stop();
                dropped.fetch_add(1, Ordering::SeqCst);
            })
        };
        queue.extend([item(), item()]);
        queue.stop();
        queue.push_front(item());
        assert_eq!(dropped.load(Ordering::SeqCst), 3);
    });
    in_time("a reject function", || {
        let (own, seen) =
            (Arc::new(OnceLock::<SingleConsumerQueue<u32>>::new()), Arc::new(Mutex::new(Vec::new())));
        let (asks, see) = (Arc::downgrade(&own), seen.clone());
        let queue = SingleConsumerQueue::with_reject(move |item| {
            see.lock().unwrap().push(item);
            let own = asks.upgrade().unwrap();
            let queue = own.get().unwrap();
            let _ = (queue.len(), queue.is_stopped(), queue.consume());
            if item < 10 {
                assert!(!queue.push_back(item + 10));
            }
            queue.stop();
        });
        assert!(own.set(queue.clone()).is_ok());
        queue.extend([1, 2]);
        queue.stop();
        assert_eq!(*seen.lock().unwrap(), [1, 11, 2, 12]);
    });
    in_time("an iterator", || {
        let queue = SingleConsumerQueue::new();
        let asks = queue.clone();
        assert!(
            queue.extend((0..3).inspect(|number| assert!(asks.push_back(10 + number) && !asks.is_empty())))
        );
        assert_eq!(queue.len(), 6);
    });
}

#[test]
fn the_items_of_a_queue_of_a_function() {
    async fn hold((held, begun): (OnDrop, Option<mpsc::Sender<()>>)) {
        if let Some(begun) = begun {
            begun.send(()).unwrap();
            std::future::pending::<()>().await;
        }
        drop(held);
    }
    for cancels in [false, true] {
        in_time("arguments that never run", move || {
            let caller = caller(&Manual::new());
            let dropped = Arc::new(AtomicUsize::new(0));
            let item = || {
                let (asks, dropped) = (caller.0.clone(), dropped.clone());
                OnDrop::new(move || {
                    let _ = (asks.queue_len(hold), asks.queue_get(hold), asks.queues(), asks.to_string());
                    asks.queue_close(hold);
                    dropped.fetch_add(1, Ordering::SeqCst);
                })
            };
            let (sender, begun) = mpsc::channel();
            caller.queue_call(hold, (item(), Some(sender))).unwrap();
            caller.queue_call(hold, (item(), None)).unwrap();
            caller.queue_call(hold, (item(), None)).unwrap();
            receive(&begun);
            let pending = caller.queue_get(hold).unwrap();
            if cancels {
                pending.cancel("enough");
            } else {
                assert!(caller.queue_close(hold));
            }
            pending.wait().timeout(LONG).blocking().unwrap();
            eventually("the end of the arguments", || dropped.load(Ordering::SeqCst) == 3);
        });
    }
    in_time("the object of a method", || {
        async fn method(_: Arc<OnDrop>, done: mpsc::Sender<()>) {
            done.send(()).unwrap();
        }
        let caller = caller(&Manual::new());
        let (asks, (sender, dropped)) = (caller.0.clone(), mpsc::channel());
        let object = Arc::new(OnDrop::new(move || {
            let _ = (asks.queues(), asks.to_string());
            sender.send(()).unwrap();
        }));
        let (done, ran) = mpsc::channel();
        caller.queue_method(method, &object, done).unwrap();
        receive(&ran);
        drop(object);
        receive(&dropped);
    });
}

#[test]
fn the_items_of_a_bounded_queue() {
    in_time("arguments of a bounded queue", || {
        let caller = caller(&Manual::new());
        let own = Arc::new(OnceLock::<Queue<(OnDrop, bool)>>::new());
        let dropped = Arc::new(AtomicUsize::new(0));
        let (sender, begun) = mpsc::channel();
        let queue = caller
            .bounded_queue(2, async move |(held, waits): (OnDrop, bool)| {
                sender.send(()).unwrap();
                if waits {
                    std::future::pending::<()>().await;
                }
                drop(held);
            })
            .unwrap();
        let item = |waits| {
            let (own, dropped) = (own.clone(), dropped.clone());
            let act = move || {
                let queue = own.get().unwrap();
                let _ = (queue.len(), queue.is_closed(), queue.pending());
                drop(queue.call((OnDrop::nothing(), false)));
                queue.close();
                dropped.fetch_add(1, Ordering::SeqCst);
            };
            (OnDrop::new(act), waits)
        };
        assert!(own.set(queue.clone()).is_ok());
        for waits in [true, false, false] {
            assert!(queue.call(item(waits)).is_ok());
            if waits {
                receive(&begun);
            }
        }
        queue.close();
        queue.pending().unwrap().wait().timeout(LONG).blocking().unwrap();
        eventually("the end of the arguments", || dropped.load(Ordering::SeqCst) == 3);
    });
}

#[test]
fn the_members_of_a_group_and_of_a_set() {
    for fails in [false, true] {
        in_time("the members of a group and of a set", move || {
            let (group, set) = (PendingGroup::builder().build(), PendingSet::new());
            let (sender, called) = mpsc::channel();
            let ask = || {
                let (group, set, sender) = (group.clone(), set.clone(), sender.clone());
                move || {
                    let _ = (group.len(), group.pendings(), group.is_cancelled(), group.to_string());
                    let _ = (set.len(), set.is_empty(), set.pendings(), format!("{set:?}"));
                    let (_never, other) = Resolver::<u32>::new();
                    let other = other.handle();
                    let _may_have_ended = group.add(&other);
                    group.remove(&other);
                    let _may_be_cancelled = (set.add(&other), set.contains(&other), set.remove(&other));
                    group.cancel("asked");
                    sender.send(()).unwrap();
                }
            };
            let (resolver, pending) = Resolver::<OnDrop>::new();
            let member = pending.handle();
            drop(pending);
            let callback = || {
                let act = Mutex::new(Some(ask()));
                DoneCallback::new(move |_| {
                    let act = act.lock().unwrap().take();
                    act.into_iter().for_each(|act| act());
                })
            };
            // Before and behind those that keep it.
            member.add_done_callback(&callback());
            group.add(&member).unwrap();
            assert!(set.add(&member));
            member.add_done_callback(&callback());
            let running = group.clone();
            let mut run = Box::pin(async move { running.run(async |_| ()).await.map(drop) });
            assert!(poll(&mut run, &Hook::woken(ask())).is_pending());
            drop(member);
            if fails {
                assert!(resolver.fail("on purpose"));
            } else {
                // The last handle, and the value with it, goes when the pending leaves the group and the set.
                assert!(resolver.resolve(OnDrop::new(ask())).is_ok());
            }
            drop(resolver);
            (0..if fails { 3 } else { 4 }).for_each(|_| receive(&called));
            drop(run);
            assert!(group.is_empty() && set.is_empty());
        });
    }
}

#[test]
fn a_tracker_that_hears_of_a_call() {
    struct Asks(PendingSet, Weak<Self>, Caller, mpsc::Sender<()>);
    impl Tracker for Asks {
        fn track(&self, pending: &PendingHandle) {
            self.0.add(pending);
            let _ = (self.0.len(), pending.is_done(), pending.to_string(), Self::current().is_some());
            pending.set_metadata("label", 1);
            let mut wait = Box::pin(pending.wait());
            let _ready = poll(&mut wait, Waker::noop());
            let own = self.1.upgrade().unwrap();
            // A call of its own, which it does not hear of.
            let untracked = self.2.schedule_call(async move || own.0.len()).trackers(Trackers::none());
            drop(untracked.submit().unwrap());
            drop(self.2.queues());
            self.3.send(()).unwrap();
        }
    }
    in_time("a tracker", || {
        let caller = caller(&Manual::new());
        let (sender, heard) = mpsc::channel();
        let of = caller.0.clone();
        let asks = Arc::new_cyclic(|this| Asks(PendingSet::new(), this.clone(), of, sender));
        asks.sync_scope(|| {
            drop(caller.call_soon(async || ()));
            drop(caller.to_thread(async || ()));
            drop(caller.call_later(HOUR, async || ()));
        });
        (0..3).for_each(|_| receive(&heard));
    });
}

#[test]
fn the_timers_of_a_caller() {
    in_time("the timers of a caller", || {
        let manual = Manual::new();
        let caller = caller(&manual);
        let clock = manual.clone();
        let (sender, acted) = mpsc::channel();
        let hooked = caller.call_soon(async move || {
            let (never, pending) = Resolver::<u32>::new();
            let handle = pending.handle();
            let act = || {
                let (handle, clock, sender) = (handle.clone(), clock.clone(), sender.clone());
                move || {
                    // Timers of this caller are added, renewed and removed.
                    let mut wait = Box::pin(handle.wait().timeout(HOUR));
                    let polled = poll(&mut wait, Waker::noop());
                    assert!(polled.is_pending(), "{polled:?} {handle}");
                    let (_wakes, waker) = Wakes::new();
                    assert!(poll(&mut wait, &waker).is_pending());
                    drop(wait);
                    let _now = clock.now();
                    sender.send(()).unwrap();
                }
            };
            let [mut woken, mut dropped, mut replaced, mut given_up] =
                [(); 4].map(|()| Box::pin(handle.wait().timeout(HOUR)));
            assert!(poll(&mut woken, &Hook::woken(act())).is_pending());
            assert!(poll(&mut dropped, &Hook::dropped(act())).is_pending());
            assert!(poll(&mut replaced, &Hook::dropped(act())).is_pending());
            assert!(poll(&mut replaced, Waker::noop()).is_pending());
            assert!(poll(&mut given_up, &Hook::dropped(act())).is_pending());
            drop(given_up);
            (woken, dropped, never)
        });
        let (woken, dropped, never) = hooked.wait().timeout(LONG).blocking().unwrap();
        (0..2).for_each(|_| receive(&acted));
        manual.advance(HOUR);
        receive(&acted);
        drop((woken, dropped));
        receive(&acted);
        drop(never);
    });
    in_time("the timers of a caller that stops", || {
        let caller = caller(&Manual::new());
        let (sender, acted) = mpsc::channel();
        let this = caller.0.clone();
        let kept = caller.call_soon(async move || {
            let (never, pending) = Resolver::<u32>::new();
            let mut wait = Box::pin(pending.handle().wait().timeout(HOUR));
            let waker = Hook::woken(move || {
                let mut wait = Box::pin(pending.handle().wait().timeout(HOUR));
                assert!(poll(&mut wait, Waker::noop()).is_pending());
                let _ = (this.state(), this.to_string());
                sender.send(()).unwrap();
            });
            assert!(poll(&mut wait, &waker).is_pending());
            (wait, never)
        });
        let kept = kept.wait().timeout(LONG).blocking().unwrap();
        caller.stop();
        receive(&acted);
        drop(kept);
    });
}

#[test]
fn values_of_a_context() {
    thread_local! {
        static NESTED: Cell<bool> = const { Cell::new(false) };
    }
    static VALUE: ContextVar<Arc<Value>> = ContextVar::new();
    struct Value(mpsc::Sender<()>);
    impl Drop for Value {
        fn drop(&mut self) {
            // What is set here is dropped in turn.
            if NESTED.replace(true) {
                return;
            }
            let _ = (VALUE.get().is_some(), VALUE.with(|value| value.is_some()), Context::current());
            let _may_be_outside = VALUE.set(Arc::new(Self(self.0.clone())));
            let _ = (current_pending(), PendingGroup::current(), Caller::current().is_ok());
            self.0.send(()).unwrap();
            NESTED.set(false);
        }
    }
    in_time("a value of a context", || {
        let caller = caller(&Manual::new());
        let (sender, dropped) = mpsc::channel();
        let value = || Arc::new(Value(sender.clone()));
        // One that another replaces, and that other, whose call ends.
        let (first, second) = (value(), value());
        let call = caller.call_soon(async move || {
            VALUE.set(first).unwrap();
            VALUE.set(second).unwrap();
        });
        call.wait().timeout(LONG).blocking().unwrap();
        (0..2).for_each(|_| receive(&dropped));
        // One of a call that never began, and one of a call that is cancelled while it waits.
        let later = VALUE.sync_scope(value(), || caller.call_later(HOUR, async || ()));
        turns_of(&caller);
        later.cancel("never mind");
        drop(later);
        turns_of(&caller);
        receive(&dropped);
        let call =
            VALUE.sync_scope(value(), || caller.call_soon(async || std::future::pending::<()>().await));
        turns_of(&caller);
        call.cancel("enough");
        drop(call);
        receive(&dropped);
    });
}

#[test]
fn the_pool_of_a_caller() {
    for stops in [false, true] {
        in_time("functions that wait for a worker", move || {
            let settings = PoolSettings::default().limit(1);
            let caller = Running(Caller::builder().backend(Manual::new()).pool(settings).spawn().unwrap());
            let (sender, begun) = mpsc::channel();
            let busy = caller.to_thread(async move || {
                sender.send(()).unwrap();
                std::future::pending::<()>().await;
            });
            receive(&begun);
            let (sender, dropped) = mpsc::channel();
            let waiting: Vec<Pending<()>> = (0..2)
                .map(|_| {
                    let (asks, sender) = (caller.0.clone(), sender.clone());
                    let held = OnDrop::new(move || {
                        let _ = (asks.workers(), asks.children(), asks.to_string());
                        drop(asks.to_thread(async || ()));
                        sender.send(()).unwrap();
                    });
                    caller.to_thread(async move || drop(held))
                })
                .collect();
            if stops {
                caller.stop();
            } else {
                waiting.iter().for_each(|call| assert!(call.cancel("never mind")));
                busy.cancel("enough");
            }
            (0..2).for_each(|_| receive(&dropped));
        });
    }
}
