//! A disk that loses power: a file system of which only what was synced is sure to be there after a
//! cut.
//!
//! [`Disk`] is the disk, whether or not the machine runs; [`Disk::mount`] makes it a folder by FUSE,
//! for which one has to be root. [`Disk::cut`], or a cut at a chosen operation, forgets what was not
//! synced: some of it, or all, told by a seed. Data of files, names in folders, lengths and modes are
//! each lost, kept or torn by themselves, as the standard allows; that is less than what most file
//! systems keep. All of it is in memory: a disk below would only add a cache of its own.
//!
//! [`Lies`] are its control: a disk that says it has synced and has not.

mod disk;
mod files;
mod mount;

pub use disk::{Disk, Lies};
pub use mount::Mounted;
