//! The results of calls, as objects of Lua.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    fmt,
    future::poll_fn,
    rc::Rc,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Poll, Waker},
    time::Duration,
};

use caller::{DoneCallback, Pending, PendingGroup, PendingHandle, Resolver, current_pending};
use mlua::{AnyUserData, IntoLua, Lua, MultiValue, Table, UserDataRef, Value};

use super::Api;
use crate::{
    lua::{
        callable::Given,
        docs::Doc,
        failure::{Failure, SentFailure},
        message::error_text,
        objects,
        raise::{Outcome, Raise},
    },
    shell::{Output, Stream},
};

/// Where a call that runs in this state leaves what it gives.
pub(crate) struct Slot {
    values: RefCell<Option<Result<MultiValue, Failure>>>,
    /// Whether somebody asked.
    asked: Cell<bool>,
    /// Where a failure goes that nobody asked for.
    output: Option<Arc<dyn Output>>,
}

impl Slot {
    pub(crate) fn new() -> Rc<Self> {
        // What fails in a group is told by the group.
        let asked = Cell::new(PendingGroup::current().is_some());
        Rc::new(Self { values: RefCell::default(), asked, output: <dyn Output>::current() })
    }

    /// Leaves it there, and says what its pending is to say.
    pub(crate) fn put(&self, outcome: Result<MultiValue, Failure>) -> Result<Given, SentFailure> {
        let told = outcome.as_ref().err().map(|failure| SentFailure(failure.clone().into_cell_error()));
        *self.values.borrow_mut() = Some(outcome);
        told.map_or(Ok(Given::Here), Err)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let (Some(Err(failure)), false, Some(output)) =
            (self.values.take(), self.asked.get(), &self.output)
        {
            let lines = failure.into_cell_error().traceback.join("\n");
            output.stream(Stream::Stderr, &format!("a call failed, and nobody waited for it\n{lines}\n"));
        }
    }
}

/// A pending of Lua.
pub(crate) struct PendingObject {
    handle: PendingHandle,
    pending: RefCell<Option<Pending<Given>>>,
    slot: Option<Rc<Slot>>,
    outcome: RefCell<Option<Result<MultiValue, Value>>>,
}

impl PendingObject {
    pub(crate) fn new(pending: Pending<Given>, slot: Option<Rc<Slot>>) -> Self {
        Self {
            handle: pending.handle(),
            pending: RefCell::new(Some(pending)),
            slot,
            outcome: RefCell::default(),
        }
    }

    /// The outcome, which all who ask get. None if there is none yet.
    fn outcome(&self, lua: &Lua) -> Option<Result<MultiValue, Value>> {
        if let Some(outcome) = &*self.outcome.borrow() {
            return Some(outcome.clone());
        }
        if !self.handle.is_done() {
            return None;
        }
        let given = self.pending.take()?.try_result();
        let here = self.slot.as_ref().and_then(|slot| {
            slot.asked.set(true);
            slot.values.take()
        });
        let as_value = |text: String| text.into_lua(lua).unwrap_or(Value::Nil);
        let outcome = match (given, here) {
            (Ok(Given::Made(make)), _) => make(lua).map_err(|error| as_value(error.to_string())),
            (Ok(Given::Here), Some(outcome)) => outcome.map_err(|failure| failure.value),
            (Ok(Given::Here), None) => Ok(MultiValue::new()),
            (Err(_), Some(Err(failure))) => Err(failure.value),
            (Err(error), _) => Err(as_value(error_text(&error))),
        };
        *self.outcome.borrow_mut() = Some(outcome.clone());
        Some(outcome)
    }

    fn result(&self, lua: &Lua) -> Outcome<MultiValue> {
        match self.outcome(lua) {
            Some(outcome) => outcome.map_err(Raise::Value),
            None => Err("not done yet; use `wait`, or ask `done` first".into()),
        }
    }

    fn state(&self) -> &'static str {
        match (self.handle.is_done(), self.handle.is_cancelled()) {
            (true, true) => "cancelled",
            (true, false) if matches!(self.handle.error(), Ok(Some(_))) => "failed",
            (true, false) => "done",
            (false, true) => "cancelling",
            (false, false) => "pending",
        }
    }
}

