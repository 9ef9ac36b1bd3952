//! `usage_request`: what the kernel and its machine use. It is not in the protocol; the answer is as that of ipykernel,
//! for the front ends that show it.

use crate::{
    kernel::{request::Request, shared::Shared},
    shell::CellError,
};

/// Answers it.
pub(crate) fn answer(shared: &Shared, mut request: Request) {
    request.begin();
    match shared.usage.measure() {
        Ok(usage) => request.reply(&usage),
        Err(error) => request.fail(&CellError::new("UsageError", error.to_string())),
    }
}
