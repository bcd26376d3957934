//! Attacks on a server over mio, with nothing but bytes: others are served meanwhile, and memory stays bounded.

#![cfg(target_os = "linux")]

mod connections;
mod curve;
mod floods;
mod frames;
mod handshakes;
mod harness;
mod strangers;
