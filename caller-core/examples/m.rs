use caller::{Caller, testing::Manual};
use std::time::Duration;
fn main() -> caller::Result<()> {
    for i in 0..2000 {
        let manual = Manual::new();
        let caller = Caller::builder().backend(manual.clone()).spawn()?;
        let later = caller.call_later(Duration::from_secs(3600), async || "an hour has gone by");
        manual.advance(Duration::from_secs(3600));
        assert_eq!(later.wait_blocking()?, "an hour has gone by");
        caller.stop();
        caller.stopped().blocking();
        if i % 500 == 0 {
            println!("{i}");
        }
    }
    Ok(())
}
