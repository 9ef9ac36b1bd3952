//! A Lua function that runs as a coroutine, on behalf of a cell, a call, or the body of a group.

use std::{
    cell::{Cell, RefCell},
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use caller::LocalFuture;
use mlua::{Function, IntoLuaMulti, Lua, MultiValue, Thread, Value, WeakLua, thread::AsyncThread};
use slab::Slab;

use super::{
    failure::Failure,
    message::{message_of, panic_text},
    raise::Stopped,
    runtime::Runtime,
};
use crate::shell::{Interrupted, Output, Stream};

/// How long the `<close>` variables of a coroutine that was dropped may take.
const CLOSING: Duration = Duration::from_millis(100);

/// How many tasks may be within each other, as groups are.
const DEPTH: usize = 16;

/// What a coroutine of ours does, beside what Lua knows of it.
pub(crate) struct Task {
    role: Role,
    /// How many tasks are around it, each of which takes from the stack of the thread.
    depth: usize,
    /// Whether it was stopped somewhere inside, whatever was made of that.
    stopped: Cell<bool>,
    /// How many interrupts there had been that do not concern it.
    seen: Cell<u64>,
    /// When others get a turn.
    until: Cell<Instant>,
    /// Whether the hook suspended it, so that it runs although it is not being polled.
    suspended: Cell<bool>,
    /// When its cleaning up is to end.
    closing: Cell<Option<Instant>>,
    /// What the functions it called wait for.
    waits: RefCell<Slab<Rc<Slot>>>,
    /// Where the error came from that nobody caught.
    places: RefCell<Vec<String>>,
}

/// What an async function waits for. Empty while it is polled, and once it has ended or been dropped.
type Slot = RefCell<Option<Wanted>>;
type Wanted = LocalFuture<'static, mlua::Result<MultiValue>>;

impl Task {
    pub(super) fn is_interrupted(&self, runtime: &Runtime) -> bool {
        runtime.interrupter.times() > self.seen.get()
    }

    pub(super) fn stop(&self) {
        self.stopped.set(true);
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.get()
    }

    pub(super) fn put_places(&self, places: Vec<String>) {
        *self.places.borrow_mut() = places;
    }

    pub(crate) fn role(&self) -> Role {
        self.role
    }

    pub(super) fn is_overdue(&self) -> bool {
        self.closing.get().is_some_and(|until| Instant::now() >= until)
    }

    pub(super) fn is_due(&self) -> bool {
        self.closing.get().is_none() && Instant::now() >= self.until.get()
    }

    pub(super) fn suspend(&self) {
        self.suspended.set(true);
    }
}

/// Who began a coroutine, which says what an interrupt is to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// A cell, or part of one: an interrupt ends it where it runs and where it waits.
    Cell,
    /// A call: an interrupt ends it where it runs, and leaves it alone where it waits.
    Call,
}

/// A coroutine as a future. It gives what the function returned; an error that nobody caught has been described by then.
pub(crate) struct Running {
    task: Rc<Task>,
    runtime: Rc<Runtime>,
    interrupted: Interrupted,
    /// None once it has ended.
    thread: Option<AsyncThread<MultiValue>>,
    coroutine: Thread,
    /// Where is told what goes wrong after nobody waits any longer.
    output: Option<Arc<dyn Output>>,
    /// The last field: the coroutine is of no use without its state.
    lua: Lua,
}

impl Running {
    pub(crate) fn new(
        lua: &Lua,
        runtime: &Rc<Runtime>,
        role: Role,
        function: Function,
        arguments: impl IntoLuaMulti,
    ) -> mlua::Result<Self> {
        let outer = runtime.current();
        let depth = outer.as_ref().map_or(0, |outer| outer.depth + 1);
        if depth > DEPTH {
            let text = format!("nested too deep: there are {DEPTH} groups around this; make calls instead");
            return Err(mlua::Error::runtime(text));
        }
        let coroutine = lua.create_thread(runtime.driver.clone())?;
        let mut all = arguments.into_lua_multi(lua)?;
        all.push_front(Value::Function(function));
        // What belongs to a cell ends with it, and so is as old as it.
        let seen = match &outer {
            Some(outer) if role == Role::Cell => outer.seen.get(),
            _ => runtime.interrupter.times(),
        };
        let task = Task {
            role,
            depth,
            stopped: Cell::new(false),
            seen: Cell::new(seen),
            until: Cell::new(Instant::now()),
            suspended: Cell::new(false),
            closing: Cell::new(None),
            waits: RefCell::default(),
            places: RefCell::default(),
        };
        Ok(Self {
            task: Rc::new(task),
            runtime: runtime.clone(),
            interrupted: runtime.interrupter.interrupted(seen),
            thread: Some(coroutine.clone().into_async(all)?),
            coroutine,
            output: <dyn Output>::current(),
            lua: lua.clone(),
        })
    }

    fn enter(&self) -> Entered {
        let outer = self.runtime.current.replace(Some(self.task.clone()));
        Entered { runtime: self.runtime.clone(), outer }
    }

    /// Takes apart what the driver gives: whether the function returned, and its values or the error.
    fn finish(&self, mut values: MultiValue) -> Result<MultiValue, Failure> {
        let good = matches!(values.pop_front(), Some(Value::Boolean(true)));
        if good && self.task.stopped.get() {
            let value = Value::Error(Box::new(mlua::Error::external(Stopped::Interrupt)));
            return Err(Failure::of_value(&self.runtime, value));
        }
        if good {
            return Ok(values);
        }
        Err(Failure::of_value(&self.runtime, values.pop_front().unwrap_or(Value::Nil)))
    }

