//! The files: opening, appending, reading.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use parking_lot::{Mutex, RwLock};
use prost::Message;
use windlass_proto::common::Block;

use super::{BlockError, Location, StoredBlocks, frame};

// A new file begins once the current one has reached this size. Fabric uses the same.
const FILE_LIMIT: u64 = 64 << 20;
const EXTENSION: &str = "blocks";
const LOCK: &str = "LOCK";

/// A folder of block files, locked while open. Clones share it.
#[derive(Clone, Debug)]
pub struct BlockFiles {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    file_limit: u64,
    files: RwLock<Vec<Arc<File>>>,
    tail: Mutex<Tail>,
    // Held for its lock.
    _lock: File,
}

/// Where the next frame goes.
#[derive(Debug)]
struct Tail {
    next: Location,
    // A failed append that could not be undone.
    failed: bool,
}

/// A block as it was stored, with its private data (empty: none).
#[derive(Clone, Debug)]
pub struct StoredBlock {
    /// Where its frame begins.
    pub location: Location,
    /// The block.
    pub block: Block,
    /// What was appended with it.
    pub private: Bytes,
}

/// Where checking begins when block files are opened.
#[derive(Clone, Copy, Debug, Default)]
pub struct WalkFrom {
    /// A block known to be whole, such as the last one applied. Its number is compared; if it is not there,
    /// the walk begins at the first file.
    pub known: Option<(u64, Location)>,
}

impl BlockFiles {
    /// Opens the block files in `folder`, creating it if missing. A frame that a crash left unfinished at the
    /// very end is cut off; any other damage is an error.
    pub fn open(folder: &Path) -> Result<Self, BlockError> {
        Ok(Self::open_walking(folder, WalkFrom::default(), |_, _| {})?.0)
    }

    /// The same, calling `each` with number and location of every block from `from` on. The second value
    /// tells whether the walk began at the block that `from` names.
    pub fn open_walking(
        folder: &Path,
        from: WalkFrom,
        each: impl FnMut(u64, Location),
    ) -> Result<(Self, bool), BlockError> {
        Self::open_limited(folder, FILE_LIMIT, from, each)
    }

    pub(super) fn open_limited(
        folder: &Path,
        file_limit: u64,
        from: WalkFrom,
        each: impl FnMut(u64, Location),
    ) -> Result<(Self, bool), BlockError> {
        create_folder(folder)?;
        let lock = lock(folder)?;
        let mut files = Vec::new();
        while let Some(file) = open_file(folder, files.len() as u32)? {
            files.push(Arc::new(file));
        }
        refuse_gap(folder, files.len() as u32)?;
        let blocks = Self {
            inner: Arc::new(Inner {
                folder: folder.to_owned(),
                file_limit,
                files: RwLock::new(files),
                tail: Mutex::new(Tail { next: Location::default(), failed: false }),
                _lock: lock,
            }),
        };
        let start = from.known.filter(|(number, location)| blocks.holds(*number, *location));
        let next = blocks.recover(start.map_or_else(Location::default, |(_, location)| location), each)?;
        blocks.inner.tail.lock().next = next;
        Ok((blocks, start.is_some()))
    }

    /// Appends `block` with its private data. Both are durable on return.
    pub fn append(&self, block: &Block, private: Option<&[u8]>) -> Result<Location, BlockError> {
        let number = block.header.as_ref().ok_or(BlockError::NoHeader)?.number;
        let frame = frame::encode(number, &block.encode_to_vec(), private.unwrap_or_default())?;
        let mut tail = self.inner.tail.lock();
        if tail.failed {
            return Err(BlockError::Failed(self.inner.folder.clone()));
        }
        let mut location = tail.next;
        if location.offset >= self.inner.file_limit {
            location = Location { file: location.file + 1, offset: 0 };
        }
        let file = self.file_to_append(location.file)?;
        let written = file.write_all_at(&frame, location.offset).and_then(|()| file.sync_data());
        if let Err(source) = written {
            // Whatever of it reached the disk must not precede the next frame. After a failed sync, what the
            // disk holds is unknown: only reading it again can tell.
            tail.failed = true;
            let _ = file.set_len(location.offset);
            return Err(at(&self.path(location.file), source));
        }
        tail.next = Location { offset: location.offset + frame.len() as u64, ..location };
        Ok(location)
    }

