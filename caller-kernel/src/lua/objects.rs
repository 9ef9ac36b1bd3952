//! Objects of Rust in Lua: userdata whose methods stand in a table, so that they can be listed.

use std::fmt::Display;

use mlua::{AnyUserData, Lua, Table, UserDataRef};

/// Makes userdata of a type known: its methods, its name, and its text.
pub(crate) fn register<T: Display + 'static>(
    lua: &Lua,
    name: &'static str,
    methods: Table,
) -> mlua::Result<()> {
    lua.register_userdata_type::<T>(|registry| {
        use mlua::{UserDataFields, UserDataMethods};
        registry.add_meta_field("__index", methods);
        registry.add_meta_field("__name", name);
        registry.add_meta_method("__tostring", |_, this, ()| Ok(this.to_string()));
        registry.add_meta_function("__eq", |_, (one, other): (AnyUserData, AnyUserData)| {
            Ok(one.to_pointer() == other.to_pointer())
        });
    })
}

/// The same, for a type with its own notion of being equal.
pub(crate) fn register_equal<T: Display + PartialEq + 'static>(
    lua: &Lua,
    name: &'static str,
    index: mlua::Value,
) -> mlua::Result<()> {
    lua.register_userdata_type::<T>(|registry| {
        use mlua::{UserDataFields, UserDataMethods};
        registry.add_meta_field("__index", index);
        registry.add_meta_field("__name", name);
        registry.add_meta_method("__tostring", |_, this, ()| Ok(this.to_string()));
        registry.add_meta_function("__eq", |_, (one, other): (UserDataRef<T>, UserDataRef<T>)| {
            Ok(*one == *other)
        });
    })
}
