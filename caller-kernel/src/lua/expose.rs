//! Functions and values of the program, for cells to use.

use std::{fmt, rc::Rc, sync::Arc};

use caller::{BoxError, Caller, Pending};
use mlua::{FromLua, FromLuaMulti, IntoLua, IntoLuaMulti, Lua, LuaSerdeExt, MultiValue, Table, Value};

use super::{
    api::Api,
    callable::{Callable, Function, Given, Work},
    docs::Doc,
    message::error_text,
    raise::{Outcome, Raise},
};

/// Functions and values of the program that cells can use, each with its docs.
///
/// They are called like Lua functions, with arguments and results that mlua converts ([`FromLuaMulti`],
/// [`IntoLuaMulti`]) or serde does ([`Json`]). They do not belong to one Lua state: every shell has them, each of its
/// thread, and they are what can be called on other threads from a cell. [`on`](Self::on) has them run on a caller, or
/// with the value of a resident.
///
/// A name with dots stands in tables: `gui.set_title`. The first line of the docs may be a signature, such as
/// `set_title(text)`, which completion and inspection show.
///
/// ```
/// use caller_kernel::lua::Exposed;
///
/// let exposed = Exposed::new()
///     .function("double", "double(n)\nTwice the number.", |n: f64| 2.0 * n)
///     .try_function("port", "port(text)\nA port, read from a text.", |text: String| text.parse::<u16>())
///     .value("limits.users", "How many users there may be.", 20);
/// # drop(exposed);
/// ```
#[derive(Clone, Default)]
pub struct Exposed {
    items: Vec<Item>,
}

#[derive(Clone)]
struct Item {
    name: String,
    docs: String,
    what: What,
}

#[derive(Clone)]
enum What {
    Function(Arc<dyn Function>),
    Value(Arc<MakeValue>),
}

/// Makes the value of one state.
type MakeValue = dyn Fn(&Lua) -> mlua::Result<Value> + Send + Sync;

struct Plain<F>(Arc<F>);
struct Waits<F>(Arc<F>);

impl<F: PlainFunction> Function for Plain<F> {
    fn is_plain(&self) -> bool {
        true
    }

    fn call(&self, lua: &Lua, arguments: MultiValue) -> Outcome<MultiValue> {
        let arguments = F::Arguments::from_lua_args(arguments, 1, None, lua)?;
        let given = self.0.call(arguments).map_err(|error| Raise::Text(error.to_string()))?;
        Ok(given.into_lua_multi(lua)?)
    }

    fn prepare(&self, lua: &Lua, arguments: MultiValue) -> mlua::Result<Work> {
        let arguments = F::Arguments::from_lua_args(arguments, 1, None, lua)?;
        let function = self.0.clone();
        Ok(Box::new(move || Box::pin(async move { function.call(arguments).map(made) })))
    }
}

impl<F: WaitingFunction> Function for Waits<F> {
    fn prepare(&self, lua: &Lua, arguments: MultiValue) -> mlua::Result<Work> {
        let arguments = F::Arguments::from_lua_args(arguments, 1, None, lua)?;
        let function = self.0.clone();
        Ok(Box::new(move || Box::pin(async move { function.call(arguments).await.map(made) })))
    }
}

fn made<R: IntoLuaMulti + Send + 'static>(given: R) -> Given {
    Given::Made(Box::new(move |lua| given.into_lua_multi(lua)))
}

/// A function with the types that it takes and gives fixed.
trait PlainFunction: Send + Sync + 'static {
    type Arguments: FromLuaMulti + Send + 'static;
    type Given: IntoLuaMulti + Send + 'static;
    fn call(&self, arguments: Self::Arguments) -> Result<Self::Given, BoxError>;
}

trait WaitingFunction: Send + Sync + 'static {
    type Arguments: FromLuaMulti + Send + 'static;
    type Given: IntoLuaMulti + Send + 'static;
    fn call(&self, arguments: Self::Arguments) -> impl Future<Output = Result<Self::Given, BoxError>>;
}

/// Names the types of a function, which a closure alone does not.
struct Typed<F, A, R> {
    function: F,
    types: std::marker::PhantomData<fn(A) -> R>,
}

impl<F, A, R> Typed<F, A, R> {
    fn new(function: F) -> Arc<Self> {
        Arc::new(Self { function, types: std::marker::PhantomData })
    }
}

impl<F, A, R> PlainFunction for Typed<F, A, R>
where
    F: Fn(A) -> Result<R, BoxError> + Send + Sync + 'static,
    A: FromLuaMulti + Send + 'static,
    R: IntoLuaMulti + Send + 'static,
{
    type Arguments = A;
    type Given = R;

    fn call(&self, arguments: A) -> Result<R, BoxError> {
        (self.function)(arguments)
    }
}

