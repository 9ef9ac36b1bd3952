//! Which types may go where: checked when it is compiled.

use std::{cell::Cell, marker::PhantomData};

use caller::{
    Activation, AsyncEvent, AsyncLock, AsyncLockGuard, AsyncLockGuardArc, Builder, Caller, CallerId,
    CancelRequested, Consumer, Context, ContextVar, CountdownEvent, DoneCallback, Error, GroupBuilder,
    Moment, Pending, PendingGroup, PendingHandle, PendingSet, Queue, ReentrantAsyncLock, ReentrantGuard,
    ReentrantGuardArc, Resolver, Shared, SingleConsumerQueue, Timeout, Trackers, Wait, WaitCountdown,
    WaitDone, WaitEvent, WaitIgnored, WaitMany, WaitMut, WaitShared, Waited,
};

/// A value that is `Send` and not `Sync`, as a result may be.
type OnlySend = PhantomData<Cell<u8>>;

fn send<T: Send>() {}
fn sync<T: Sync>() {}
fn unpin<T: Unpin>() {}

macro_rules! all {
    ($($type:ty),* $(,)?) => { $( send::<$type>(); sync::<$type>(); unpin::<$type>(); )* };
}

#[test]
fn handles_and_waits_are_thread_safe() {
    all!(
        Activation<PendingGroup>,
        AsyncEvent,
        AsyncLock<OnlySend>,
        AsyncLockGuard<'static, u8>,
        AsyncLockGuardArc<u8>,
        CountdownEvent,
        GroupBuilder,
        PendingGroup,
        PendingSet,
        ReentrantAsyncLock<u8>,
        ReentrantGuard<'static, u8>,
        ReentrantGuardArc<u8>,
        Trackers,
        WaitCountdown,
        WaitEvent,
        Builder,
        Caller,
        CallerId,
        CancelRequested,
        Consumer<u8>,
        Context,
        ContextVar<u8>,
        DoneCallback,
        Error,
        Moment,
        Timeout<CancelRequested>,
        Timeout<Moment>,
        Timeout<WaitCountdown>,
        Timeout<WaitEvent>,
        WaitIgnored<OnlySend>,
        Pending<OnlySend>,
        PendingHandle,
        Queue<OnlySend>,
        Resolver<OnlySend>,
        Shared<u8>,
        SingleConsumerQueue<OnlySend>,
        Wait<OnlySend>,
        WaitDone,
        WaitMany<OnlySend>,
        WaitMut<'static, OnlySend>,
        WaitShared<u8>,
        Waited<OnlySend>,
    );
}

#[test]
fn a_guard_goes_where_its_value_may() {
    send::<AsyncLockGuard<'static, OnlySend>>();
    send::<AsyncLockGuardArc<OnlySend>>();
}
