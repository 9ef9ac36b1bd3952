//! What cells do, as a front end sees it.

mod lua;
mod recording;
