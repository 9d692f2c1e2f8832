//! The partial file and the file it becomes.
//!
//! A file is received under a name of its own in the folder of its destination, readable by its
//! user alone until all of it is there, and renamed when it is whole. Nothing here follows a symbolic link at
//! either name, and what else has taken a name is left alone. Which bytes belong where is not known here.

mod block;
mod destination;
mod error;
mod folder;
mod identity;
mod partial;
mod source;
mod straight;
mod umask;

pub use block::{BLOCK_BYTES, Block};
pub use destination::{Destination, DestinationError, MissingFolders};
pub use error::{FileError, FileErrorKind};
pub use folder::{Folder, FolderNames, device_towards};
pub use identity::FileIdentity;
pub use partial::{
    ClosedPartial, Existing, FinalState, FinalizeError, ForeignPartial, Partial, PartialError, PartialStamp,
    PreparedPartial, ReadyPartial, partial_name,
};
pub use source::{Source, SourceState};
pub use straight::StraightWay;
pub use umask::Umask;
