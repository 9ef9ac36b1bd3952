//! RES: values that live in the thread of a caller.

use std::{
    cell::{Cell, RefCell},
    collections::HashSet,
    rc::Rc,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    thread::{self, ThreadId},
    time::Duration,
};

use futures::future::join;

use super::{LONG, eventually, receive};
use crate::{
    AsyncEvent, BoxError, Caller, ContextVar, Error, OnPanic, Pending, PendingGroup, PoolSettings, Resident,
    Resolver, scheduler,
    testing::{Fixture, probe::hear_reports},
    wake::yield_now,
};

/// Not `Send`. Says in which thread it was dropped, and whether the runtime was current there.
struct Store {
    count: Rc<Cell<u32>>,
    said: Said,
    name: &'static str,
    is_current: fn() -> bool,
}

/// What was dropped where, in order.
type Said = Arc<Mutex<Vec<(&'static str, ThreadId, bool)>>>;

impl Store {
    fn new<F: Fixture>(name: &'static str, said: &Said) -> Self {
        Self { count: Rc::default(), said: said.clone(), name, is_current: F::is_current }
    }

    fn next(&self) -> u32 {
        self.count.set(self.count.get() + 1);
        self.count.get()
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        let here = (self.name, thread::current().id(), (self.is_current)());
        self.said.lock().unwrap().push(here);
    }
}

fn store<F: Fixture>(caller: &Caller, name: &'static str, said: &Said) -> Resident<Store> {
    let said = said.clone();
    done(caller.resident(async move || Store::new::<F>(name, &said)))
}

fn done<T: Send + 'static>(pending: Pending<T>) -> T {
    pending.wait().timeout(LONG).blocking().unwrap_or_else(|error| panic!("{error}"))
}

fn failed<T: Send + 'static>(pending: Pending<T>) -> Error {
    pending.wait().timeout(LONG).blocking().err().expect("it fails")
}

fn names(said: &Said) -> Vec<&'static str> {
    said.lock().unwrap().iter().map(|(name, ..)| *name).collect()
}

pub fn res_01_made_reached_and_dropped_in_its_thread<F: Fixture>() {
    let (caller, said) = (F::new().caller(), Said::default());
    let there = done(caller.call_soon(async || thread::current().id()));
    let store = store::<F>(&caller, "a store", &said);
    let reached = store.call(async |store| (store.next(), thread::current().id(), F::is_current()));
    assert_eq!(done(reached), (1, there, true));
    let other = store.clone();
    let elsewhere = thread::spawn(move || done(other.call_mut(async |store| store.next()))).join().unwrap();
    assert_eq!((elsewhere, store.caller()), (2, &caller.0));
    let gone = store.gone();
    assert!(!store.is_gone() && said.lock().unwrap().is_empty());
    thread::spawn(move || drop(store)).join().unwrap();
    gone.timeout(LONG).blocking().unwrap();
    assert_eq!(*said.lock().unwrap(), [("a store", there, true)]);
}

pub fn res_02_calls_that_share_go_on_together<F: Fixture>() {
    let caller = F::new().caller();
    let value = done(caller.resident(async || RefCell::new(0)));
    let (resolver, wait) = Resolver::<()>::new();
    let first = value.call(async move |value| {
        wait.await.unwrap();
        *value.borrow_mut() += 1;
        *value.borrow()
    });
    let second = value.call(async |value| {
        *value.borrow_mut() += 1;
        *value.borrow()
    });
    assert_eq!(done(second), 1);
    assert!(!first.is_done());
    resolver.resolve(()).unwrap();
    assert_eq!(done(first), 2);
}

pub fn res_03_one_at_a_time_alone_in_the_order_made<F: Fixture>() {
    let caller = F::new().caller();
    let value = done(caller.resident(async || Vec::new()));
    let (resolver, wait) = Resolver::<()>::new();
    let first = value.call_mut(async move |value: &mut Vec<u32>| {
        wait.await.unwrap();
        value.push(1);
    });
    let second = value.call_mut(async |value| value.push(2));
    // It does not overtake the one that waits to be alone.
    let shares = value.call(async |value| value.clone());
    let third = value.call_mut(async |value| {
        value.push(3);
        value.clone()
    });
    done(caller.call_soon(async || ()));
    assert!(!second.is_done() && !shares.is_done() && !third.is_done());
    resolver.resolve(()).unwrap();
    done(first);
    assert_eq!((done(shares), done(third)), (vec![1, 2], vec![1, 2, 3]));
    done(second);
}

