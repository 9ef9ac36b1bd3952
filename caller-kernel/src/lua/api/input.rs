//! `input` and `getpass`: what a cell asks.

use super::{Api, front_end::output};
use crate::lua::docs::Doc;

/// Makes them known to a state.
pub(crate) fn install(api: &Api<'_>) -> mlua::Result<()> {
    let globals = api.lua.globals();
    for (name, password, text) in [
        ("input", false, "Asks for a line, and waits for it."),
        ("getpass", true, "Asks for a line that is not shown, and waits for it."),
    ] {
        let function = api.waiting(
            Doc::new(&format!("{name}(prompt)"), text),
            move |_, prompt: Option<String>| async move {
                let asked = output()?.input(prompt.as_deref().unwrap_or(""), password);
                Ok(asked.await?)
            },
        )?;
        globals.set(name, function)?;
    }
    Ok(())
}
