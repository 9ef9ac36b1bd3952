//! The client's side of the handshake, as our own peers have it in tests.

use super::{
    CurveError, Keys, counted, fresh, open, random, seal, take, take_name,
    traffic::{Opener, Sealer, Side},
};
use crate::zmtp::{command::Properties, limits::Limits};
use bytes::{BufMut, Bytes, BytesMut};
use crypto_box::{PublicKey, SalsaBox, SecretKey};
use std::{fmt, sync::Arc};

/// The handshake with a server whose public key is known.
pub(crate) struct Client {
    server: PublicKey,
    keys: Keys,
    /// C', for this connection alone.
    secret: SecretKey,
    /// Its metadata.
    own: Bytes,
    /// The number of the last command.
    pub(crate) number: u64,
    session: Option<SalsaBox>,
    /// The number of READY.
    ready: Option<u64>,
    /// What HELLO has in its box.
    pub(crate) filling: u8,
    /// What a vouch says instead of the truth.
    pub(crate) vouched_for: Option<PublicKey>,
    pub(crate) vouched_to: Option<PublicKey>,
    pub(crate) claimed: Option<PublicKey>,
}

impl Client {
    pub(crate) fn new(server: PublicKey, keys: Keys, own: Bytes) -> Self {
        let secret = SecretKey::from(fresh());
        Self {
            server,
            keys,
            secret,
            own,
            number: 0,
            session: None,
            ready: None,
            filling: 0,
            vouched_for: None,
            vouched_to: None,
            claimed: None,
        }
    }

    /// One that knows the server's keys and has one pair with it, as front ends have.
    pub(crate) fn with(keys: &Keys, own: Bytes) -> Self {
        let same = Keys { public: keys.public.clone(), secret: keys.secret.clone() };
        Self::new(keys.public.clone(), same, own)
    }

    pub(crate) fn hello(&mut self) -> Bytes {
        self.number += 1;
        let mut hello = BytesMut::from(&b"\x05HELLO\x01\0"[..]);
        hello.put_bytes(0, 72);
        hello.put_slice(self.secret.public_key().as_bytes());
        hello.put_u64(self.number);
        let key = SalsaBox::new(&self.server, &self.secret);
        seal(&key, &counted(b"CurveZMQHELLO---", self.number), &mut hello, |out| {
            out.put_bytes(self.filling, 64);
        });
        hello.freeze()
    }

    /// Takes the server's next command, and gives what to send or the server's metadata.
    pub(crate) fn receive(
        &mut self,
        mut body: &[u8],
    ) -> Result<(Option<Bytes>, Option<Properties>), CurveError> {
        if let Some(key) = &self.session {
            take_name(&mut body, "READY")?;
            let number = u64::from_be_bytes(*take(&mut body)?);
            let properties = open(key, &counted(b"CurveZMQREADY---", number), body)?;
            self.ready = Some(number);
            return Ok((None, Some(Properties::decode(properties)?)));
        }
        take_name(&mut body, "WELCOME")?;
        let salt = *take(&mut body)?;
        let key = SalsaBox::new(&self.server, &self.secret);
        let plain = open(&key, &random(b"WELCOME-", &salt), body)?;
        let mut rest = &*plain;
        let server = PublicKey::from(*take::<32>(&mut rest)?);
        let cookie: &[u8; 96] = take(&mut rest)?;
        self.number += 1;
        let mut initiate = BytesMut::from(&b"\x08INITIATE"[..]);
        initiate.put_slice(cookie);
        initiate.put_u64(self.number);
        let session = SalsaBox::new(&server, &self.secret);
        let salt = fresh();
        seal(&session, &counted(b"CurveZMQINITIATE", self.number), &mut initiate, |out| {
            out.put_slice(self.claimed.as_ref().unwrap_or(&self.keys.public).as_bytes());
            out.put_slice(&salt);
            let lasting = SalsaBox::new(&server, &self.keys.secret);
            seal(&lasting, &random(b"VOUCH---", &salt), out, |out| {
                let own = self.secret.public_key();
                out.put_slice(self.vouched_for.as_ref().unwrap_or(&own).as_bytes());
                out.put_slice(self.vouched_to.as_ref().unwrap_or(&self.server).as_bytes());
            });
            out.put_slice(&self.own);
        });
        self.session = Some(session);
        Ok((Some(initiate.freeze()), None))
    }

    pub(crate) fn traffic(self, limits: &Limits) -> Option<(Opener, Sealer)> {
        let (key, ready) = (Arc::new(self.session?), self.ready?);
        let opener = Opener::new(Arc::clone(&key), Side::Server, ready, limits.command);
        Some((opener, Sealer::new(key, Side::Client, self.number)))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}