    /// The block at `location`.
    pub fn read(&self, location: Location) -> Result<StoredBlock, BlockError> {
        let file = self.file(location.file).ok_or_else(|| self.damaged(location, "there is no such file"))?;
        let header = self.header(&file, location)?.ok_or_else(|| self.damaged(location, "no block begins here"))?;
        self.body(&file, location, &header)
    }

    /// Removes the block at `first` and all that follow, which nobody else must be reading. A crash may leave some of
    /// them, never a gap.
    pub(crate) fn cut_at(self, first: Location) -> Result<(), BlockError> {
        for number in (first.file + 1..self.count()).rev() {
            let path = self.path(number);
            fs::remove_file(&path).map_err(|source| at(&path, source))?;
            sync_folder(&self.inner.folder)?;
        }
        let file = self.file(first.file).ok_or_else(|| self.damaged(first, "there is no such file"))?;
        let cut = file.set_len(first.offset).and_then(|()| file.sync_all());
        cut.map_err(|source| at(&self.path(first.file), source))
    }

    /// The blocks from the one at `from` on, up to the last one at the time of the call.
    pub fn iterate(&self, from: Location) -> StoredBlocks {
        StoredBlocks::new(self.clone(), from, self.inner.tail.lock().next)
    }

    fn holds(&self, number: u64, location: Location) -> bool {
        self.read(location).is_ok_and(|stored| stored.block.header.is_some_and(|header| header.number == number))
    }

    pub(super) fn header(&self, file: &File, location: Location) -> Result<Option<frame::Header>, BlockError> {
        let mut bytes = [0; frame::HEADER];
        match file.read_exact_at(&mut bytes, location.offset) {
            Ok(()) => Ok(frame::Header::parse(&bytes)),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(source) => Err(at(&self.path(location.file), source)),
        }
    }

    pub(super) fn body(
        &self,
        file: &File,
        location: Location,
        header: &frame::Header,
    ) -> Result<StoredBlock, BlockError> {
        let length = file.metadata().map_err(|source| at(&self.path(location.file), source))?.len();
        if location.offset + header.frame_length() > length {
            // Checked before allocating: a damaged header may claim any size.
            return Err(self.damaged(location, "the block is cut off"));
        }
        let mut body = vec![0; (header.frame_length() - frame::HEADER as u64) as usize];
        file.read_exact_at(&mut body, location.offset + frame::HEADER as u64)
            .map_err(|source| at(&self.path(location.file), source))?;
        if !header.fits(&body) {
            return Err(self.damaged(location, "the block's checksum does not match"));
        }
        let mut block = Bytes::from(body);
        let private = block.split_off(header.block_length as usize);
        let block = Block::decode(block).map_err(|_| self.damaged(location, "it is no block"))?;
        Ok(StoredBlock { location, block, private })
    }

    pub(super) fn file(&self, number: u32) -> Option<Arc<File>> {
        self.inner.files.read().get(number as usize).cloned()
    }

    fn file_to_append(&self, number: u32) -> Result<Arc<File>, BlockError> {
        if let Some(file) = self.file(number) {
            return Ok(file);
        }
        let path = self.path(number);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&path)
            .map_err(|source| at(&path, source))?;
        sync_folder(&self.inner.folder)?;
        let file = Arc::new(file);
        self.inner.files.write().push(file.clone());
        Ok(file)
    }

    /// How many files there are.
    pub(super) fn count(&self) -> u32 {
        self.inner.files.read().len() as u32
    }

    pub(super) fn path(&self, number: u32) -> PathBuf {
        file_path(&self.inner.folder, number)
    }

    pub(super) fn damaged(&self, location: Location, what: &'static str) -> BlockError {
        BlockError::Damaged { path: self.path(location.file), offset: location.offset, what }
    }
}

fn file_path(folder: &Path, number: u32) -> PathBuf {
    folder.join(format!("{number:06}.{EXTENSION}"))
}

fn open_file(folder: &Path, number: u32) -> Result<Option<File>, BlockError> {
    let path = file_path(folder, number);
    match OpenOptions::new().read(true).write(true).open(&path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(at(&path, source)),
    }
}

