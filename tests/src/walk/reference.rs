//! A simple listing: it has the whole tree, no steps and no limits.

use ftp_proto::listing::{
    self, Entry, EntryKind, ListFlags, ListOrder, Pattern, Selection, facts_line, long_line,
    name_line,
};
use ftp_proto::{ListStyle, Refusal, Rights};

use super::NOW;
use super::tree::{Tree, path_has};

struct Listing<'a> {
    tree: &'a Tree,
    style: ListStyle,
    flags: ListFlags,
    hidden: Option<&'a [u8]>,
    lines: Vec<u8>,
}

/// The lines of a listing, or why there are none.
pub(super) fn lines(
    tree: &Tree,
    selection: &Selection,
    style: ListStyle,
    hidden: Option<&[u8]>,
) -> Result<Vec<u8>, Refusal> {
    let mut listing = Listing {
        tree,
        style,
        flags: selection.flags,
        hidden,
        lines: Vec::new(),
    };
    let found = if path_has(&selection.path, hidden) {
        Err(Refusal::NotFound)
    } else {
        tree.find(&selection.path)
    };
    let is_directory = |node: usize| tree.entries[node].kind == EntryKind::Directory;
    match (found, &selection.glob) {
        (Ok(node), _) if is_directory(node) && !selection.flags.no_descend => {
            listing.directory(node, selection);
        }
        (Ok(_), _) if matches!(style, ListStyle::Facts(_)) => {
            return Err(Refusal::NotADirectory);
        }
        (Ok(node), _) => {
            let has_name = !selection.argument.is_empty() && node != 0;
            let name = match style {
                ListStyle::Long if has_name => &tree.entries[node].name,
                _ => selection.name(),
            };
            listing.show(node, name, name);
        }
        (Err(_), Some(glob)) => {
            if path_has(&glob.base, hidden) {
                return Err(Refusal::NotFound);
            }
            let base = tree.find(&glob.base)?;
            if !is_directory(base) {
                return Err(Refusal::NotADirectory);
            }
            listing.matches(vec![(base, Vec::new())], &glob.patterns, &glob.prefix);
            if listing.lines.is_empty() {
                return Err(Refusal::NoMatch);
            }
        }
        (Err(refusal), None) => return Err(refusal),
    }
    Ok(listing.lines)
}

impl Listing<'_> {
    fn directory(&mut self, node: usize, selection: &Selection) {
        if matches!(self.style, ListStyle::Facts(_)) {
            self.show(node, b".", b".");
            if node != 0 {
                let parent = self.tree.child(node, b"..").expect("a parent");
                self.show(parent, b"..", b"..");
            }
        }
        self.entries(node, b"", selection);
    }

    /// The entries of a directory, and with -R those of its directories.
    fn entries(&mut self, node: usize, below: &[u8], selection: &Selection) {
        if self.flags.recursive && self.style == ListStyle::Long {
            let mut path = selection.name().to_vec();
            if !below.is_empty() && path != b"/" {
                path.push(b'/');
            }
            path.extend_from_slice(below);
            listing::heading(&path, self.lines.is_empty(), &mut self.lines);
        }
        let found = self.sorted(node, |name, all| all || !matches!(name, b"." | b".."));
        let join = |name: &[u8]| match below {
            b"" => name.to_vec(),
            below => [below, b"/", name].concat(),
        };
        for (name, child) in &found {
            let path = [selection.prefix(), join(name)].concat();
            self.show(*child, name, &path);
        }
        for (name, child) in found {
            let is_directory = self.tree.entries[child].kind == EntryKind::Directory;
            if self.flags.recursive && is_directory && !matches!(&name[..], b"." | b"..") {
                self.entries(child, &join(&name), selection);
            }
        }
    }

    /// What matches the patterns below some directories, in their order.
    fn matches(&mut self, directories: Vec<(usize, Vec<u8>)>, patterns: &[Pattern], prefix: &[u8]) {
        let Some((pattern, deeper)) = patterns.split_first() else {
            return;
        };
        for (directory, below) in directories {
            let found = self.sorted(directory, |name, _| {
                !matches!(name, b"." | b"..") && pattern.matches(name)
            });
            let mut next = Vec::new();
            for (name, child) in found {
                let path = match &below[..] {
                    b"" => name,
                    below => [below, b"/", &name].concat(),
                };
                if deeper.is_empty() {
                    self.show(child, &path, &[prefix, &path].concat());
                } else if self.tree.entries[child].kind == EntryKind::Directory {
                    next.push((child, path));
                }
            }
            self.matches(next, deeper, prefix);
        }
    }

    /// Names of a directory in the order of the flags.
    fn sorted(&self, node: usize, includes: impl Fn(&[u8], bool) -> bool) -> Vec<(Vec<u8>, usize)> {
        let dots = [&b"."[..], b".."].into_iter();
        let children = self.tree.children(node).iter();
        let names = dots.chain(children.map(|&child| &self.tree.entries[child].name[..]));
        let mut found: Vec<_> = names
            .filter(|name| includes(name, self.flags.all) && Some(*name) != self.hidden)
            .map(|name| (name.to_vec(), self.tree.child(node, name).expect("a child")))
            .collect();
        if self.flags.reverse || self.flags.order != ListOrder::Directory {
            found.sort_by_key(|(name, child)| (self.key(*child), name.clone()));
        }
        if self.flags.reverse {
            found.reverse();
        }
        found
    }

    /// The newest and the largest come first.
    fn key(&self, node: usize) -> (i64, i64) {
        let entry = &self.tree.entries[node];
        match self.flags.order {
            ListOrder::Directory => (0, 0),
            ListOrder::Time => (-entry.modified, -i64::from(entry.modified_nanos)),
            ListOrder::Size => (-i64::try_from(entry.size).expect("a size"), 0),
        }
    }

    fn show(&mut self, node: usize, name: &[u8], path: &[u8]) {
        let mut entry: Entry = self.tree.entries[node].clone();
        entry.name = name.to_vec();
        match self.style {
            ListStyle::Names => name_line(path, &mut self.lines),
            ListStyle::Long => long_line(&entry, NOW, self.flags.classify, &mut self.lines),
            ListStyle::Facts(facts) => {
                facts_line(name, &entry, facts, Rights::READ_WRITE, &mut self.lines);
            }
        }
    }
}
