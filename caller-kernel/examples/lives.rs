//! A program that outlives its kernels: it starts and stops them as it is told by lines on its standard input.
//!
//! ```text
//! cargo run -p caller-kernel --example lives
//! start kernel.json
//! stop
//! ```
//!
//! `start FILE` starts a kernel, `stop` stops it, `wait` waits until a front end has shut it down, `current` says where it
//! listens. Each is answered by one line. The program ends with its input, by `start quiet=false FILE` it prints what cells
//! print.
//!
//! Cells have `helper.show(text)`, which displays from a thread of its own, `helper.name()`, `write_lines(lines)`, which
//! writes them to the kernel's stdout at once, `is_terminal()`, and `broken()`, which panics.

use caller::Caller;
use caller_kernel::{
    Kernel, KernelError,
    lua::Exposed,
    shell::{Display, MimeBundle, Output},
};
use caller_tokio::Tokio;
use std::{error::Error, io, thread};

fn exposed(helper: &Caller) -> Exposed {
    let of_the_helper = Exposed::new()
        .try_function("helper.show", "helper.show(text)\nDisplays it.", |text: String| {
            let output = <dyn Output>::current().ok_or("this runs for no cell")?;
            let html = format!("<b>{text}</b>");
            let bundle = MimeBundle::text(text).with("text/html", html);
            output.display(Display { bundle, ..Display::default() });
            Ok::<_, Box<dyn Error + Send + Sync>>(())
        })
        .function("helper.name", "helper.name()\nThe name of its thread.", |()| {
            thread::current().name().unwrap_or_default().to_owned()
        });
    Exposed::new()
        .on(helper, of_the_helper)
        .try_function("write_lines", "write_lines(lines)\nWrites them.", |lines: Vec<String>| {
            Kernel::current()?.stdout().write_many(lines)?;
            Ok::<_, Box<dyn Error + Send + Sync>>(())
        })
        .try_function("is_terminal", "is_terminal()\nWhether stdout counts as one.", |()| {
            Kernel::current().map(|kernel| kernel.stdout().is_terminal())
        })
        .function("broken", "broken()\nPanics.", |()| -> i64 { panic!("this function is broken") })
}

/// Does what a line says.
fn obey(line: &str, exposed: &Exposed) -> Result<String, KernelError> {
    match line.split_once(' ') {
        Some(("start", file)) => {
            let loud = file.strip_prefix("quiet=false ");
            let builder = Kernel::builder().expose(exposed.clone()).quiet(loud.is_none());
            let kernel = builder.connection_file(loud.unwrap_or(file)).start()?;
            Ok(format!("started at port {}", kernel.connection().shell_port))
        }
        None if line == "current" => {
            Ok(format!("listening at port {}", Kernel::current()?.connection().shell_port))
        }
        None if line == "stop" || line == "wait" => {
            let kernel = Kernel::current()?;
            if line == "stop" {
                kernel.stop();
            }
            kernel.stopped().blocking().map_err(KernelError::Caller)?;
            Ok("stopped".to_owned())
        }
        _ => Ok("say `start FILE`, `stop`, `wait` or `current`".to_owned()),
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let helper = Caller::builder().name("helper").backend(Tokio::new()).spawn()?;
    let exposed = exposed(&helper);
    for line in io::stdin().lines() {
        match obey(line?.trim(), &exposed) {
            Ok(answer) => println!("{answer}"),
            Err(error) => println!("error: {error}"),
        }
    }
    Ok(())
}
