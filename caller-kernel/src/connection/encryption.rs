//! From the CURVE keys of a connection to what its sockets demand of their peers.

use super::file::Connection;
use crate::zmtp::{KeyError, Security};

/// What the keys of a connection ask for.
pub(crate) fn security(connection: &Connection) -> Result<Security, KeyError> {
    match (&connection.curve_publickey, &connection.curve_secretkey) {
        (None, None) => Ok(Security::Null),
        (None, Some(_)) => Err(KeyError::Missing { missing: "curve_publickey" }),
        (Some(_), None) => Err(KeyError::Missing { missing: "curve_secretkey" }),
        (Some(public), Some(secret)) => curve(public, secret),
    }
}

#[cfg(feature = "curve")]
fn curve(public: &str, secret: &str) -> Result<Security, KeyError> {
    use crate::zmtp::curve::{Keys, z85};
    let keys = Keys::of_secret(secret).ok_or(KeyError::NotAKey { field: "curve_secretkey" })?;
    let public = z85::decode(public).ok_or(KeyError::NotAKey { field: "curve_publickey" })?;
    if z85::encode(&public) != keys.public_text() {
        return Err(KeyError::NoPair);
    }
    Ok(Security::Curve(keys.into()))
}

#[cfg(not(feature = "curve"))]
fn curve(_: &str, _: &str) -> Result<Security, KeyError> {
    Err(KeyError::Unsupported)
}

#[cfg(feature = "curve")]
impl Connection {
    /// The same connection with a new pair of CURVE keys: its sockets will talk to those alone who know the public one,
    /// and encrypt what they say. See [JEP 145][jep].
    ///
    /// # Panics
    ///
    /// When the operating system has no randomness to give.
    ///
    /// [jep]: https://github.com/jupyter/enhancement-proposals/pull/145
    #[must_use]
    pub fn encrypted(mut self) -> Self {
        let keys = crate::zmtp::curve::Keys::new();
        self.curve_publickey = Some(keys.public_text());
        self.curve_secretkey = Some(keys.secret_text());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The server's pair of the example in the manual of libzmq.
    const PUBLIC: &str = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7";
    const SECRET: &str = "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6";

    fn of(public: Option<&str>, secret: Option<&str>) -> Result<Security, KeyError> {
        let mut connection = Connection::new();
        connection.curve_publickey = public.map(Into::into);
        connection.curve_secretkey = secret.map(Into::into);
        security(&connection)
    }

    #[test]
    fn one_key_is_none() {
        assert!(matches!(of(None, None), Ok(Security::Null)));
        let missing = |missing| KeyError::Missing { missing };
        assert_eq!(of(Some(PUBLIC), None).unwrap_err(), missing("curve_secretkey"));
        assert_eq!(of(None, Some(SECRET)).unwrap_err(), missing("curve_publickey"));
    }

    #[cfg(not(feature = "curve"))]
    #[test]
    fn keys_are_not_passed_over() {
        assert_eq!(of(Some(PUBLIC), Some(SECRET)).unwrap_err(), KeyError::Unsupported);
        assert_eq!(of(Some(""), Some("")).unwrap_err(), KeyError::Unsupported);
    }

    #[cfg(feature = "curve")]
    #[test]
    fn keys_are_a_pair() {
        assert!(matches!(of(Some(PUBLIC), Some(SECRET)), Ok(Security::Curve(_))));
        assert_eq!(of(Some(SECRET), Some(SECRET)).unwrap_err(), KeyError::NoPair);
        let not = |field| KeyError::NotAKey { field };
        assert_eq!(of(Some(""), Some(SECRET)).unwrap_err(), not("curve_publickey"));
        assert_eq!(of(Some(PUBLIC), Some("hidden")).unwrap_err(), not("curve_secretkey"));
        assert!(!not("curve_secretkey").to_string().contains("hidden"));
    }

    #[cfg(feature = "curve")]
    #[test]
    fn new_keys_are_a_pair() {
        let connection = Connection::new().encrypted();
        assert!(matches!(security(&connection), Ok(Security::Curve(_))));
        assert_ne!(connection.curve_secretkey, Connection::new().encrypted().curve_secretkey);
    }
}
