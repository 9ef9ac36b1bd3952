//! The methods of pendings.

use mlua::{AnyUserData, IntoLua, UserDataRef};

use super::{Api, call, pending_object::PendingObject, sleep::seconds};
use crate::lua::{docs::Doc, objects};

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
                    call::start(lua, &runtime, before, f, this.into_lua(lua)?)?;
                    Ok(())
                }
            },
        )?,
    )?;
    objects::register::<PendingObject>(api.lua, "pending", methods)
}
