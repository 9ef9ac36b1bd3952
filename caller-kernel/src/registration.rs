//! The handshake of a kernel that chooses its own ports, and tells them to who started it.

use crate::{
    connection::{Connection, ConnectionError, Transport},
    wire::{Session, WireError},
    zmtp::{Dialer, Endpoint, Kind, Limits, PeerError},
};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};
use std::{error::Error, fmt, io, path::Path, time::Duration};
use tokio::time;

/// Where a kernel tells its ports, instead of being told them. See [JEP 66][jep].
///
/// Two forms of it are in use, and [`kernel_id`](Self::kernel_id) tells them apart:
///
/// - With it, that of [version 5.6 of the protocol][protocol]. Its file has `kernel_id`, `transport`, `registration_ip`,
///   `registration_port`, `signature_scheme` and `key`. The kernel sends one signed object without header, of
///   `kernel_id` and the five ports as texts, from a DEALER, and gets a signed object or text that is all its own.
/// - Without it, the one before that, of [Positron][positron]. Its file has `transport`, `ip`, `registration_port`,
///   `signature_scheme` and `key`. The kernel sends a `handshake_request` with the five ports as numbers, from a REQ,
///   and gets a `handshake_reply` with a `status`.
///
/// ```no_run
/// # async fn start() -> Result<(), Box<dyn std::error::Error>> {
/// use caller_kernel::{Connection, Registration, Sockets};
/// use std::time::Duration;
///
/// let path = "the-file-of-the-command-line.json";
/// let registration = Registration::read(path)?;
/// let wanted = registration.as_ref().map_or_else(|| Connection::read(path), |one| Ok(one.connection()))?;
/// let sockets = Sockets::bind(wanted).await?;
/// if let Some(registration) = registration {
///     registration.register(sockets.closer.connection(), Duration::from_secs(10)).await?;
/// }
/// # Ok(())
/// # }
/// ```
///
/// [jep]: https://jupyter.org/enhancement-proposals/66-jupyter-handshaking/jupyter-handshaking.html
/// [protocol]: https://jupyter-client.readthedocs.io/en/latest/messaging.html#kernel-startup-handshake
/// [positron]: https://github.com/posit-dev/kallichore
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct Registration {
    /// TCP or a Unix socket, for the registration as for the kernel.
    pub transport: Transport,
    /// The host name or address to register at; with [`Transport::Ipc`] what the path of the socket begins with.
    pub ip: String,
    /// The port to register at.
    pub registration_port: u16,
    /// What messages are signed with, here as later; empty for no signatures.
    pub key: String,
    /// The name that the starter gave this kernel, which it gets back; none in the form before version 5.6.
    pub kernel_id: Option<String>,
    /// What else the file says of the connection.
    rest: Connection,
}

/// What only a file of this kind has.
#[derive(Deserialize)]
struct Fields {
    registration_port: Option<u16>,
    registration_ip: Option<String>,
    kernel_id: Option<String>,
}

