//! Fields in which null means that there is nothing to say.

use serde::{Deserialize, Deserializer};

/// Reads a field for which a client may send null where it has nothing to say.
pub(crate) fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    field: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(field)?.unwrap_or_default())
}
