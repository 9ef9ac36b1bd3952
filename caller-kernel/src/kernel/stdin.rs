//! Questions to the user, and their answers.
//!
//! See [messages on the stdin channel][stdin].
//!
//! [stdin]: https://jupyter-client.readthedocs.io/en/stable/messaging.html#messages-on-the-stdin-router-dealer-channel

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use caller::{Pending, Resolver};
use serde::Deserialize;
use serde_json::json;

use crate::{
    sockets::ChannelSender,
    wire::{Json, Message, or_default},
};

/// How long a client that was asked may be away: the library of most clients tries again after a tenth of it.
const PATIENCE: Duration = Duration::from_secs(1);

/// Why a cell got no input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InputError {
    /// The request of the cell says that its front end cannot be asked.
    #[error("this front end takes no requests for input; run the cell from one that does")]
    NotAllowed,
    /// The front end that sent the cell has no stdin channel, or left it and did not come back within a second.
    #[error("the front end that sent the cell does not listen for requests for input")]
    NoClient,
}

/// All questions without an answer.
pub(crate) struct Stdin {
    sender: ChannelSender,
    asked: Mutex<Vec<Question>>,
}

struct Question {
    msg_id: String,
    client: Vec<Bytes>,
    answer: Resolver<String>,
}

#[derive(Deserialize)]
struct InputReply {
    #[serde(default, deserialize_with = "or_default")]
    value: String,
}

impl Stdin {
    pub(crate) fn new(sender: ChannelSender) -> Self {
        Self { sender, asked: Mutex::default() }
    }

    /// Asks one client.
    pub(crate) fn ask(
        &self,
        client: &[Bytes],
        parent: &Json,
        prompt: &str,
        password: bool,
    ) -> Pending<String> {
        let (answer, pending) = Resolver::new();
        let content = json!({ "prompt": prompt, "password": password });
        let mut request = match self.sender.session().message("input_request", parent, &content) {
            Ok(request) => request,
            Err(error) => {
                answer.fail(error);
                return pending;
            }
        };
        request.identities = client.to_vec();
        let msg_id = request.header.msg_id().to_owned();
        // Known before it is sent: the answer may be fast.
        let mut asked = self.asked();
        // Those that nobody waits for any more.
        let gone: Vec<_> = asked.extract_if(.., |question| question.answer.is_done()).collect();
        asked.push(Question { msg_id: msg_id.clone(), client: client.to_vec(), answer });
        drop(asked);
        drop(gone);
        if !self.sender.send(&request)
            && let Some(question) = self.take(|question| question.msg_id == msg_id)
        {
            question.answer.fail(InputError::NoClient);
        }
        pending
    }

    /// Takes an `input_reply`. One that answers nothing is passed over.
    pub(crate) fn answer(&self, reply: &Message) {
        #[derive(Default, Deserialize)]
        struct Parent {
            #[serde(default, deserialize_with = "or_default")]
            msg_id: String,
        }
        let parent: Parent = reply.parent_header.read().unwrap_or_default();
        // Some clients name no parent; then it is the oldest question to that client which is still of interest.
        let question = self.take(|question| {
            question.client == reply.identities
                && !question.answer.is_done()
                && (parent.msg_id.is_empty() || parent.msg_id == question.msg_id)
        });
        match (question, reply.content.read::<InputReply>()) {
            (Some(question), Ok(InputReply { value })) => drop(question.answer.resolve(value)),
            (Some(question), Err(error)) => drop(question.answer.fail(error)),
            (None, _) => tracing::debug!("an answer to no question was passed over"),
        }
    }

    /// Fails questions to clients that leave and do not come back. Who does within a moment has the same identity, and may
    /// answer.
    pub(crate) async fn watch(&self) {
        loop {
            self.sender.client_left().await;
            let alone = self.alone();
            if alone.is_empty() {
                continue;
            }
            tokio::time::sleep(PATIENCE).await;
            for msg_id in self.alone().into_iter().filter(|msg_id| alone.contains(msg_id)) {
                if let Some(question) = self.take(|question| question.msg_id == msg_id) {
                    question.answer.fail(InputError::NoClient);
                }
            }
        }
    }

    /// The questions whose clients are not there.
    fn alone(&self) -> Vec<String> {
        let asked = self.asked();
        let alone = asked.iter().filter(|question| !self.sender.has(&question.client));
        alone.map(|question| question.msg_id.clone()).collect()
    }

    fn take(&self, which: impl Fn(&Question) -> bool) -> Option<Question> {
        let mut asked = self.asked();
        let at = asked.iter().position(which)?;
        Some(asked.remove(at))
    }

    fn asked(&self) -> MutexGuard<'_, Vec<Question>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
