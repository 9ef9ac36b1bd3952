//! tokio as a guest in the thread of a caller on async-std, and on the manual backend.

use std::{
    cell::RefCell,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use async_std::task;
use caller::{
    Backend, Caller, CallerState, ContextVar, Pending, PendingGroup, current_pending,
    testing::{Manual, Process, Running},
};
use caller_async_std::AsyncStd;
use caller_tokio::Tokio;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

const PATIENCE: Duration = Duration::from_secs(20);

fn caller() -> Running {
    Running(Caller::builder().backend(AsyncStd::new()).spawn().unwrap())
}

/// What comes in time.
fn receive<T>(from: &mpsc::Receiver<T>) -> T {
    from.recv_timeout(PATIENCE).expect("something should have come")
}

/// Runs `body` in a thread of its own, and fails if it has not ended in time.
fn in_time<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, ended) = mpsc::channel();
    let thread = thread::spawn(move || {
        let _ended = sender.send(body());
    });
    match ended.recv_timeout(PATIENCE) {
        Ok(value) => value,
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("nothing goes on any more"),
        Err(mpsc::RecvTimeoutError::Disconnected) => match thread.join() {
            Err(payload) => std::panic::resume_unwind(payload),
            Ok(()) => unreachable!("it sends when it ends"),
        },
    }
}

/// They are done because the caller has stopped.
fn all_closed(calls: impl IntoIterator<Item = Pending<()>>) {
    for mut call in calls {
        assert!(call.is_done(), "every pending is done when its caller has stopped");
        let error = call.try_result().unwrap_err();
        assert!(error.is_cancelled() && error.is_closed(), "{error}");
    }
}

#[derive(Debug, PartialEq, thiserror::Error)]
#[error("the cat sat on the keyboard")]
struct Trouble;

#[test]
fn gst_01_in_the_same_thread_on_the_named_backend() {
    static USER: ContextVar<u32> = ContextVar::new();
    let caller = caller();
    let here = caller.call_soon(async || thread::current().id()).wait_blocking().unwrap();
    let call = USER.sync_scope(7, || {
        caller.call_using_backend(Tokio::new(), async move || {
            assert_eq!(thread::current().id(), here);
            assert_eq!(USER.get(), Some(7), "the context is the submitter's");
            tokio::time::sleep(Duration::from_millis(1)).await;
            // Its sockets, and its local tasks, which stay in this thread.
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let local = Rc::new(());
            let echo = tokio::task::spawn_local(async move {
                let _not_send = local;
                let (mut stream, _) = listener.accept().await.unwrap();
                let word = stream.read_u32().await.unwrap();
                stream.write_u32(word + 1).await.unwrap();
                thread::current().id()
            });
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_u32(41).await.unwrap();
            assert_eq!(stream.read_u32().await.unwrap(), 42);
            assert_eq!(echo.await.unwrap(), here);
            assert_ne!(
                tokio::spawn(async { thread::current().id() }).await.unwrap(),
                here,
                "as the docs say"
            );
            assert_eq!(thread::current().id(), here);
            (USER.get(), current_pending().is_some())
        })
    });
    assert_eq!(call.unwrap().wait_blocking().unwrap(), (Some(7), true));
    // Its own backend is a plain call.
    let own = caller.call_using_backend(AsyncStd::new(), async || task::try_current().is_some());
    assert!(own.unwrap().wait_blocking().unwrap());
    let failing = caller.try_call_using_backend(Tokio::new(), async || Err::<(), _>(Trouble)).unwrap();
    assert_eq!(failing.wait_blocking().unwrap_err().downcast_ref(), Some(&Trouble));
    let panicking = caller.call_using_backend(Tokio::new(), async || panic!("on purpose")).unwrap();
    assert!(panicking.wait_blocking().unwrap_err().is_panic());
    assert_eq!(caller.call_using_backend(Tokio::new(), async || 1).unwrap().wait_blocking().unwrap(), 1);
}

#[test]
fn gst_02_both_interleave() {
    let caller = caller();
    let this = caller.0.clone();
    let order = caller.call_soon(async move || {
        let order = Rc::new(RefCell::new(Vec::new()));
        let (sender, steps) = mpsc::channel();
        let guest = sender.clone();
        let a = this.call_using_backend(Tokio::new(), async move || {
            for _ in 0..5 {
                tokio::time::sleep(Duration::from_millis(2)).await;
                guest.send("tokio").unwrap();
            }
        });
        let b = this.call_soon(async move || {
            for _ in 0..5 {
                task::sleep(Duration::from_millis(2)).await;
                sender.send("async-std").unwrap();
            }
        });
        a.unwrap().await.unwrap();
        b.await.unwrap();
        order.borrow_mut().extend(steps.try_iter());
        order.take()
    });
    let order = order.wait_blocking().unwrap();
    assert_eq!(order.len(), 10);
    assert_ne!(order[..5], ["tokio"; 5]);
    assert_ne!(order[..5], ["async-std"; 5]);
}

