//! What a shell runs is kept from harming who runs it.

use std::{
    any::Any,
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    task::Poll,
};

use caller::LocalFuture;

use super::CellError;

/// A future of a shell, whose panic is the error of the cell and no more.
pub(crate) async fn guarded<T>(
    make: impl FnOnce() -> LocalFuture<'static, Result<T, CellError>>,
) -> Result<T, CellError> {
    let mut future = catch_unwind(AssertUnwindSafe(make)).map_err(|payload| panicked(&*payload))?;
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(polled) => polled,
        Err(payload) => Poll::Ready(Err(panicked(&*payload))),
    })
    .await
}

fn panicked(payload: &(dyn Any + Send)) -> CellError {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    CellError::new("Panic", format!("panicked: {}", text.unwrap_or("with something that is no text")))
}
