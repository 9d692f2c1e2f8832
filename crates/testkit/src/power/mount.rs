//! The disk as the kernel asks for it, by FUSE. Nothing is decided here.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::sync::MutexGuard;
use std::time::{Duration, SystemTime};

use fuser::{
    BackgroundSession, Config, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation,
    INodeNo, LockOwner, MountOption, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData,
    ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyOpen, ReplyStatfs, ReplyWrite, Request, TimeOrNow,
    WriteFlags,
};

use super::disk::{Disk, State};
use super::files::{About, Content, Kind};

/// How long the kernel may believe what it was told. Nobody else changes anything.
const BELIEVED: Duration = Duration::from_secs(3600);
const BLOCK_BYTES: u32 = 4096;
/// What the disk says it has room for, in blocks.
const BLOCKS: u64 = 1 << 24;
/// What of a mode is its kind, and sockets among them.
const KIND_BITS: u32 = 0o170_000;
const SOCKET: u32 = 0o140_000;
/// `FALLOC_FL_KEEP_SIZE`.
const KEEP_SIZE: i32 = 1;

/// A disk that is mounted. Dropped, it is not.
#[derive(Debug)]
pub struct Mounted {
    session: Option<BackgroundSession>,
}

impl Mounted {
    pub(super) fn new(disk: Disk, place: &Path) -> io::Result<Self> {
        let mut config = Config::default();
        config.mount_options = vec![MountOption::FSName("power".to_owned()), MountOption::DefaultPermissions];
        Ok(Self { session: Some(fuser::spawn_mount(Served(disk), place, &config)?) })
    }

    /// Takes it away, with all that the kernel remembers of it.
    ///
    /// # Errors
    /// When somebody still has something of it open.
    pub fn unmount(mut self) -> io::Result<()> {
        self.session.take().map_or(Ok(()), BackgroundSession::umount_and_join)
    }
}

struct Served(Disk);

impl Served {
    fn change<T>(&self, change: impl FnOnce(&mut State) -> rustix::io::Result<T>) -> Result<T, Errno> {
        let mut state = self.0.state();
        state.operate().and_then(|()| change(&mut state)).map_err(told)
    }

    fn look<T>(&self, look: impl FnOnce(&mut State) -> rustix::io::Result<T>) -> Result<T, Errno> {
        let mut state: MutexGuard<'_, State> = self.0.state();
        state.see().and_then(|()| look(&mut state)).map_err(told)
    }

    fn attributes(state: &State, number: u64) -> rustix::io::Result<FileAttr> {
        let node = state.node(number)?;
        let About { mode, uid, gid, modified } = node.about;
        let (kind, size) = match &node.kind {
            Kind::File(content) => (FileType::RegularFile, content.seen.len() as u64),
            Kind::Folder { .. } => (FileType::Directory, 0),
            Kind::Special { mode } if mode & KIND_BITS == SOCKET => (FileType::Socket, 0),
            Kind::Special { .. } => (FileType::NamedPipe, 0),
        };
        Ok(FileAttr {
            ino: INodeNo(number),
            size,
            blocks: size.div_ceil(512),
            atime: modified,
            mtime: modified,
            ctime: modified,
            crtime: SystemTime::UNIX_EPOCH,
            kind,
            perm: u16::try_from(mode & 0o7777).expect("twelve bits"),
            nlink: node.names,
            uid,
            gid,
            rdev: 0,
            blksize: BLOCK_BYTES,
            flags: 0,
        })
    }

    fn make(
        &self,
        request: &Request,
        folder: INodeNo,
        name: &OsStr,
        mode: u32,
        kind: Kind,
    ) -> Result<FileAttr, Errno> {
        let about = About {
            mode: mode & 0o7777,
            uid: request.uid(),
            gid: request.gid(),
            modified: SystemTime::now(),
        };
        self.change(|state| {
            let number = state.make(folder.0, name, kind, about)?;
            Self::attributes(state, number)
        })
    }
}

fn told(errno: rustix::io::Errno) -> Errno {
    Errno::from_i32(errno.raw_os_error())
}

fn place(offset: u64) -> rustix::io::Result<usize> {
    usize::try_from(offset).map_err(|_| rustix::io::Errno::FBIG)
}

fn done(outcome: Result<(), Errno>, reply: ReplyEmpty) {
    match outcome {
        Ok(()) => reply.ok(),
        Err(error) => reply.error(error),
    }
}

fn entry(outcome: Result<FileAttr, Errno>, reply: ReplyEntry) {
    match outcome {
        Ok(attributes) => reply.entry(&BELIEVED, &attributes, Generation(0)),
        Err(error) => reply.error(error),
    }
}