/// A file beyond the first missing one means that blocks are gone.
fn refuse_gap(folder: &Path, count: u32) -> Result<(), BlockError> {
    for entry in fs::read_dir(folder).map_err(|source| at(folder, source))? {
        let path = entry.map_err(|source| at(folder, source))?.path();
        let number = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse::<u32>().ok());
        if path.extension().is_some_and(|extension| extension == EXTENSION) && number.is_some_and(|n| n >= count) {
            return Err(BlockError::Damaged { path: file_path(folder, count), offset: 0, what: "the file is missing" });
        }
    }
    Ok(())
}

/// Creates a folder and its missing parents, durably.
pub(crate) fn create_folder(folder: &Path) -> Result<(), BlockError> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    let parent = folder.parent().unwrap_or(Path::new(""));
    create_folder(parent)?;
    match fs::create_dir(folder) {
        Err(source) if source.kind() != io::ErrorKind::AlreadyExists => return Err(at(folder, source)),
        _ => {}
    }
    sync_folder(parent)
}

fn lock(folder: &Path) -> Result<File, BlockError> {
    let path = folder.join(LOCK);
    let file =
        OpenOptions::new().write(true).create(true).truncate(false).open(&path).map_err(|source| at(&path, source))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(BlockError::InUse(folder.to_owned())),
        Err(TryLockError::Error(source)) => Err(at(&path, source)),
    }
}

pub(crate) fn sync_folder(folder: &Path) -> Result<(), BlockError> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|source| at(folder, source))
}

