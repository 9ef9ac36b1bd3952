//! The first 64 bytes of each side. See [version negotiation](https://rfc.zeromq.org/spec/37/#version-negotiation).

/// How long a greeting is, in bytes.
pub(crate) const LENGTH: usize = 64;

/// The part of a greeting that tells whether the other side speaks ZMTP 3 at all.
pub(crate) const SIGNATURE: usize = 11;

/// What the other side told of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Greeting {
    /// The minor version of major version 3.
    pub(crate) minor: u8,
    /// The name of its security mechanism, padded with zeros.
    pub(crate) mechanism: [u8; 20],
    /// Whether it is the server of a mechanism that has sides.
    pub(crate) as_server: bool,
}

/// Why bytes are not a greeting that we take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum GreetingError {
    #[error("not a greeting of ZMTP")]
    Signature,
    #[error("version {0} of ZMTP is not served, use 3.0 or later")]
    Version(u8),
}

impl Greeting {
    /// Our side of it: version 3.1.
    pub(crate) fn new(mechanism: &str, as_server: bool) -> Self {
        let mut name = [0; 20];
        name[..mechanism.len()].copy_from_slice(mechanism.as_bytes());
        Self { minor: 1, mechanism: name, as_server }
    }

    pub(crate) fn encode(&self) -> [u8; LENGTH] {
        let mut bytes = [0; LENGTH];
        bytes[0] = 0xff;
        bytes[9] = 0x7f;
        bytes[10] = 3;
        bytes[11] = self.minor;
        bytes[12..32].copy_from_slice(&self.mechanism);
        bytes[32] = self.as_server.into();
        bytes
    }

    pub(crate) fn decode(bytes: &[u8; LENGTH]) -> Result<Self, GreetingError> {
        check(bytes)?;
        let mut mechanism = [0; 20];
        mechanism.copy_from_slice(&bytes[12..32]);
        Ok(Self { minor: bytes[11], mechanism, as_server: bytes[32] & 1 != 0 })
    }
}

/// Whether the first bytes can become a greeting of version 3: who speaks something else is not waited for.
pub(crate) fn check(bytes: &[u8]) -> Result<(), GreetingError> {
    // The eight bytes between are padding, which older versions use for a length.
    if bytes.first().is_some_and(|&first| first != 0xff) || bytes.get(9).is_some_and(|last| last & 1 == 0) {
        return Err(GreetingError::Signature);
    }
    match bytes.get(10) {
        Some(&major) if major < 3 => Err(GreetingError::Version(major)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_understood() {
        let greeting = Greeting::new("NULL", true);
        let bytes = greeting.encode();
        assert_eq!(&bytes[..17], b"\xff\0\0\0\0\0\0\0\0\x7f\x03\x01NULL\0");
        assert_eq!(Greeting::decode(&bytes), Ok(greeting));
    }

    #[test]
    fn others_are_known_by_their_first_bytes() {
        assert_eq!(check(b"GET / HTTP/1.1"), Err(GreetingError::Signature));
        assert_eq!(check(b"\xfe"), Err(GreetingError::Signature));
        assert_eq!(check(b"\xff\0\0\0\0\0\0\0\0\x7e"), Err(GreetingError::Signature));
        assert_eq!(check(b"\xff\0\0\0\0\0\0\0\0\x7f\x01"), Err(GreetingError::Version(1)));
        assert_eq!(check(b"\xff\0\0\0\0\0\0\0\0\x7f"), Ok(()));
        assert_eq!(check(b""), Ok(()));
    }
}
