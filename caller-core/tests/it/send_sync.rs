//! Which types may go where: checked when it is compiled.

use std::{cell::Cell, marker::PhantomData};

use caller::{
    Builder, Caller, CallerId, CancelRequested, Consumer, Context, ContextVar, DoneCallback, Error, Moment,
    Pending, PendingHandle, Queue, Resolver, Shared, SingleConsumerQueue, Wait, WaitDone, WaitMany, WaitMut,
    WaitShared, Waited,
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
