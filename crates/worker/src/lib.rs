//! Moves the bytes of OpenBITS: HTTP, authentication, and the files of the owner.
//!
//! A worker runs as the owner of the jobs it serves. It decides nothing about jobs and never sees
//! the queue: what it is to do and what has come of it goes over the [`link`].

pub mod auth;
pub mod link;
