//! Types that cannot go between threads, and results that are none.

use std::{cell::Cell, rc::Rc, sync::MutexGuard};

struct Store(Rc<u8>);

#[caller::resident]
impl Store {
    fn takes(&self, _: u8, _: Rc<u8>) {}

    fn gives(&mut self) -> Vec<Rc<u8>> {
        vec![self.0.clone()]
    }

    fn gives_in_result(&self) -> Result<Rc<u8>, String> {
        Ok(self.0.clone())
    }

    fn makes(_: Rc<u8>) -> Self {
        Self(Rc::default())
    }

    fn guards(&self, _: MutexGuard<'static, u8>) {}

    fn other(&self, _: Self) {}

    fn anonymous(&self, _: impl Fn() -> u8, _: (impl Clone, Rc<u8>)) {}

    async fn fails(&self) -> Result<u8, Rc<u8>> {
        Err(self.0.clone())
    }

    fn fails_to_make() -> Result<Self, Cell<u8>> {
        Err(Cell::new(0))
    }

    fn fails_to_fork(&self) -> Result<Self, u8> {
        Err(0)
    }

    fn fails_to_close(self) -> Result<(), u8> {
        Err(0)
    }

    #[caller::resident(fallible = true)]
    fn no_result(&self) -> u8 {
        0
    }

    #[caller::resident(fallible = true)]
    fn makes_no_result(_: u8) -> u8 {
        0
    }

    #[caller::resident(fallible = true)]
    fn makes_another() -> Result<u8, String> {
        Ok(0)
    }
}

struct Shelf<T>(Vec<T>);

#[caller::resident]
impl<T: Clone> Shelf<T> {
    fn put(&mut self, value: T) {
        self.0.push(value);
    }

    fn first(&self) -> Option<T> {
        self.0.first().cloned()
    }
}

fn uses(shelf: ShelfHandle<Rc<u8>>, borrowed: &str) {
    shelf.put(Rc::new(1));
    shelf.first();
    StoreHandle::makes("no caller", Rc::new(1));
    let _borrowed = |shelf: &ShelfHandle<&str>| shelf.put(borrowed);
}

mod elsewhere {
    pub(crate) struct Hidden;

    #[caller::resident]
    impl Hidden {
        fn private(&self) {}

        pub(super) fn open() -> Self {
            Self
        }
    }
}

fn reaches(hidden: elsewhere::HiddenHandle) {
    hidden.private();
}

fn main() {}
