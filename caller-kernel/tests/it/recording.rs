//! A front end that writes down what it is told.

use std::{
    collections::VecDeque,
    fmt::Write,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use caller::{Pending, Resolver};
use caller_kernel::shell::{CommMessage, Display, MimeBundle, Output, Stream};

/// Writes down what it is told, a line each, and answers what it is asked.
#[derive(Default)]
pub(crate) struct Recording(Mutex<State>);

#[derive(Default)]
struct State {
    lines: Vec<String>,
    answers: VecDeque<String>,
    /// Questions without an answer.
    asked: Vec<Resolver<String>>,
}

impl Recording {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn answer(&self, text: &str) {
        self.state().answers.push_back(text.to_owned());
    }

    /// What was written down since the last time.
    pub(crate) fn take(&self) -> String {
        mem::take(&mut self.state().lines).join("\n")
    }

    pub(crate) fn put(&self, line: String) {
        self.state().lines.push(line);
    }
}

/// A bundle in one line, with a made-up id not shown.
pub(crate) fn bundle(bundle: &MimeBundle) -> String {
    let mut text = String::new();
    for (mime, data) in &bundle.data {
        match data.as_str() {
            Some(data) if mime == "text/plain" => write!(text, " {data}").unwrap(),
            Some(data) => write!(text, " [{mime}: {data}]").unwrap(),
            None => write!(text, " [{mime}: {data}]").unwrap(),
        }
    }
    text
}

impl Output for Recording {
    fn stream(&self, stream: Stream, text: &str) {
        let mut state = self.state();
        let mark = format!("{stream}: ");
        // As the kernel will: texts of one stream run together.
        match state.lines.last_mut() {
            Some(last) if last.starts_with(&mark) && last.ends_with('⏎') => {
                last.pop();
                last.push('\n');
                last.push_str(&text.replace('\n', "⏎"));
            }
            _ => state.lines.push(format!("{mark}{}", text.replace('\n', "⏎"))),
        }
    }

    fn display(&self, display: Display) {
        let verb = if display.update { "update" } else { "display" };
        let id = match &display.id {
            Some(id) if id.starts_with("lua-") => " (id)".to_owned(),
            Some(id) => format!(" ({id})"),
            None => String::new(),
        };
        self.put(format!("{verb}{id}:{}", bundle(&display.bundle)));
    }

    fn clear_output(&self, wait: bool) {
        self.put(format!("clear: wait={wait}"));
    }

    fn input(&self, prompt: &str, password: bool) -> Pending<String> {
        let kind = if password { "password" } else { "input" };
        self.put(format!("{kind}: {prompt}"));
        let (resolver, pending) = Resolver::new();
        let answer = self.state().answers.pop_front();
        match answer {
            Some(answer) => resolver.resolve(answer).unwrap(),
            None => self.state().asked.push(resolver),
        }
        pending
    }

    fn comm_open(&self, id: &str, target: &str, message: CommMessage) {
        let id = if id.starts_with("lua-") { "…" } else { id };
        self.put(format!("comm_open: {id} {target} {}", message.data));
    }

    fn comm_message(&self, id: &str, message: CommMessage) {
        let id = if id.starts_with("lua-") { "…" } else { id };
        self.put(format!("comm_msg: {id} {} +{}", message.data, message.buffers.len()));
    }

    fn comm_close(&self, id: &str, message: CommMessage) {
        let id = if id.starts_with("lua-") { "…" } else { id };
        self.put(format!("comm_close: {id} {}", message.data));
    }
}
