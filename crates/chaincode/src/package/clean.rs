//! Names in archives that stay below the folder they are unpacked in.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt, path::PathBuf};

/// The path that a name means, relative to the folder; `None` if it leaves the folder. `a/../b` is `b`, the
/// folder itself is empty.
// Fabric: external-builders §5
pub(super) fn clean(name: &[u8]) -> Option<PathBuf> {
    if name.starts_with(b"/") {
        return None;
    }
    let mut path = PathBuf::new();
    for part in name.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." if !path.pop() => return None,
            b".." => {}
            part => path.push(OsStr::from_bytes(part)),
        }
    }
    Some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_names_inside_and_refuses_those_that_leave() {
        for (name, path) in [
            ("a", Some("a")),
            ("./a//b/", Some("a/b")),
            ("..foo", Some("..foo")),
            ("a/../b", Some("b")),
            ("./", Some("")),
            ("..", None),
            ("../a", None),
            ("a/../../b", None),
            ("/etc/passwd", None),
        ] {
            assert_eq!(clean(name.as_bytes()), path.map(PathBuf::from), "{name}");
        }
    }
}
