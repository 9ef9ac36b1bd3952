//! Headers: who said what, when.

use super::json::Json;
use serde::Serialize;
use serde_json::{Number, value::RawValue};
use std::collections::HashMap;

/// The header of a message. See [message header][header].
///
/// It is lenient: a field that is missing is empty, unknown fields are kept in the text.
///
/// [header]: https://jupyter-client.readthedocs.io/en/stable/messaging.html#message-header
#[derive(Clone, Debug)]
pub struct Header {
    json: Json,
    msg_type: String,
    msg_id: String,
    session: String,
    username: String,
    date: String,
    version: String,
    subshell_id: Option<String>,
}

/// The fields of a header that is made here.
#[derive(Serialize)]
pub(crate) struct Made<'a> {
    pub(crate) msg_id: String,
    pub(crate) session: &'a str,
    pub(crate) username: &'a str,
    pub(crate) date: String,
    pub(crate) msg_type: &'a str,
    pub(crate) version: &'a str,
}

impl Header {
    pub(crate) fn new(json: Json) -> Self {
        let mut fields: HashMap<String, Box<RawValue>> = json.read().unwrap_or_default();
        let mut field = |name: &str| fields.remove(name).and_then(|raw| text(&raw));
        Self {
            msg_type: field("msg_type").unwrap_or_default(),
            msg_id: field("msg_id").unwrap_or_default(),
            session: field("session").unwrap_or_default(),
            username: field("username").unwrap_or_default(),
            date: field("date").unwrap_or_default(),
            version: field("version").unwrap_or_default(),
            subshell_id: field("subshell_id"),
            json,
        }
    }

    /// A header of our own.
    pub(crate) fn made(fields: Made<'_>) -> serde_json::Result<Self> {
        Ok(Self {
            json: Json::new(&fields)?,
            msg_type: fields.msg_type.to_owned(),
            msg_id: fields.msg_id,
            session: fields.session.to_owned(),
            username: fields.username.to_owned(),
            date: fields.date,
            version: fields.version.to_owned(),
            subshell_id: None,
        })
    }

    /// The text, as the `parent_header` of what answers it.
    #[must_use]
    pub fn json(&self) -> &Json {
        &self.json
    }

    /// Which request, reply or event it is, such as `execute_request`.
    #[must_use]
    pub fn msg_type(&self) -> &str {
        &self.msg_type
    }

    /// What tells the message from all others.
    #[must_use]
    pub fn msg_id(&self) -> &str {
        &self.msg_id
    }

    /// The client or kernel that made it.
    #[must_use]
    pub fn session(&self) -> &str {
        &self.session
    }

    /// The user of that client.
    #[must_use]
    pub fn username(&self) -> &str {
        &self.username
    }

    /// When it was made, in ISO 8601.
    #[must_use]
    pub fn date(&self) -> &str {
        &self.date
    }

    /// The version of the protocol.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The subshell that is asked, if not the main shell. See
    /// [JEP 91](https://jupyter.org/enhancement-proposals/91-kernel-subshells/kernel-subshells.html).
    #[must_use]
    pub fn subshell_id(&self) -> Option<&str> {
        self.subshell_id.as_deref()
    }
}

/// The text of a string, or of a number that stands for one.
fn text(raw: &RawValue) -> Option<String> {
    serde_json::from_str(raw.get())
        .ok()
        .or_else(|| serde_json::from_str(raw.get()).ok().map(|number: Number| number.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn header(text: &'static str) -> Header {
        Header::new(Json::parse(Bytes::from_static(text.as_bytes()), "header").unwrap())
    }

    #[test]
    fn fields_are_read() {
        let text = r#"{"msg_id": "1", "session": "2", "username": "3", "date": "4", "msg_type": "5", "version": "6", "subshell_id": "7"}"#;
        let header = header(text);
        let fields = [
            header.msg_id(),
            header.session(),
            header.username(),
            header.date(),
            header.msg_type(),
            header.version(),
            header.subshell_id().unwrap(),
        ];
        assert_eq!(fields, ["1", "2", "3", "4", "5", "6", "7"]);
        assert_eq!(header.json().as_str(), text);
    }

    #[test]
    fn what_is_missing_or_strange_is_no_error() {
        let header = header(
            r#"{"msg_id": 7, "session": null, "username": ["x"], "subshell_id": null, "more": [[[]]]}"#,
        );
        assert_eq!((header.msg_id(), header.session(), header.username()), ("7", "", ""));
        assert_eq!((header.msg_type(), header.subshell_id()), ("", None));
    }

    #[test]
    fn nothing_hides_the_rest() {
        let header = header(r#"{"\ud800": 1, "username": "a\ud800", "msg_type": "execute_request"}"#);
        assert_eq!((header.msg_type(), header.username()), ("execute_request", "a\u{fffd}"));
    }

    #[test]
    fn a_deep_field_hides_nothing() {
        let deep = format!(r#"{{"deep": {}{}, "msg_type": "x"}}"#, "[".repeat(9999), "]".repeat(9999));
        let header = Header::new(Json::parse(deep.into(), "header").unwrap());
        assert_eq!(header.msg_type(), "x");
    }
}
