//! Which trackers a call registers with.

use std::any::TypeId;

use super::Tracker;

/// Which trackers a call registers with: the ones that are active where it is made, or only those of some types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trackers(Selection);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Selection {
    All,
    Only(Vec<TypeId>),
    Except(Vec<TypeId>),
}

impl Trackers {
    /// All that are active.
    pub fn all() -> Self {
        Self(Selection::All)
    }

    /// None, so that no tracker is active inside the call either.
    pub fn none() -> Self {
        Self(Selection::Only(Vec::new()))
    }

    /// Only the one of this type. See [`and`](Self::and) for more.
    pub fn only<T: Tracker>() -> Self {
        Self::none().and::<T>()
    }

    /// All but the one of this type.
    pub fn except<T: Tracker>() -> Self {
        Self(Selection::Except(vec![TypeId::of::<T>()]))
    }

    /// The one of this type too.
    #[must_use]
    pub fn and<T: Tracker>(mut self) -> Self {
        let of = TypeId::of::<T>();
        match &mut self.0 {
            Selection::All => {}
            Selection::Only(types) => types.push(of),
            Selection::Except(types) => types.retain(|known| *known != of),
        }
        self
    }

    pub(crate) fn has(&self, of: TypeId) -> bool {
        match &self.0 {
            Selection::All => true,
            Selection::Only(types) => types.contains(&of),
            Selection::Except(types) => !types.contains(&of),
        }
    }
}
