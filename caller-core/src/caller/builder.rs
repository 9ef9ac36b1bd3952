//! The options of a caller.

use std::{io, sync::Arc};

use super::{
    inner::{Caller, Inner},
    lifecycle::StopOnDrop,
    options::{CallerState, Options, PoolSettings},
    registry,
};
use crate::{
    backend::Backend,
    error::{Error, Kind, Result},
    host::Host,
};

/// Options of a caller, and the ways to start it.
///
/// | to get | call |
/// | --- | --- |
/// | a thread of its own | [`spawn`](Self::spawn) |
/// | this thread, with a runtime of its own or under a host | [`run`](Self::run) |
/// | this thread, inside a runtime that runs | [`scope`](Self::scope) |
/// | this thread, whose loop somebody else runs | [`attach`](Self::attach) |
/// | one that is started later | [`build`](Self::build), then [`Caller::start`] or [`Caller::enter`] |
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `spawn`, `run`, `scope`, `attach` or `build`"]
pub struct Builder {
    name: Option<String>,
    backend: Option<Arc<dyn Backend>>,
    pub(super) host: Option<Arc<dyn Host>>,
    protected: Option<bool>,
    pool: Option<PoolSettings>,
    parent: Option<Caller>,
    worker: bool,
}

impl Builder {
    pub(super) fn new() -> Self {
        Self {
            name: None,
            backend: None,
            host: None,
            protected: None,
            pool: None,
            parent: None,
            worker: false,
        }
    }

    pub(super) fn child_of(parent: &Caller) -> Self {
        Self { parent: Some(parent.clone()), ..Self::new() }
    }

    /// Names it. Under a parent, the same name gives the same child, until that has stopped. A thread of its own bears
    /// the name; where the operating system allows fewer bytes (Linux: 15), it shows the first of them.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The runtime it runs on, with its options. A child inherits its parent's.
    pub fn backend(mut self, backend: impl Backend) -> Self {
        self.backend = Some(Arc::new(backend));
        self
    }

    /// As [`backend`](Self::backend), for one that is shared already.
    pub fn shared_backend(mut self, backend: Arc<dyn Backend>) -> Self {
        self.backend = Some(backend);
        self
    }

    /// The loop in whose thread it runs, and whose guest its runtime is. A child does not inherit it.
    pub fn host(mut self, host: impl Host) -> Self {
        self.host = Some(Arc::new(host));
        self
    }

    /// As [`host`](Self::host), for one that is shared already, or was found by its name
    /// ([`host_named`](crate::host_named)).
    pub fn shared_host(mut self, host: Arc<dyn Host>) -> Self {
        self.host = Some(host);
        self
    }

    /// Makes it ignore a stop that is not forced. A child does not inherit it; the stop of its parent ends it either way.
    pub fn protected(mut self, protected: bool) -> Self {
        self.protected = Some(protected);
        self
    }

    /// The settings of its worker pool. A child inherits its parent's.
    pub fn pool(mut self, settings: PoolSettings) -> Self {
        self.pool = Some(settings);
        self
    }

    /// Makes it a worker of its parent's pool.
    pub(crate) fn worker(mut self) -> Self {
        self.worker = true;
        self
    }

    /// Makes it without starting it. Calls to it wait until [`Caller::start`] or [`Caller::enter`]. Until then a parent
    /// does not hold it: it ends with its last handle.
    ///
    /// # Errors
    ///
    /// [`is_no_caller`](Error::is_no_caller) without a backend, [`is_zero_limit`](Error::is_zero_limit) with a pool
    /// of no workers, [`is_mismatch`](Error::is_mismatch) with a host whose guest the backend cannot be,
    /// [`is_start`](Error::is_start) with a NUL byte in the name, or if the backend panics when it is asked for its clock,
    /// and those of [`Caller::child`] for a child.
    pub fn build(self) -> Result<Caller> {
        self.find_or_make().map(|(caller, _new)| caller)
    }

