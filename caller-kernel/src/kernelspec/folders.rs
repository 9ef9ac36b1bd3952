//! Where Jupyter looks for kernelspecs. See [its page on folders][page].
//!
//! [page]: https://docs.jupyter.org/en/latest/use/jupyter-directories.html#data-files

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
};

/// The variables of the environment, so that a test can have its own.
pub(super) type Variables<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// Those of this process. One that is empty says nothing.
pub(super) fn process(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

/// The folder of the user's own data of Jupyter.
pub(super) fn user_data(variables: Variables<'_>, home: Option<PathBuf>) -> Option<PathBuf> {
    if let Some(folder) = variables("JUPYTER_DATA_DIR") {
        return Some(folder.into());
    }
    if cfg!(target_os = "macos") {
        return Some(home?.join("Library").join("Jupyter"));
    }
    if cfg!(windows) {
        return match variables("APPDATA") {
            Some(folder) => Some(Path::new(&folder).join("jupyter")),
            None => Some(home?.join(".jupyter").join("data")),
        };
    }
    match variables("XDG_DATA_HOME") {
        Some(folder) => Some(Path::new(&folder).join("jupyter")),
        None => Some(home?.join(".local").join("share").join("jupyter")),
    }
}

/// A path with the home folder in the place of a `~` at its beginning. None if that is not known.
pub(super) fn expand(path: &Path, home: Option<PathBuf>) -> Option<PathBuf> {
    match path.strip_prefix("~") {
        Ok(rest) if rest.as_os_str().is_empty() => home,
        Ok(rest) => Some(home?.join(rest)),
        Err(_) => Some(path.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(variables: &[(&str, &str)]) -> Option<PathBuf> {
        let find = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into());
        user_data(&find, Some("/home/ada".into()))
    }

    #[cfg(all(unix, not(target_os = "macos")))]
    #[test]
    fn the_variables_say_where() {
        assert_eq!(data(&[]), Some("/home/ada/.local/share/jupyter".into()));
        assert_eq!(data(&[("XDG_DATA_HOME", "/data")]), Some("/data/jupyter".into()));
        let both = [("XDG_DATA_HOME", "/data"), ("JUPYTER_DATA_DIR", "/jupyter")];
        assert_eq!(data(&both), Some("/jupyter".into()));
        assert_eq!(user_data(&|_| None, None), None);
    }

    #[cfg(target_os = "macos")]
    #[test]
    fn the_library_says_where() {
        assert_eq!(data(&[]), Some("/home/ada/Library/Jupyter".into()));
    }

    #[cfg(windows)]
    #[test]
    fn the_variables_say_where() {
        assert_eq!(data(&[("APPDATA", r"C:\data")]), Some(r"C:\data\jupyter".into()));
    }

    #[test]
    fn a_tilde_is_home() {
        let expand = |path: &str| expand(Path::new(path), Some("/home/ada".into())).unwrap();
        assert_eq!(expand("~"), Path::new("/home/ada"));
        assert_eq!(expand("~/a/b"), Path::new("/home/ada/a/b"));
        assert_eq!(expand("a/~"), Path::new("a/~"));
        assert_eq!(expand("~a"), Path::new("~a"));
        assert_eq!(super::expand(Path::new("~/a"), None), None);
    }
}
