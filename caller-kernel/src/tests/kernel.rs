//! Kernels and their front ends, message by message.

mod cells;
mod comms;
mod input;
mod interrupts;
mod life;
mod modes;
mod questions;
mod subshells;
