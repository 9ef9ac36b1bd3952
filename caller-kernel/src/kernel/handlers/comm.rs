//! [`comm_open`, `comm_msg`, `comm_close`][comms] and [`comm_info_request`].
//!
//! [comms]: https://jupyter-client.readthedocs.io/en/stable/messaging.html#custom-messages
//! [`comm_info_request`]: https://jupyter-client.readthedocs.io/en/stable/messaging.html#comm-info

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    kernel::{output::CellOutput, request::Request, shared::Shared},
    shell::{CellError, CommMessage, OUTPUT, Output, ShellHandle, guarded},
    wire::or_default,
};

#[derive(Deserialize)]
struct Comm {
    comm_id: String,
    #[serde(default, deserialize_with = "or_default")]
    target_name: String,
    #[serde(default)]
    data: Value,
}

/// The id of the comm that a message is about.
pub(crate) fn comm_id(request: &Request) -> Option<String> {
    #[derive(Deserialize)]
    struct Id {
        comm_id: String,
    }
    Some(request.message.content.read::<Id>().ok()?.comm_id)
}

/// Hands a message to the handlers of a comm, in the thread of their shell.
pub(crate) async fn handle(shared: &Arc<Shared>, handle: &Arc<ShellHandle>, mut request: Request) {
    request.begin();
    if request.msg_type() == "comm_info_request" {
        return info(shared, request);
    }
    let read = request.content().and_then(|comm: Comm| Ok((comm, handle.shell()?)));
    let (Comm { comm_id: id, target_name: target, data }, shell) = match read {
        Ok(read) => read,
        Err(error) => return request.fail(&error),
    };
    let message = CommMessage {
        data,
        metadata: request.message.metadata.read().unwrap_or_default(),
        buffers: request.message.buffers.iter().map(|buffer| buffer.to_vec()).collect(),
    };
    // An interrupt is meant for it.
    let running = shared.running.begin();
    // What the handler prints and displays belongs to the message.
    let output = CellOutput::new(shared, handle.id(), request.parent(), None);
    let handled = OUTPUT
        .scope(output.clone(), async {
            match request.msg_type() {
                "comm_open" => {
                    // Known at once: the handler may look for itself.
                    shared.comms.opened(&id, &target, handle.id());
                    let opened = guarded(|| {
                        let opened = shell.comm_open(&id, &target, message);
                        Box::pin(async { Ok::<_, CellError>(opened.await) })
                    });
                    let opened = opened.await;
                    if !matches!(opened, Ok(true)) {
                        output.comm_close(&id, CommMessage::new(Map::new()));
                    }
                    opened.map(drop)
                }
                "comm_msg" => {
                    guarded(|| {
                        let received = shell.comm_message(&id, message);
                        Box::pin(async {
                            received.await;
                            Ok(())
                        })
                    })
                    .await
                }
                _ => {
                    shared.comms.closed(&id);
                    guarded(|| {
                        let closed = shell.comm_close(&id, message);
                        Box::pin(async {
                            closed.await;
                            Ok(())
                        })
                    })
                    .await
                }
            }
        })
        .await;
    output.flush();
    // Before anybody is told.
    drop(running);
    match handled {
        Ok(()) => request.end(),
        Err(error) => request.fail(&error),
    }
}

fn info(shared: &Shared, request: Request) {
    #[derive(Deserialize)]
    struct Info {
        #[serde(default)]
        target_name: Option<String>,
    }
    match request.content::<Info>() {
        Ok(Info { target_name }) => {
            // An empty name asks for all, as clients send it that know of no target.
            let target = target_name.as_deref().filter(|name| !name.is_empty());
            let comms = shared.comms.list(target).into_iter();
            let comms: Map<_, _> = comms.map(|(id, target)| (id, json!({ "target_name": target }))).collect();
            request.reply(&json!({ "status": "ok", "comms": comms }));
        }
        Err(error) => request.fail(&error),
    }
}
