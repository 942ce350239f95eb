//! Walking block files: reading all of them in order, and finding their end when they are opened, cutting off
//! what a crash left half-written.

use std::{fs::File, os::unix::fs::FileExt};

use super::{BlockError, BlockFiles, Location, StoredBlock, files::at, frame};

/// Blocks in order; stops after the first error.
#[derive(Debug)]
pub struct StoredBlocks {
    files: BlockFiles,
    next: Location,
    end: Location,
}

impl StoredBlocks {
    pub(super) fn new(files: BlockFiles, next: Location, end: Location) -> Self {
        Self { files, next, end }
    }

    fn read_next(&mut self) -> Result<Option<StoredBlock>, BlockError> {
        while self.next < self.end {
            let location = self.next;
            let Some(file) = self.files.file(location.file) else { break };
            let length = file.metadata().map_err(|source| at(&self.files.path(location.file), source))?.len();
            if location.offset >= length {
                self.next = Location { file: location.file + 1, offset: 0 };
                continue;
            }
            let header = self.files.header(&file, location)?;
            let header = header.ok_or_else(|| self.files.damaged(location, "no block begins here"))?;
            let stored = self.files.body(&file, location, &header)?;
            self.next.offset += header.frame_length();
            return Ok(Some(stored));
        }
        Ok(None)
    }
}

impl Iterator for StoredBlocks {
    type Item = Result<StoredBlock, BlockError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.read_next().transpose();
        if matches!(next, Some(Err(_))) {
            self.end = self.next;
        }
        next
    }
}

impl BlockFiles {
    /// Walks the frames from `start`, cuts a torn end, returns where the next frame goes.
    pub(super) fn recover(&self, start: Location, mut each: impl FnMut(u64, Location)) -> Result<Location, BlockError> {
        let count = self.count();
        let mut location = start;
        let mut end = start;
        while location.file < count {
            let Some(file) = self.file(location.file) else { break };
            let is_last_file = location.file + 1 == count;
            let length = file.metadata().map_err(|source| at(&self.path(location.file), source))?.len();
            while location.offset < length {
                let header = self.header(&file, location)?;
                let whole = match &header {
                    Some(header) if location.offset + header.frame_length() < length => true,
                    Some(header) if location.offset + header.frame_length() == length => {
                        // Only the very last frame can be torn: all before it were synced one by one.
                        !is_last_file || self.body(&file, location, header).is_ok()
                    }
                    _ => false,
                };
                let Some(header) = header.filter(|_| whole) else {
                    if !is_last_file {
                        return Err(self.damaged(location, "no whole block begins here"));
                    }
                    self.cut(&file, location, length)?;
                    break;
                };
                each(header.number, location);
                location.offset += header.frame_length();
            }
            end = location;
            location = Location { file: location.file + 1, offset: 0 };
        }
        Ok(end)
    }

    /// Cuts the last file at `location`, unless whole blocks follow: then it is damage, not a torn end.
    fn cut(&self, file: &File, location: Location, length: u64) -> Result<(), BlockError> {
        let path = self.path(location.file);
        let mut rest = vec![0; (length - location.offset) as usize];
        file.read_exact_at(&mut rest, location.offset).map_err(|source| at(&path, source))?;
        for candidate in 1..rest.len().saturating_sub(frame::HEADER) {
            if rest[candidate..].starts_with(&frame::MAGIC) {
                let (header, body) = rest[candidate..].split_at(frame::HEADER);
                let header = header.first_chunk().and_then(frame::Header::parse);
                let whole = header.is_some_and(|header| {
                    let length = (header.frame_length() as usize) - frame::HEADER;
                    body.get(..length).is_some_and(|body| header.fits(body))
                });
                if whole {
                    return Err(self.damaged(location, "no whole block begins here, but one follows"));
                }
            }
        }
        tracing::warn!(path = %path.display(), at = location.offset, bytes = rest.len(), "cut an unfinished block");
        file.set_len(location.offset).and_then(|()| file.sync_all()).map_err(|source| at(&path, source))
    }
}