    /// A call waits for an interrupt only while it computes, as one that waits for something else is not concerned.
    fn be_heard_of(&mut self, cx: &mut Context<'_>) {
        if self.task.role == Role::Call {
            self.interrupted = self.runtime.interrupter.interrupted(self.task.seen.get());
            if self.task.suspended.get() {
                let _came = Pin::new(&mut self.interrupted).poll(cx);
            }
        }
    }

    /// An error with all that is known of it.
    fn told(&self, failure: Failure) -> Failure {
        let failure = failure.at(self.task.places.take());
        if self.task.is_interrupted(&self.runtime) { failure.into_interrupt() } else { failure }
    }
}

impl Future for Running {
    type Output = Result<MultiValue, Failure>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if this.task.role == Role::Cell {
            // Only to be woken: the one who looks is what waits, or the hook.
            let _came = Pin::new(&mut this.interrupted).poll(cx);
        } else if !this.task.suspended.get() {
            this.task.seen.set(this.runtime.interrupter.times());
        }
        this.task.suspended.set(false);
        this.task.until.set(Instant::now() + this.runtime.slice);
        let entered = this.enter();
        let Some(thread) = this.thread.as_mut() else { panic!("a coroutine was polled after it had ended") };
        let polled = catch_unwind(AssertUnwindSafe(|| Pin::new(thread).poll(cx)));
        let ended = match polled {
            Ok(Poll::Pending) => {
                drop(entered);
                this.be_heard_of(cx);
                return Poll::Pending;
            }
            Ok(Poll::Ready(Ok(values))) => this.finish(values),
            Ok(Poll::Ready(Err(error))) => Err(Failure::of_error(&this.lua, &this.runtime, &error)),
            Err(payload) => Err(Failure::of_panic(&this.lua, &*payload)),
        };
        let ended = ended.map_err(|failure| this.told(failure));
        this.thread = None;
        drop(entered);
        Poll::Ready(ended)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _entered = self.enter();
        // What it waits for goes first: dropping that cancels what nobody else can wait for.
        let waits = self.task.waits.take();
        for (_, slot) in waits {
            let wanted = slot.take();
            drop(wanted);
        }
        if self.thread.take().is_some() {
            self.task.closing.set(Some(Instant::now() + CLOSING));
            // Runs what is to be closed.
            let closed = catch_unwind(AssertUnwindSafe(|| self.coroutine.reset(self.runtime.driver.clone())));
            let Some(output) = &self.output else { return };
            let text = match closed {
                Ok(Ok(())) => return,
                Ok(Err(error)) => message_of(&error),
                Err(payload) => panic_text(&*payload),
            };
            let head =
                "a call was given up, and a `__close` of it failed; it cannot wait there, and has 100 ms";
            output.stream(Stream::Stderr, &format!("{head}\n{text}\n"));
        }
    }
}

/// While it lives, a task is the current one.
struct Entered {
    runtime: Rc<Runtime>,
    outer: Option<Rc<Task>>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        let inner = self.runtime.current.replace(self.outer.take());
        drop(inner);
    }
}

/// What an async function that was called from Lua waits for. It can be dropped by the task it belongs to, without waiting
/// for Lua to collect the coroutine it stands in.
pub(crate) struct Waiting {
    lua: WeakLua,
    runtime: Rc<Runtime>,
    slot: Rc<Slot>,
    /// The task in which it was called, and its place there.
    task: Option<(Rc<Task>, usize)>,
}

impl Waiting {
    pub(crate) fn new(
        lua: WeakLua,
        runtime: &Rc<Runtime>,
        wanted: impl Future<Output = mlua::Result<MultiValue>> + 'static,
    ) -> Self {
        let slot = Rc::new(RefCell::new(Some(Box::pin(wanted) as Wanted)));
        let task = runtime.current().map(|task| {
            let key = task.waits.borrow_mut().insert(slot.clone());
            (task, key)
        });
        Self { lua, runtime: runtime.clone(), slot, task }
    }

    fn is_interrupted(&self) -> bool {
        self.task.as_ref().is_some_and(|(task, _)| task.is_interrupted(&self.runtime))
    }
}

impl Future for Waiting {
    type Output = mlua::Result<MultiValue>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let wanted = self.slot.take();
        if self.is_interrupted() {
            drop(wanted);
            if let Some((task, _)) = &self.task {
                task.stop();
            }
            return Poll::Ready(Err(mlua::Error::external(Stopped::Interrupt)));
        }
        let Some(mut wanted) = wanted else {
            let text = "what waited here was given up, with the cell or call that it belonged to; make a new coroutine";
            return Poll::Ready(raised(&self.lua, text));
        };
        match catch_unwind(AssertUnwindSafe(|| wanted.as_mut().poll(cx))) {
            Ok(Poll::Ready(given)) => Poll::Ready(given),
            Ok(Poll::Pending) => {
                self.slot.replace(Some(wanted));
                if let Some((task, _)) = &self.task {
                    // The hook may have wanted to suspend it where that was not possible.
                    task.suspended.set(false);
                }
                Poll::Pending
            }
            Err(payload) => Poll::Ready(raised(&self.lua, &panic_text(&*payload))),
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let wanted = self.slot.take();
        drop(wanted);
        if let Some((task, key)) = self.task.take() {
            let gone = task.waits.borrow_mut().try_remove(key);
            drop(gone);
        }
    }
}

/// An error as the guard in Lua takes it apart, which adds the place.
fn raised(lua: &WeakLua, text: &str) -> mlua::Result<MultiValue> {
    (false, text).into_lua_multi(&lua.upgrade())
}