    /// Makes it and starts it in a thread of its own. It can be called at once. A child of this name that was only built is
    /// started.
    ///
    /// # Errors
    ///
    /// Those of [`build`](Self::build); [`is_start`](Error::is_start) if there is no thread to be had. A runtime that
    /// cannot be made later is the error of every call.
    pub fn spawn(self) -> Result<Caller> {
        self.find_or_make().and_then(Self::started)
    }

    /// As [`spawn`](Self::spawn), but a child that has the name already is an error.
    pub(crate) fn spawn_new(self) -> Result<Caller> {
        match self.find_or_make()? {
            (known, false) => Err(Error::new(Kind::NotNew(known.name().to_owned()))),
            made => Self::started(made),
        }
    }

    fn started((caller, new): (Caller, bool)) -> Result<Caller> {
        // A new one that cannot be started would be found by its name, and its calls would wait for ever.
        let stop = new.then(|| StopOnDrop::new(&caller));
        if new || caller.state() == CallerState::Initial {
            match caller.start() {
                // Somebody else was asked for the same child, and was faster.
                Err(error) if !new && matches!(error.kind(), Kind::AlreadyStarted(_)) => {}
                started => started?,
            }
        }
        stop.into_iter().for_each(StopOnDrop::disarm);
        Ok(caller)
    }

    pub(super) fn find_or_make(self) -> Result<(Caller, bool)> {
        if let Some(name) = self.name.as_ref().filter(|name| name.contains('\0')) {
            let source = "the operating system allows no NUL byte in the name of a thread; leave it out";
            let source = io::Error::new(io::ErrorKind::InvalidInput, source);
            return Err(Error::new(Kind::Start { name: name.clone(), source }));
        }
        let inherited = self.parent.as_ref().map(|parent| &parent.0);
        let Some(backend) = self.backend.clone().or_else(|| inherited.map(|parent| parent.backend.clone()))
        else {
            return Err(Error::no_runtime(
                "a caller needs a backend to run on; give one to the builder, as in `.backend(Tokio::new())`",
            ));
        };
        if let Some(host) = &self.host
            && !backend.can_be_guest()
        {
            let (wanted, host) = (backend.name().to_owned(), host.name().to_owned());
            return Err(Error::new(Kind::NoGuest { wanted, host }));
        }
        let pool = self.pool.or_else(|| inherited.map(|parent| parent.options.pool)).unwrap_or_default();
        if pool.limit == 0 {
            return Err(Error::new(Kind::ZeroLimit { what: "the limit of the worker pool" }));
        }
        let options = Options { protected: self.protected.unwrap_or(false), pool, worker: self.worker };
        let fresh = Inner::new(self.name.clone(), backend, self.host.clone(), options, self.parent.as_ref())?;
        match &self.parent {
            Some(parent) => {
                let (child, new) = parent.0.adopt(self.name.as_deref(), fresh)?;
                if !new {
                    self.check_same(&child)?;
                }
                Ok((child, new))
            }
            None => {
                let caller = Caller(fresh);
                registry::add(&caller);
                Ok((caller, true))
            }
        }
    }

    /// Whether a child that has the name has the options too. What was not set is not compared.
    fn check_same(&self, known: &Caller) -> Result<()> {
        let difference = if self.backend.as_ref().is_some_and(|backend| !backend.is_same(&**known.backend()))
        {
            format!("backend {:?}", known.backend())
        } else if self.host.as_ref().is_some_and(|host| host.name() != known.0.host_name()) {
            format!("host {}", known.0.host_name())
        } else if self.protected.is_some_and(|protected| protected != known.0.options.protected) {
            format!("protected {}", known.0.options.protected)
        } else if self.pool.is_some_and(|pool| pool != known.0.options.pool) {
            format!("{:?}", known.0.options.pool)
        } else {
            return Ok(());
        };
        Err(Error::new(Kind::NameTaken { name: known.name().to_owned(), difference }))
    }
}