/// Ports could not be told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistrationError {
    /// The connection has a port that is still to be chosen.
    #[error("there is no `{port}` to register, bind the sockets first")]
    #[non_exhaustive]
    Unbound {
        /// Which one.
        port: &'static str,
    },
    /// Nobody takes connections there.
    #[error("cannot connect to the registration at {endpoint}: {source}")]
    #[non_exhaustive]
    Connect {
        /// Where.
        endpoint: String,
        /// Why.
        source: io::Error,
    },
    /// What is there is no socket that takes registrations.
    #[error("cannot talk to the registration at {endpoint}: {source}")]
    #[non_exhaustive]
    Protocol {
        /// Where.
        endpoint: String,
        /// Why.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The other side left without an answer.
    #[error("the registration at {endpoint} closed the connection, see what it has against this kernel")]
    #[non_exhaustive]
    Closed {
        /// Where.
        endpoint: String,
    },
    /// There was no answer in time.
    #[error("no answer from the registration at {endpoint} in {within:?}, see whether it still waits")]
    #[non_exhaustive]
    TimedOut {
        /// Where.
        endpoint: String,
        /// How long it had.
        within: Duration,
    },
    /// The answer is no message, or was not signed with the key of the file.
    #[error("the answer of the registration cannot be taken: {0}")]
    Wire(#[from] WireError),
    /// The answer is another message.
    #[error("the registration answered with `{msg_type}`, it should with `handshake_reply`")]
    #[non_exhaustive]
    Unexpected {
        /// What came.
        msg_type: String,
    },
    /// The answer is that this kernel is not wanted.
    #[error("the registration refused this kernel: {answer}")]
    #[non_exhaustive]
    Refused {
        /// What it said.
        answer: String,
    },
}

impl Registration {
    /// A registration in the form before version 5.6, by TCP; for the newer one set [`kernel_id`](Self::kernel_id).
    #[must_use]
    pub fn new(ip: impl Into<String>, registration_port: u16, key: impl Into<String>) -> Self {
        let (ip, key) = (ip.into(), key.into());
        let rest = Connection { ip: ip.clone(), ..Connection::default() };
        Self { transport: Transport::Tcp, ip, registration_port, key, kernel_id: None, rest }
    }

    /// Reads a registration file. `None` when it is a connection file: one without `registration_port`.
    ///
    /// A kernel is given either by the same argument.
    ///
    /// # Errors
    ///
    /// The file cannot be read, is no JSON object of the right types, or wants other signatures than HMAC-SHA256.
    pub fn read(path: impl AsRef<Path>) -> Result<Option<Self>, ConnectionError> {
        let (mut rest, fields): (_, Fields) = Connection::read_with(path.as_ref())?;
        let Some(registration_port) = fields.registration_port else { return Ok(None) };
        // What is the kernel's file for its clients says nothing of how the kernel was started.
        for name in ["registration_port", "registration_ip", "kernel_id"] {
            rest.more.remove(name);
        }
        // Without an address for the kernel itself, it is where its starter is.
        let named = fields.registration_ip.is_some();
        let ip = fields.registration_ip.unwrap_or_else(|| rest.ip.clone());
        if named {
            rest.ip.clone_from(&ip);
        }
        let kernel_id = fields.kernel_id.or(named.then(String::new));
        let (transport, key) = (rest.transport, rest.key.clone());
        Ok(Some(Self { transport, ip, registration_port, key, kernel_id, rest }))
    }

    /// What to bind the [sockets](crate::Sockets) with: at the same address, with the same key, with ports to be chosen.
    ///
    /// When the starter is on another machine, set another address. Once registered, the kernel should
    /// [write](Connection::write) its connection to a file of its own, for other clients.
    #[must_use]
    pub fn connection(&self) -> Connection {
        Connection { transport: self.transport, key: self.key.clone(), ..self.rest.clone() }
    }

    /// Tells the ports of a connection, and waits until they are taken.
    ///
    /// This goes unencrypted, also when the connection itself is encrypted: it is signed, and has no secrets.
    ///
    /// # Cancel safety
    ///
    /// When dropped before it is done, the other side may know the ports or not.
    ///
    /// # Errors
    ///
    /// Nobody is there, there was no right answer in this time, or the kernel is refused. It should end then.
    pub async fn register(&self, connection: &Connection, within: Duration) -> Result<(), RegistrationError> {
        let ports = ports(connection);
        if let Some((port, _)) = ports.iter().find(|(_, port)| *port == 0) {
            return Err(RegistrationError::Unbound { port });
        }
        let session = Session::new(&self.key);
        let asked = match &self.kernel_id {
            None => {
                let content =
                    Value::Object(ports.map(|(name, port)| (name.into(), port.into())).into_iter().collect());
                let request = session.message("handshake_request", &crate::Json::empty(), &content);
                session.encode(&request.expect("numbers are json"))
            }
            Some(id) => {
                let mut content = json!({ "kernel_id": id });
                for (name, port) in ports {
                    content[name] = port.to_string().into();
                }
                session.encode_content(content.to_string().into())
            }
        };
        let answered = time::timeout(within, self.ask(&asked)).await;
        let answer = answered
            .map_err(|_| RegistrationError::TimedOut { endpoint: self.endpoint().to_string(), within })??;
        self.accepted(&session, answer)
    }

    fn endpoint(&self) -> Endpoint {
        match self.transport {
            Transport::Tcp => Endpoint::Tcp(self.ip.clone(), self.registration_port),
            Transport::Ipc => Endpoint::Ipc(format!("{}-{}", self.ip, self.registration_port).into()),
        }
    }

    async fn ask(&self, asked: &[Bytes]) -> Result<Vec<Bytes>, RegistrationError> {
        let at = self.endpoint();
        let kind = if self.kernel_id.is_some() { Kind::Dealer } else { Kind::Req };
        // It has to say little.
        let limits = Limits { frame: 64 << 10, message: 64 << 10, ..Limits::default() };
        let failed = |error| match error {
            PeerError::Io(source) => match source.kind() {
                io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
                    RegistrationError::Closed { endpoint: at.to_string() }
                }
                _ => RegistrationError::Connect { endpoint: at.to_string(), source },
            },
            error => RegistrationError::Protocol { endpoint: at.to_string(), source: error.into() },
        };
        let mut dialer = Dialer::connect(&at, kind, &limits).await.map_err(failed)?;
        dialer.send(asked).await.map_err(failed)?;
        let answer = dialer.recv().await.map_err(failed)?;
        answer.ok_or_else(|| RegistrationError::Closed { endpoint: at.to_string() })
    }

    /// Checks the signature of an answer, and that it is one that welcomes.
    fn accepted(&self, session: &Session, answer: Vec<Bytes>) -> Result<(), RegistrationError> {
        let refused =
            |answer: &[u8]| RegistrationError::Refused { answer: answer.escape_ascii().to_string() };
        if self.kernel_id.is_some() {
            // What it says is not specified. But who says that it is no success may be believed.
            let content = session.decode_content(answer)?;
            return match status(&content) {
                Some(status) if status != "ok" => Err(refused(&content)),
                _ => Ok(()),
            };
        }
        let reply = session.decode(answer)?;
        if reply.msg_type() != "handshake_reply" {
            return Err(RegistrationError::Unexpected { msg_type: reply.msg_type().to_owned() });
        }
        let content = reply.content.as_str().as_bytes();
        if status(content).is_some_and(|status| status == "ok") { Ok(()) } else { Err(refused(content)) }
    }
}

