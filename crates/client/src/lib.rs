//! Programs talk to the OpenBITS service through this.

pub mod netrc;
pub mod prompt;
pub mod saved;
