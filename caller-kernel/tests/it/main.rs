//! What cells do, as a front end sees it.

#[cfg(feature = "command")]
mod command;
mod lua;
mod lua_scripts;
mod notebook;
mod recording;
