//! A caller, as an object of Lua.

use std::fmt;

use caller::Caller;
use mlua::{Lua, Value};

/// A caller of Lua.
#[derive(Clone, PartialEq)]
pub(crate) struct CallerObject(pub(crate) Caller);

impl fmt::Display for CallerObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>", self.0)
    }
}

/// Under which name the methods of callers are kept, for completion.
pub(crate) const METHODS: &str = "caller methods";
/// The fields of callers, for completion.
pub(crate) const FIELDS: [&str; 5] = ["id", "name", "protected", "state", "thread"];

/// A caller on its way to Lua.
pub(crate) struct CallerValue(pub(crate) Caller);

impl mlua::IntoLua for CallerValue {
    fn into_lua(self, lua: &Lua) -> mlua::Result<Value> {
        Ok(Value::UserData(lua.create_any_userdata(CallerObject(self.0))?))
    }
}