#[test]
fn gst_03_not_where_nothing_manages_the_caller() {
    let local = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(tokio::runtime::LocalOptions::default())
        .unwrap();
    local.block_on(async {
        let caller = Tokio::current().unwrap();
        // A backend that can be a guest, on a caller that was started implicitly.
        let error = caller.call_using_backend(Other, async || ()).unwrap_err();
        assert!(error.is_mismatch() && error.to_string().contains("enter it"), "{error}");
    });
    // One that cannot.
    let caller = Running(Caller::builder().backend(Tokio::new()).spawn().unwrap());
    let error = caller.call_using_backend(Manual::new(), async || ()).unwrap_err();
    assert!(error.is_mismatch() && error.to_string().contains("cannot be its guest"), "{error}");
    // One that fails to be one: a failure of the call.
    let failed = caller.call_using_backend(Other, async || ()).unwrap().wait_blocking().unwrap_err();
    assert!(failed.is_failed() && failed.to_string().contains("guest"), "{failed}");
}

/// Says that it can be a guest, and cannot.
#[derive(Debug)]
struct Other;

impl Backend for Other {
    fn name(&self) -> &'static str {
        "other"
    }

    fn is_same(&self, other: &dyn Backend) -> bool {
        other.name() == self.name()
    }

    fn run(&self, _root: caller::LocalFuture<'_>) -> std::io::Result<()> {
        Err(std::io::ErrorKind::Unsupported.into())
    }

    fn runtime(&self) -> caller::Result<Rc<dyn caller::Runtime>> {
        Err(caller::Error::no_runtime("none"))
    }

    fn can_be_guest(&self) -> bool {
        true
    }
}

/// Guest calls that have begun and do not end, and one that has not begun when the caller stops.
fn outstanding(
    caller: &Caller,
    dropped: mpsc::Sender<(thread::ThreadId, bool)>,
) -> (Vec<Pending<()>>, mpsc::Receiver<()>) {
    struct Probe(mpsc::Sender<(thread::ThreadId, bool)>);
    impl Drop for Probe {
        fn drop(&mut self) {
            let inside = tokio::runtime::Handle::try_current().is_ok();
            self.0.send((thread::current().id(), inside)).unwrap();
        }
    }
    let (begun, begins) = mpsc::channel();
    let probes = [Probe(dropped.clone()), Probe(dropped.clone())];
    let started = begun.clone();
    let sleeps = caller.call_using_backend(Tokio::new(), async move || {
        let [own, local] = probes;
        drop(tokio::task::spawn_local(async move {
            let _local = local;
            std::future::pending::<()>().await;
        }));
        let _own = own;
        started.send(()).unwrap();
        tokio::time::sleep(Duration::from_secs(3600)).await;
    });
    let probe = Probe(dropped);
    let waits = caller.call_using_backend(Tokio::new(), async move || {
        let _probe = probe;
        begun.send(()).unwrap();
        std::future::pending::<()>().await;
    });
    (vec![sleeps.unwrap(), waits.unwrap()], begins)
}

#[test]
fn gst_04_stopping_with_guests_outstanding() {
    Process::of(concat!(module_path!(), "::gst_04_stopping_with_guests_outstanding"))
        .limit(Duration::from_secs(60))
        .run(|| {
            for _ in 0..20 {
                let caller = caller();
                let here = caller.call_soon(async || thread::current().id()).wait_blocking().unwrap();
                let (sender, dropped) = mpsc::channel();
                let (mut calls, begins) = outstanding(&caller, sender);
                (0..2).for_each(|_| receive(&begins));
                caller.force_stop();
                calls.push(caller.call_using_backend(Tokio::new(), async || ()).unwrap());
                let stopped = caller.stopped();
                in_time(move || stopped.blocking()).unwrap();
                assert_eq!(caller.state(), CallerState::Stopped);
                all_closed(calls);
                assert_eq!(dropped.try_iter().collect::<Vec<_>>(), [(here, true); 3]);
            }
            // Starting and stopping leaves no thread behind: stopping has waited for the helper.
            let helpers = || {
                let tasks = std::fs::read_dir("/proc/self/task").unwrap().filter_map(Result::ok);
                let names = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
                names.filter(|name| name.trim() == "caller-guest").count()
            };
            let until = Instant::now() + Duration::from_secs(20);
            while helpers() > 0 {
                assert!(Instant::now() < until, "a helper thread stayed behind");
                thread::yield_now();
            }
        });
}

