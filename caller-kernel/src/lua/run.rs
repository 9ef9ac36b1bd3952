//! Running a cell: from its text to its result.

use std::{cell::RefCell, future::Future, rc::Rc, sync::Arc};

use caller::LocalFuture;
use mlua::{Function, Lua, MultiValue, Value};

use super::{
    api::Api, docs::Doc, failure::Failure, raise::Outcome, repr, running::Running, runtime::Runtime,
    source::chunk, sources::Sources, task::Role,
};
use crate::shell::{Cell, CellError, MimeBundle, OUTPUT, Output, Stream};

/// A future that runs for a cell: what it and its calls print goes to this output.
pub(super) fn for_output<T>(
    output: Arc<dyn Output>,
    future: impl Future<Output = T> + 'static,
) -> LocalFuture<'static, T> {
    Box::pin(async move { OUTPUT.scope(output, future).await })
}

/// Runs a cell.
pub(super) async fn cell(
    lua: Lua,
    runtime: Rc<Runtime>,
    cell: Cell,
) -> Result<Option<MimeBundle>, CellError> {
    let name = Sources::name(cell.count);
    runtime.sources.borrow_mut().put(cell.count, &cell.code);
    let chunk = chunk::compile(&lua, &name, &cell.code)?;
    for magic in &chunk.magics {
        run_magic(magic, &*cell.output)?;
    }
    present(&lua, &runtime, chunk.function, chunk.shows).await
}

/// Evaluates an expression, whose value is shown even if it is nil.
pub(super) async fn expression(
    lua: Lua,
    runtime: Rc<Runtime>,
    text: String,
) -> Result<MimeBundle, CellError> {
    let function = chunk::expression(&lua, "expression", &text)?;
    let given = present(&lua, &runtime, function, true).await?;
    Ok(given.unwrap_or_else(|| MimeBundle::text("nil")))
}

fn run_magic(magic: &str, output: &dyn Output) -> Result<(), CellError> {
    match magic {
        "callers" => {
            output.stream(Stream::Stdout, &caller::callers_table());
            Ok(())
        }
        other => Err(CellError::new("UsageError", format!("`%{other}` is not known; there is `%callers`"))),
    }
}

async fn present(
    lua: &Lua,
    runtime: &Rc<Runtime>,
    function: Function,
    shows: bool,
) -> Result<Option<MimeBundle>, CellError> {
    let shown = Rc::new(RefCell::new(None));
    let running = begin(lua, runtime, function, shows, &shown)
        .map_err(|error| Failure::of_error(lua, runtime, &error).into_cell_error())?;
    let ended = running.await.map_err(Failure::into_cell_error);
    if ended.as_ref().is_err_and(|error| error.ename == "MemoryError") {
        // What the cell held is garbage now, and the next one needs the room. A finalizer may fail in it.
        let _collected = lua.gc_collect();
    }
    ended?;
    Ok(shown.take())
}

/// The result is made within the coroutine too, so that code that it runs can be interrupted, and has a traceback.
fn begin(
    lua: &Lua,
    runtime: &Rc<Runtime>,
    function: Function,
    shows: bool,
    shown: &Rc<RefCell<Option<MimeBundle>>>,
) -> mlua::Result<Running> {
    let show = {
        let (runtime, shown) = (runtime.clone(), shown.clone());
        Api { lua, runtime: &runtime.clone() }.function(Doc::default(), move |lua, values: MultiValue| {
            // What was noted by then was caught.
            if let Some(task) = runtime.current() {
                task.put_places(Vec::new());
            }
            *shown.borrow_mut() = result(lua, &runtime, values, shows)?;
            Ok(())
        })?
    };
    let steps: Function = runtime.presenter.call((show, function))?;
    Running::new(lua, runtime, Role::Cell, steps, ())
}

/// What values are shown as: nothing for none, for nil, and where it is not wanted.
fn result(lua: &Lua, runtime: &Rc<Runtime>, values: MultiValue, shows: bool) -> Outcome<Option<MimeBundle>> {
    let values = values.into_vec();
    match &*values {
        _ if !shows => Ok(None),
        [] | [Value::Nil] => Ok(None),
        // What a function gives back only to be called again in one go.
        [value] if repr::metafield(value, "__silent").is_some() => Ok(None),
        [value] => repr::bundle(lua, runtime, value).map(Some),
        several => {
            let texts: Vec<_> = several.iter().map(|value| repr::text(runtime, value)).collect();
            Ok(Some(MimeBundle::text(texts.join(", "))))
        }
    }
}
