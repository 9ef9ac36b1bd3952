//! A JSON object that stays as it came.

use super::error::WireError;
use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, value::RawValue};
use std::{borrow::Cow, fmt};

/// The text of a JSON object, as it came or as it will be sent. Cheap to clone.
///
/// Unknown fields, their order, and numbers of any length are kept.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Json(Bytes);

impl Json {
    /// `{}`.
    #[must_use]
    pub const fn empty() -> Self {
        Self(Bytes::from_static(b"{}"))
    }

    /// Makes an object of a struct or a map.
    ///
    /// # Errors
    ///
    /// The value cannot be JSON (a map with keys that are no strings), or is no object.
    pub fn new<T: Serialize + ?Sized>(value: &T) -> serde_json::Result<Self> {
        let text = serde_json::to_vec(value)?;
        if text.first() == Some(&b'{') {
            return Ok(Self(text.into()));
        }
        Err(serde::de::Error::custom("not an object"))
    }

    /// Takes text that should be an object. Only its shape is looked at, without recursion, so that no depth of nesting
    /// is too much; nothing is decoded yet.
    ///
    /// Bytes that are no UTF-8, which clients send for undecodable text, become replacement characters. `null` counts as
    /// an object with nothing in it.
    pub(crate) fn parse(text: Bytes, part: &'static str) -> Result<Self, WireError> {
        let text = match String::from_utf8_lossy(&text) {
            Cow::Borrowed(_) => text,
            Cow::Owned(mended) => mended.into(),
        };
        let raw: &RawValue =
            serde_json::from_slice(&text).map_err(|source| WireError::Json { part, source })?;
        match raw.get() {
            "null" => Ok(Self::empty()),
            raw if raw.starts_with('{') => Ok(Self(text)),
            _ => Err(WireError::NotAnObject { part }),
        }
    }

    /// Reads the object as a value of your own type.
    ///
    /// Halves of surrogate pairs, which clients send when they cut a text in the middle of a character, become
    /// replacement characters. Of two fields with one name the last counts.
    ///
    /// # Errors
    ///
    /// The fields are not as the type needs them, or are nested more than 128 deep.
    pub fn read<T: DeserializeOwned>(&self) -> serde_json::Result<T> {
        let text = self.as_str();
        let error = match serde_json::from_str(text) {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        let mended = mend(text);
        let text = mended.as_deref().unwrap_or(text);
        // A struct refuses two fields with one name, a map does not.
        let by_map = || T::deserialize(serde_json::from_str::<Value>(text)?);
        serde_json::from_str(text).or_else(|_| by_map()).map_err(|_| error)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Both ways to make one check it.
        str::from_utf8(&self.0).expect("json is utf-8")
    }

    /// The text, to be sent.
    pub(crate) fn bytes(&self) -> &Bytes {
        &self.0
    }

    /// The same text in memory of its own, which does not keep all of a read alive.
    pub(crate) fn detached(self) -> Self {
        Self(Bytes::copy_from_slice(&self.0))
    }
}

impl Default for Json {
    fn default() -> Self {
        Self::empty()
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Replaces escapes that are half of a surrogate pair. `None` when there are none.
fn mend(text: &str) -> Option<String> {
    let mut mended = String::new();
    let mut kept = 0;
    let mut at = 0;
    // Backslashes are in strings only, where each begins an escape.
    while let Some(found) = text[at..].find('\\') {
        at += found;
        match unit(&text[at..]) {
            // The second byte may be part of a longer character only in text that is no JSON.
            None => at += 2,
            Some(0xd800..0xdc00) if matches!(unit(&text[at + 6..]), Some(0xdc00..0xe000)) => at += 12,
            Some(0xd800..0xe000) => {
                mended.push_str(&text[kept..at]);
                mended.push('\u{fffd}');
                at += 6;
                kept = at;
            }
            Some(_) => at += 6,
        }
        if !text.is_char_boundary(at) {
            return None;
        }
    }
    (kept > 0).then(|| mended + &text[kept..])
}

/// The number in an escape such as `\u00e4`.
fn unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    u16::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: impl Into<Bytes>) -> Result<Json, WireError> {
        Json::parse(text.into(), "content")
    }

    #[test]
    fn the_text_is_kept() {
        let text = " {\"b\": 1e999, \"a\": 12345678901234567890123,\t\"a\": []} ";
        assert_eq!(parse(text).unwrap().as_str(), text);
    }

    #[test]
    fn only_objects_are_taken() {
        for text in ["[]", "1", "\"{}\""] {
            assert!(matches!(parse(text), Err(WireError::NotAnObject { part: "content" })), "{text}");
        }
        for text in ["", "{", "{} {}", "{\"a\"}", "nul"] {
            assert!(matches!(parse(text), Err(WireError::Json { .. })), "{text}");
        }
        assert!(Json::new(&[1]).is_err());
    }

    #[test]
    fn null_says_nothing() {
        for text in ["null", " null\n"] {
            assert_eq!(parse(text).unwrap(), Json::empty());
        }
    }

    #[test]
    fn of_two_fields_the_last_counts() {
        #[derive(serde::Deserialize)]
        struct Code {
            code: String,
        }
        let read = |text| parse(text).unwrap().read::<Code>();
        assert_eq!(read(r#"{"code": 1, "code": "\ud800", "code": "b"}"#).unwrap().code, "b");
        assert!(read(r#"{"code": "a", "code": 1}"#).is_err());
        // What is wrong otherwise is told with its place.
        let error = read(r#"{"code": 1}"#).err().unwrap();
        assert_eq!(error.to_string(), "invalid type: integer `1`, expected a string at line 1 column 10");
    }

    #[test]
    fn nesting_is_no_danger() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(1 << 20), "]".repeat(1 << 20));
        let json = parse(deep).unwrap();
        assert!(json.read::<Value>().is_err());
    }

    #[test]
    fn lone_surrogates_become_replacement_characters() {
        let cases = [
            (r#"{"code": "a\ud800b"}"#, "a\u{fffd}b"),
            (r#"{"code": "\udc00\ud83d\ude00\uD83D"}"#, "\u{fffd}😀\u{fffd}"),
            (r#"{"code": "\\ud800 \ud800\ud800"}"#, "\\ud800 \u{fffd}\u{fffd}"),
            (r#"{"code": "\"\ud800\n"}"#, "\"\u{fffd}\n"),
        ];
        for (text, code) in cases {
            let json = parse(text).unwrap();
            assert_eq!(json.as_str(), text);
            assert_eq!(json.read::<Value>().unwrap()["code"], code);
        }
    }

    #[test]
    fn undecodable_bytes_become_replacement_characters() {
        let json = parse(&b"{\"code\": \"\xff\"}"[..]).unwrap();
        assert_eq!(json.read::<Value>().unwrap()["code"], "\u{fffd}");
    }
}
