//! From the sockets to the handlers.

use std::sync::Arc;

use caller::{Caller, Pending, Queue};
use serde::Deserialize;

use super::{
    handlers::{
        comm, control,
        execute::{self, Execute, Job},
        history, kernel_info, usage,
    },
    request::Request,
    shared::Shared,
    shell_queues::{OtherShells, ShellQueues},
    subshells, thread_cells,
};
use crate::{
    shell::{CellError, Mode, RunMode, ShellHandle, unknown_caller},
    sockets::{Channel, IoPub},
    wire::{Message, or_default},
    zmtp::Subscription,
};

/// Hands each request to the queue of its group.
///
/// Requests are read in the thread of the sockets, on all channels alike: none waits for a cell that computes, except those
/// whose queue is in the thread of its shell.
pub(crate) struct Dispatch {
    shared: Arc<Shared>,
    main: Arc<ShellQueues>,
    others: Arc<OtherShells>,
    info: Queue<Request>,
    history: Queue<Request>,
    control: Queue<Request>,
    subshells: Queue<Request>,
}

impl Dispatch {
    pub(crate) fn new(shared: &Arc<Shared>, handle: Arc<ShellHandle>) -> Arc<Self> {
        let (main, others) = (ShellQueues::new(shared, handle), Arc::new(OtherShells::default()));
        let caller = &shared.control;
        let own = || Arc::clone(shared);
        let info = own();
        let info = caller.queue(async move |request| kernel_info::answer(&info, request));
        let history = own();
        let history = caller.queue(async move |request| history::answer(&history, request).await);
        let shared = own();
        let control = caller.queue(async move |request: Request| match request.msg_type() {
            "interrupt_request" => control::interrupt(&shared, request),
            "shutdown_request" => control::shut_down(&shared, request),
            _ => usage::answer(&shared, request),
        });
        let (shared, all, handle) = (own(), Arc::clone(&others), Arc::clone(main.handle()));
        let subshells =
            caller.queue(async move |request| subshells::handle(&shared, &all, &handle, request).await);
        Arc::new(Self { shared: own(), main, others, info, history, control, subshells })
    }

    /// Reads requests for as long as the sockets are open.
    pub(crate) async fn read(self: Arc<Self>, mut channel: Channel) {
        let sender = channel.sender().clone();
        while let Some(message) = channel.recv().await {
            self.route(Request::new(message, sender.clone(), &self.shared));
        }
    }

    /// Reads the answers of users for as long as the sockets are open.
    pub(crate) async fn read_stdin(self: Arc<Self>, mut channel: Channel) {
        while let Some(message) = channel.recv().await {
            match message.msg_type() {
                "input_reply" => self.shared.stdin.answer(&message),
                other => tracing::warn!(msg_type = other, "a message on stdin that is no answer"),
            }
        }
    }

    fn route(&self, request: Request) {
        let queue = match request.msg_type() {
            "kernel_info_request" => &self.info,
            "history_request" => &self.history,
            "interrupt_request" | "shutdown_request" | "usage_request" => &self.control,
            "create_subshell_request" | "list_subshell_request" | "delete_subshell_request" => {
                &self.subshells
            }
            "execute_request" => return self.execute(request),
            "complete_request" | "inspect_request" | "is_complete_request" => {
                return self.to_shell(request, |queues| &queues.questions);
            }
            "comm_open" | "comm_info_request" => return self.to_shell(request, |queues| &queues.comms),
            "comm_msg" | "comm_close" => return self.to_comm(request),
            other => {
                tracing::warn!(msg_type = other, "a message of an unknown type");
                return request.end();
            }
        };
        put(queue, request);
    }

    /// The queues that a request is for.
    fn queues(&self, message: &Message) -> Result<Arc<ShellQueues>, CellError> {
        match message.header.subshell_id() {
            None => Ok(Arc::clone(&self.main)),
            Some(id) => self.others.subshell(id).ok_or_else(|| subshells::unknown(id)),
        }
    }

    fn to_shell(&self, request: Request, queue: fn(&ShellQueues) -> &Queue<Request>) {
        match self.queues(&request.message) {
            Ok(queues) => put(queue(&queues), request),
            Err(error) => request.fail(&error),
        }
    }

