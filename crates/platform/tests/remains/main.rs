//! What is left of a secret in memory: nothing, once it is wiped or dropped.
//!
//! The program runs on an allocator that keeps every block there ever was, so that all of them can
//! be searched. It does not look at stacks and registers. It is no test of the usual harness, as
//! no other thread may use the blocks while they are looked at.

use std::alloc::{GlobalAlloc, Layout, System};
use std::process::ExitCode;
use std::ptr::{NonNull, null_mut};
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

use bits_core::identity::{Identity, IdentityError, Package, UserName, check_job_credential};
use bits_core::secret::Secret;
use bits_platform::hardening::ZeroingAllocator;

/// In no block unless somebody puts it there: the program has it elsewhere.
const SECRET: &str = "ein-Geheimnis-😀-das-niemand-kennt";

fn main() -> ExitCode {
    the_search_finds_what_is_left();
    the_zeroing_allocator_leaves_nothing();
    for (what, act) in SCENARIOS {
        act();
        assert!(!is_anywhere(SECRET), "the secret is left in memory after: {what}");
    }
    ExitCode::SUCCESS
}

/// What is done with a secret. Nothing here wipes but the types themselves.
const SCENARIOS: [(&str, fn()); 11] = [
    ("a secret is dropped", || drop(secret())),
    ("a secret is wiped and still there", || {
        let mut wiped = secret();
        wiped.wipe();
        assert!(!is_anywhere(SECRET));
        drop(wiped);
    }),
    ("a second secret is dropped", || drop(secret().duplicate())),
    ("an identity is dropped", || drop(identity())),
    ("an identity is zeroed and still there", || {
        let mut zeroed = identity();
        zeroed.zero();
        assert!(!is_anywhere(SECRET));
        assert_eq!(zeroed.encode_as_strings().user.as_deref(), Some("anna"));
    }),
    ("an identity is refused", || {
        let refused = Identity::from_strings(Some("an\0na".into()), None, Some(secret()));
        assert!(matches!(refused, Err(IdentityError::HasNul { .. })));
    }),
    ("copies of an identity are dropped", || {
        let first = identity();
        let second = first.duplicate().excluding(Package::Ntlm);
        assert!(first.compare(&second).same_identity);
    }),
    ("an identity is made into strings", || {
        let strings = identity().encode_as_strings();
        let name = strings.qualified_user_name().expect("there is a user");
        check_job_credential(&name, &strings.password.expect("there is a password")).expect("within limits");
    }),
    ("an identity is marshalled", || drop(identity().marshal())),
    ("an identity is unmarshalled", || {
        let bytes = identity().marshal();
        Identity::validate(&bytes).expect("just written");
        drop(Identity::unmarshal(&bytes).expect("just written"));
    }),
    ("bytes are refused after the secret in them was read", || {
        let mut bytes = identity().excluding(Package::Ntlm).marshal();
        // Its list of packages, `!NTLM`, is at the end, before four bytes more.
        let end = bytes.len();
        bytes[end - 14..end - 12].copy_from_slice(b"x\0");
        assert!(matches!(Identity::unmarshal(&bytes), Err(IdentityError::NoPackageLeft)));
    }),
];

fn secret() -> Secret {
    Secret::new(SECRET.to_owned())
}

fn identity() -> Identity {
    let name = UserName::parse(r"CORP\anna").expect("a user name");
    Identity::from_user_name(name, secret()).expect("a user and a password")
}

/// The control: without it, a search that finds nothing would mean nothing.
fn the_search_finds_what_is_left() {
    for leave in [
        || drop(SECRET.to_owned()),
        || drop(SECRET.encode_utf16().collect::<Vec<_>>()),
        || {
            // Grows, and leaves what it was behind.
            let mut text = SECRET.to_owned();
            text.reserve(1 << 10);
            text.replace_range(.., "x");
        },
    ] {
        leave();
        assert!(is_anywhere(SECRET));
        overwrite_everywhere(SECRET);
        assert!(!is_anywhere(SECRET));
    }
}

