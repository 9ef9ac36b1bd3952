//! A library that has `caller-core` under the name `threads`, and every attribute on public functions, with every lint
//! that a library may have. That it compiles is the test; what it does is tested too.
#![deny(warnings, missing_docs, clippy::pedantic)]
#![forbid(unsafe_code)]

use std::{rc::Rc, sync::Arc};

/// Doubles a number.
#[threads::queued(crate = threads, pending)]
#[threads::call_soon(crate = ::threads)]
#[threads::call_later(crate = threads)]
#[threads::to_thread(crate = "threads")]
#[must_use]
pub fn double(number: u32) -> u32 {
    number * 2
}

/// Adds to a sum.
///
/// # Panics
///
/// If it is zero.
#[threads::queued(crate = threads)]
#[threads::call_direct(crate = threads)]
pub fn add(number: u32) {
    assert_ne!(number, 0);
}

macro_rules! made {
    ($name:ident) => {
        /// Made by a macro.
        #[threads::queued(crate = threads)]
        pub fn $name(number: u32) {
            drop(number.to_string());
        }
    };
}

made!(made);

/// Has methods.
#[derive(Debug, Default)]
pub struct Thing(u32);

impl Thing {
    /// Reads it.
    ///
    /// # Errors
    ///
    /// If it is zero.
    #[threads::queued(crate = threads, pending)]
    #[threads::call_soon(crate = threads)]
    #[threads::call_direct(crate = threads)]
    pub fn read(&self) -> Result<u32, String> {
        if self.0 == 0 { Err("it is zero".to_owned()) } else { Ok(self.0) }
    }

    /// Makes one.
    #[threads::to_thread(crate = threads)]
    #[must_use]
    pub fn make(number: u32) -> Arc<Self> {
        Arc::new(Self(number))
    }
}

/// Stays in a thread.
#[derive(Debug, Default)]
pub struct Shelf<T>(Vec<Rc<T>>);

/// Of what can be shown.
#[threads::resident(crate = threads)]
impl<T: ToString + Clone> Shelf<T> {
    /// Makes one.
    #[must_use]
    pub fn make(first: T) -> Self {
        Self(vec![Rc::new(first)])
    }

    /// Reads one.
    ///
    /// # Errors
    ///
    /// If there is none.
    #[threads::resident(fallible = false)]
    pub fn read(&self, at: usize) -> Result<String, String> {
        self.0.get(at).map(|value| value.to_string()).ok_or_else(|| "it is not there".to_owned())
    }

    /// Adds one.
    ///
    /// # Panics
    ///
    /// Never.
    pub fn put(&mut self, value: T) {
        assert!(self.is_fine(7));
        self.0.push(Rc::new(value));
    }

    #[allow(clippy::unused_self)]
    fn is_fine(&self, number: u32) -> bool {
        number > 0
    }

    /// The values.
    #[must_use]
    pub fn into_values(self) -> Vec<T> {
        self.0.into_iter().map(Rc::unwrap_or_clone).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use caller_tokio::Tokio;
    use std::time::Duration;

    #[threads::test(crate = threads, backends = [Tokio::new(), plain = Tokio::new().io(false)])]
    async fn every_form() -> threads::Result<()> {
        assert_eq!(double_queued(1).await?, 2);
        assert_eq!(double_soon(2).await?, 4);
        assert_eq!(double_later(Duration::ZERO, 3).await?, 6);
        assert_eq!(double_to_thread(4).await?, 8);
        add_queued(1)?;
        add_direct(1);
        let thing = make_thing().await?;
        assert_eq!(thing.read_queued().await? + thing.read_soon().await?, 10);
        thing.read_direct();
        assert!(Arc::new(Thing::default()).read_soon().await.unwrap_err().is_failed());
        Ok(())
    }

    #[threads::test(crate = threads, backend = Tokio::new())]
    async fn a_resident() -> threads::Result<()> {
        let shelf = ShelfHandle::make(&threads::Caller::current()?, 1).await?;
        shelf.put(2).await?;
        assert_eq!(shelf.read(1).await?.unwrap(), "2");
        assert!(shelf.read(2).await?.is_err());
        assert_eq!(shelf.into_values().await?, [1, 2]);
        Ok(())
    }

    fn make_thing() -> threads::Pending<Arc<Thing>> {
        Thing::make_to_thread(5)
    }

    #[threads::main(crate = threads, backend = Tokio::new())]
    async fn program() -> u32 {
        double_soon(4).await.unwrap_or_default()
    }

    #[test]
    fn main_too() {
        assert_eq!(program(), 8);
    }
}
