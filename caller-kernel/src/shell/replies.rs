//! What a shell answers to the questions of a front end.

use serde_json::Value;

use super::MimeBundle;

/// What a language says of itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LanguageInfo {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The MIME type of its files.
    pub mimetype: String,
    /// The ending of its files, with the dot.
    pub file_extension: String,
    /// The lexer of Pygments for it.
    pub pygments_lexer: String,
    /// The mode of CodeMirror for it.
    pub codemirror_mode: Value,
    /// Shown when a console starts.
    pub banner: String,
    /// Shown in the help menu.
    pub help_links: Vec<HelpLink>,
}

/// A link in the help menu.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HelpLink {
    /// Its text.
    pub text: String,
    /// Where it leads.
    pub url: String,
}

/// What could stand at the cursor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Completion {
    /// The possibilities, sorted.
    pub matches: Vec<Match>,
    /// Where what they replace begins, in code points.
    pub start: usize,
    /// Where it ends, in code points.
    pub end: usize,
}

/// One possibility.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// The text that takes the place.
    pub text: String,
    /// What it is, such as `function` or `keyword`.
    pub kind: &'static str,
    /// How it is called, if it is a function of which that is known.
    pub signature: Option<String>,
}

/// How much to say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detail {
    /// What it is.
    #[default]
    Brief,
    /// The source too.
    Full,
}

/// What is known about what stands at the cursor.
pub type Inspection = MimeBundle;

/// Whether code could be run as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IsComplete {
    /// It could.
    Complete,
    /// It goes on, with this much white space before the next line.
    Incomplete {
        /// The white space.
        indent: String,
    },
    /// No more text would make it right.
    Invalid,
    /// It cannot be told.
    Unknown,
}

impl IsComplete {
    /// Its name in messages.
    pub fn status(&self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Incomplete { .. } => "incomplete",
            Self::Invalid => "invalid",
            Self::Unknown => "unknown",
        }
    }
}