fn the_zeroing_allocator_leaves_nothing() {
    WIPES.store(true, Ordering::Relaxed);
    let mut text = SECRET.to_owned();
    text.reserve(1 << 10);
    assert!(is_anywhere(SECRET));
    drop(text);
    drop(SECRET.encode_utf16().collect::<Vec<_>>());
    WIPES.store(false, Ordering::Relaxed);
    assert!(!is_anywhere(SECRET));
}

/// Whether any block, in use or freed, has `text` in it as UTF-8 or as UTF-16.
fn is_anywhere(text: &str) -> bool {
    let mut is_found = false;
    each_place_of(text, &mut |_| is_found = true);
    is_found
}

fn overwrite_everywhere(text: &str) {
    each_place_of(text, &mut |found| found.fill(0));
}

/// Shows `each` where `text` is. Makes no block itself.
fn each_place_of(text: &str, each: &mut dyn FnMut(&mut [u8])) {
    let mut next = NEWEST.load(Ordering::Acquire);
    while let Some(header) = NonNull::new(next) {
        // SAFETY: headers are written before they are in the list, and never again nor freed.
        let header_is = unsafe { header.as_ref() };
        // SAFETY: the block begins behind its header and is of the size that is written there. It
        // was zeroed when it was made, so all of it can be read. There is no other thread, and the
        // callers hold no reference into a block that has the text in it.
        let block =
            unsafe { std::slice::from_raw_parts_mut(next.wrapping_add(1).cast::<u8>(), header_is.size) };
        for place in 0..block.len() {
            if let Some(length) = length_at(&block[place..], text) {
                each(&mut block[place..place + length]);
            }
        }
        next = header_is.older;
    }
}

/// How many bytes `text` has at the start of `bytes`, if it is there.
fn length_at(bytes: &[u8], text: &str) -> Option<usize> {
    if bytes.starts_with(text.as_bytes()) {
        return Some(text.len());
    }
    let mut units = bytes.chunks_exact(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]]));
    let mut length = 0;
    for expected in text.encode_utf16() {
        if units.next() != Some(expected) {
            return None;
        }
        length += 2;
    }
    Some(length)
}

#[global_allocator]
static ALLOCATOR: Switched = Switched { wiping: ZeroingAllocator::over(Keeping) };

/// Whether freed blocks are wiped, as in the programs.
static WIPES: AtomicBool = AtomicBool::new(false);

/// [`Keeping`] as it is, or under the wiping allocator.
struct Switched {
    wiping: ZeroingAllocator<Keeping>,
}

// SAFETY: both ways end in `Keeping`, with the same layouts.
unsafe impl GlobalAlloc for Switched {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are the other's.
        unsafe { Keeping.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if WIPES.load(Ordering::Relaxed) {
            // SAFETY: the caller's promises are the other's.
            unsafe { self.wiping.dealloc(block, layout) }
        }
    }
}

/// Hands out blocks of the system's and takes none back.
struct Keeping;

/// What is before each block.
#[repr(C, align(16))]
struct Header {
    older: *mut Header,
    size: usize,
}

/// The newest of all blocks.
static NEWEST: AtomicPtr<Header> = AtomicPtr::new(null_mut());

// SAFETY: blocks are the system's, each a piece of one with room for the header before it, of the
// alignment that was asked for, and live until the end.
unsafe impl GlobalAlloc for Keeping {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let align = layout.align().max(align_of::<Header>());
        // Room for the header and, before it, for what keeps the block aligned.
        let start = align;
        let whole =
            layout.size().checked_add(start).and_then(|size| Layout::from_size_align(size, align).ok());
        let Some(whole) = whole else { return null_mut() };
        // SAFETY: the size is that of a header at least.
        let whole = unsafe { System.alloc_zeroed(whole) };
        if whole.is_null() {
            return null_mut();
        }
        let block = whole.wrapping_add(start);
        let header = block.wrapping_sub(size_of::<Header>()).cast::<Header>();
        let older = NEWEST.load(Ordering::Acquire);
        // SAFETY: the place is within the piece, aligned as `start` is, and nobody's yet.
        unsafe { header.write(Header { older, size: layout.size() }) };
        // Only the main thread is there; a lost race would only hide a block.
        NEWEST.store(header, Ordering::Release);
        block
    }

    unsafe fn dealloc(&self, _block: *mut u8, _layout: Layout) {}
}
