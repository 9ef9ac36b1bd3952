//! The server's side of the handshake.

use super::{
    CurveError, Keys, counted, fresh, open, random, seal, take, take_name,
    traffic::{Opener, Sealer, Side},
};
use crate::zmtp::{command::Properties, limits::Limits};
use bytes::{BufMut, Bytes, BytesMut};
use crypto_box::{PublicKey, SalsaBox, SecretKey};
use std::{fmt, mem, sync::Arc};

/// The handshake with one client.
///
/// ```text
/// Hello ──HELLO──▶ Initiate ──INITIATE──▶ Done
///   └──────────────────┴───anything else──▶ Failed
/// ```
pub(crate) struct Server {
    keys: Arc<Keys>,
    own: Properties,
    state: State,
    /// The number of the client's last command.
    number: u64,
}

enum State {
    /// The client's first command is to come.
    Hello,
    /// Its second one is to come.
    Initiate {
        /// S', for this connection alone.
        secret: SecretKey,
        /// C'.
        client: PublicKey,
        cookie: [u8; COOKIE],
    },
    Done(SalsaBox),
    Failed,
}

const COOKIE: usize = 96;

/// What HELLO has in its box: it shows that the client knows S.
const ZEROS: [u8; 64] = [0; 64];

/// The padding makes HELLO longer than its answer, so that nobody is flooded with answers by forged questions.
const PADDING: usize = 72;

impl Server {
    pub(crate) fn new(keys: Arc<Keys>, own: Properties) -> Self {
        Self { keys, own, state: State::Hello, number: 0 }
    }

    /// Takes the next command, and gives the answer. With the second answer, the client's metadata come too.
    pub(crate) fn receive(&mut self, body: &[u8]) -> Result<(Bytes, Option<Properties>), CurveError> {
        match mem::replace(&mut self.state, State::Failed) {
            State::Hello => Ok((self.hello(body)?, None)),
            State::Initiate { secret, client, cookie } => {
                let (ready, properties) = self.initiate(body, &secret, &client, &cookie)?;
                Ok((ready, Some(properties)))
            }
            State::Done(_) | State::Failed => Err(CurveError::Command),
        }
    }

    /// What opens and seals frames, once the handshake is done.
    pub(crate) fn traffic(self, limits: &Limits) -> Option<(Opener, Sealer)> {
        let State::Done(key) = self.state else { return None };
        let key = Arc::new(key);
        let opener = Opener::new(Arc::clone(&key), Side::Client, self.number, limits.command);
        // READY had the number 1.
        Some((opener, Sealer::new(key, Side::Server, 1)))
    }

    fn hello(&mut self, mut body: &[u8]) -> Result<Bytes, CurveError> {
        take_name(&mut body, "HELLO")?;
        let &[major, minor] = take(&mut body)?;
        if (major, minor) != (1, 0) {
            return Err(CurveError::Version(major, minor));
        }
        let _padding: &[u8; PADDING] = take(&mut body)?;
        let client = PublicKey::from(*take::<32>(&mut body)?);
        self.count(&mut body)?;
        let key = SalsaBox::new(&client, &self.keys.secret);
        if open(&key, &counted(b"CurveZMQHELLO---", self.number), body)? != ZEROS[..] {
            return Err(CurveError::Command);
        }
        let (secret, cookie, salt) = (SecretKey::from(fresh()), fresh(), fresh());
        let mut welcome = BytesMut::from(&b"\x07WELCOME"[..]);
        welcome.put_slice(&salt);
        seal(&key, &random(b"WELCOME-", &salt), &mut welcome, |out| {
            out.put_slice(secret.public_key().as_bytes());
            out.put_slice(&cookie);
        });
        self.state = State::Initiate { secret, client, cookie };
        Ok(welcome.freeze())
    }

