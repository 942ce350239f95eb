//! Tar archives in gzip, with the headers that Go's library writes.

use std::io::{self, Write};

use flate2::{Compression, GzBuilder, write::GzEncoder};

/// The size of a header, and of what content is filled up to.
const BLOCK: usize = 512;
/// The longest name, and the longest folder before it, in a plain header.
const NAME: usize = 100;
const PREFIX: usize = 155;

/// An archive under construction.
pub(super) struct Archive(GzEncoder<Vec<u8>>);

/// A header's variable parts.
struct Entry<'a> {
    name: &'a str,
    mode: u32,
    owner: u64,
    size: u64,
    kind: u8,
}

impl Archive {
    pub(super) fn new() -> Self {
        // 255: made on no system in particular.
        Self(GzBuilder::new().mtime(0).operating_system(255).write(Vec::new(), Compression::default()))
    }

    /// A regular file.
    pub(super) fn file(&mut self, name: &str, content: &[u8], owner: u64) -> io::Result<()> {
        self.entry(&Entry { name, mode: 0o100_644, owner, size: content.len() as u64, kind: b'0' }, content)
    }

    /// A folder.
    pub(super) fn folder(&mut self, name: &str, owner: u64) -> io::Result<()> {
        self.entry(&Entry { name: &format!("{name}/"), mode: 0o40_755, owner, size: 0, kind: b'5' }, &[])
    }

    /// The archive.
    pub(super) fn finish(mut self) -> io::Result<Vec<u8>> {
        self.0.write_all(&[0; 2 * BLOCK])?;
        self.0.finish()
    }

    fn entry(&mut self, entry: &Entry<'_>, content: &[u8]) -> io::Result<()> {
        match split(entry.name) {
            Some((prefix, name)) => self.write(&header(entry, prefix, name), content),
            None => {
                // What a plain header cannot say stands in a record before it.
                let (folder, file) = entry.name.trim_end_matches('/').rsplit_once('/').unwrap_or(("", entry.name));
                let record = record("path", entry.name);
                let name = ascii(&if folder.is_empty() {
                    format!("PaxHeaders.0/{file}")
                } else {
                    format!("{folder}/PaxHeaders.0/{file}")
                });
                let extended = Entry { name: &name, mode: 0, owner: 0, size: record.len() as u64, kind: b'x' };
                self.write(&header(&extended, "", &name), record.as_bytes())?;
                let name = ascii(entry.name);
                self.write(&header(entry, "", &name), content)
            }
        }
    }

    fn write(&mut self, header: &[u8], content: &[u8]) -> io::Result<()> {
        self.0.write_all(header)?;
        self.0.write_all(content)?;
        let rest = content.len() % BLOCK;
        if rest > 0 {
            self.0.write_all(&[0; BLOCK][rest..])?;
        }
        Ok(())
    }
}

/// A name in the two parts of a plain header, if it fits.
fn split(name: &str) -> Option<(&str, &str)> {
    if !name.is_ascii() {
        return None;
    }
    if name.len() <= NAME {
        return Some(("", name));
    }
    // A folder's own slash at the end does not divide.
    let within = name.len().min(PREFIX + 1) - usize::from(name.len() <= PREFIX + 1 && name.ends_with('/'));
    let slash = name[..within].rfind('/')?;
    let (prefix, rest) = (&name[..slash], &name[slash + 1..]);
    (!prefix.is_empty() && !rest.is_empty() && rest.len() <= NAME).then_some((prefix, rest))
}

fn header(entry: &Entry<'_>, prefix: &str, name: &str) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &name.as_bytes()[..name.len().min(NAME)]);
    put(100, format!("{:07o}", entry.mode).as_bytes());
    put(108, format!("{:07o}", entry.owner).as_bytes());
    put(116, format!("{:07o}", entry.owner).as_bytes());
    put(124, format!("{:011o}", entry.size).as_bytes());
    put(136, b"00000000000");
    put(148, b"        ");
    put(156, &[entry.kind]);
    put(257, b"ustar\x0000");
    put(329, b"0000000");
    put(337, b"0000000");
    put(345, prefix.as_bytes());
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

/// `<length> <key>=<value>`, the length counting itself.
fn record(key: &str, value: &str) -> String {
    let body = format!(" {key}={value}\n");
    let mut length = body.len();
    while length != body.len() + length.to_string().len() {
        length = body.len() + length.to_string().len();
    }
    format!("{length}{body}")
}

fn ascii(text: &str) -> String {
    let text: String = text.chars().filter(char::is_ascii).collect();
    text[..text.len().min(NAME)].to_owned()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;

    use super::*;

    #[test]
    fn writes_what_can_be_read() {
        let long = format!("src/{}/file.go", "folder/".repeat(30));
        let names =
            ["src/a.go", &"n".repeat(100), &long, "src/é.go", &format!("{}{}", "d/".repeat(90), "x".repeat(101))];
        let mut archive = Archive::new();
        archive.folder("src", 500).expect("memory");
        for name in names {
            archive.file(name, name.as_bytes(), 500).expect("memory");
        }
        let bytes = archive.finish().expect("memory");
        let mut found = Vec::new();
        for entry in tar::Archive::new(GzDecoder::new(&bytes[..])).entries().expect("an archive") {
            let mut entry = entry.expect("an entry");
            let mut content = String::new();
            entry.read_to_string(&mut content).expect("text");
            let name = entry.path().expect("a name").display().to_string();
            assert_eq!(entry.header().mtime().ok(), Some(0));
            if entry.header().entry_type().is_file() {
                assert_eq!(content, name);
                assert_eq!(entry.header().mode().ok(), Some(0o100_644));
                found.push(name);
            }
        }
        assert_eq!(found, names);
    }

    #[test]
    fn divides_long_names_as_late_as_possible() {
        let name = format!("{}/{}", "a".repeat(60), "b".repeat(60));
        assert_eq!(split(&name), Some(("a".repeat(60).as_str(), "b".repeat(60).as_str())));
        assert_eq!(split(&"c".repeat(101)), None);
        assert_eq!(record("path", "x"), "9 path=x\n");
        assert_eq!(record("path", "xx"), "11 path=xx\n");
    }
}