impl<F, A, R> WaitingFunction for Typed<F, A, R>
where
    F: AsyncFn(A) -> Result<R, BoxError> + Send + Sync + 'static,
    A: FromLuaMulti + Send + 'static,
    R: IntoLuaMulti + Send + 'static,
{
    type Arguments = A;
    type Given = R;

    async fn call(&self, arguments: A) -> Result<R, BoxError> {
        (self.function)(arguments).await
    }
}

/// Runs what it wraps on a caller of the program.
struct Bound {
    inner: Arc<dyn Function>,
    caller: Caller,
}

impl Function for Bound {
    fn prepare(&self, lua: &Lua, arguments: MultiValue) -> mlua::Result<Work> {
        let work = self.inner.prepare(lua, arguments)?;
        let caller = self.caller.clone();
        Ok(Box::new(move || {
            Box::pin(async move {
                // Dropping the wait, for instance by an interrupt, cancels the call.
                let given = caller.try_call_soon(async move || work().await).await;
                given.map_err(|error| error_text(&error).into())
            })
        }))
    }
}

impl Exposed {
    /// Nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// A function that returns at once. It runs in the thread of the shell, and holds that up.
    #[must_use]
    pub fn function<F, A, R>(self, name: &str, docs: &str, function: F) -> Self
    where
        F: Fn(A) -> R + Send + Sync + 'static,
        A: FromLuaMulti + Send + 'static,
        R: IntoLuaMulti + Send + 'static,
    {
        self.plain(name, docs, move |arguments| Ok(function(arguments)))
    }

    /// A function that may fail: the error becomes one of Lua.
    #[must_use]
    pub fn try_function<F, A, R, E>(self, name: &str, docs: &str, function: F) -> Self
    where
        F: Fn(A) -> Result<R, E> + Send + Sync + 'static,
        A: FromLuaMulti + Send + 'static,
        R: IntoLuaMulti + Send + 'static,
        E: Into<BoxError>,
    {
        self.plain(name, docs, move |arguments| function(arguments).map_err(Into::into))
    }

    fn plain<A, R>(
        self,
        name: &str,
        docs: &str,
        function: impl Fn(A) -> Result<R, BoxError> + Send + Sync + 'static,
    ) -> Self
    where
        A: FromLuaMulti + Send + 'static,
        R: IntoLuaMulti + Send + 'static,
    {
        self.item(name, docs, What::Function(Arc::new(Plain(Typed::new(function)))))
    }

    /// An async function. The cell that calls it waits, and holds up nobody. Giving up that wait drops the future.
    #[must_use]
    pub fn async_function<F, A, R>(self, name: &str, docs: &str, function: F) -> Self
    where
        F: AsyncFn(A) -> R + Send + Sync + 'static,
        A: FromLuaMulti + Send + 'static,
        R: IntoLuaMulti + Send + 'static,
    {
        let function = async move |arguments: A| Ok(function(arguments).await);
        self.item(name, docs, What::Function(Arc::new(Waits(Typed::new(function)))))
    }

    /// An async function that may fail: the error becomes one of Lua.
    #[must_use]
    pub fn try_async_function<F, A, R, E>(self, name: &str, docs: &str, function: F) -> Self
    where
        F: AsyncFn(A) -> Result<R, E> + Send + Sync + 'static,
        A: FromLuaMulti + Send + 'static,
        R: IntoLuaMulti + Send + 'static,
        E: Into<BoxError>,
    {
        let function = async move |arguments: A| function(arguments).await.map_err(Into::into);
        self.item(name, docs, What::Function(Arc::new(Waits(Typed::new(function)))))
    }

    /// A value. Each shell gets its own.
    #[must_use]
    pub fn value(self, name: &str, docs: &str, value: impl IntoLua + Clone + Send + Sync + 'static) -> Self {
        self.item(name, docs, What::Value(Arc::new(move |lua| value.clone().into_lua(lua))))
    }

    /// A function that makes a call and gives its [`Pending`], such as a method of a handle. The cell that calls it waits
    /// for the result; giving up that wait cancels the call. An error of the call becomes one of Lua.
    ///
    /// ```
    /// use caller::Caller;
    /// use caller_kernel::lua::Exposed;
    ///
    /// fn exposed(db: &Caller) -> Exposed {
    ///     let db = db.clone();
    ///     Exposed::new().pending_function("thread", "thread()", move |()| {
    ///         db.call_soon(async || std::thread::current().name().map(str::to_owned))
    ///     })
    /// }
    /// # drop(exposed);
    /// ```
    #[must_use]
    pub fn pending_function<F, A, R>(self, name: &str, docs: &str, function: F) -> Self
    where
        F: Fn(A) -> Pending<R> + Send + Sync + 'static,
        A: FromLuaMulti + Send + 'static,
        R: IntoLuaMulti + Send + 'static,
    {
        self.try_async_function(name, docs, async move |arguments| {
            let given = function(arguments).await;
            given.map_err(|error| error_text(&error))
        })
    }

