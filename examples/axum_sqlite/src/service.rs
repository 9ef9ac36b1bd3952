//! What clients ask for.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use caller::Wait;
use serde::Serialize;

use crate::store::{Note, StoreHandle, is_interrupt};

/// The routes:
///
/// - `GET /notes`: all notes
/// - `POST /notes`: adds the body as a note, and gives its number; finished though the client leaves
/// - `GET /count/{limit}`: counts so far in SQL, slowly
/// - `GET /status`: what happened so far, without asking the database
pub fn router(store: StoreHandle) -> Router {
    Router::new()
        .route("/notes", get(notes).post(add))
        .route("/count/{limit}", get(count))
        .route("/status", get(status))
        .with_state(Service { store, status: Arc::default() })
}

/// The state of the service: `Send`, `Sync` and `Clone`, though the connection is not.
#[derive(Clone)]
struct Service {
    store: StoreHandle,
    status: Arc<Status>,
}

#[derive(Default, Serialize)]
struct Status {
    /// Calls of the database that were made for clients.
    asked: AtomicUsize,
    /// Counts that began.
    begun: AtomicUsize,
    /// Counts that SQLite interrupted.
    interrupted: AtomicUsize,
    /// Clients that left before they had their answer.
    left: AtomicUsize,
}

async fn notes(State(service): State<Service>) -> Result<Json<Vec<Note>>, Failure> {
    service.answer(service.store.notes().wait()).await.map(Json)
}

async fn add(State(service): State<Service>, text: String) -> Result<(StatusCode, Json<i64>), Failure> {
    // Dropping this wait does not cancel the call.
    let id = service.answer(service.store.add(text).wait().protect()).await?;
    Ok((StatusCode::CREATED, Json(id)))
}

async fn count(State(service): State<Service>, Path(limit): Path<i64>) -> Result<Json<i64>, Failure> {
    let status = service.status.clone();
    // More than a method does, in the same call.
    let counted = service.store.resident().try_call(async move |store| {
        status.begun.fetch_add(1, Ordering::Relaxed);
        let counted = store.count(limit);
        if counted.as_ref().is_err_and(is_interrupt) {
            status.interrupted.fetch_add(1, Ordering::Relaxed);
        }
        counted
    });
    service.answer(counted.wait()).await.map(Json)
}

async fn status(State(service): State<Service>) -> Response {
    Json(&*service.status).into_response()
}

impl Service {
    /// Waits for a call that was made. If the client leaves, this future is dropped, and with it the wait.
    async fn answer<T: Send + 'static>(&self, wait: Wait<T>) -> Result<T, Failure> {
        self.status.asked.fetch_add(1, Ordering::Relaxed);
        let mut left = Left(Some(&self.status));
        let answer = wait.await;
        left.0 = None;
        answer.map_err(Failure)
    }
}

/// Counts a client that left.
struct Left<'a>(Option<&'a Status>);

impl Drop for Left<'_> {
    fn drop(&mut self) {
        if let Some(status) = self.0 {
            status.left.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A call that gave no value.
struct Failure(caller::Error);

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let Self(error) = self;
        // The service stops.
        if error.is_closed() || error.is_cancelled() || error.downcast_ref().is_some_and(is_interrupt) {
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
        eprintln!("{error}");
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    }
}
