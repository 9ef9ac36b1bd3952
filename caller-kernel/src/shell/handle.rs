//! A shell in a caller's thread, where a call owns it, and its handle for other threads.

use std::{
    cell::RefCell,
    collections::HashMap,
    future,
    rc::{Rc, Weak},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

use caller::{Caller, Pending, PendingHandle, Resolver};

use super::{CellError, Interrupter, SharedLanguage, Shell, Snapshot};

thread_local! {
    /// The shells of this thread by the ids of their handles. They are owned by calls, which end with their caller: nothing of a
    /// shell is left to the destructors of thread-locals.
    static SHELLS: RefCell<HashMap<u64, Weak<dyn Shell>>> = RefCell::default();
}

/// A shell that lives in a caller's thread, as other threads know it.
pub(crate) struct ShellHandle {
    id: u64,
    caller: Caller,
    /// There once the shell is.
    interrupter: OnceLock<Interrupter>,
    /// The call that owns the shell.
    owner: OnceLock<PendingHandle>,
}

impl ShellHandle {
    fn new(caller: &Caller) -> Arc<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Arc::new(Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            caller: caller.clone(),
            interrupter: OnceLock::new(),
            owner: OnceLock::new(),
        })
    }

    /// Makes a shell in the caller's thread, which stays until it is told to [`leave`](Self::leave) or the caller stops.
    /// The pending says when it is there; calls of that caller which are made from now on find it, or why it is not.
    /// `kept` is dropped when the shell is gone.
    pub(crate) fn resident(
        caller: &Caller,
        language: &SharedLanguage,
        kept: impl Send + 'static,
    ) -> (Arc<Self>, Pending<()>) {
        let handle = Self::new(caller);
        let (made, pending) = Resolver::new();
        let (language, this) = (Arc::clone(language), Arc::clone(&handle));
        let owner = caller.call_soon(async move || {
            let _kept = kept;
            match language.shell().map(Rc::from) {
                Ok(shell) => {
                    let _owner = this.hold(shell);
                    // Nobody may wait for it.
                    let _told = made.resolve(());
                    future::pending().await
                }
                Err(error) => drop(made.fail(error)),
            }
        });
        let _first = handle.owner.set(owner.handle());
        (handle, pending)
    }

    /// The handle of a shell that was made here, in this caller's thread; the handle has no shell any more when the second is dropped.
    pub(crate) fn guest(caller: &Caller, shell: Rc<dyn Shell>) -> (Arc<Self>, ShellOwner) {
        let handle = Self::new(caller);
        let owner = handle.hold(shell);
        (handle, owner)
    }

    fn hold(&self, shell: Rc<dyn Shell>) -> ShellOwner {
        let _first = self.interrupter.set(shell.interrupter());
        SHELLS.with_borrow_mut(|shells| shells.insert(self.id, Rc::downgrade(&shell)));
        ShellOwner { id: self.id, shell }
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    pub(crate) fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The shell, in its thread.
    ///
    /// # Errors
    ///
    /// It could not be made, or it has left, or this is another thread.
    pub(crate) fn shell(&self) -> Result<Rc<dyn Shell>, CellError> {
        let found = SHELLS.with_borrow(|shells| shells.get(&self.id).and_then(Weak::upgrade));
        found.ok_or_else(|| {
            let caller = self.caller.name();
            CellError::new("NoShell", format!("there is no shell in the thread of the caller `{caller}`"))
        })
    }

    /// The plain data of the shell, once its thread has time for it.
    pub(crate) fn snapshot(self: &Arc<Self>) -> Pending<Option<Snapshot>> {
        let handle = Arc::clone(self);
        self.caller.call_soon(async move || handle.shell().ok()?.snapshot())
    }

    /// Gives plain data to the shell.
    pub(crate) fn restore(self: &Arc<Self>, snapshot: Snapshot) {
        let handle = Arc::clone(self);
        drop(self.caller.call_soon(async move || {
            if let Ok(shell) = handle.shell() {
                shell.restore(&snapshot);
            }
        }));
    }

    /// Stops what runs in the shell. It returns at once.
    pub(crate) fn interrupt(&self) {
        if let Some(interrupter) = self.interrupter.get() {
            interrupter.interrupt();
        }
    }

    /// Whether something runs in the shell that an interrupt would stop.
    pub(crate) fn is_busy(&self) -> bool {
        self.interrupter.get().is_some_and(Interrupter::is_awaited)
    }

    /// Has the shell dropped, in its thread.
    pub(crate) fn leave(&self) {
        if let Some(owner) = self.owner.get() {
            owner.cancel("the shell is not needed any more");
        }
    }
}

/// Owns the shell of a handle, in its thread.
pub(crate) struct ShellOwner {
    id: u64,
    pub(crate) shell: Rc<dyn Shell>,
}

impl Drop for ShellOwner {
    fn drop(&mut self) {
        // Where thread-locals are gone, so is the entry.
        let _gone = SHELLS.try_with(|shells| shells.borrow_mut().remove(&self.id));
    }
}
