//! Moves the bytes of OpenBITS.

pub mod auth;