pub fn res_04_one_that_is_cancelled_makes_room<F: Fixture>() {
    let (caller, said) = (F::new().caller(), Said::default());
    let there = done(caller.call_soon(async || thread::current().id()));
    let value = done(caller.resident(async || 0));
    let (begun, begins) = mpsc::channel();
    let held = said.clone();
    let first = value.call_mut(async move |value| {
        let _dropped_in_the_thread = Store::new::<F>("the first", &held);
        *value += 1;
        begun.send(()).unwrap();
        std::future::pending::<()>().await;
    });
    let waits = value.call_mut(async |value| *value += 10);
    let last = value.call_mut(async |value| *value);
    receive(&begins);
    assert!(waits.cancel("it is not wanted any more") && first.cancel("enough"));
    assert_eq!(done(last), 1);
    assert_eq!(*said.lock().unwrap(), [("the first", there, true)]);
    assert!(failed(first).is_cancelled() && failed(waits).is_cancelled());
}

pub fn res_05_failures_are_those_of_the_call<F: Fixture>() {
    let caller = F::new().caller();
    let fails = failed(caller.try_resident(async || "x".parse::<u32>()));
    assert!(fails.is_failed() && fails.downcast_ref::<std::num::ParseIntError>().is_some());
    let panics = failed(caller.resident(async || -> u32 { panic!("on purpose") }));
    assert!(panics.is_panic());
    let value = done(caller.try_resident(async || "7".parse::<u32>()));
    assert_eq!(done(value.try_call(async |value| Ok::<_, Error>(*value))), 7);
    let error = failed(value.try_call(async |value| format!("{value}x").parse::<u32>()));
    assert!(error.is_failed() && error.downcast_ref::<std::num::ParseIntError>().is_some());
    let name = error.function().unwrap();
    assert!(name.contains("res_05"), "it names our code, and not the call: {name}");
    assert!(error.location().unwrap().file().ends_with("conformance/resident.rs"));
    let error = failed(value.try_call_mut(async |value| {
        *value += 1;
        Err::<(), _>("no")
    }));
    assert_eq!(error.failure().unwrap().to_string(), "no");
    assert_eq!(done(value.call(async |value| *value)), 8);
}

pub fn res_06_bound_to_a_function_for_any_verb<F: Fixture>() {
    let fixture = F::new();
    let (caller, other) = (fixture.caller(), fixture.caller());
    let value = done(caller.resident(async || Cell::new(1)));
    let later = caller.try_call_later(Duration::from_millis(1), value.bind(async |value| value.get()));
    fixture.elapse(Duration::from_millis(5));
    assert_eq!(done(later), 1);
    let changes = value.bind_mut(async |value| {
        value.set(value.get() + 1);
        value.get()
    });
    assert_eq!(done(caller.try_call_soon(changes)), 2);
    let in_a_group = {
        let (caller, value) = (caller.clone(), value.clone());
        caller.clone().call_soon(async move || {
            let group = caller.group().build();
            let fails = value.try_bind(async |value| Err::<(), _>(format!("it is {}", value.get())));
            let ran = group.run(async |group| drop(group.try_call_soon(fails))).await;
            ran.err().map(|error| error.to_string())
        })
    };
    let text = done(in_a_group).expect("the group fails");
    assert!(text.contains("it is 2"), "{text}");
    // Errors name the function that was bound, and not what binds it.
    let panics = failed::<()>(caller.try_call_soon(value.bind(async |_| panic!("on purpose"))));
    let named = value.try_bind_mut(async |_: &mut _| Err::<fn(u8) -> (u8, u8), _>("no"));
    for error in [panics, failed(caller.try_call_soon(named))] {
        let name = error.function().unwrap();
        let name = name.split_once('<').map_or(name, |(name, _)| name);
        assert!(name.ends_with("res_06_bound_to_a_function_for_any_verb"), "{name}");
    }
    let elsewhere = failed(other.try_call_soon(value.bind(async |value| value.get())));
    assert!(elsewhere.is_failed(), "{elsewhere}");
    assert!(elsewhere.downcast_ref::<Error>().is_some_and(Error::is_mismatch), "{elsewhere}");
}