    /// The same, but each function runs on `caller`.
    pub(super) fn bound_to(mut self, caller: &Caller) -> Self {
        for item in &mut self.items {
            if let What::Function(inner) = &item.what {
                let bound = Bound { inner: inner.clone(), caller: caller.clone() };
                item.what = What::Function(Arc::new(bound));
            }
        }
        self
    }

    /// Adds what is in `others`.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        self.items.extend(others.items);
        self
    }

    fn item(mut self, name: &str, docs: &str, what: What) -> Self {
        self.items.push(Item { name: name.to_owned(), docs: docs.to_owned(), what });
        self
    }

    /// Puts all of it into a state.
    pub(super) fn install(&self, api: &Api<'_>) -> mlua::Result<()> {
        for item in &self.items {
            let (table, name) = place(api.lua, &item.name)?;
            let doc = item.doc();
            let value = match &item.what {
                What::Value(make) => {
                    api.runtime.docs.borrow_mut().put_value(doc);
                    make(api.lua)?
                }
                What::Function(function) => Value::Function(Item::function(api, function, doc)?),
            };
            table.set(name, value)?;
        }
        Ok(())
    }
}

impl Item {
    fn doc(&self) -> Doc {
        let (first, rest) = self.docs.split_once('\n').unwrap_or((&self.docs, ""));
        let last = self.name.rsplit('.').next().unwrap_or(&self.name);
        let parameters = first.strip_prefix(&*self.name).or_else(|| first.strip_prefix(last));
        match parameters.filter(|parameters| parameters.starts_with('(')) {
            Some(parameters) => Doc {
                name: self.name.clone(),
                parameters: parameters.trim_end().to_owned(),
                text: rest.trim().to_owned(),
            },
            None => {
                let parameters = if matches!(self.what, What::Value(_)) { "" } else { "(...)" };
                Doc {
                    name: self.name.clone(),
                    parameters: parameters.to_owned(),
                    text: self.docs.trim().to_owned(),
                }
            }
        }
    }

    fn function(api: &Api<'_>, function: &Arc<dyn Function>, doc: Doc) -> mlua::Result<mlua::Function> {
        let callable = Rc::new(Callable(function.clone()));
        let in_lua = if function.is_plain() {
            let function = function.clone();
            api.function(doc, move |lua, arguments: MultiValue| function.call(lua, arguments))?
        } else {
            let function = function.clone();
            api.waiting(doc, move |lua, arguments: MultiValue| {
                let work = function.prepare(&lua, arguments);
                async move {
                    match work?().await {
                        Ok(Given::Made(make)) => Ok(make(&lua)?),
                        Ok(Given::Here) => Ok(MultiValue::new()),
                        Err(error) => Err(Raise::Text(error.to_string())),
                    }
                }
            })?
        };
        api.runtime.exposed.borrow_mut().insert(in_lua.to_pointer().addr(), callable);
        Ok(in_lua)
    }
}

/// The table in which a name with dots stands, and its last part.
fn place<'a>(lua: &Lua, name: &'a str) -> mlua::Result<(Table, &'a str)> {
    let mut table = lua.globals();
    let mut rest = name;
    while let Some((outer, inner)) = rest.split_once('.') {
        table = match table.get::<Value>(outer)? {
            Value::Table(known) => known,
            _ => {
                let made = lua.create_table()?;
                table.set(outer, &made)?;
                made
            }
        };
        rest = inner;
    }
    Ok((table, rest))
}

impl fmt::Debug for Exposed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.items.iter().map(|item| &item.name)).finish()
    }
}

/// An argument or result that serde converts: a Lua table as a struct, and back.
///
/// ```
/// use caller_kernel::lua::{Exposed, Json};
///
/// let exposed = Exposed::new().function(
///     "swap",
///     "swap(point)\nThe point with its coordinates swapped.",
///     |Json((x, y)): Json<(f64, f64)>| Json((y, x)),
/// );
/// # drop(exposed);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Json<T>(pub T);

impl<T: serde::de::DeserializeOwned> FromLua for Json<T> {
    fn from_lua(value: Value, lua: &Lua) -> mlua::Result<Self> {
        lua.from_value(value).map(Self)
    }
}

impl<T: serde::Serialize> IntoLua for Json<T> {
    fn into_lua(self, lua: &Lua) -> mlua::Result<Value> {
        super::data::from_serde(lua, &self.0)
    }
}
