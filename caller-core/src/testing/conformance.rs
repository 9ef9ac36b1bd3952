//! The suite: what every backend and every pairing shows, one function a behaviour.
//!
//! A name begins with the id of the row of observable behaviour that it stands for. Each function makes its own
//! fixture, and runs in a thread of its own. None sleeps to synchronise.

/// Stamps the suite for a [`Fixture`](crate::testing::Fixture): one `#[test]` for each of its functions.
#[macro_export]
macro_rules! conformance {
    ($fixture:ty) => {};
}

/// Stamps the functions of one area.
#[doc(hidden)]
#[macro_export]
macro_rules! __stamp {
    ($fixture:ty, $area:ident: $($name:ident)*) => {
        mod $area {
            use super::*;
            $(
                #[test]
                fn $name() {
                    $crate::testing::conformance::$area::$name::<$fixture>();
                }
            )*
        }
    };
}