pub fn res_07_derived_from_another<F: Fixture>() {
    let (caller, said) = (F::new().caller(), Said::default());
    let store = store::<F>(&caller, "a store", &said);
    let count: Resident<Rc<Cell<u32>>> = done(store.derive(async |store| store.count.clone()));
    done(store.call(async |store| store.next()));
    assert_eq!(done(count.call(async |count| (count.get(), Rc::strong_count(count)))), (1, 2));
    let fails = failed(store.try_derive(async |_| Err::<Rc<u32>, _>("nothing to be had")));
    assert!(fails.is_failed());
    drop(store);
    eventually("the end of what it came from", || !said.lock().unwrap().is_empty());
    assert_eq!(done(count.call(async |count| (count.get(), Rc::strong_count(count)))), (1, 1));
}

pub fn res_08_in_its_own_thread_without_waiting<F: Fixture>() {
    let caller = F::new().caller();
    let value = done(caller.resident(async || 7));
    assert!(value.with(|value| *value).unwrap_err().is_mismatch(), "this is another thread");
    let (resolver, wait) = Resolver::<()>::new();
    let (own, alone) = (value.clone(), value.clone());
    let looked = caller.call_soon(async move || {
        assert_eq!(own.with(|value| *value).unwrap(), 7);
        own.with_mut(|value| *value += 1).unwrap();
        let nested = own.with(|_| own.with_mut(|_| ()).unwrap_err().is_mismatch()).unwrap();
        let error = own.try_with(|value| format!("{value}x").parse::<u32>()).unwrap_err();
        assert!(error.is_failed() && error.downcast_ref::<std::num::ParseIntError>().is_some());
        own.try_with_mut(|value| {
            *value += 1;
            Ok::<_, Error>(())
        })
        .unwrap();
        nested
    });
    assert!(done(looked));
    let held = alone.call_mut(async move |value| {
        wait.await.unwrap();
        *value
    });
    done(caller.call_soon(async || ()));
    let own = value.clone();
    let while_held = caller.call_soon(async move || own.with(|_| ()).unwrap_err());
    assert!(done(while_held).is_mismatch());
    resolver.resolve(()).unwrap();
    assert_eq!(done(held), 9);
}

pub fn res_09_ended_by_the_last_handle_behind_its_calls<F: Fixture>() {
    let (caller, said) = (F::new().caller(), Said::default());
    let store = store::<F>(&caller, "a store", &said);
    let weak = store.downgrade();
    let (resolver, wait) = Resolver::<()>::new();
    let first = store.call_mut(async move |store| {
        wait.await.unwrap();
        store.next()
    });
    let second = store.call(async |store| store.next());
    drop(store);
    done(caller.call_soon(async || ()));
    assert!(said.lock().unwrap().is_empty(), "calls have it");
    assert!(weak.upgrade().is_none(), "a call is no handle");
    resolver.resolve(()).unwrap();
    assert_eq!((done(first), done(second)), (1, 2));
    eventually("the end of the store", || !said.lock().unwrap().is_empty());
}

