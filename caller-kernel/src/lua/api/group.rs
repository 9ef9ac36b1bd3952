//! Groups, as Lua has them: a function that does not return before all calls made in it have ended.

use std::{fmt, sync::Arc, time::Duration};

use caller::{GroupMode, PendingGroup};
use mlua::{Function, MultiValue, Table, UserDataRef};

use super::{
    Api,
    call::{RunOn, call, wrap},
    caller_object::CallerObject,
    sleep::seconds,
};
use crate::lua::{
    docs::Doc,
    failure::{Failure, SentFailure},
    message::message_of,
    objects,
    raise::Raise,
    running::Running,
    task::Role,
};

struct GroupObject(Arc<PendingGroup>);

impl fmt::Display for GroupObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<group: {}, {} not done>", self.0.mode(), self.0.len())
    }
}

type This = UserDataRef<GroupObject>;

/// Makes groups known to a state, by a method of callers.
pub(crate) fn install(api: &Api<'_>, callers: &Table) -> mlua::Result<()> {
    let runtime = api.runtime;
    callers.set(
        "group",
        api.waiting(
            Doc::new(
                "caller:group(body, options)",
                "Runs `body(group)`, waits for all calls that were made in it, and returns what it returned. A failure \
                 cancels the others, and all failures are raised together. Options: `mode` (\"lenient\" unless set, \
                 \"all_or_error\", \"all_or_nothing\", \"strict\"), `timeout` in seconds, `shield`.",
            ),
            {
                let runtime = runtime.clone();
                move |lua, (this, body, options): (UserDataRef<CallerObject>, Function, Option<Table>)| {
                    let runtime = runtime.clone();
                    async move {
                        let mut builder = this.0.group();
                        if let Some(options) = options {
                            if let Some(mode) = options.get::<Option<String>>("mode")? {
                                builder = builder.mode(mode_of(&mode)?);
                            }
                            if let Some(time) = options.get::<Option<f64>>("timeout")? {
                                builder = builder.timeout(seconds(time)?);
                            }
                            if options.get::<Option<bool>>("shield")?.unwrap_or(false) {
                                builder = builder.shield();
                            }
                        }
                        let mut own: Option<Failure> = None;
                        let ran = builder
                            .try_run(async |group| {
                                let object = lua.create_any_userdata(GroupObject(group)).map_err(told)?;
                                let role = runtime.current().map_or(Role::Call, |task| task.role());
                                let running = Running::new(&lua, &runtime, role, body, object).map_err(told)?;
                                running.await.map_err(|failure| {
                                    own = Some(failure.clone());
                                    SentFailure(failure.into_cell_error())
                                })
                            })
                            .await;
                        match (ran, own) {
                            (Ok(values), _) => Ok(values.unwrap_or_default()),
                            // Nobody else failed: the error of the body is the body's own.
                            (Err(error), Some(own)) if error.failures().is_empty() => Err(Raise::Value(own.value)),
                            (Err(error), _) => Err(error.into()),
                        }
                    }
                }
            },
        )?,
    )?;
    let methods = api.lua.create_table()?;
    for (name, in_worker, text) in [
        ("call_soon", false, "As `caller:call_soon`, on the caller of the group."),
        ("to_thread", true, "As `caller:to_thread`, with the workers of the caller of the group."),
    ] {
        let runtime = runtime.clone();
        let function = api.function(
            Doc::new(&format!("group:{name}(f, ...)"), text),
            move |lua, (this, f, arguments): (This, Function, MultiValue)| {
                let caller = this.0.caller().unwrap_or(&runtime.caller).clone();
                let place = if in_worker { RunOn::Worker(caller) } else { RunOn::Caller(caller) };
                wrap(lua, call(lua, &runtime, place, Duration::ZERO, f, arguments)?)
            },
        )?;
        methods.set(name, function)?;
    }
    methods.set(
        "cancel",
        api.function(
            Doc::new(
                "group:cancel(message)",
                "Cancels the body and the calls of the group. False if it has ended.",
            ),
            |_, (this, message): (This, Option<String>)| {
                Ok(this.0.cancel(message.as_deref().unwrap_or("cancelled by a cell")))
            },
        )?,
    )?;
    methods.set(
        "count",
        api.function(Doc::new("group:count()", "How many of its calls are not done."), |_, this: This| {
            Ok(this.0.len())
        })?,
    )?;
    objects::register::<GroupObject>(api.lua, "group", methods)
}

fn told(error: mlua::Error) -> SentFailure {
    SentFailure(crate::shell::CellError::new("Error", message_of(&error)))
}

fn mode_of(name: &str) -> Result<GroupMode, Raise> {
    Ok(match name {
        "lenient" => GroupMode::Lenient,
        "all_or_error" => GroupMode::AllOrError,
        "all_or_nothing" => GroupMode::AllOrNothing,
        "strict" => GroupMode::Strict,
        other => {
            return Err(Raise::Text(format!(
                "the mode of a group is {other:?}; it is lenient, all_or_error, all_or_nothing or strict"
            )));
        }
    })
}
