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
    /// What may wait to be written to one peer, for each [`Class`](super::Class) on its own.
    pub(crate) unread: [usize; 3],
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
            // Far more than a front end leaves unread that is busy for some seconds: Jupyter's own kernels drop nothing. The
            // bytes are shared between the queues that they are in, and yet count in each: a queue knows only what its own
            // peer left unread. So this is what one stalled peer costs, and not what each of many does.
            unread: [128 * MIB, 256 * MIB, 512 * MIB],
            topics: MIB,
        }
    }
}
