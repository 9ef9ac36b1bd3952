//! Exposed functions that run elsewhere than in the shell: on a caller, or with the value of a resident.

use std::{fmt, sync::Arc};

use caller::{BoxError, Caller, Pending, Resident};
use mlua::{FromLuaMulti, IntoLuaMulti};

use super::expose::Exposed;

/// Where exposed functions run: see [`Exposed::on`].
pub trait Place: sealed::Place {}

impl Place for Caller {}
impl<T> Place for Resident<T> {}

mod sealed {
    use super::Exposed;

    pub trait Place {
        /// [`Exposed`] for a caller, [`Methods`](super::Methods) for a resident.
        type Functions;

        fn bind(&self, functions: Self::Functions) -> Exposed;
    }
}

impl sealed::Place for Caller {
    type Functions = Exposed;

    fn bind(&self, functions: Exposed) -> Exposed {
        functions.bound_to(self)
    }
}

impl<T> sealed::Place for Resident<T> {
    type Functions = Methods<T>;

    fn bind(&self, methods: Methods<T>) -> Exposed {
        methods.items.into_iter().fold(Exposed::new(), |exposed, add| add(exposed, self))
    }
}

impl Exposed {
    /// Adds functions that run in another thread, as calls; the cell that calls one waits for it. An interrupt of the cell
    /// cancels the call.
    ///
    /// On a [`Caller`] run the functions of an [`Exposed`]. On a [`Resident`] run [`Methods`], which are given its value:
    /// state that lives in that thread and need not be `Send`.
    ///
    /// ```
    /// use caller::{Caller, Resident};
    /// use caller_kernel::lua::{Exposed, Methods};
    /// # use caller_tokio::Tokio;
    /// # use std::{cell::RefCell, collections::HashMap, rc::Rc};
    ///
    /// type Pairs = Rc<RefCell<HashMap<String, String>>>; // not `Send`
    ///
    /// # fn main() -> caller::Result<()> {
    /// # let db = Caller::builder().name("db").backend(Tokio::new()).spawn()?;
    /// let pairs: Resident<Pairs> = db.resident(async || Pairs::default()).wait_blocking()?;
    /// let methods = Methods::<Pairs>::new()
    ///     .function("db.count", "db.count()\nThe number of pairs.", |pairs, ()| pairs.borrow().len())
    ///     .function("db.put", "db.put(key, value)", |pairs, (key, value): (String, String)| {
    ///         pairs.borrow_mut().insert(key, value)
    ///     });
    /// let exposed = Exposed::new().on(&pairs, methods);
    /// # drop((exposed, pairs));
    /// # db.stop();
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn on<P: Place>(self, place: &P, functions: P::Functions) -> Self {
        self.and(place.bind(functions))
    }
}

/// Functions for cells that are given the value of a [`Resident`], in its thread; [`Exposed::on`] names the resident.
///
/// Names, docs, arguments, results and errors are those of [`Exposed`]. A function without `mut` gets `&T`: such calls run
/// together. One with `mut` gets `&mut T`: alone, when the calls made before have ended. A function that is not async holds
/// up the value's thread, and an interrupt does not stop it once it runs; it can ask
/// [`current_pending`](caller::current_pending) whether it was cancelled.
#[must_use = "nothing is exposed until `Exposed::on`"]
pub struct Methods<T: 'static> {
    items: Vec<Box<Add<T>>>,
}

/// Adds one function, with its resident.
type Add<T> = dyn FnOnce(Exposed, &Resident<T>) -> Exposed + Send;

impl<T> Methods<T> {
    /// None.
    pub fn new() -> Self {
        Self { items: Vec::new() }
    }

    /// A function that returns at once.
    pub fn function<F, A, R>(self, name: &str, docs: &str, function: F) -> Self
    where
        F: Fn(&T, A) -> R + Send + Sync + 'static,
        A: FromLuaMulti + Send + 'static,
        R: IntoLuaMulti + Send + 'static,
    {
        self.item(name, docs, function, |value, function, arguments| {
            value.call(async move |value| function(value, arguments))
        })
    }

    /// As [`function`](Self::function), for one that may fail: the error becomes one of Lua.
    pub fn try_function<F, A, R, E>(self, name: &str, docs: &str, function: F) -> Self
    where
        F: Fn(&T, A) -> Result<R, E> + Send + Sync + 'static,
        A: FromLuaMulti + Send + 'static,
        R: IntoLuaMulti + Send + 'static,
        E: Into<BoxError> + 'static,
    {
        self.item(name, docs, function, |value, function, arguments| {
            value.try_call(async move |value| function(value, arguments))
        })
    }

