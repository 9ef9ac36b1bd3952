//! A coroutine as a future.

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

use mlua::{Function, IntoLuaMulti, Lua, MultiValue, Thread, Value, thread::AsyncThread};

use super::{
    failure::Failure,
    message::{message_of, panic_text},
    raise::Stopped,
    runtime::Runtime,
    task::{Role, Task},
};
use crate::shell::{Interrupted, Output, Stream};

/// How long the `<close>` variables of a coroutine that was dropped may take.
const CLOSING: Duration = Duration::from_millis(100);

/// How many tasks may be within each other, as groups are.
const DEPTH: usize = 16;

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
        if self.task.is_interrupted(&self.runtime.interrupter) { failure.into_interrupt() } else { failure }
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
