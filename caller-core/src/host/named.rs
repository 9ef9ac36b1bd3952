//! Hosts by their names.

use std::sync::Arc;

use super::Host;
#[cfg(feature = "glib")]
use super::glib::Glib;
#[cfg(feature = "winit")]
use super::winit::Winit;
use crate::error::{Error, Kind, Result};

/// The host of this name, for programs that have it from their settings: `"winit"` or `"glib"`, if the feature of that name
/// is on.
///
/// # Errors
///
/// [`is_unknown_host`](Error::is_unknown_host) if there is none, or its feature is off.
pub fn host_named(name: &str) -> Result<Arc<dyn Host>> {
    match name {
        #[cfg(feature = "glib")]
        "glib" => Ok(Arc::new(Glib::new())),
        #[cfg(feature = "winit")]
        "winit" => Ok(Arc::new(Winit::new())),
        _ => Err(Error::new(Kind::UnknownHost(name.to_owned()))),
    }
}
