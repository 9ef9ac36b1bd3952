//! Why the CURVE keys of a connection cannot be used.

/// The CURVE keys of a connection cannot be used. Nothing listens then: who gave keys does not want to do without.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Of the two keys, one is missing.
    #[error("there is a curve key without the other, set `{missing}` too, or neither")]
    #[non_exhaustive]
    Missing {
        /// Which is missing: `curve_publickey` or `curve_secretkey`.
        missing: &'static str,
    },
    /// A key is not 32 bytes as Z85.
    #[error("`{field}` is no key, set 40 characters of z85")]
    #[non_exhaustive]
    NotAKey {
        /// Which one: `curve_publickey` or `curve_secretkey`.
        field: &'static str,
    },
    /// The public key is that of another secret key, so no client could talk to this kernel.
    #[error("`curve_publickey` is not the one of `curve_secretkey`, set both as they were made")]
    NoPair,
    /// This program was built without encryption.
    #[error("the connection has curve keys, build with the feature `curve` of caller-kernel, or remove them")]
    Unsupported,
}