    fn initiate(
        &mut self,
        mut body: &[u8],
        secret: &SecretKey,
        client: &PublicKey,
        cookie: &[u8; COOKIE],
    ) -> Result<(Bytes, Properties), CurveError> {
        take_name(&mut body, "INITIATE")?;
        if take::<COOKIE>(&mut body)? != cookie {
            return Err(CurveError::Cookie);
        }
        self.count(&mut body)?;
        let key = SalsaBox::new(client, secret);
        let plain = open(&key, &counted(b"CurveZMQINITIATE", self.number), body)?;
        let mut rest = &*plain;
        let lasting = PublicKey::from(*take::<32>(&mut rest)?);
        let salt = *take::<16>(&mut rest)?;
        let vouch = take::<80>(&mut rest)?;
        // The lasting key speaks for the one of this connection, and to us. Which key it is does not matter.
        let vouch = open(&SalsaBox::new(&lasting, secret), &random(b"VOUCH---", &salt), vouch)
            .map_err(|_| CurveError::Vouch)?;
        if vouch != [&client.as_bytes()[..], self.keys.public.as_bytes()].concat() {
            return Err(CurveError::Vouch);
        }
        let properties = Properties::decode(Bytes::copy_from_slice(rest))?;
        let mut ready = BytesMut::from(&b"\x05READY"[..]);
        ready.put_u64(1);
        seal(&key, &counted(b"CurveZMQREADY---", 1), &mut ready, |out| out.put_slice(&self.own.encode()));
        self.state = State::Done(key);
        Ok((ready.freeze(), properties))
    }

    /// Takes the number of a command, which must be larger than that of the last one.
    fn count(&mut self, body: &mut &[u8]) -> Result<(), CurveError> {
        let number = u64::from_be_bytes(*take(body)?);
        if number <= self.number {
            return Err(CurveError::Replay);
        }
        self.number = number;
        Ok(())
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Hello => "Hello",
            State::Initiate { .. } => "Initiate",
            State::Done(_) => "Done",
            State::Failed => "Failed",
        };
        f.debug_struct("Server").field("state", &state).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::{super::client::Client, *};

    fn server(keys: &Arc<Keys>) -> Server {
        let own = Properties { socket_type: "ROUTER".into(), ..Properties::default() };
        Server::new(Arc::clone(keys), own)
    }

    fn client(keys: &Keys) -> Client {
        let own = Properties { socket_type: "DEALER".into(), identity: "me".into() };
        Client::new(keys.public.clone(), Keys::new(), own.encode())
    }

    /// Both sides as far as INITIATE, and that command.
    fn until_initiate(keys: &Arc<Keys>) -> (Server, Client, Bytes) {
        let (mut server, mut client) = (server(keys), client(keys));
        let (welcome, _) = server.receive(&client.hello()).unwrap();
        let initiate = client.receive(&welcome).unwrap().0.unwrap();
        (server, client, initiate)
    }

    #[test]
    fn both_come_to_terms() {
        let keys = Arc::new(Keys::new());
        let (mut server, mut client, initiate) = until_initiate(&keys);
        let (ready, properties) = server.receive(&initiate).unwrap();
        let properties = properties.unwrap();
        assert_eq!((&*properties.socket_type, &*properties.identity), (&b"DEALER"[..], &b"me"[..]));
        assert_eq!(client.receive(&ready).unwrap().1.unwrap().socket_type, "ROUTER");

        let (mut opener, mut sealer) = server.traffic(&Limits::default()).unwrap();
        let (mut client_opener, mut client_sealer) = client.traffic(&Limits::default()).unwrap();
        for (sealer, opener) in [(&mut sealer, &mut client_opener), (&mut client_sealer, &mut opener)] {
            let mut out = BytesMut::new();
            sealer.part(&mut out, b"secret", false);
            let frame = crate::zmtp::frame::Frame::Part { body: out.split_off(2).freeze(), more: false };
            assert!(opener.open(frame).is_ok());
        }
    }

    #[test]
    fn each_byte_of_hello_matters_but_the_padding() {
        let keys = Arc::new(Keys::new());
        let hello = client(&keys).hello();
        assert_eq!(hello.len(), 200);
        for at in 0..hello.len() {
            let mut changed = hello.to_vec();
            changed[at] ^= 1;
            assert_eq!(server(&keys).receive(&changed).is_ok(), (8..80).contains(&at), "changed at {at}");
            assert!(server(&keys).receive(&hello[..at]).is_err(), "cut at {at}");
        }
        assert!(server(&keys).receive(&[&hello[..], b"x"].concat()).is_err());
    }

