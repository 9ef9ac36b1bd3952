//! Why what came is not a message.

/// Frames are not a message of the Jupyter protocol, or not one that was signed for this kernel.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// There is no `<IDS|MSG>` frame, which ends the routing identities.
    #[error("no `<IDS|MSG>` frame among {frames} frames, send one before the signature")]
    #[non_exhaustive]
    NoDelimiter {
        /// How many frames came.
        frames: usize,
    },
    /// After the delimiter there are fewer than signature, header, parent header, metadata and content.
    #[error("{frames} frames after the delimiter, send five at least")]
    #[non_exhaustive]
    TooFewFrames {
        /// How many frames came after the delimiter.
        frames: usize,
    },
    /// After the delimiter there is no signature with one content.
    #[error("no content after the signature, send one")]
    NoContent,
    /// The signature is missing, or was not made with the key of this kernel.
    #[error("the signature does not match, sign with the key of the connection file")]
    BadSignature,
    /// The same message came before: somebody may be repeating what they overheard.
    #[error("the signature was seen before, sign each message anew with its own msg_id")]
    ReplayedSignature,
    /// A part is not JSON.
    #[error("the {part} is not json: {source}")]
    #[non_exhaustive]
    Json {
        /// Which part: `header`, `parent_header`, `metadata` or `content`.
        part: &'static str,
        /// What is wrong with it, and where.
        source: serde_json::Error,
    },
    /// A part is JSON, but no object.
    #[error("the {part} is no json object, send `{{}}` for an empty one")]
    #[non_exhaustive]
    NotAnObject {
        /// Which part: `header`, `parent_header`, `metadata` or `content`.
        part: &'static str,
    },
}
