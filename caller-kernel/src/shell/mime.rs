//! Rich output: the same thing in several formats.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value};

/// Data by MIME type, as messages carry it: text, base64 text of binary formats, or JSON.
pub type Data = Map<String, Value>;

/// Whether data of this type is JSON, rather than text.
pub(crate) fn is_json(mime: &str) -> bool {
    mime == "application/json" || (mime.starts_with("application/") && mime.ends_with("+json"))
}

/// The same thing in several formats, of which a front end shows the best it knows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MimeBundle {
    /// The formats.
    pub data: Data,
    /// What is said about them, by MIME type or as a whole.
    pub metadata: Map<String, Value>,
}

impl MimeBundle {
    /// Plain text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::default().with("text/plain", text.into())
    }

    /// With one more format.
    #[must_use]
    pub fn with(mut self, mime: impl Into<String>, data: impl Into<Value>) -> Self {
        self.data.insert(mime.into(), data.into());
        self
    }

    /// With one more format, whose data is binary.
    #[must_use]
    pub fn with_bytes(self, mime: impl Into<String>, bytes: impl AsRef<[u8]>) -> Self {
        self.with(mime, STANDARD.encode(bytes))
    }

    /// Its plain text, if it has one.
    pub fn plain(&self) -> Option<&str> {
        self.data.get("text/plain")?.as_str()
    }
}
