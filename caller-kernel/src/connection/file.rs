//! The connection file: where a kernel listens, and the key it shares with its clients.

use crate::wire::random_hex;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use std::{
    fmt, fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

/// How clients reach a kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Transport {
    /// TCP ports of one address.
    #[default]
    Tcp,
    /// Unix sockets, in files beside each other.
    Ipc,
}

/// Where a kernel listens, and its key: what a connection file says. See [connection files][files].
///
/// A port that is 0 is chosen when the [sockets](crate::Sockets) are bound, so no other program can take it in between.
///
/// [files]: https://jupyter-client.readthedocs.io/en/stable/kernels.html#connection-files
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Connection {
    /// TCP or Unix sockets.
    pub transport: Transport,
    /// The host name or address to listen at; with [`Transport::Ipc`] what the paths of the sockets begin with, to which
    /// a dash and the port are added.
    pub ip: String,
    /// The port for requests.
    pub shell_port: u16,
    /// The port for output.
    pub iopub_port: u16,
    /// The port to ask the user for input.
    pub stdin_port: u16,
    /// The port for requests that do not wait for cells.
    pub control_port: u16,
    /// The port of the echo.
    pub hb_port: u16,
    /// What messages are signed with; empty for no signatures.
    pub key: String,
    pub(crate) signature_scheme: String,
    /// The name of the kernelspec, if there is one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub kernel_name: String,
    /// The public key of CURVE encryption as Z85. With it and the secret one, the sockets encrypt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub curve_publickey: Option<String>,
    /// The secret key of CURVE encryption as Z85.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub curve_secretkey: Option<String>,
    /// What else the file says.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// The one way to sign. Another is refused rather than taken for this one.
const SCHEME: &str = "hmac-sha256";

/// A connection file cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectionError {
    /// The file cannot be read.
    #[error("cannot read the connection file {}: {source}", .path.display())]
    #[non_exhaustive]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is there, and is no connection file.
    #[error("{} is no connection file: {source}", .path.display())]
    #[non_exhaustive]
    Json {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// The file asks for signatures that are not made here.
    #[error("cannot sign with `{scheme}`, use `hmac-sha256`")]
    #[non_exhaustive]
    SignatureScheme {
        /// What it asks for.
        scheme: String,
    },
    /// The file cannot be written.
    #[error("cannot write the connection file {}: {source}", .path.display())]
    #[non_exhaustive]
    Write {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Connection {
    /// A TCP connection of this machine, with ports to be chosen and a key of its own.
    ///
    /// # Panics
    ///
    /// When the operating system has no randomness to give.
    #[must_use]
    pub fn new() -> Self {
        Self { key: random_hex::<32>(), ..Self::default() }
    }

    /// Unix sockets whose paths begin with this, with numbers to be chosen and a key of its own.
    ///
    /// # Panics
    ///
    /// When the operating system has no randomness to give.
    #[must_use]
    pub fn ipc(prefix: impl Into<String>) -> Self {
        Self { transport: Transport::Ipc, ip: prefix.into(), ..Self::new() }
    }

    /// Reads a connection file.
    ///
    /// It is lenient: a port that is missing is to be chosen, without a key nothing is signed, and what is not known is kept.
    /// What is `null` counts as missing.
    ///
    /// # Errors
    ///
    /// The file cannot be read, is no JSON object of the right types, or wants other signatures than HMAC-SHA256.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, ConnectionError> {
        Self::read_with(path.as_ref()).map(|(connection, serde::de::IgnoredAny)| connection)
    }

    /// Reads a connection file, and what else is of interest there.
    pub(crate) fn read_with<T: DeserializeOwned>(path: &Path) -> Result<(Self, T), ConnectionError> {
        let text = fs::read(path).map_err(|source| ConnectionError::Read { path: path.into(), source })?;
        let json = |source| ConnectionError::Json { path: path.into(), source };
        let mut fields: Map<String, Value> = serde_json::from_slice(&text).map_err(json)?;
        fields.retain(|_, field| !field.is_null());
        let fields = Value::Object(fields);
        let connection = Self::deserialize(&fields).map_err(json)?;
        let more = T::deserialize(&fields).map_err(json)?;
        match &connection.signature_scheme {
            scheme if scheme.is_empty() || scheme == SCHEME => {
                Ok((Self { signature_scheme: SCHEME.to_owned(), ..connection }, more))
            }
            scheme => Err(ConnectionError::SignatureScheme { scheme: scheme.clone() }),
        }
    }

    /// Writes the connection file, readable by its owner alone. It appears whole, at once; one that is there is replaced.
    ///
    /// # Errors
    ///
    /// The file cannot be written there, or its folder does not exist.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<(), ConnectionError> {
        let path = path.as_ref();
        let write = || -> io::Result<()> {
            // In the same folder, as a file cannot be moved at once from elsewhere. Its mode is 0600 from the start.
            let folder =
                path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            serde_json::to_writer_pretty(&mut file, self)?;
            file.write_all(b"\n")?;
            file.persist(path)?;
            Ok(())
        };
        write().map_err(|source| ConnectionError::Write { path: path.into(), source })
    }
}

impl Default for Connection {
    /// A TCP connection of this machine, with ports to be chosen and no key.
    fn default() -> Self {
        Self {
            transport: Transport::Tcp,
            ip: "127.0.0.1".to_owned(),
            shell_port: 0,
            iopub_port: 0,
            stdin_port: 0,
            control_port: 0,
            hb_port: 0,
            key: String::new(),
            signature_scheme: SCHEME.to_owned(),
            kernel_name: String::new(),
            curve_publickey: None,
            curve_secretkey: None,
            more: Map::new(),
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Never the keys, nor what may be one.
        f.debug_struct("Connection")
            .field("transport", &self.transport)
            .field("ip", &self.ip)
            .field("shell_port", &self.shell_port)
            .field("iopub_port", &self.iopub_port)
            .field("stdin_port", &self.stdin_port)
            .field("control_port", &self.control_port)
            .field("hb_port", &self.hb_port)
            .field("kernel_name", &self.kernel_name)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kernel.json");
        fs::write(&path, text).unwrap();
        (folder, path)
    }

    #[test]
    fn a_file_of_a_front_end_is_read_and_written() {
        let (_folder, path) = written(
            r#"{"shell_port": 1, "iopub_port": 2, "stdin_port": 3, "control_port": 4, "hb_port": 5,
                "ip": "127.0.0.1", "key": "abc", "transport": "ipc", "signature_scheme": "hmac-sha256",
                "kernel_name": "lua", "jupyter_session": "a.ipynb"}"#,
        );
        let connection = Connection::read(&path).unwrap();
        assert_eq!((connection.shell_port, connection.hb_port), (1, 5));
        assert_eq!((connection.transport, &*connection.kernel_name), (Transport::Ipc, "lua"));
        assert_eq!(connection.more["jupyter_session"], "a.ipynb");
        connection.write(&path).unwrap();
        assert_eq!(Connection::read(&path).unwrap(), connection);
    }

    #[test]
    fn what_is_missing_is_chosen() {
        let (_folder, path) = written("{}");
        assert_eq!(Connection::read(path).unwrap(), Connection::default());
    }

    #[test]
    fn what_is_null_is_missing() {
        let (_folder, path) = written(
            r#"{"transport": null, "ip": null, "shell_port": null, "key": null, "signature_scheme": null,
                "kernel_name": null, "curve_publickey": null, "jupyter_session": null}"#,
        );
        assert_eq!(Connection::read(path).unwrap(), Connection::default());
    }

    #[test]
    fn curve_keys_are_kept_and_not_shown() {
        let (_folder, path) =
            written(r#"{"curve_publickey": "pub", "curve_secretkey": "hidden", "key": "hidden"}"#);
        let connection = Connection::read(&path).unwrap();
        connection.write(&path).unwrap();
        assert_eq!(Connection::read(path).unwrap().curve_secretkey.as_deref(), Some("hidden"));
        assert!(!format!("{connection:?}").contains("hidden"));
    }

    #[test]
    fn other_signatures_are_refused() {
        let (_folder, path) = written(r#"{"signature_scheme": "hmac-md5"}"#);
        let error = Connection::read(path).unwrap_err();
        assert_eq!(error.to_string(), "cannot sign with `hmac-md5`, use `hmac-sha256`");
        let (_folder, path) = written(r#"{"signature_scheme": ""}"#);
        assert!(Connection::read(path).is_ok());
    }

    #[test]
    fn the_path_is_in_the_errors() {
        let (folder, path) = written("[");
        let shown = path.display().to_string();
        assert!(Connection::read(&path).unwrap_err().to_string().starts_with(&format!("{shown} is no")));
        let away = folder.path().join("no").join("file");
        assert!(matches!(Connection::read(&away), Err(ConnectionError::Read { path, .. }) if path == away));
        assert!(
            matches!(Connection::new().write(&away), Err(ConnectionError::Write { path, .. }) if path == away)
        );
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_can_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let (folder, path) = written("{}");
        fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
        Connection::new().write(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        // Nothing else is left in the folder.
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn each_has_a_key_of_its_own() {
        let (one, other) = (Connection::new(), Connection::new());
        assert_eq!(one.key.len(), 64);
        assert_ne!(one.key, other.key);
    }
}
