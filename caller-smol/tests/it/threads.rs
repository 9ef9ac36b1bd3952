//! What happens where the operating system gives no thread.

use caller::{Caller, testing::Process};
use caller_smol::Smol;
use caller_tokio::Tokio;
use nix::{
    sys::resource::{Resource, setrlimit},
    unistd::{Uid, setuid},
};

/// From here on no thread can be had in this process.
fn take_threads_away() {
    if Uid::effective().is_root() {
        // The limit is not for root: nobody has it.
        setuid(Uid::from_raw(65_534)).unwrap();
    }
    setrlimit(Resource::RLIMIT_NPROC, 1, 1).unwrap();
    assert!(std::thread::Builder::new().spawn(|| ()).is_err());
}

#[test]
fn a_caller_that_gets_no_thread_is_an_error() {
    Process::of(concat!(module_path!(), "::a_caller_that_gets_no_thread_is_an_error")).run(|| {
        take_threads_away();
        let ran = Caller::builder().backend(Smol::new()).run(async |_| ());
        assert!(ran.unwrap_err().is_start());
    });
}

#[test]
fn a_guest_that_gets_no_thread_is_an_error() {
    Process::of(concat!(module_path!(), "::a_guest_that_gets_no_thread_is_an_error")).run(|| {
        take_threads_away();
        let ran = Caller::builder().backend(Tokio::new()).run(async |here: Caller| {
            let call = here.call_using_backend(Smol::new(), async || 1).unwrap();
            (call.await, here.call_soon(async || 2).await.unwrap())
        });
        let (guest, own) = ran.unwrap();
        assert!(guest.unwrap_err().is_failed());
        assert_eq!(own, 2);
    });
}