pub fn res_10_closed<F: Fixture>() {
    let (caller, said) = (F::new().caller(), Said::default());
    let one = store::<F>(&caller, "one", &said);
    let before = one.call(async |store| store.next());
    let (closes, after) = (one.close(), one.call(async |store| store.next()));
    assert_eq!(done(before), 1);
    done(closes);
    assert!(one.is_gone() && names(&said) == ["one"]);
    let after = failed(after);
    assert!(after.is_closed(), "{after}");
    assert!(failed(one.close()).is_closed());
    let error = done({
        let one = one.clone();
        caller.call_soon(async move || one.with(|_| ()).unwrap_err())
    });
    assert!(error.is_closed() && error.to_string().contains("has ended"), "{error}");
    let two = store::<F>(&caller, "two", &said);
    let taken = done(two.close_with(async |store| {
        store.next();
        store.next()
    }));
    assert_eq!((taken, names(&said)), (2, vec!["one", "two"]));
    two.gone().timeout(LONG).blocking().unwrap();
    let three = store::<F>(&caller, "three", &said);
    let fails = failed(three.try_close_with(async |store| Err::<(), _>(store.next().to_string())));
    assert!(fails.is_failed() && three.is_gone() && names(&said) == ["one", "two", "three"]);
    // One that is cancelled before its turn has closed nothing.
    let four = store::<F>(&caller, "four", &said);
    let (resolver, wait) = Resolver::<()>::new();
    let held = four.call(async move |_| wait.await.unwrap());
    let closes = four.close();
    done(caller.call_soon(async || ()));
    closes.cancel("not yet");
    assert!(failed(closes).is_cancelled());
    resolver.resolve(()).unwrap();
    done(held);
    assert_eq!(done(four.call(async |store| store.next())), 1);
}

pub fn res_11_ended_by_the_stop_behind_the_calls<F: Fixture>() {
    let (fixture, said) = (F::new(), Said::default());
    let caller = fixture.caller();
    let there = done(caller.call_soon(async || thread::current().id()));
    let (one, two) = (store::<F>(&caller, "one", &said), store::<F>(&caller, "two", &said));
    // A ring of handles, in the values.
    let ring: Resident<RefCell<Option<Resident<Store>>>> = done(caller.resident(async || RefCell::new(None)));
    let inside = one.clone();
    done(ring.call(async move |ring| drop(ring.replace(Some(inside)))));
    let held = said.clone();
    let call = one.call_mut(async move |_| {
        let _dropped_first = Store::new::<F>("a call", &held);
        std::future::pending::<()>().await;
    });
    done(caller.call_soon(async || ()));
    caller.force_stop();
    caller.stopped().timeout(LONG).blocking().unwrap();
    assert!(failed(call).is_closed());
    assert_eq!(names(&said), ["a call", "two", "one"]);
    assert!(said.lock().unwrap().iter().all(|(_, thread, current)| *thread == there && *current));
    assert!(one.is_gone() && two.is_gone() && ring.is_gone());
    assert!(failed(two.call(async |store| store.next())).is_closed());
    assert!(failed(caller.resident(async || 1)).is_closed());
}

pub fn res_12_handles_are_equal_by_identity<F: Fixture>() {
    fn is_for_all_threads<T: Send + Sync + Clone>(_: &T) {}
    let caller = F::new().caller();
    let (one, two) = (done(caller.resident(async || Rc::new(1))), done(caller.resident(async || Rc::new(1))));
    is_for_all_threads(&one);
    is_for_all_threads(&one.downgrade());
    let same = one.clone();
    assert!(one == same && one != two);
    assert_eq!(HashSet::from([one.clone(), same, two]).len(), 2);
    let named = done(caller.resident_builder().name("the count").build(async || 1));
    assert_eq!(named.name(), Some("the count"));
    assert!(named.to_string().contains("the count") && one.to_string().contains("Rc"), "{named} {one}");
}