pub(super) fn at(path: &Path, source: io::Error) -> BlockError {
    BlockError::Io { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use windlass_proto::common::{BlockData, BlockHeader};

    use super::*;

    fn block(number: u64) -> Block {
        Block {
            header: Some(BlockHeader { number, ..Default::default() }),
            data: Some(BlockData { data: vec![Bytes::from(format!("transaction {number}"))] }),
            metadata: None,
        }
    }

    fn numbers(files: &BlockFiles) -> Vec<u64> {
        files
            .iterate(Location::default())
            .map(|stored| stored.expect("a block").block.header.expect("a header").number)
            .collect()
    }

    fn open_small(folder: &Path) -> Result<BlockFiles, BlockError> {
        Ok(BlockFiles::open_limited(folder, 100, WalkFrom::default(), |_, _| {})?.0)
    }

    #[test]
    fn reads_back_blocks_and_private_data_across_files() {
        let folder = tempfile::tempdir().expect("a folder");
        let files = open_small(folder.path()).expect("block files");
        let locations: Vec<_> = (0..9)
            .map(|number| {
                let private = format!("secret {number}");
                files.append(&block(number), (number % 2 == 0).then_some(private.as_bytes())).expect("an append")
            })
            .collect();
        assert!(locations.last().expect("nine").file > 2);
        drop(files);
        let files = open_small(folder.path()).expect("block files");
        assert_eq!(numbers(&files), (0..9).collect::<Vec<_>>());
        let stored = files.read(locations[4]).expect("block 4");
        assert_eq!((stored.block, &stored.private[..]), (block(4), &b"secret 4"[..]));
        assert!(files.read(locations[5]).expect("block 5").private.is_empty());
        files.append(&block(9), None).expect("an append");
        assert_eq!(numbers(&files).len(), 10);
    }

    #[test]
    fn cuts_a_frame_torn_at_any_byte_and_goes_on() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = file_path(folder.path(), 0);
        let files = BlockFiles::open(folder.path()).expect("block files");
        files.append(&block(0), None).expect("an append");
        let last = files.append(&block(1), Some(b"secret")).expect("an append");
        drop(files);
        let whole = fs::read(&path).expect("the file");
        for length in last.offset as usize..whole.len() {
            fs::write(&path, &whole[..length]).expect("a torn file");
            let files = BlockFiles::open(folder.path()).expect("block files");
            assert_eq!(numbers(&files), [0], "cut at {length}");
            assert_eq!(files.append(&block(1), None).expect("an append"), last);
            assert_eq!(numbers(&files), [0, 1]);
        }
    }

    #[test]
    fn cuts_a_frame_whose_pages_never_reached_the_disk() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = file_path(folder.path(), 0);
        let files = BlockFiles::open(folder.path()).expect("block files");
        files.append(&block(0), None).expect("an append");
        let last = files.append(&block(1), Some(&[1; 200])).expect("an append");
        drop(files);
        let whole = fs::read(&path).expect("the file");
        for zeroed in [last.offset as usize..whole.len(), whole.len() - 10..whole.len()] {
            let mut torn = whole.clone();
            torn[zeroed].fill(0);
            fs::write(&path, &torn).expect("a torn file");
            assert_eq!(numbers(&BlockFiles::open(folder.path()).expect("block files")), [0]);
        }
    }

    #[test]
    fn refuses_damage_before_whole_blocks() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = file_path(folder.path(), 0);
        let files = BlockFiles::open(folder.path()).expect("block files");
        let locations: Vec<_> = (0..3).map(|number| files.append(&block(number), None).expect("an append")).collect();
        drop(files);
        let mut bytes = fs::read(&path).expect("the file");
        bytes[locations[1].offset as usize] = b'x';
        fs::write(&path, &bytes).expect("a damaged file");
        let error = BlockFiles::open(folder.path()).expect_err("damage");
        assert!(matches!(error, BlockError::Damaged { offset, .. } if offset == locations[1].offset), "{error}");
        assert_eq!(fs::read(&path).expect("the file"), bytes, "nothing is cut");
    }

    #[test]
    fn a_damaged_block_is_not_served() {
        let folder = tempfile::tempdir().expect("a folder");
        let files = BlockFiles::open(folder.path()).expect("block files");
        let first = files.append(&block(0), None).expect("an append");
        files.append(&block(1), None).expect("an append");
        let path = file_path(folder.path(), 0);
        let mut bytes = fs::read(&path).expect("the file");
        bytes[frame::HEADER + 3] ^= 1;
        fs::write(&path, &bytes).expect("a damaged file");
        assert!(matches!(files.read(first), Err(BlockError::Damaged { .. })));
        assert!(matches!(files.read(Location { file: 0, offset: 1 }), Err(BlockError::Damaged { .. })));
        assert!(matches!(files.read(Location { file: 9, offset: 0 }), Err(BlockError::Damaged { .. })));
    }

    #[test]
    fn walks_from_a_known_block() {
        let folder = tempfile::tempdir().expect("a folder");
        let files = open_small(folder.path()).expect("block files");
        let locations: Vec<_> = (0..6).map(|number| files.append(&block(number), None).expect("an append")).collect();
        drop(files);
        let walk = |known| {
            let mut seen = Vec::new();
            let from = WalkFrom { known: Some(known) };
            let (_, found) =
                BlockFiles::open_limited(folder.path(), 100, from, |number, _| seen.push(number)).expect("block files");
            (found, seen)
        };
        assert_eq!(walk((4, locations[4])), (true, vec![4, 5]));
        assert_eq!(walk((3, locations[4])), (false, vec![0, 1, 2, 3, 4, 5]), "another block is there");
        assert_eq!(walk((4, Location { file: 77, offset: 0 })), (false, vec![0, 1, 2, 3, 4, 5]));
    }

    #[test]
    fn refuses_to_go_on_without_a_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let files = open_small(folder.path()).expect("block files");
        (0..6).for_each(|number| {
            files.append(&block(number), None).expect("an append");
        });
        drop(files);
        fs::remove_file(file_path(folder.path(), 1)).expect("removed");
        let error = open_small(folder.path()).expect_err("a gap");
        assert!(error.to_string().ends_with("000001.blocks is damaged at byte 0: the file is missing"), "{error}");
    }

    #[test]
    fn creates_missing_folders() {
        let folder = tempfile::tempdir().expect("a folder");
        let nested = folder.path().join("channels/ch/blocks");
        drop(BlockFiles::open(&nested).expect("block files"));
        assert!(nested.is_dir());
        fs::write(folder.path().join("file"), "").expect("a file");
        assert!(matches!(BlockFiles::open(&folder.path().join("file/blocks")), Err(BlockError::Io { .. })));
    }

    #[test]
    fn one_holder_at_a_time() {
        let folder = tempfile::tempdir().expect("a folder");
        let files = BlockFiles::open(folder.path()).expect("block files");
        assert!(matches!(BlockFiles::open(folder.path()), Err(BlockError::InUse(_))));
        drop(files);
        BlockFiles::open(folder.path()).expect("block files");
    }
}
