//! `#[caller::main]` and `#[caller::test]`.

use std::{cell::Cell, future::pending, rc::Rc, time::Duration};

use caller::{BoxError, Caller, Host, LocalFuture, current_host, testing::Manual};
use caller_tokio::Tokio;

#[caller::main(backend = Tokio::new())]
async fn program() -> Result<String, Box<dyn std::error::Error>> {
    tokio::time::sleep(Duration::from_millis(1)).await;
    Ok(Caller::current()?.name().to_owned())
}

#[caller::main(backend = Manual::new(), name = format!("named {}", 1))]
async fn named() -> (String, &'static str) {
    let here = Caller::current().unwrap();
    (here.name().to_owned(), here.backend().name())
}

/// A host that is no more than an executor.
#[derive(Debug)]
struct Loop;

impl Host for Loop {
    fn name(&self) -> &'static str {
        "loop"
    }

    fn run(&self, program: LocalFuture<'static>) -> Result<(), BoxError> {
        futures::executor::block_on(program);
        Ok(())
    }
}

#[caller::main(host = Loop, backend = Tokio::new())]
async fn hosted() -> &'static str {
    tokio::time::sleep(Duration::from_millis(1)).await;
    current_host().unwrap().name()
}

#[caller::main(backend = Tokio::new())]
async fn panics() {
    let _here = Caller::current().unwrap();
    panic!("as it should")
}

struct Program;

impl Program {
    const NAME: &str = "Program";

    #[caller::main(backend = Tokio::new(), name = Self::NAME)]
    async fn start() -> (Self, String) {
        (Self, Self::NAME.to_owned() + Caller::current().unwrap().name())
    }
}

#[caller::main(backend = Tokio::new())]
async fn unnamed() -> impl Iterator<Item = u8> {
    #![allow(unused_variables, reason = "inner attributes are the body's")]
    let unused = 1;
    [1, 2].into_iter()
}

#[caller::main(backend = Tokio::new())]
async fn never() -> ! {
    tokio::task::yield_now().await;
    panic!("it ends")
}

#[caller::main(backend = Tokio::new())]
async fn turned() -> Result<Box<dyn Fn() -> u8>, BoxError> {
    if Program::NAME.is_empty() {
        return Err(Box::new(std::fmt::Error));
    }
    Ok(Box::new(|| 1))
}

#[deny(warnings)]
#[caller::main(backend = Tokio::new())]
async fn ends_early() -> u8 {
    return 1;
}

#[test]
fn main_is_a_function_as_others() {
    assert_eq!(Program::start().1, "ProgramProgram");
    assert_eq!(unnamed().sum::<u8>(), 3);
    assert_eq!(turned().unwrap()() + ends_early(), 2);
    assert!(std::panic::catch_unwind(|| never()).is_err());
}

#[test]
fn main_runs_its_body_on_a_caller_of_this_thread() {
    assert_eq!(program().unwrap(), "program");
    assert!(Caller::current().unwrap_err().is_no_caller(), "it ends with the body");
    assert_eq!(named(), ("named 1".to_owned(), "manual"));
    assert_eq!(hosted(), "loop");
    let payload = std::panic::catch_unwind(panics).unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"as it should"));
    assert!(Caller::current().is_err());
}

#[caller::test(backend = Tokio::new())]
async fn a_test_has_a_caller() -> caller::Result<()> {
    let here = Caller::current()?;
    let local = Rc::new(Cell::new(1));
    let shared = local.clone();
    here.call_soon_local(async move || shared.set(2))?.await?;
    assert_eq!((local.get(), here.backend().name(), here.name()), (2, "tokio", "a_test_has_a_caller"));
    Ok(())
}

#[caller::test(backends = [Tokio::new(), Manual::new(), no_io = Tokio::new().io(false)])]
async fn each() {
    let here = Caller::current().unwrap();
    let backend = match here.name() {
        "each_tokio" | "each_no_io" => "tokio",
        "each_manual" => "manual",
        other => panic!("{other}"),
    };
    assert_eq!(here.backend().name(), backend);
}

#[caller::test(backends = [Tokio::new(), Manual::new()])]
#[expect(unused_variables, reason = "the attributes of the function are those of each test")]
#[deny(warnings)]
async fn each_has_the_attributes() -> impl std::process::Termination {
    let unused = 1;
    Ok::<(), String>(())
}

#[caller::test(backend = Tokio::new())]
#[should_panic(expected = "the body")]
#[allow(clippy::unused_unit, reason = "it says what there is")]
async fn a_panic_fails_the_test() -> () {
    panic!("the body");
}

#[caller::test(backend = Tokio::new(), timeout = Duration::from_millis(50))]
#[should_panic(expected = "longer than 50ms")]
async fn a_test_that_awaits_for_ever_ends() {
    pending().await
}

#[caller::test(backend = Tokio::new(), timeout = Duration::from_millis(50))]
#[should_panic(expected = "a_test_that_blocks_for_ever_ends")]
async fn a_test_that_blocks_for_ever_ends() {
    // The table of callers in the message has its name.
    loop {
        std::thread::park();
    }
}

/// Is never dropped to the end.
struct Blocks;

impl Drop for Blocks {
    fn drop(&mut self) {
        loop {
            std::thread::park();
        }
    }
}

thread_local! {
    static BLOCKS: Cell<Option<Blocks>> = const { Cell::new(None) };
}

#[caller::test(backend = Tokio::new(), timeout = Duration::from_millis(200))]
#[should_panic(expected = "longer than 200ms")]
async fn a_test_whose_thread_does_not_end_ends() {
    BLOCKS.set(Some(Blocks));
}

#[test]
fn a_test_that_gives_an_error_fails() {
    #[caller::main(backend = Tokio::new())]
    async fn fails() -> Result<(), &'static str> {
        Err("it does")
    }
    assert_eq!(fails(), Err("it does"));
    let code = caller::__private::test(Tokio::new(), "fails", Duration::from_secs(5), async || {
        Result::<(), &str>::Err("told on stderr")
    });
    assert_eq!(format!("{code:?}"), format!("{:?}", std::process::ExitCode::FAILURE));
}