pub fn res_13_a_panic_costs_the_call_and_what_its_policy_says<F: Fixture>() {
    hear_reports();
    let caller = F::new().caller();
    let kept = done(caller.resident(async || 1));
    let panics = kept.call_mut(async |value| {
        *value += 1;
        panic!("on purpose");
    });
    assert!(failed::<()>(panics).is_panic());
    assert_eq!(done(kept.call(async |value| *value)), 2);
    let closes = done(caller.resident_builder().on_panic(OnPanic::Close).build(async || 1));
    let panics = failed::<()>(closes.call(async |_| panic!("on purpose")));
    assert!(panics.is_panic() && failed(closes.call(async |value| *value)).is_closed() && closes.is_gone());
    let made = Arc::new(AtomicUsize::new(0));
    let makes = made.clone();
    let again =
        done(caller.resident_builder().build_remaking(
            async move || match makes.fetch_add(1, Ordering::SeqCst) {
                1 => Err("not this time"),
                number => Ok(number),
            },
        ));
    assert_eq!(done(again.call(async |number| *number)), 0);
    let (resolver, wait) = Resolver::<()>::new();
    let shares = again.call(async move |number| {
        wait.await.unwrap();
        *number
    });
    assert!(failed::<()>(again.call(async |_| panic!("on purpose"))).is_panic());
    // Others that have it go on with it, and who comes now waits for them.
    let comes = again.call(async |number| *number);
    done(caller.call_soon(async || ()));
    assert!(!comes.handle().is_done(), "it shares what a panic has spoilt");
    resolver.resolve(()).unwrap();
    assert_eq!(done(shares), 0);
    let why = failed(comes);
    assert!(why.is_failed() && why.to_string().contains("not this time"), "{why}");
    assert_eq!(done(again.call(async |number| *number)), 2);
    assert!(failed::<()>(again.call_mut(async |_| panic!("on purpose"))).is_panic());
    assert_eq!(done(again.call_mut(async |number| *number)), 3);
    // There is no value now, and still it can be closed.
    assert!(failed::<()>(again.call_mut(async |_| panic!("on purpose"))).is_panic());
    done(again.close());
    assert!(again.is_gone() && failed(again.call(async |number| *number)).is_closed());
}

pub fn res_14_a_thread_of_its_own<F: Fixture>() {
    hear_reports();
    let (caller, said) = (F::new().caller(), Said::default());
    let here = done(caller.call_soon(async || thread::current().id()));
    let says = said.clone();
    let make = async move || Store::new::<F>("a store", &says);
    let store = done(caller.resident_builder().own_thread("a thread for a store").build(make));
    let there = done(store.call(async |_| thread::current().id()));
    assert_ne!(here, there);
    assert_eq!(store.caller().name(), "a thread for a store");
    assert_eq!(caller.children(), [store.caller().clone()]);
    let own = store.caller().clone();
    drop(store);
    own.stopped().timeout(LONG).blocking().unwrap();
    assert_eq!(*said.lock().unwrap(), [("a store", there, true)]);
    eventually("no children", || caller.children().is_empty());
    // It ends with a value that a panic has closed, too.
    let builder = caller.resident_builder().own_thread("a fragile one").on_panic(OnPanic::Close);
    let fragile = done(builder.build(async || 1));
    assert!(failed::<()>(fragile.call(async |_| panic!("on purpose"))).is_panic());
    fragile.caller().stopped().timeout(LONG).blocking().unwrap();
    // What cannot be made leaves no thread.
    let builder = caller.resident_builder().own_thread("for nothing");
    assert!(failed(builder.try_build(async || Err::<Rc<u32>, _>("nothing"))).is_failed());
    eventually("no children", || caller.children().is_empty());
    // It is a new one: nobody else's thread ends with the value.
    let child = caller.child("a child").unwrap();
    let taken = failed(caller.resident_builder().own_thread("a child").build(async || 1));
    assert!(taken.is_mismatch() && taken.to_string().contains("a child"), "{taken}");
    let one = done(caller.resident_builder().own_thread("one").build(async || 1));
    assert!(failed(caller.resident_builder().own_thread("one").build(async || 1)).is_mismatch());
    assert_eq!((done(child.call_soon(async || 2)), done(one.call(async |one| *one))), (2, 1));
    caller.force_stop();
    let late = caller.resident_builder().own_thread("too late").build(async || 1);
    assert!(failed(late).is_closed());
}

