//! One side of the conversation: makes messages, signs them, and checks those of others.

use super::{
    error::WireError,
    header::{Header, Made},
    json::Json,
    message::Message,
    replay::{Digest, Replay},
};
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use serde::Serialize;
use sha2::Sha256;
use std::{
    fmt,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

/// Ends the identities.
const DELIMITER: &[u8] = b"<IDS|MSG>";

/// The version of the protocol that our headers tell.
const VERSION: &str = "5.5";

/// The signatures that are remembered: about 4 MB.
const REMEMBERED: usize = 1 << 16;

/// Makes, signs and checks the messages of one kernel. All its threads may share it.
///
/// Messages are signed with HMAC-SHA256; with an empty key they are neither signed nor checked.
pub struct Session {
    id: String,
    key: Option<Hmac<Sha256>>,
    made: AtomicU64,
    seen: Mutex<Replay>,
}

impl Session {
    /// A session with an id of its own, and the key of a connection file.
    ///
    /// # Panics
    ///
    /// When the operating system has no randomness to give.
    #[must_use]
    pub fn new(key: &str) -> Self {
        // A key of any length will do.
        let mac = |key: &str| Hmac::new_from_slice(key.as_bytes()).expect("hmac takes any key");
        Self {
            id: random_hex::<16>(),
            key: (!key.is_empty()).then(|| mac(key)),
            made: AtomicU64::new(0),
            seen: Replay::new(REMEMBERED).into(),
        }
    }

    /// What the headers of this session's messages name.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// A new message. Its parent header is that of the request it belongs to, byte for byte, or [`Json::empty`].
    ///
    /// # Errors
    ///
    /// The content cannot be JSON, or is no object.
    pub fn message<T: Serialize + ?Sized>(
        &self,
        msg_type: &str,
        parent_header: &Json,
        content: &T,
    ) -> serde_json::Result<Message> {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let header = Header::made(Made {
            msg_id: format!("{}_{number}", self.id),
            session: &self.id,
            username: "kernel",
            date: format!("{:.6}", jiff::Timestamp::now()),
            msg_type,
            version: VERSION,
        })?;
        Ok(Message {
            identities: Vec::new(),
            header,
            parent_header: parent_header.clone(),
            metadata: Json::empty(),
            content: Json::new(content)?,
            buffers: Vec::new(),
        })
    }

    /// The reply to a request: to its sender, with its header as the parent.
    ///
    /// # Errors
    ///
    /// The content cannot be JSON, or is no object.
    pub fn reply<T: Serialize + ?Sized>(
        &self,
        request: &Message,
        msg_type: &str,
        content: &T,
    ) -> serde_json::Result<Message> {
        let mut reply = self.message(msg_type, request.header.json(), content)?;
        reply.identities.clone_from(&request.identities);
        Ok(reply)
    }

    /// The frames of a message, signed.
    pub(crate) fn encode(&self, message: &Message) -> Vec<Bytes> {
        let parts = [message.header.json(), &message.parent_header, &message.metadata, &message.content]
            .map(Json::bytes);
        let signature = self.sign(&parts);
        let mut frames = Vec::with_capacity(message.identities.len() + 6 + message.buffers.len());
        frames.extend_from_slice(&message.identities);
        frames.extend([Bytes::from_static(DELIMITER), signature]);
        frames.extend(parts.into_iter().cloned());
        frames.extend_from_slice(&message.buffers);
        frames
    }

    /// Checks and reads frames.
    pub(crate) fn decode(&self, mut frames: Vec<Bytes>) -> Result<Message, WireError> {
        let delimiter = frames.iter().position(|frame| frame == DELIMITER);
        let delimiter = delimiter.ok_or(WireError::NoDelimiter { frames: frames.len() })?;
        let mut rest = frames.split_off(delimiter + 1).into_iter();
        frames.truncate(delimiter);
        let few = WireError::TooFewFrames { frames: rest.len() };
        let (Some(signature), Some(header), Some(parent_header), Some(metadata), Some(content)) =
            (rest.next(), rest.next(), rest.next(), rest.next(), rest.next())
        else {
            return Err(few);
        };
        self.verify(&signature, &[&header, &parent_header, &metadata, &content])?;
        // What outlives the request, as the parent of its output, must not keep a whole read alive.
        for identity in &mut frames {
            *identity = Bytes::copy_from_slice(identity);
        }
        Ok(Message {
            identities: frames,
            header: Header::new(Json::parse(header, "header")?.detached()),
            parent_header: Json::parse(parent_header, "parent_header")?.detached(),
            metadata: Json::parse(metadata, "metadata")?,
            content: Json::parse(content, "content")?,
            buffers: rest.collect(),
        })
    }

    /// Frames of the shorter form that a kernel says its ports in: one signed content without header.
    pub(crate) fn encode_content(&self, content: Bytes) -> Vec<Bytes> {
        vec![Bytes::from_static(DELIMITER), self.sign(&[&content]), content]
    }

    /// Checks frames of the shorter form, and gives the content.
    pub(crate) fn decode_content(&self, mut frames: Vec<Bytes>) -> Result<Bytes, WireError> {
        let delimiter = frames.iter().position(|frame| frame == DELIMITER);
        let delimiter = delimiter.ok_or(WireError::NoDelimiter { frames: frames.len() })?;
        let rest: [Bytes; 2] =
            frames.split_off(delimiter + 1).try_into().map_err(|_| WireError::NoContent)?;
        let [signature, content] = rest;
        self.verify(&signature, &[&content])?;
        Ok(content)
    }

    fn sign(&self, parts: &[&Bytes]) -> Bytes {
        match &self.key {
            Some(key) => hex::encode(digest(key, parts).finalize().into_bytes()).into(),
            None => Bytes::new(),
        }
    }

    fn verify(&self, signature: &[u8], parts: &[&Bytes]) -> Result<(), WireError> {
        let Some(key) = &self.key else { return Ok(()) };
        let mut claimed = Digest::default();
        hex::decode_to_slice(signature, &mut claimed).map_err(|_| WireError::BadSignature)?;
        // In a time that does not tell how much of it is right.
        digest(key, parts).verify_slice(&claimed).map_err(|_| WireError::BadSignature)?;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.insert(&claimed) { Ok(()) } else { Err(WireError::ReplayedSignature) }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Never the key.
        f.debug_struct("Session")
            .field("id", &self.id)
            .field("signed", &self.key.is_some())
            .finish_non_exhaustive()
    }
}

fn digest(key: &Hmac<Sha256>, parts: &[&Bytes]) -> Hmac<Sha256> {
    let mut mac = key.clone();
    for part in parts {
        mac.update(part);
    }
    mac
}

/// As many random bytes, as hexadecimal digits.
pub(crate) fn random_hex<const BYTES: usize>() -> String {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).expect("the operating system has no randomness to give");
    hex::encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(parts: &[&'static str]) -> Vec<Bytes> {
        parts.iter().map(|part| Bytes::from_static(part.as_bytes())).collect()
    }

    const PARTS: [&str; 4] = [r#"{"msg_id": "1", "msg_type": "x_request"}"#, "{}", "{}", r#"{"a": [1.50]}"#];

    /// As Python's `hmac` makes it, with the key `secret` and these parts.
    const SIGNATURE: &str = "7ddcbe1ccba0117a4384ec259414e553eb46588d0ef9c84822f7cdfae2bd319c";

    fn signed() -> Vec<Bytes> {
        let [header, parent, metadata, content] = PARTS;
        frames(&["me", "", "<IDS|MSG>", SIGNATURE, header, parent, metadata, content, "<IDS|MSG>", "b"])
    }

    #[test]
    fn a_known_signature_is_made_and_taken() {
        let session = Session::new("secret");
        let message = session.decode(signed()).unwrap();
        assert_eq!(message.identities, frames(&["me", ""]));
        assert_eq!(message.msg_type(), "x_request");
        assert_eq!(message.content.as_str(), PARTS[3]);
        assert_eq!(message.buffers, frames(&["<IDS|MSG>", "b"]));
        assert_eq!(session.encode(&message), signed());
    }

    #[test]
    fn a_changed_part_is_seen() {
        let session = Session::new("secret");
        for part in 3..8 {
            let mut frames = signed();
            let mut changed = frames[part].to_vec();
            changed[0] ^= 1;
            frames[part] = changed.into();
            assert!(matches!(session.decode(frames), Err(WireError::BadSignature)), "part {part}");
        }
        let mut unsigned = signed();
        unsigned[3] = Bytes::new();
        assert!(matches!(session.decode(unsigned), Err(WireError::BadSignature)));
        assert!(matches!(Session::new("other").decode(signed()), Err(WireError::BadSignature)));
        // None of these is taken for the message itself.
        assert!(session.decode(signed()).is_ok());
    }

    #[test]
    fn a_message_is_taken_once() {
        let session = Session::new("secret");
        assert!(session.decode(signed()).is_ok());
        assert!(matches!(session.decode(signed()), Err(WireError::ReplayedSignature)));
    }

    #[test]
    fn without_a_key_nothing_is_checked() {
        let session = Session::new("");
        for _ in 0..2 {
            let message = session.decode(signed()).unwrap();
            assert_eq!(session.encode(&message)[3], "");
        }
    }

    #[test]
    fn what_is_no_message_is_named() {
        let session = Session::new("");
        let decode = |parts: &[&'static str]| session.decode(frames(parts)).unwrap_err().to_string();
        assert_eq!(decode(&[]), "no `<IDS|MSG>` frame among 0 frames, send one before the signature");
        assert_eq!(
            decode(&["a", "<IDS|MSG>", "", "{}", "{}", "{}"]),
            "4 frames after the delimiter, send five at least"
        );
        assert_eq!(
            decode(&["<IDS|MSG>", "", "{}", "{}", "[]", "{}"]),
            "the metadata is no json object, send `{}` for an empty one"
        );
        assert_eq!(
            decode(&["<IDS|MSG>", "", "{", "{}", "{}", "{}"]),
            "the header is not json: EOF while parsing an object at line 1 column 1"
        );
    }

    #[test]
    fn a_reply_goes_back_with_the_header_as_it_came() {
        let session = Session::new("secret");
        let request = session.decode(signed()).unwrap();
        let reply = session.reply(&request, "x_reply", &serde_json::json!({"status": "ok"})).unwrap();
        let frames = session.encode(&reply);
        assert_eq!(frames[..2], request.identities);
        assert_eq!(frames[5], PARTS[0]);
        assert_eq!(frames[7], r#"{"status":"ok"}"#);
        assert_eq!(reply.header.version(), "5.5");
        let date: jiff::Timestamp = reply.header.date().parse().unwrap();
        assert!(
            reply.header.date().ends_with('Z')
                && date.duration_since(jiff::Timestamp::now()).abs().as_secs() < 60
        );
    }

    #[test]
    fn no_two_messages_have_one_id() {
        let (one, other) = (Session::new("k"), Session::new("k"));
        let ids: std::collections::HashSet<_> = [&one, &one, &other]
            .map(|session| {
                session
                    .message("x", &Json::empty(), &serde_json::json!({}))
                    .unwrap()
                    .header
                    .msg_id()
                    .to_owned()
            })
            .into();
        assert_eq!(ids.len(), 3);
        assert_eq!(one.id().len(), 32);
    }

    #[test]
    fn the_key_is_not_shown() {
        assert!(!format!("{:?}", Session::new("secret")).contains("secret"));
    }
}
