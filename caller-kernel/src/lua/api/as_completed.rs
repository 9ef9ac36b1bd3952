//! `as_completed`.

use std::{cell::Cell, rc::Rc};

use mlua::{AnyUserData, MultiValue, Value};

use super::{Api, done_order::Order, pending_object::PendingObject};
use crate::lua::docs::Doc;

/// Makes it known to a state.
pub(crate) fn install(api: &Api<'_>) -> mlua::Result<()> {
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
    api.lua.globals().set("as_completed", completed)
}