pub fn res_15_a_value_that_exists_already<F: Fixture>() {
    let (caller, said) = (F::new().caller(), Said::default());
    let refused = caller.resident_local(Rc::new(5)).unwrap_err();
    assert!(refused.error().is_mismatch());
    assert_eq!(*refused.into_value(), 5);
    let (own, says) = (caller.clone(), said.clone());
    let made = caller.try_call_soon(async move || -> crate::Result<_> {
        let value = Store::new::<F>("a store", &says);
        own.resident_local(value).map_err(crate::Refused::into_error)
    });
    let store = done(made);
    let boxed = || -> Result<Resident<Rc<u32>>, BoxError> { Ok(caller.resident_local(Rc::new(5))?) };
    let boxed = boxed().unwrap_err();
    assert!(boxed.downcast_ref::<Error>().is_some_and(Error::is_mismatch), "{boxed}");
    assert_eq!(done(store.call(async |store| store.next())), 1);
    caller.force_stop();
    caller.stopped().timeout(LONG).blocking().unwrap();
    assert!(store.is_gone() && names(&said) == ["a store"]);
}

pub fn res_16_what_is_made_for_nobody_is_dropped_in_its_thread<F: Fixture>() {
    let (caller, said) = (F::new().caller(), Said::default());
    let there = done(caller.call_soon(async || thread::current().id()));
    let says = said.clone();
    drop(caller.resident(async move || Store::new::<F>("unwanted", &says)));
    eventually("the end of what nobody wants", || !said.lock().unwrap().is_empty());
    assert_eq!(*said.lock().unwrap(), [("unwanted", there, true)]);
    let (resolver, wait) = Resolver::<()>::new();
    let (says, begun) = (said.clone(), AsyncEvent::new());
    let begins = begun.clone();
    let cancelled = caller.resident(async move || {
        let store = Store::new::<F>("cancelled", &says);
        begins.set();
        wait.await.unwrap();
        store
    });
    begun.wait().timeout(LONG).blocking().unwrap();
    cancelled.cancel("not any more");
    assert!(failed(cancelled).is_cancelled());
    drop(resolver);
    assert_eq!(names(&said), ["unwanted", "cancelled"]);
}

pub fn res_17_a_call_is_an_ordinary_call<F: Fixture>() {
    static REQUEST: ContextVar<u32> = ContextVar::new();
    let fixture = F::new();
    let caller = fixture.builder().pool(PoolSettings::default().limit(2)).spawn().unwrap();
    let caller = crate::testing::Running(caller);
    let value = done(caller.resident(async || 7));
    let call = REQUEST.sync_scope(3, || value.call(async |value| value + REQUEST.get().unwrap_or(0)));
    assert_eq!(done(call), 10);
    let (ran, in_a_group) = (Arc::new(AtomicBool::new(false)), value.clone());
    let runs = ran.clone();
    let here = caller.clone();
    let group = caller.call_soon(async move || {
        let members = here.group().build();
        let body = async |_: Arc<PendingGroup>| {
            drop(in_a_group.call(async move |_| runs.store(true, Ordering::SeqCst)));
        };
        members.run(body).await.is_ok()
    });
    assert!(done(group) && ran.load(Ordering::SeqCst), "the group waits for it");
    let from_a_worker = value.clone();
    let worker = caller.to_thread(async move || done(from_a_worker.call(async |value| *value)));
    assert_eq!(done(worker), 7);
    let never = value.call(async |_| std::future::pending::<()>().await);
    let late = never.wait().timeout(Duration::from_millis(5)).blocking().unwrap_err();
    assert!(late.is_timeout());
    let cleans = value.call(async |value| {
        let own = crate::current_pending().unwrap();
        own.grace(LONG);
        own.cancel_requested().await;
        *value
    });
    done(caller.call_soon(async || ()));
    cleans.cancel("enough");
    assert!(failed(cleans).is_cancelled());
    assert_eq!(done(value.call_mut(async |value| *value)), 7);
}

