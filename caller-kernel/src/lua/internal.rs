//! Code in Lua that is no cell's.

/// The name of such code.
pub(crate) const OURS: &str = "[caller]";

/// Whether a place, or the name of a chunk, is in no code of the user's.
pub(crate) fn is_ours(place: &str) -> bool {
    place.starts_with(OURS) || place.starts_with("__mlua")
}
