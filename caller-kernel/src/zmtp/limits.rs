//! What a peer may make us hold, and for how long.

use std::time::Duration;

/// The limits of one socket. Sizes are in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// The largest body of one frame.
    pub(crate) frame: usize,
    /// The largest message: its bodies, and [`FRAME_COST`] for each frame.
    pub(crate) message: usize,
    /// The largest command, those of the handshake included.
    pub(crate) command: usize,
    /// How long a peer may take to become one.
    pub(crate) handshake: Duration,
    /// Peers at one time; further ones are turned away.
    pub(crate) peers: usize,
    /// Unwritten bytes for one peer past which what may be dropped is dropped.
    pub(crate) soft: usize,
    /// Unwritten bytes for one peer past which it is disconnected.
    pub(crate) hard: usize,
    /// Topics (their bytes, and [`FRAME_COST`] for each) that one subscriber may hold.
    pub(crate) topics: usize,
}

/// What a frame costs beside its body, in bytes: many empty frames are not free.
pub(crate) const FRAME_COST: usize = 64;

const MIB: usize = 1 << 20;

impl Default for Limits {
    fn default() -> Self {
        Self {
            frame: 512 * MIB,
            message: 512 * MIB,
            command: 64 << 10,
            handshake: Duration::from_secs(10),
            peers: 1024,
            soft: 32 * MIB,
            hard: 64 * MIB,
            topics: MIB,
        }
    }
}