fn ports(connection: &Connection) -> [(&'static str, u16); 5] {
    [
        ("shell_port", connection.shell_port),
        ("iopub_port", connection.iopub_port),
        ("stdin_port", connection.stdin_port),
        ("control_port", connection.control_port),
        ("hb_port", connection.hb_port),
    ]
}

fn status(content: &[u8]) -> Option<Value> {
    serde_json::from_slice::<Value>(content).ok()?.get("status").cloned()
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Never the key.
        f.debug_struct("Registration")
            .field("transport", &self.transport)
            .field("ip", &self.ip)
            .field("registration_port", &self.registration_port)
            .field("kernel_id", &self.kernel_id)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Option<Registration>, ConnectionError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("registration.json");
        std::fs::write(&path, text).unwrap();
        Registration::read(path)
    }

    #[test]
    fn the_form_of_5_6_has_an_id() {
        let file = r#"{"kernel_id": "k1", "transport": "tcp", "registration_ip": "127.0.0.2", "registration_port": 51587,
            "signature_scheme": "hmac-sha256", "key": "hidden", "kernel_name": "lua"}"#;
        let registration = read(file).unwrap().unwrap();
        assert_eq!((&*registration.ip, registration.registration_port), ("127.0.0.2", 51587));
        assert_eq!(registration.kernel_id.as_deref(), Some("k1"));
        assert!(!format!("{registration:?}").contains("hidden"));
        let connection = registration.connection();
        assert_eq!((&*connection.ip, &*connection.key, connection.shell_port), ("127.0.0.2", "hidden", 0));
        assert_eq!(connection.kernel_name, "lua");
        assert!(connection.more.is_empty(), "{:?}", connection.more);
        // Without one it is still that form.
        let registration = read(r#"{"registration_ip": "::1", "registration_port": 1}"#).unwrap().unwrap();
        assert_eq!((registration.kernel_id.as_deref(), &*registration.connection().ip), (Some(""), "::1"));
    }

    #[test]
    fn the_form_before_has_none() {
        let file = r#"{"transport": "ipc", "ip": "/tmp/x", "registration_port": 7, "signature_scheme": "hmac-sha256", "key": "k"}"#;
        let registration = read(file).unwrap().unwrap();
        assert_eq!(registration.kernel_id, None);
        assert_eq!(registration.endpoint().to_string(), "ipc:///tmp/x-7");
        assert_eq!(registration.connection().transport, Transport::Ipc);
        let by_hand = Registration { transport: Transport::Ipc, ..Registration::new("/tmp/x", 7, "k") };
        assert_eq!(by_hand.connection(), registration.connection());
    }

    #[test]
    fn other_files_are_not_taken() {
        assert_eq!(read(r#"{"shell_port": 1, "ip": "127.0.0.1"}"#).unwrap(), None);
        assert!(matches!(read("["), Err(ConnectionError::Json { .. })));
        assert!(matches!(read(r#"{"registration_port": "x"}"#), Err(ConnectionError::Json { .. })));
        let other = read(r#"{"registration_port": 1, "signature_scheme": "hmac-md5"}"#);
        assert!(matches!(other, Err(ConnectionError::SignatureScheme { .. })));
    }
}
