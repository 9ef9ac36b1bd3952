//! Comms: two-way channels between a cell's objects and those of a front end.

use serde_json::{Map, Value};

/// What travels on a comm, with its opening and its closing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CommMessage {
    /// The data.
    pub data: Value,
    /// The metadata.
    pub metadata: Map<String, Value>,
    /// Binary buffers.
    pub buffers: Vec<Vec<u8>>,
}

impl CommMessage {
    /// A message with this data.
    pub fn new(data: impl Into<Value>) -> Self {
        Self { data: data.into(), ..Self::default() }
    }
}

/// A comm that is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommInfo {
    /// Its id.
    pub id: String,
    /// The name of its target.
    pub target: String,
}