#[test]
fn gst_04_leaving_with_guests_outstanding() {
    for protects in [false, true] {
        for _ in 0..10 {
            let (caller, here, calls, dropped) = in_time(move || {
                let left = task::block_on(Caller::scope(AsyncStd::new(), async |caller| {
                    let (sender, dropped) = mpsc::channel();
                    let (mut calls, begins) = outstanding(&caller, sender);
                    for _ in 0..2 {
                        while begins.try_recv().is_err() {
                            task::yield_now().await;
                        }
                    }
                    calls.push(caller.call_using_backend(Tokio::new(), async || ()).unwrap());
                    if protects {
                        // A stop that is not forced does not end it.
                        caller.stop();
                        assert!(calls.iter().take(2).all(|call| !call.is_done()));
                    }
                    (caller, thread::current().id(), calls, dropped)
                }));
                left.unwrap()
            });
            assert_eq!(caller.state(), CallerState::Stopped);
            assert!(caller.stopped().is_past());
            all_closed(calls);
            assert_eq!(dropped.try_iter().collect::<Vec<_>>(), [(here, true); 3]);
        }
    }
}

#[test]
fn grp_01_members_on_the_other_backend() {
    let caller = caller();
    let this = caller.0.clone();
    let done = Arc::new(AtomicUsize::new(0));
    let count = done.clone();
    let ended = caller.call_soon(async move || {
        let body = async |group: Arc<PendingGroup>| {
            let (there, nested) = (count.clone(), count.clone());
            let back = this.clone();
            let member = this.call_using_backend(Tokio::new(), async move || {
                assert!(PendingGroup::current().is_some());
                drop(back.call_soon(async move || {
                    task::sleep(Duration::from_millis(1)).await;
                    nested.fetch_add(1, Ordering::SeqCst);
                }));
                tokio::time::sleep(Duration::from_millis(1)).await;
                there.fetch_add(1, Ordering::SeqCst);
            });
            assert!(group.pendings().contains(&member.unwrap().handle()));
        };
        this.group().run(body).await
    });
    ended.wait_blocking().unwrap().unwrap();
    assert_eq!(done.load(Ordering::SeqCst), 2);
}

#[test]
fn a_guest_of_a_scope_ends_with_it() {
    let value = task::block_on(async {
        Caller::scope(AsyncStd::new(), async |caller| {
            let guest = caller.call_using_backend(Tokio::new(), async || {
                tokio::time::sleep(Duration::from_millis(1)).await;
                42
            });
            guest.unwrap().await.unwrap()
        })
        .await
    });
    assert_eq!(value.unwrap(), 42);
}

/// The other way round: async-std as a guest in the thread of a caller on tokio.
mod in_tokio {
    use std::{cell::Cell, collections::HashSet};

    use async_std::{
        io::{ReadExt, WriteExt},
        net::{TcpListener, TcpStream},
    };

    use super::*;

    async_std::task_local! {
        static NUMBER: Cell<u32> = Cell::new(0);
    }

    fn caller() -> Running {
        Running(Caller::builder().backend(Tokio::new()).spawn().unwrap())
    }

    #[test]
    fn gst_01_in_the_same_thread_on_the_named_backend() {
        static USER: ContextVar<u32> = ContextVar::new();
        let caller = caller();
        let here = caller.call_soon(async || thread::current().id()).wait_blocking().unwrap();
        let calls: Vec<_> = (1..=10)
            .map(|number| {
                let make = || {
                    caller.call_using_backend(AsyncStd::new(), async move || {
                        assert_eq!((thread::current().id(), USER.get()), (here, Some(number)));
                        let id = task::current().id();
                        assert_eq!(NUMBER.with(Cell::get), 0);
                        NUMBER.with(|own| own.set(number));
                        for _ in 0..3 {
                            task::sleep(Duration::from_millis(1)).await;
                            assert_eq!((NUMBER.with(Cell::get), task::current().id()), (number, id));
                            assert_eq!((thread::current().id(), USER.get()), (here, Some(number)));
                            task::yield_now().await;
                        }
                        assert_eq!(task::spawn(async { 1 }).await + task::spawn_blocking(|| 2).await, 3);
                        assert!(current_pending().is_some());
                        id
                    })
                };
                USER.sync_scope(number, make).unwrap()
            })
            .collect();
        let ids: HashSet<_> = calls.into_iter().map(|call| call.wait_blocking().unwrap()).collect();
        assert_eq!(ids.len(), 10, "each is a task of its own");
        let failing = caller.try_call_using_backend(AsyncStd::new(), async || Err::<(), _>(Trouble)).unwrap();
        assert_eq!(failing.wait_blocking().unwrap_err().downcast_ref(), Some(&Trouble));
        let panicking = caller.call_using_backend(AsyncStd::new(), async || panic!("on purpose")).unwrap();
        assert!(panicking.wait_blocking().unwrap_err().is_panic());
        assert_eq!(
            caller.call_using_backend(AsyncStd::new(), async || 1).unwrap().wait_blocking().unwrap(),
            1
        );
    }

