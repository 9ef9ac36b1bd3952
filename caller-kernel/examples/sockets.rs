//! The least that a front end takes for a kernel: it says what it is, and prints what a cell tells it to.
//!
//! ```text
//! cargo run -p caller-kernel --example sockets -- kernel.json
//! jupyter console --existing ./kernel.json
//! ```
//!
//! The file may be a registration file too: then the ports are told to who waits there, and written to a file beside it.
//! With CURVE keys in the file, it takes the feature `curve`.
//!
//! A cell `flood 1000` prints a thousand lines, any other prints itself.

use caller_kernel::{Channel, Class, Connection, IoPub, Message, Registration, Sockets};
use serde_json::{Value, json};
use std::{env, error::Error, path::Path, time::Duration};
use tokio::runtime;

fn main() -> Result<(), Box<dyn Error>> {
    let path = env::args_os().nth(1).ok_or("name the connection file to use or to write")?;
    runtime::Builder::new_current_thread().enable_all().build()?.block_on(serve(path.as_ref()))
}

async fn serve(path: &Path) -> Result<(), Box<dyn Error>> {
    let registration = if path.exists() { Registration::read(path)? } else { None };
    let wanted = match &registration {
        Some(registration) => registration.connection(),
        None if path.exists() => Connection::read(path)?,
        None => Connection::new(),
    };
    let mut sockets = Sockets::bind(wanted).await?;
    let connection = sockets.closer.connection();
    match &registration {
        Some(registration) => {
            connection.write(path.with_extension("connection.json"))?;
            registration.register(connection, Duration::from_secs(10)).await?;
        }
        None => connection.write(path)?,
    }
    let mut count = 0;
    loop {
        tokio::select! {
            Some(subscription) = sockets.subscriptions.recv() => sockets.iopub.welcome(&subscription),
            Some(request) = sockets.shell.recv() => handle(&sockets.shell, &sockets.iopub, &request, &mut count)?,
            Some(request) = sockets.control.recv() => {
                handle(&sockets.control, &sockets.iopub, &request, &mut count)?;
                if request.msg_type() == "shutdown_request" {
                    break;
                }
            }
        }
    }
    sockets.closer.close().await;
    Ok(())
}

/// Answers one request: busy, output, reply, idle.
fn handle(
    channel: &Channel,
    iopub: &IoPub,
    request: &Message,
    count: &mut u64,
) -> Result<(), Box<dyn Error>> {
    let publish = |msg_type: &str, content: Value, class| -> serde_json::Result<()> {
        let message = iopub.session().message(msg_type, request.header.json(), &content)?;
        iopub.publish(&message.on_topic(msg_type.to_owned()), class);
        Ok(())
    };
    publish("status", json!({"execution_state": "busy"}), Class::Essential)?;
    let content: Value = request.content.read()?;
    let reply = match request.msg_type() {
        "kernel_info_request" => json!({
            "status": "ok", "protocol_version": "5.5", "implementation": "sockets",
            "implementation_version": "0", "language_info": {"name": "text", "version": "0",
            "mimetype": "text/plain", "file_extension": ".txt"}, "banner": "", "help_links": [],
        }),
        "execute_request" => {
            *count += 1;
            let code = content["code"].as_str().unwrap_or_default();
            publish("execute_input", json!({"code": code, "execution_count": *count}), Class::Essential)?;
            let lines = code.strip_prefix("flood ").map_or(Ok(1), str::parse)?;
            for line in 0..lines {
                let text = if lines == 1 { code.to_owned() } else { format!("{line}\n") };
                publish("stream", json!({"name": "stdout", "text": text}), Class::Stream)?;
            }
            json!({"status": "ok", "execution_count": *count, "user_expressions": {}})
        }
        "shutdown_request" => json!({"status": "ok", "restart": content["restart"]}),
        _ => json!({"status": "ok"}),
    };
    let msg_type = request.msg_type().replace("_request", "_reply");
    channel.sender().send(&channel.sender().session().reply(request, &msg_type, &reply)?);
    iopub.tell_dropped();
    publish("status", json!({"execution_state": "idle"}), Class::Essential)?;
    Ok(())
}
