//! Lua as a language of cells: its options.

use std::{fmt, sync::Arc, time::Duration};

use mlua::Lua;

use super::expose::Exposed;

/// Lua 5.4, with options: it makes shells.
///
/// ```
/// use caller_kernel::lua::{Exposed, LuaLanguage};
///
/// let language = LuaLanguage::new()
///     .expose(Exposed::new().function("double", "double(n)\nTwice the number.", |n: f64| 2.0 * n))
///     .sandbox(true)
///     .memory_limit(64 << 20);
/// # drop(language);
/// ```
#[derive(Clone)]
pub struct LuaLanguage {
    pub(super) exposed: Exposed,
    pub(super) sandbox: bool,
    pub(super) memory_limit: Option<usize>,
    pub(super) slice: Duration,
    pub(super) interval: u32,
    pub(super) setups: Vec<Arc<Setup>>,
}

pub(super) type Setup = dyn Fn(&Lua) -> mlua::Result<()> + Send + Sync;

impl LuaLanguage {
    /// All libraries but `debug`, no limit of memory.
    pub fn new() -> Self {
        Self {
            exposed: Exposed::new(),
            sandbox: false,
            memory_limit: None,
            slice: Duration::from_millis(5),
            interval: 1000,
            setups: Vec::new(),
        }
    }

    /// Adds functions and values of the program, for all shells.
    #[must_use]
    pub fn expose(mut self, exposed: Exposed) -> Self {
        self.exposed = self.exposed.and(exposed);
        self
    }

    /// Whether cells are kept from files, processes, the environment and modules: no `io` but its standard streams, no
    /// `package` and `require`, and of `os` only the clock. Off unless set.
    #[must_use]
    pub fn sandbox(mut self, sandbox: bool) -> Self {
        self.sandbox = sandbox;
        self
    }

    /// How many bytes a state may hold. Beyond that the cell fails with a `MemoryError`. No limit unless set; zero is none.
    #[must_use]
    pub fn memory_limit(mut self, bytes: usize) -> Self {
        self.memory_limit = (bytes > 0).then_some(bytes);
        self
    }

    /// How long a cell computes before other calls of its thread get a turn. 5 ms unless set.
    #[must_use]
    pub fn slice(mut self, time: Duration) -> Self {
        self.slice = time;
        self
    }

    /// How many instructions of Lua pass before it is asked whether it is to stop or to let others go on. 1000 unless set;
    /// at least one.
    #[must_use]
    pub fn hook_interval(mut self, instructions: u32) -> Self {
        self.interval = instructions.max(1);
        self
    }

    /// Runs `setup` with each new state, to put in what [`Exposed`] cannot. A panic in a function that is made by it ends
    /// the cell that called it. A coroutine that Rust code resumes by itself yields nothing at times, for others to have a
    /// turn: then it is to be resumed again.
    #[must_use]
    pub fn setup(mut self, setup: impl Fn(&Lua) -> mlua::Result<()> + Send + Sync + 'static) -> Self {
        self.setups.push(Arc::new(setup));
        self
    }
}

impl Default for LuaLanguage {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for LuaLanguage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LuaLanguage")
            .field("exposed", &self.exposed)
            .field("sandbox", &self.sandbox)
            .field("memory_limit", &self.memory_limit)
            .finish_non_exhaustive()
    }
}
