//! The state that all handlers of a kernel share.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use caller::{AsyncEvent, Caller};

use super::{comms::Comms, history::History, open_work::OpenWork, stdin::Stdin, usage::Usage};
use crate::{
    shell::{SharedLanguage, ShellHandle},
    sockets::IoPub,
};

/// The state of a kernel, each part of which has one owner.
pub(crate) struct Shared {
    /// What the names of its callers begin with.
    pub(crate) name: String,
    pub(crate) language: SharedLanguage,
    pub(crate) iopub: IoPub,
    pub(crate) stdin: Stdin,
    pub(crate) history: History,
    pub(crate) comms: Comms,
    pub(crate) shells: OpenShells,
    pub(crate) usage: Usage,
    pub(crate) counter: Counter,
    pub(crate) running: OpenWork,
    pub(crate) interrupted: AtomicU64,
    /// What the end of the kernel waits for: cells without an answer yet, shells, and their queues.
    pub(crate) open: OpenWork,
    /// How long a cell may take, unless it says so itself.
    pub(crate) cell_timeout: Option<Duration>,
    /// Whether what cells print is kept from the program's own streams.
    pub(crate) quiet: bool,
    /// The program's callers that cells can be sent to.
    pub(crate) callers: BTreeMap<String, Caller>,
    pub(crate) shell: Caller,
    pub(crate) control: Caller,
    /// Set to stop the kernel.
    pub(crate) stop: AsyncEvent,
}

impl Shared {
    /// Stops all that runs in any shell. It returns at once.
    pub(crate) fn interrupt(&self) {
        // First: a cell that begins now sees it, or is stopped below.
        self.interrupted.fetch_add(1, Ordering::Release);
        for handle in self.shells.all() {
            handle.interrupt();
        }
    }

    /// Whether there is something for an interrupt to stop: a cell that runs or waits, a handler of a comm, or a call that
    /// computes.
    pub(crate) fn is_busy(&self) -> bool {
        self.running.any() || self.shells.all().iter().any(|handle| handle.is_busy())
    }

    /// How often it was interrupted.
    pub(crate) fn interrupts(&self) -> u64 {
        self.interrupted.load(Ordering::Acquire)
    }
}

/// All shells that are there.
#[derive(Default)]
pub(crate) struct OpenShells(Mutex<HashMap<u64, Weak<ShellHandle>>>);

impl OpenShells {
    pub(crate) fn add(&self, handle: &Arc<ShellHandle>) {
        let mut shells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        shells.retain(|_, handle| handle.strong_count() > 0);
        shells.insert(handle.id(), Arc::downgrade(handle));
    }

    fn all(&self) -> Vec<Arc<ShellHandle>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().filter_map(Weak::upgrade).collect()
    }
}

/// The numbers of cells.
#[derive(Default)]
pub(crate) struct Counter(AtomicU32);

impl Counter {
    /// The number of a cell that begins. One that is not stored leaves it to the next.
    pub(crate) fn next(&self, store: bool) -> u32 {
        // A counter: nothing else is published through it.
        let last =
            if store { self.0.fetch_add(1, Ordering::Relaxed) } else { self.0.load(Ordering::Relaxed) };
        last.wrapping_add(1)
    }

    /// The number of the last cell.
    pub(crate) fn last(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}
