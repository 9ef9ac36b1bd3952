//! What is raised in Lua.

use mlua::Value;

use super::message::error_text;

/// What a function raises.
#[derive(Debug)]
pub(crate) enum Raise {
    /// A text, in front of which goes the place where the function was called.
    Text(String),
    /// A value as it is: the error of somebody else.
    Value(Value),
    /// An error of mlua.
    Lua(mlua::Error),
}

/// What a function gives.
pub(crate) type Outcome<R> = Result<R, Raise>;

impl From<mlua::Error> for Raise {
    fn from(error: mlua::Error) -> Self {
        Self::Lua(error)
    }
}

impl From<caller::Error> for Raise {
    fn from(error: caller::Error) -> Self {
        Self::Text(error_text(&error))
    }
}

impl From<String> for Raise {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Raise {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// What the hook raises in code that is to end.
#[derive(Clone, Copy, Debug, thiserror::Error)]
pub(crate) enum Stopped {
    #[error("interrupted")]
    Interrupt,
    #[error("stopped: it took too long to clean up after it was dropped")]
    Closing,
    #[error("stopped: it took too long to answer")]
    Patience,
}

/// Whether an error is one that the hook raised.
pub(super) fn is_stop_error(error: &mlua::Error) -> bool {
    match error {
        mlua::Error::CallbackError { cause, .. } | mlua::Error::WithContext { cause, .. } => {
            is_stop_error(cause)
        }
        mlua::Error::ExternalError(error) => error.is::<Stopped>(),
        _ => false,
    }
}