pub fn res_18_a_wait_that_could_never_end_is_an_error<F: Fixture>() {
    let fixture = F::new();
    let (caller, other) = (fixture.caller(), fixture.caller());
    let value = done(caller.resident(async || 1));
    let is_self_wait = |error: &Error| error.is_self_wait();
    // For itself, under itself.
    let own = value.clone();
    let nested = value.call_mut(async move |value| {
        *value += 1;
        own.call_mut(async |value| *value).await.is_err_and(|error| error.is_self_wait())
    });
    assert!(done(nested), "nested");
    let own = value.clone();
    let shares = value.call(async move |_| own.call_mut(async |value| *value).await.is_err());
    assert!(done(shares), "nested, of one that shares");
    let own = value.clone();
    let both_share = value.call(async move |_| own.call(async |value| *value).await);
    assert_eq!(done(both_share).unwrap(), 2);
    // By way of another call, and of a worker whose thread blocks.
    let (own, here) = (value.clone(), caller.clone());
    let through = value.call_mut(async move |_| {
        let call = here.call_soon(async move || {
            own.call_mut(async |value| *value).await.map_err(|error| is_self_wait(&error))
        });
        call.await.unwrap()
    });
    assert_eq!(done(through), Err(true));
    let (own, here) = (value.clone(), caller.clone());
    let blocks = value.call_mut(async move |_| {
        let worker = here.to_thread(async move || {
            own.call_mut(async |value| *value).wait_blocking().map_err(|error| is_self_wait(&error))
        });
        worker.await.unwrap()
    });
    assert_eq!(done(blocks), Err(true));
    // In a ring over two threads.
    let there = done(other.resident(async || 2));
    let (one, two) = (value.clone(), there.clone());
    let ring = value.call_mut(async move |_| {
        let back = one.clone();
        let call = two.call_mut(async move |_| {
            back.call_mut(async |value| *value).await.map_err(|error| is_self_wait(&error))
        });
        call.await.unwrap()
    });
    assert_eq!(done(ring), Err(true));
    // Nobody waits for these.
    let (own, here) = (value.clone(), caller.clone());
    let (sender, made) = mpsc::channel();
    let detached = value.call_mut(async move |value| {
        *value = 10;
        let later = own.call_mut(async |value| *value + 1);
        let inherits = here.call_soon(async move || own.call_mut(async |value| *value + 2).await);
        sender.send((later, inherits)).unwrap();
    });
    done(detached);
    let (later, inherits) = receive(&made);
    assert_eq!((done(later), done(inherits).unwrap()), (11, 12));
    assert_eq!(done(there.call(async |value| *value)), 2);
}

pub fn res_19_plain_functions_run_alone_in_their_order<F: Fixture>() {
    let caller = F::new().caller();
    let there = done(caller.call_soon(async || thread::current().id()));
    let value = done(caller.resident(async || Rc::new(RefCell::new(Vec::new()))));
    let (resolver, wait) = Resolver::<()>::new();
    let shares = value.call(async move |value| {
        wait.await.unwrap();
        value.borrow_mut().push("shares");
    });
    let runs = value.run(move |value| {
        value.borrow_mut().push("runs");
        thread::current().id()
    });
    let cancelled = value.run(|value| value.borrow_mut().push("never"));
    let tries = value.try_run(|value| {
        value.borrow_mut().push("tries");
        "many".parse::<u32>()
    });
    let panics = value.run(|_| -> u32 { panic!("a plain function, on purpose") });
    let last = value.run(|value| std::mem::take(value).take());
    assert!(cancelled.handle().cancel("not wanted"));
    assert!(!runs.handle().is_done(), "one that shares is there");
    resolver.resolve(()).unwrap();
    done(shares);
    assert_eq!(done(runs), there);
    assert!(failed(cancelled).is_cancelled());
    let error = failed(tries);
    assert!(error.is_failed() && error.to_string().contains("res_19"), "it names the call: {error}");
    let error = failed(panics);
    assert!(error.is_panic() && error.to_string().contains("on purpose"), "{error}");
    assert_eq!(done(last), ["shares", "runs", "tries"]);
    done(value.close());
    assert!(failed(value.run(|_| ())).is_closed());
}