    #[test]
    fn gst_01_sockets() {
        let caller = caller();
        let listening =
            caller.call_using_backend(AsyncStd::new(), async || TcpListener::bind("127.0.0.1:0").await);
        let listener = listening.unwrap().wait_blocking().unwrap().unwrap();
        let address = listener.local_addr().unwrap();
        let echo = caller.call_using_backend(AsyncStd::new(), async move || {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut word = [0; 4];
            stream.read_exact(&mut word).await.unwrap();
            stream.write_all(&word).await.unwrap();
        });
        let asks = caller.call_using_backend(AsyncStd::new(), async move || {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(b"ping").await.unwrap();
            let mut word = [0; 4];
            stream.read_exact(&mut word).await.unwrap();
            word
        });
        assert_eq!(&asks.unwrap().wait_blocking().unwrap(), b"ping");
        echo.unwrap().wait_blocking().unwrap();
    }

    #[test]
    fn gst_02_both_interleave() {
        let caller = caller();
        let (sender, steps) = mpsc::channel();
        let guest = sender.clone();
        let a = caller.call_using_backend(AsyncStd::new(), async move || {
            for _ in 0..5 {
                task::sleep(Duration::from_millis(2)).await;
                guest.send("async-std").unwrap();
            }
        });
        let b = caller.call_soon(async move || {
            for _ in 0..5 {
                tokio::time::sleep(Duration::from_millis(2)).await;
                sender.send("tokio").unwrap();
            }
        });
        a.unwrap().wait_blocking().unwrap();
        b.wait_blocking().unwrap();
        let order: Vec<_> = steps.try_iter().collect();
        assert_eq!(order.len(), 10);
        assert_ne!(order[..5], ["tokio"; 5]);
        assert_ne!(order[..5], ["async-std"; 5]);
    }

    /// A guest call that has begun and does not end.
    fn outstanding(
        caller: &Caller,
        dropped: mpsc::Sender<(thread::ThreadId, u32)>,
    ) -> (Pending<()>, mpsc::Receiver<()>) {
        struct Probe(mpsc::Sender<(thread::ThreadId, u32)>);
        impl Drop for Probe {
            fn drop(&mut self) {
                let seen = if task::try_current().is_some() { NUMBER.with(Cell::get) } else { 0 };
                self.0.send((thread::current().id(), seen)).unwrap();
            }
        }
        let (begun, begins) = mpsc::channel();
        let probe = Probe(dropped);
        let call = caller.call_using_backend(AsyncStd::new(), async move || {
            let _probe = probe;
            NUMBER.with(|own| own.set(7));
            begun.send(()).unwrap();
            task::sleep(Duration::from_secs(3600)).await;
        });
        (call.unwrap(), begins)
    }

    #[test]
    fn gst_04_stopping_with_guests_outstanding() {
        for stops in [true, false].repeat(10) {
            let caller = caller();
            let here = caller.call_soon(async || thread::current().id()).wait_blocking().unwrap();
            let (sender, dropped) = mpsc::channel();
            let (call, begins) = outstanding(&caller, sender);
            receive(&begins);
            if stops {
                caller.force_stop();
                let stopped = caller.stopped();
                in_time(move || stopped.blocking()).unwrap();
                all_closed([call]);
            } else {
                call.cancel("enough");
                assert!(call.wait().timeout(PATIENCE).blocking().unwrap_err().is_cancelled());
            }
            assert_eq!(receive(&dropped), (here, 7), "in its own task");
        }
    }

    #[test]
    fn gst_04_leaving_with_guests_outstanding() {
        for _ in 0..10 {
            let (caller, here, calls, dropped) = in_time(|| {
                let left = crate::loops::runtime().block_on(Caller::scope(Tokio::new(), async |caller| {
                    let (sender, dropped) = mpsc::channel();
                    let (call, begins) = outstanding(&caller, sender);
                    while begins.try_recv().is_err() {
                        tokio::task::yield_now().await;
                    }
                    let late = caller.call_using_backend(AsyncStd::new(), async || ()).unwrap();
                    (caller, thread::current().id(), [call, late], dropped)
                }));
                left.unwrap()
            });
            assert_eq!(caller.state(), CallerState::Stopped);
            assert!(caller.stopped().is_past());
            all_closed(calls);
            assert_eq!(dropped.try_iter().collect::<Vec<_>>(), [(here, 7)], "in its own task");
        }
    }
}
