//! Kernels and their front ends, message by message.

mod cells;
mod comms;
mod input;
mod interrupts;
mod languages;
mod life;
mod modes;
mod processes;
mod questions;
mod subshells;
mod unread;
