//! The messages of errors: of mlua, of calls, and of panics.

use std::any::Any;

/// What an error of mlua is about, without the layers around it.
pub(super) fn root(error: &mlua::Error) -> &mlua::Error {
    match error {
        mlua::Error::CallbackError { cause, .. } | mlua::Error::WithContext { cause, .. } => root(cause),
        other => other,
    }
}

/// The message of an error of mlua, without the stack traces that it gathers.
pub(crate) fn message_of(error: &mlua::Error) -> String {
    let text = match root(error) {
        mlua::Error::RuntimeError(text) | mlua::Error::SyntaxError { message: text, .. } => text.clone(),
        mlua::Error::BadArgument { pos, name, cause, .. } => {
            let name = name.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
            format!("bad argument #{pos}{name}: {}", message_of(cause))
        }
        mlua::Error::FromLuaConversionError { from, to, message } => {
            let more = message.as_deref().unwrap_or_default();
            // The types of Rust mean nothing here; where one of Lua stands for them, the message about it adds nothing.
            let to = if to == "userdata" { more.rsplit("::").next().unwrap_or_default() } else { to };
            match lua_type(to) {
                Some("string") if *from == "string" => "string in UTF-8 expected".to_owned(),
                Some(name) => format!("{name} expected, got {from}"),
                None if more.is_empty() => format!("{to} expected, got {from}"),
                None => format!("{to} expected, got {from} ({more})"),
            }
        }
        mlua::Error::UserDataTypeMismatch => "an object of another kind expected".to_owned(),
        other => other.to_string(),
    };
    match text.split_once("\nstack traceback:") {
        Some((message, _)) => message.to_owned(),
        None => text,
    }
}

/// What people who write Lua call a type of Rust.
fn lua_type(name: &str) -> Option<&'static str> {
    Some(match name {
        "f32" | "f64" => "number",
        "i8" | "i16" | "i32" | "i64" | "i128" | "isize" | "u8" | "u16" | "u32" | "u64" | "u128" | "usize" => {
            "integer"
        }
        "str" | "&str" | "String" | "BString" | "LuaString" | "BorrowedStr" => "string",
        "Table" => "table",
        "CallerObject" => "caller",
        "PendingObject" => "pending",
        "GroupObject" => "group",
        "CommObject" => "comm",
        "" | "AnyUserData" => "object",
        list if list.starts_with("Vec<") => "list",
        _ => return None,
    })
}

/// The text of an error, without the place in our code where the call was made.
pub(crate) fn error_text(error: &caller::Error) -> String {
    let failures = error.failures();
    if !failures.is_empty() {
        let calls =
            if failures.len() == 1 { "1 call".to_owned() } else { format!("{} calls", failures.len()) };
        let body =
            error.failure().map(|body| format!("the body of the group failed: {body}\n")).unwrap_or_default();
        let lines: Vec<_> = failures.iter().map(|failure| format!("- {}", error_text(failure))).collect();
        return format!("{body}{calls} of the group failed:\n{}", lines.join("\n"));
    }
    let text = error.to_string();
    let site = error.function().zip(error.location());
    let site = site.map(|(function, at)| format!("`{function}` ({}:{}) ", at.file(), at.line()));
    let bare = site.and_then(|site| text.strip_prefix(&site).map(str::to_owned)).unwrap_or(text);
    bare.strip_prefix("failed: ").map(str::to_owned).unwrap_or(bare)
}

/// What Rust code panicked with, as the message of an error.
pub(crate) fn panic_text(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    format!("panicked: {}", text.unwrap_or("with something that is no text"))
}
