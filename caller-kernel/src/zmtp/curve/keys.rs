//! The pair of keys that a connection has.

use super::{fresh, z85};
use crypto_box::{PublicKey, SecretKey};
use std::fmt;

/// A secret key and its public one.
pub(crate) struct Keys {
    pub(super) public: PublicKey,
    pub(super) secret: SecretKey,
}

impl Keys {
    /// A new pair.
    pub(crate) fn new() -> Self {
        Self::of(fresh())
    }

    fn of(secret: [u8; 32]) -> Self {
        let secret = SecretKey::from(secret);
        Self { public: secret.public_key(), secret }
    }

    /// The pair of a secret key as text.
    pub(crate) fn of_secret(text: &str) -> Option<Self> {
        z85::decode(text).map(Self::of)
    }

    pub(crate) fn public_text(&self) -> String {
        z85::encode(self.public.as_bytes())
    }

    pub(crate) fn secret_text(&self) -> String {
        z85::encode(&self.secret.to_bytes())
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither key: to clients the public one is what lets them in.
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_pair() {
        // The client's pair of the example in the manual of libzmq.
        let keys = Keys::of_secret("D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs").unwrap();
        assert_eq!(keys.public_text(), "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID");
        assert_eq!(keys.secret_text(), "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs");
    }

    #[test]
    fn each_pair_is_another_and_none_is_shown() {
        let keys = Keys::new();
        assert_ne!(keys.secret_text(), Keys::new().secret_text());
        assert_eq!(format!("{keys:?}"), "Keys { .. }");
    }
}
