//! The files of a checkout that the checks read.

use std::path::Path;
use std::{fs, io};

use super::program::Sources;

/// All Rust files and all documents below a folder, but for what cargo and git put there.
pub fn read(root: &Path) -> io::Result<Sources> {
    let mut sources = Sources::new();
    add(root, "", &mut sources)?;
    Ok(sources)
}

fn add(folder: &Path, prefix: &str, sources: &mut Sources) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        let path = format!("{prefix}{name}");
        if entry.file_type()?.is_dir() {
            if name != "target" && name != ".git" {
                add(&entry.path(), &format!("{path}/"), sources)?;
            }
        } else if name.ends_with(".rs") || name.ends_with(".md") {
            sources.insert(path, fs::read_to_string(entry.path())?);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_file_is_read() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let sources = read(root).expect("the files of this package");
        assert!(sources["src/house/workspace.rs"].contains("fn this_file_is_read"));
    }
}
