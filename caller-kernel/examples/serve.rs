//! A process that is nothing but a kernel: started by a front end, or beside one.
//!
//! ```text
//! cargo run -p caller-kernel --example serve -- kernel.json
//! jupyter console --existing ./kernel.json
//! ```

use std::{env, error::Error};

use caller_kernel::Kernel;

fn main() -> Result<(), Box<dyn Error>> {
    let path = env::args_os().nth(1).ok_or("name the connection file to use or to write")?;
    let mut builder = Kernel::builder().connection_file(path);
    if let Some(history) = env::var_os("SERVE_HISTORY") {
        builder = builder.history(history);
    }
    let kernel = builder.start()?;
    kernel.stop_on_signals()?;
    kernel.stopped().blocking()?;
    Ok(())
}