impl Filesystem for Served {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let found = self.look(|state| {
            let number = state.find(parent.0, name)?;
            Self::attributes(state, number)
        });
        entry(found, reply);
    }

    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match self.look(|state| Self::attributes(state, ino.0)) {
            Ok(attributes) => reply.attr(&BELIEVED, &attributes),
            Err(error) => reply.error(error),
        }
    }

    fn setattr(
        &self,
        _: &Request,
        ino: INodeNo,
        mode: Option<u32>,
        uid: Option<u32>,
        gid: Option<u32>,
        size: Option<u64>,
        _: Option<TimeOrNow>,
        mtime: Option<TimeOrNow>,
        _: Option<SystemTime>,
        _: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<fuser::BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let changed = self.change(|state| {
            if let Some(size) = size {
                let size = place(size)?;
                state.content(ino.0)?.set_length(size);
                state.touch(ino.0);
            }
            state.set_about(ino.0, |about| {
                about.mode = mode.map_or(about.mode, |mode| mode & 0o7777);
                about.uid = uid.unwrap_or(about.uid);
                about.gid = gid.unwrap_or(about.gid);
                about.modified = match mtime {
                    Some(TimeOrNow::SpecificTime(time)) => time,
                    Some(TimeOrNow::Now) => SystemTime::now(),
                    None => about.modified,
                };
            })?;
            Self::attributes(state, ino.0)
        });
        match changed {
            Ok(attributes) => reply.attr(&BELIEVED, &attributes),
            Err(error) => reply.error(error),
        }
    }

    fn mknod(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        _: u32,
        reply: ReplyEntry,
    ) {
        entry(self.make(request, parent, name, mode & !umask, Kind::Special { mode }), reply);
    }

    fn mkdir(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        reply: ReplyEntry,
    ) {
        let kind = Kind::Folder { seen: BTreeMap::new(), durable: BTreeMap::new() };
        entry(self.make(request, parent, name, mode & !umask, kind), reply);
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        done(self.change(|state| state.remove(parent.0, name, false)), reply);
    }

    fn rmdir(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        done(self.change(|state| state.remove(parent.0, name, true)), reply);
    }

    fn rename(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        newparent: INodeNo,
        newname: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        if flags.intersects(RenameFlags::RENAME_EXCHANGE | RenameFlags::RENAME_WHITEOUT) {
            return reply.error(Errno::EINVAL);
        }
        let is_to_replace = !flags.contains(RenameFlags::RENAME_NOREPLACE);
        let (from, to) = ((parent.0, name), (newparent.0, newname));
        done(self.change(|state| state.rename(from, to, is_to_replace)), reply);
    }

    fn read(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let read = self.look(|state| {
            let (start, content) = (place(offset)?, state.content(ino.0)?);
            let start = start.min(content.seen.len());
            let end = (start + size as usize).min(content.seen.len());
            Ok(content.seen[start..end].to_vec())
        });
        match read {
            Ok(bytes) => reply.data(&bytes),
            Err(error) => reply.error(error),
        }
    }

    fn write(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let written = self.change(|state| {
            let start = place(offset)?;
            state.content(ino.0)?.write(start, data);
            state.touch(ino.0);
            Ok(())
        });
        match written {
            Ok(()) => {
                reply.written(u32::try_from(data.len()).expect("the kernel gave it with such a length"))
            }
            Err(error) => reply.error(error),
        }
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.ok(); // to close is not to sync
    }

    fn fsync(&self, _: &Request, ino: INodeNo, _: FileHandle, datasync: bool, reply: ReplyEmpty) {
        done(self.change(|state| state.sync_file(ino.0, !datasync)), reply);
    }

    fn opendir(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        reply.opened(FileHandle(0), FopenFlags::empty());
    }

    fn readdir(&self, _: &Request, ino: INodeNo, _: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        let listed = self.look(|state| {
            let names = state.names(ino.0)?.clone();
            let kind = |number| Self::attributes(state, number).map(|attributes| attributes.kind);
            let names = names.into_iter().map(|(name, number)| Ok((kind(number)?, name, number)));
            names.collect::<rustix::io::Result<Vec<_>>>()
        });
        let names = match listed {
            Ok(names) => names,
            Err(error) => return reply.error(error),
        };
        let dots = [".", ".."].map(|name| (FileType::Directory, name.into(), ino.0));
        for (at, (kind, name, number)) in dots.into_iter().chain(names).enumerate() {
            let next = at as u64 + 1;
            if next > offset && reply.add(INodeNo(number), next, kind, &name) {
                break;
            }
        }
        reply.ok();
    }

    fn fsyncdir(&self, _: &Request, ino: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        done(self.change(|state| state.sync_folder(ino.0)), reply);
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        reply.statfs(BLOCKS, BLOCKS, BLOCKS, BLOCKS, BLOCKS, BLOCK_BYTES, 255, BLOCK_BYTES);
    }

    fn create(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        _: i32,
        reply: ReplyCreate,
    ) {
        match self.make(request, parent, name, mode & !umask, Kind::File(Content::default())) {
            Ok(attributes) => {
                reply.created(&BELIEVED, &attributes, Generation(0), FileHandle(0), FopenFlags::empty());
            }
            Err(error) => reply.error(error),
        }
    }

    fn fallocate(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        length: u64,
        mode: i32,
        reply: ReplyEmpty,
    ) {
        let allocated = self.change(|state| {
            let end = place(offset.saturating_add(length))?;
            let content = state.content(ino.0)?;
            match mode {
                0 if content.seen.len() < end => content.set_length(end),
                0 | KEEP_SIZE => {}
                _ => return Err(rustix::io::Errno::NOTSUP),
            }
            Ok(())
        });
        done(allocated, reply);
    }
}
