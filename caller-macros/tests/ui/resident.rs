//! What `resident` does not go on, and methods that a handle cannot have.

use std::{pin::Pin, rc::Rc};

#[caller::resident]
struct NoBlock;

struct Store(Rc<u8>);

#[caller::resident]
fn function() {}

#[caller::resident]
impl Clone for Store {
    #[caller::resident(fallible = false)]
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

trait Local {}

#[caller::resident]
impl dyn Local {
    fn method(&self) {}
}

struct Borrows<'a>(&'a str);

#[caller::resident]
impl<'a> Borrows<'a> {
    fn method(&self) {}
}

#[caller::resident(name = BorrowsSome)]
impl Borrows<'_> {
    fn other(&self) {}
}

#[caller::resident(name = Clashes, vis = private, handle = Other)]
impl Store {
    fn resident(&self) {}

    #[caller::resident(name = clone)]
    fn copy(&self) -> u8 {
        *self.0
    }

    fn eq(&self, _other: u8) -> bool {
        true
    }

    fn from(number: u8) -> Self {
        Self(Rc::new(number))
    }
}

struct Methods(u8);

#[caller::resident(name = Methods, vis)]
impl Methods {
    fn borrowed(&self, text: &str, texts: &[String]) -> usize {
        text.len() + texts.len()
    }

    fn gives(&self) -> &u8 {
        &self.0
    }

    fn named<'a>(&'a self) -> &'a u8 {
        &self.0
    }

    fn hides(&self) -> impl Iterator<Item = u8> {
        [self.0].into_iter()
    }

    unsafe fn not_safe(&self) {}

    extern "C" fn foreign(&self) {}

    fn boxed(self: Box<Self>) {}

    fn pinned(self: Pin<&mut Self>) {}

    fn rc(self: Rc<Self>) {}

    fn part(&self, #[cfg(any())] _part: u8) {}

    fn another(&mut self) -> Self {
        Self(self.0)
    }

    fn builder(self) -> Result<Self, String> {
        Ok(self)
    }

    const fn on_the_type_alone<'a>(text: &'a str) -> &'a str {
        text
    }

    #[caller::resident(name = helps, fallible = true)]
    fn makes(text: String) -> Result<Methods, String> {
        Err(text)
    }

    #[caller::resident(name = helps)]
    fn helper(_text: &str) {}

    #[caller::resident(fallible = false)]
    fn try_make(text: &str) -> Result<Self, String> {
        Err(text.to_owned())
    }

    #[caller::resident(fallible, caller = HOME)]
    fn arguments(&self) {}

    #[caller::resident = false]
    fn equals(&self) {}

    #[caller::resident(name = fine)]
    #[caller::resident(name = finer)]
    fn twice(&self) {}
}

struct Generic<T>(T);

#[caller::resident]
impl<#[cfg(not(any()))] T> Generic<T> {
    fn method<#[cfg(not(any()))] U>(&self, _: U) {}

    /// Not there, so not wrong.
    #[cfg(any())]
    fn left_out(&self, _text: &str) {}

    #[cfg(not(any()))]
    fn let_in(&self, _text: &str) {}
}

struct NoBody;

#[caller::resident]
impl NoBody {
    fn declared(&self);
}

fn main() {
    let store: Option<MethodsHandle> = None;
    if let Some(store) = store {
        // None of these is an error too.
        store.borrowed("", [""]);
        store.boxed();
        store.part(0);
        store.fine();
    }
}