pub fn res_20_branches_of_one_call_wait_for_each_other<F: Fixture>() {
    let caller = F::new().caller();
    let value = done(caller.resident(async || 1));
    let own = value.clone();
    let branches = caller.call_soon(async move || {
        let first = own.bind_mut(async |value| {
            yield_now().await;
            *value += 1;
        });
        let second = own.bind_mut(async |value| {
            *value += 10;
            *value
        });
        let (first, second) = join(first(), second()).await;
        first.and(second)
    });
    assert_eq!(done(branches).unwrap(), 12);
    // A branch that does not have the value may wait for a call that wants it.
    let own = value.clone();
    let branches = caller.call_soon(async move || {
        let (begun, event) = (AsyncEvent::new(), AsyncEvent::new());
        let (begins, held) = (begun.clone(), event.clone());
        let holds = own.bind_mut(async move |value| {
            begins.set();
            held.wait().await;
            *value += 1;
        });
        let waits = async {
            begun.wait().await;
            let call = own.call_mut(async |value| *value);
            event.set();
            call.await
        };
        let (holds, waits) = join(holds(), waits).await;
        holds.and(waits)
    });
    assert_eq!(done(branches).unwrap(), 13);
    // The branch that has it may not.
    let own = value.clone();
    let nested = caller.call_soon(async move || {
        let inner = own.clone();
        let holds = own.bind_mut(async move |_| {
            yield_now().await;
            inner.call_mut(async |value| *value).await.is_err_and(|error| error.is_self_wait())
        });
        join(holds(), yield_now()).await.0
    });
    assert!(done(nested).unwrap());
}

pub fn res_21_made_anew_without_a_change_of_the_order<F: Fixture>() {
    hear_reports();
    let caller = F::new().caller();
    let made = Arc::new(AtomicUsize::new(0));
    let makes = made.clone();
    let value = done(caller.resident_builder().build_remaking(async move || {
        yield_now().await;
        makes.fetch_add(1, Ordering::SeqCst);
        Ok::<_, Error>(Vec::new())
    }));
    let (resolver, wait) = Resolver::<()>::new();
    let shares = value.call(async move |value| {
        wait.await.unwrap();
        value.len()
    });
    let panics = value.call(async |_| -> () { panic!("on purpose") });
    let before = value.call(async |value| value.len());
    let adds = value.call_mut(async |value| value.push(1));
    let after = [value.call(async |value| value.len()), value.call(async |value| value.len())];
    assert!(failed(panics).is_panic());
    done(caller.call_soon(async || ()));
    assert!(!before.is_done(), "it shares what a panic has spoilt");
    resolver.resolve(()).unwrap();
    assert_eq!((done(shares), done(before)), (0, 0));
    done(adds);
    assert_eq!(after.map(done), [1, 1]);
    assert_eq!(made.load(Ordering::SeqCst), 2);
    // Between the panic and the next call there is no value, but the resident has not ended.
    assert!(failed(value.call_mut(async |_| -> () { panic!("on purpose") })).is_panic());
    let own = value.clone();
    let looked = done(caller.call_soon(async move || own.with(|_| ()).unwrap_err()));
    assert!(looked.is_mismatch() && !looked.is_closed(), "{looked}");
    assert!(looked.to_string().contains("makes it anew"), "{looked}");
    let taken = failed(value.close_with(async |value| value.len()));
    assert!(taken.is_closed() && taken.to_string().contains("a panic had cost its value"), "{taken}");
    assert!(value.is_gone());
}

pub fn res_22_nothing_stays_of_one_that_has_ended<F: Fixture>() {
    hear_reports();
    let caller = F::new().caller();
    let kept = || done(caller.call_soon(async || scheduler::residents(|residents| residents.len()).unwrap()));
    let fragile = done(caller.resident_builder().on_panic(OnPanic::Close).build(async || 1));
    let (closed, taken) = (done(caller.resident(async || 1)), done(caller.resident(async || 1)));
    assert_eq!(kept(), 3);
    assert!(failed::<()>(fragile.call(async |_| panic!("on purpose"))).is_panic());
    assert_eq!(kept(), 2);
    done(closed.close());
    done(taken.close_with(async |_| ()));
    drop((fragile, closed, taken));
    assert_eq!(kept(), 0);
}