impl fmt::Display for PendingObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<pending: {}>", self.state())
    }
}

/// A number of seconds, as a time.
pub(crate) fn seconds(seconds: f64) -> Outcome<Duration> {
    if seconds.is_nan() {
        return Err("the time is not a number; give seconds".into());
    }
    // A time that cannot be named never comes; one that is past is now.
    Ok(Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX))
}

/// Ends after a time of the caller's clock, and not before others had a turn.
pub(crate) async fn sleep(time: Duration) {
    if time.is_zero() {
        let mut first = true;
        let turn = poll_fn(|cx| {
            if std::mem::replace(&mut first, false) {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Poll::Ready(())
        });
        return turn.await;
    }
    let (_resolver, pending) = Resolver::<()>::new();
    let _timed_out = pending.wait().timeout(time).await;
}

/// Makes pendings known to a state.
pub(crate) fn install(api: &Api<'_>) -> mlua::Result<()> {
    let methods = api.lua.create_table()?;
    type This = UserDataRef<PendingObject>;
    methods.set(
        "wait",
        api.waiting(
            Doc::new(
                "pending:wait(seconds)",
                "Waits until the call is done, and returns what it returned. Raises its error if it failed or was \
                 cancelled, and a timeout after `seconds`, if they are given. Giving up never cancels the call.",
            ),
            |lua, (this, time): (This, Option<f64>)| async move {
                let mut wait = this.handle.wait();
                if let Some(time) = time {
                    wait = wait.timeout(seconds(time)?);
                }
                wait.await?;
                this.result(&lua)
            },
        )?,
    )?;
    methods.set(
        "result",
        api.function(
            Doc::new(
                "pending:result()",
                "What the call returned, if it is done. Raises its error if it failed.",
            ),
            |lua, this: This| this.result(lua),
        )?,
    )?;
    methods.set(
        "cancel",
        api.function(
            Doc::new("pending:cancel(message)", "Asks to cancel the call. False if it was done already."),
            |_, (this, message): (This, Option<String>)| {
                Ok(this.handle.cancel(message.as_deref().unwrap_or("cancelled by a cell")))
            },
        )?,
    )?;
    methods.set(
        "done",
        api.function(Doc::new("pending:done()", "Whether there is an outcome."), |_, this: This| {
            Ok(this.handle.is_done())
        })?,
    )?;
    methods.set(
        "cancelled",
        api.function(
            Doc::new("pending:cancelled()", "Whether cancelling was asked for before it was done."),
            |_, this: This| Ok(this.handle.is_cancelled()),
        )?,
    )?;
    methods.set(
        "error",
        api.function(
            Doc::new("pending:error()", "The error it ended with; nil if it ended well, or has not ended."),
            |lua, this: This| Ok(this.outcome(lua).and_then(Result::err)),
        )?,
    )?;
    methods.set(
        "on_done",
        api.function(
            Doc::new("pending:on_done(f)", "Calls `f(pending)` on this caller once it is done."),
            {
                let runtime = api.runtime.clone();
                move |lua, (this, f): (AnyUserData, mlua::Function)| {
                    let handle = this.borrow::<PendingObject>()?.handle.clone();
                    let before = async move || drop(handle.wait().await);
                    super::callers::start(lua, &runtime, before, f, this.into_lua(lua)?)?;
                    Ok(())
                }
            },
        )?,
    )?;
    objects::register::<PendingObject>(api.lua, "pending", methods)?;
    install_many(api)
}

/// In which order pendings are done.
#[derive(Default)]
struct Order(Mutex<Done>);

#[derive(Default)]
struct Done {
    keys: VecDeque<usize>,
    waker: Option<Waker>,
}

impl Order {
    fn done(&self) -> MutexGuard<'_, Done> {
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
    fn watch(objects: &[AnyUserData]) -> Outcome<Arc<Self>> {
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

    async fn next(&self) -> usize {
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

/// The functions for several pendings.
fn install_many(api: &Api<'_>) -> mlua::Result<()> {
    let globals = api.lua.globals();
    let completed = api.function(
        Doc::new(
            "as_completed(pendings)",
            "Gives the pendings of a list in the order in which they are done: `for p in as_completed(list) do`. \
             Leaving the loop early cancels the others.",
        ),
        {
            let (lua, runtime) = (api.lua.weak(), api.runtime.clone());
            move |_, list: Vec<AnyUserData>| {
                let lua = lua.upgrade();
                let order = Order::watch(&list)?;
                let list = Rc::new(list);
                let left = Rc::new(Cell::new(list.len()));
                let api = Api { lua: &lua, runtime: &runtime };
                let next = api.waiting(Doc::default(), {
                    let (order, list, left) = (order.clone(), list.clone(), left.clone());
                    move |_, _: MultiValue| {
                        let (order, list, left) = (order.clone(), list.clone(), left.clone());
                        async move {
                            if left.get() == 0 {
                                return Ok(None);
                            }
                            let key = order.next().await;
                            left.set(left.get().saturating_sub(1));
                            Ok(list.get(key).cloned())
                        }
                    }
                })?;
                let close = api.function(Doc::default(), move |_, _: MultiValue| {
                    for object in list.iter() {
                        object.borrow::<PendingObject>()?.handle.cancel("`as_completed` was left before it was done");
                    }
                    Ok(())
                })?;
                let closing = lua.create_table()?;
                let meta = lua.create_table()?;
                meta.set("__close", close)?;
                closing.set_metatable(Some(meta))?;
                Ok((next, Value::Nil, Value::Nil, closing))
            }
        },
    )?;
    globals.set("as_completed", &completed)?;
    let wait = api.waiting(
        Doc::new(
            "wait(pendings, options)",
            "Waits for the pendings of a list, and returns two lists: those that are done, and those that are not. \
             Options: `timeout` in seconds; `return_when`: \"all_completed\" (unless set), \"first_completed\" or \
             \"first_exception\". A timeout is no error.",
        ),
        |lua, (list, options): (Vec<AnyUserData>, Option<Table>)| async move {
            let (timeout, when) = match &options {
                Some(options) => (options.get::<Option<f64>>("timeout")?, options.get::<Option<String>>("return_when")?),
                None => (None, None),
            };
            let when = when.unwrap_or_else(|| "all_completed".to_owned());
            if !["all_completed", "first_completed", "first_exception"].contains(&&*when) {
                return Err(Raise::Text(format!(
                    "`return_when` is {when:?}; it is all_completed, first_completed or first_exception"
                )));
            }
            let order = Order::watch(&list)?;
            let done = RefCell::new(Vec::new());
            let gather = async {
                for _ in 0..list.len() {
                    let key = order.next().await;
                    done.borrow_mut().push(key);
                    let failed = matches!(list[key].borrow::<PendingObject>()?.handle.error(), Ok(Some(_)));
                    if when == "first_completed" || (when == "first_exception" && failed) {
                        break;
                    }
                }
                Ok::<_, mlua::Error>(())
            };
            match timeout {
                Some(time) => either(gather, sleep(seconds(time)?)).await.unwrap_or(Ok(()))?,
                None => gather.await?,
            }
            // What is done together belongs together.
            let mut done = done.into_inner();
            done.extend(order.done().keys.drain(..));
            let rest = (0..list.len()).filter(|key| !done.contains(key)).map(|key| &list[key]);
            let rest = lua.create_sequence_from(rest)?;
            let done = lua.create_sequence_from(done.iter().map(|key| &list[*key]))?;
            Ok((done, rest))
        },
    )?;
    globals.set("wait", wait)
}

/// What the first of two futures gives; none if the other ended before.
async fn either<T>(one: impl Future<Output = T>, other: impl Future<Output = ()>) -> Option<T> {
    let mut one = std::pin::pin!(one);
    let mut other = std::pin::pin!(other);
    poll_fn(|cx| match one.as_mut().poll(cx) {
        Poll::Ready(given) => Poll::Ready(Some(given)),
        Poll::Pending => other.as_mut().poll(cx).map(|()| None),
    })
    .await
}