    #[test]
    fn each_byte_of_initiate_matters() {
        let keys = Arc::new(Keys::new());
        let (_, _, initiate) = until_initiate(&keys);
        // Each takes its own handshake, so not all of them; but each field has some.
        for at in (0..initiate.len()).step_by(7) {
            let (mut server, _, initiate) = until_initiate(&keys);
            let mut changed = initiate.to_vec();
            changed[at] ^= 1;
            assert!(server.receive(&changed).is_err(), "changed at {at}");
            // It had its chance.
            assert_eq!(server.receive(&initiate).unwrap_err(), CurveError::Command);
            assert!(server.traffic(&Limits::default()).is_none());
            let (mut server, _, initiate) = until_initiate(&keys);
            assert!(server.receive(&initiate[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn who_knows_another_key_gets_no_welcome() {
        let hello = client(&Keys::new()).hello();
        assert_eq!(server(&Arc::new(Keys::new())).receive(&hello).unwrap_err(), CurveError::Box);
    }

    #[test]
    fn what_was_overheard_does_not_help() {
        let keys = Arc::new(Keys::new());
        let (mut first, mut client, initiate) = until_initiate(&keys);
        assert!(first.receive(&initiate).is_ok());
        // The same HELLO has another answer each time.
        let (mut second, _, _) = until_initiate(&keys);
        assert_eq!(second.receive(&initiate).unwrap_err(), CurveError::Cookie);
        let (mut third, _, _) = until_initiate(&keys);
        assert_eq!(third.receive(&client.hello()).unwrap_err(), CurveError::Command);
    }

    #[test]
    fn a_vouch_is_for_this_connection_and_this_server() {
        let keys = Arc::new(Keys::new());
        for spoil in [
            |client: &mut Client| client.vouched_for = Some(PublicKey::from([9; 32])),
            |client: &mut Client| client.vouched_to = Some(PublicKey::from([9; 32])),
            // Another's lasting key, of which only the public half is known.
            |client: &mut Client| client.claimed = Some(Keys::new().public),
        ] {
            let (mut server, mut client) = (server(&keys), self::client(&keys));
            spoil(&mut client);
            let (welcome, _) = server.receive(&client.hello()).unwrap();
            let initiate = client.receive(&welcome).unwrap().0.unwrap();
            assert_eq!(server.receive(&initiate).unwrap_err(), CurveError::Vouch);
        }
    }

    #[test]
    fn numbers_grow_in_the_handshake_too() {
        let keys = Arc::new(Keys::new());
        let (mut server, mut client) = (server(&keys), client(&keys));
        let (welcome, _) = server.receive(&client.hello()).unwrap();
        client.number = 0;
        let initiate = client.receive(&welcome).unwrap().0.unwrap();
        assert_eq!(server.receive(&initiate).unwrap_err(), CurveError::Replay);
    }

    #[test]
    fn hello_has_zeros_in_its_box() {
        let keys = Arc::new(Keys::new());
        let mut client = client(&keys);
        client.filling = 1;
        assert_eq!(server(&keys).receive(&client.hello()).unwrap_err(), CurveError::Command);
    }

    #[test]
    fn other_versions_are_named() {
        let keys = Arc::new(Keys::new());
        let mut hello = client(&keys).hello().to_vec();
        hello[6] = 2;
        let error = server(&keys).receive(&hello).unwrap_err();
        assert_eq!(error.to_string(), "version 2.0 of curve is not served, use 1.0");
    }

    #[test]
    fn keys_are_not_shown() {
        let (server, client, _) = until_initiate(&Arc::new(Keys::new()));
        assert_eq!(format!("{server:?} {client:?}"), "Server { state: \"Initiate\", .. } Client { .. }");
    }
}
