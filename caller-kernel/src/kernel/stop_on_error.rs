//! What is not run because a cell before it failed.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use jiff::Timestamp;

use super::request::Request;

/// How long what was sent in one breath is on its way. Without a bound, a client that sets its clock back would have to wait
/// until it is as late as it was.
const BREATH: Duration = Duration::from_secs(1);

/// The last cell of a shell that failed and was to [stop on errors][execute].
///
/// Cells that were sent before that is known are not run. Those a client sends after it has seen the failure are, and
/// they may come at any time; so it is not enough to ask what has been read already: what was sent in the same breath as the
/// cell that failed may still be on its way. The dates of headers tell, by the clock of the client that set them.
///
/// [execute]: https://jupyter-client.readthedocs.io/en/stable/messaging.html#execute
#[derive(Default)]
pub(crate) struct LastFailure(Mutex<Option<Failure>>);

#[derive(Clone)]
struct Failure {
    at: Instant,
    at_date: Timestamp,
    session: String,
    /// When the cell that failed was sent, and when it was read.
    sent: Option<Timestamp>,
    received_date: Timestamp,
}

impl LastFailure {
    /// A cell failed now.
    pub(crate) fn note(&self, request: &Request) {
        let header = &request.message.header;
        let failure = Failure {
            at: Instant::now(),
            at_date: Timestamp::now(),
            session: header.session().to_owned(),
            sent: header.date().parse().ok(),
            received_date: request.received_date,
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
    }

    /// Whether a request was sent before its client could know.
    pub(crate) fn concerns(&self, request: &Request) -> bool {
        let failure = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(failure) = failure else { return false };
        if request.received <= failure.at {
            return true;
        }
        if request.received.duration_since(failure.at) > BREATH {
            return false;
        }
        let header = &request.message.header;
        let sent: Option<Timestamp> = header.date().parse().ok();
        let (Some(sent), Some(before)) = (sent, failure.sent) else { return false };
        // The clock of the client is this much behind ours, at most: the cell that failed was also on its way for some time.
        // So this errs on the side of running what the user sees to be sent later.
        let behind = failure.received_date.duration_since(before);
        header.session() == failure.session
            && sent.saturating_add(behind).is_ok_and(|sent| sent <= failure.at_date)
    }
}