    /// To the shell that has the comm, whichever subshell is named: front ends send on comms by subshells of their own.
    fn to_comm(&self, request: Request) {
        let shell = comm::comm_id(&request).and_then(|id| self.shared.comms.shell_of(&id));
        let queues = shell.and_then(|shell| self.others.of_shell(shell));
        put(&queues.as_ref().unwrap_or(&self.main).comms, request);
    }

    fn execute(&self, request: Request) {
        #[derive(Default, Deserialize)]
        struct Metadata {
            #[serde(default, deserialize_with = "or_default")]
            tags: Vec<String>,
        }
        // Tags that are no texts are not ours.
        let Metadata { tags } = request.message.metadata.read().unwrap_or_default();
        let content: Execute = match request.content() {
            Ok(content) => content,
            Err(error) => return request.fail(&error),
        };
        let queues = match self.queues(&request.message) {
            Ok(queues) => queues,
            Err(error) => return request.fail(&error),
        };
        // A cell that says wrongly how it is to run fails in the order of the others.
        let read = RunMode::read(&content.code, &tags).and_then(|run_mode| match &run_mode.mode {
            Mode::Caller(name) => Ok((self.caller(name)?, run_mode)),
            _ => Ok((Arc::clone(&queues), run_mode)),
        });
        let ((queues, RunMode { mode, timeout }), refusal) = match read {
            Ok(read) => (read, None),
            Err(error) => ((queues, RunMode::default()), Some(error)),
        };
        let job = Job {
            request,
            content,
            timeout: timeout.unwrap_or(self.shared.cell_timeout),
            refusal,
            interrupts: self.shared.interrupts(),
            in_order: matches!(mode, Mode::Queue | Mode::Caller(_)),
            running: self.shared.running.begin(),
            _open: self.shared.open.begin(),
        };
        match mode {
            Mode::Queue | Mode::Caller(_) => {
                if let Err((job, _closed)) = queues.cells.call(job) {
                    let text = format!("the caller `{}` has stopped", queues.handle().caller().name());
                    job.request.fail(&CellError::new("Stopped", text));
                }
            }
            Mode::Task => {
                let (shared, shell) = (Arc::clone(&self.shared), Arc::clone(&queues.shell));
                let caller = shell.handle.caller().clone();
                drop(caller.call_soon(async move || execute::execute(&shared, &shell, job).await));
            }
            Mode::Thread(name) => thread_cells::run(&self.shared, &self.others, queues.handle(), name, job),
        }
    }

    /// The queues of the shell in the thread of one of the program's callers.
    fn caller(&self, name: &str) -> Result<Arc<ShellQueues>, CellError> {
        let shared = &self.shared;
        let caller = shared.callers.get(name).ok_or_else(|| unknown_caller(name, shared.callers.keys()))?;
        Ok(self.others.caller(name, || {
            let (handle, made) = ShellHandle::resident(caller, &shared.language, shared.open.begin());
            // What runs there finds out by itself why there is no shell.
            drop(made);
            ShellQueues::new(shared, handle)
        }))
    }
}

impl Drop for Dispatch {
    fn drop(&mut self) {
        // In callers of the program nothing else ends what was begun there.
        self.others.clear();
    }
}

/// Queues a request. Where the caller of the queue has stopped, the request says so as it is dropped.
fn put(queue: &Queue<Request>, request: Request) {
    drop(queue.call(request));
}

/// Welcomes subscribers for as long as the sockets are open.
pub(crate) async fn welcome(iopub: IoPub, mut subscriptions: tokio::sync::mpsc::Receiver<Subscription>) {
    while let Some(subscription) = subscriptions.recv().await {
        iopub.welcome(&subscription);
    }
}

/// Starts reading, in the thread of the sockets. Who cancels these lets go of all shells.
pub(crate) fn start(
    sockets: &Caller,
    dispatch: &Arc<Dispatch>,
    [shell, control]: [Channel; 2],
    stdin: Channel,
) -> [Pending<()>; 3] {
    let own = || Arc::clone(dispatch);
    let (urgent, requests, answers) = (own(), own(), own());
    let shared = Arc::clone(&dispatch.shared);
    drop(shared.control.clone().call_soon(async move || shared.stdin.watch().await));
    [
        sockets.call_soon(async move || urgent.read(control).await),
        sockets.call_soon(async move || requests.read(shell).await),
        sockets.call_soon(async move || answers.read_stdin(stdin).await),
    ]
}
