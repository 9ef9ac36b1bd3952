//! `wait`.

use std::{cell::RefCell, future::poll_fn, task::Poll};

use mlua::{AnyUserData, Table};

use super::{
    Api,
    done_order::Order,
    pending_object::PendingObject,
    sleep::{seconds, sleep},
};
use crate::lua::{docs::Doc, raise::Raise};

/// Makes it known to a state.
pub(crate) fn install(api: &Api<'_>) -> mlua::Result<()> {
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
    api.lua.globals().set("wait", wait)
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