    /// A function that returns at once, with `&mut T`.
    pub fn function_mut<F, A, R>(self, name: &str, docs: &str, function: F) -> Self
    where
        F: Fn(&mut T, A) -> R + Send + Sync + 'static,
        A: FromLuaMulti + Send + 'static,
        R: IntoLuaMulti + Send + 'static,
    {
        self.item(name, docs, function, |value, function, arguments| {
            value.call_mut(async move |value| function(value, arguments))
        })
    }

    /// As [`function_mut`](Self::function_mut), for one that may fail: the error becomes one of Lua.
    pub fn try_function_mut<F, A, R, E>(self, name: &str, docs: &str, function: F) -> Self
    where
        F: Fn(&mut T, A) -> Result<R, E> + Send + Sync + 'static,
        A: FromLuaMulti + Send + 'static,
        R: IntoLuaMulti + Send + 'static,
        E: Into<BoxError> + 'static,
    {
        self.item(name, docs, function, |value, function, arguments| {
            value.try_call_mut(async move |value| function(value, arguments))
        })
    }

    /// An async function. Giving up the wait, as an interrupt does, drops the future, in the value's thread.
    pub fn async_function<F, A, R>(self, name: &str, docs: &str, function: F) -> Self
    where
        F: AsyncFn(&T, A) -> R + Send + Sync + 'static,
        A: FromLuaMulti + Send + 'static,
        R: IntoLuaMulti + Send + 'static,
    {
        self.item(name, docs, function, |value, function, arguments| {
            value.call(async move |value| function(value, arguments).await)
        })
    }

    /// As [`async_function`](Self::async_function), for one that may fail: the error becomes one of Lua.
    pub fn try_async_function<F, A, R, E>(self, name: &str, docs: &str, function: F) -> Self
    where
        F: AsyncFn(&T, A) -> Result<R, E> + Send + Sync + 'static,
        A: FromLuaMulti + Send + 'static,
        R: IntoLuaMulti + Send + 'static,
        E: Into<BoxError> + 'static,
    {
        self.item(name, docs, function, |value, function, arguments| {
            value.try_call(async move |value| function(value, arguments).await)
        })
    }

    /// An async function, with `&mut T`. Giving up the wait drops the future, and the next call goes on.
    pub fn async_function_mut<F, A, R>(self, name: &str, docs: &str, function: F) -> Self
    where
        F: AsyncFn(&mut T, A) -> R + Send + Sync + 'static,
        A: FromLuaMulti + Send + 'static,
        R: IntoLuaMulti + Send + 'static,
    {
        self.item(name, docs, function, |value, function, arguments| {
            value.call_mut(async move |value| function(value, arguments).await)
        })
    }

    /// As [`async_function_mut`](Self::async_function_mut), for one that may fail: the error becomes one of Lua.
    pub fn try_async_function_mut<F, A, R, E>(self, name: &str, docs: &str, function: F) -> Self
    where
        F: AsyncFn(&mut T, A) -> Result<R, E> + Send + Sync + 'static,
        A: FromLuaMulti + Send + 'static,
        R: IntoLuaMulti + Send + 'static,
        E: Into<BoxError> + 'static,
    {
        self.item(name, docs, function, |value, function, arguments| {
            value.try_call_mut(async move |value| function(value, arguments).await)
        })
    }

    fn item<F, A, R>(
        mut self,
        name: &str,
        docs: &str,
        function: F,
        call: fn(&Resident<T>, Arc<F>, A) -> Pending<R>,
    ) -> Self
    where
        F: Send + Sync + 'static,
        A: FromLuaMulti + Send + 'static,
        R: IntoLuaMulti + Send + 'static,
    {
        let (name, docs, function) = (name.to_owned(), docs.to_owned(), Arc::new(function));
        self.items.push(Box::new(move |exposed, value| {
            let value = value.clone();
            exposed.pending_function(&name, &docs, move |arguments| call(&value, function.clone(), arguments))
        }));
        self
    }
}

impl<T> Default for Methods<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for Methods<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Methods").field("items", &self.items.len()).finish()
    }
}
