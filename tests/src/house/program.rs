//! The modules of all crates, and what a path in one of them leads to.

use std::collections::BTreeMap;

use super::cfg::{Build, compiled};
use super::items::{Body, Import, Path, Scope, scope};
use super::tokens::code;

/// Source files: path below the workspace and text.
pub type Sources = BTreeMap<String, String>;

/// The module trees of some crates.
#[derive(Debug)]
pub struct Program {
    pub modules: Vec<Module>,
    /// The number of the module at the root of each crate, by the crate's name in paths.
    crates: BTreeMap<String, usize>,
    /// What could not be read.
    pub problems: Vec<String>,
}

#[derive(Debug)]
pub struct Module {
    pub file: String,
    pub scope: Scope,
    parent: Option<usize>,
    children: Vec<(String, usize)>,
}

/// What a path leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    Module(usize),
    /// An item of a module, or something inside of it, such as a variant or an associated function.
    Item {
        module: usize,
        name: String,
    },
    /// Something that the standard library or another package defines, or a name that is no item.
    Outside,
}

/// The imports that are being followed: each as its module and its place there.
type Seen = Vec<(usize, usize)>;

impl Program {
    /// Reads crates, each given as its name and its first file.
    pub fn read(sources: &Sources, crates: &[(&str, &str)], build: Build) -> Self {
        let mut program = Self {
            modules: Vec::new(),
            crates: BTreeMap::new(),
            problems: Vec::new(),
        };
        for (name, file) in crates {
            let root = program.add_file(sources, file, None, true, build);
            program
                .crates
                .extend(root.map(|root| ((*name).to_owned(), root)));
        }
        program
    }

    /// Adds a file. The files of its children are in its folder, or in a folder of the file's name.
    fn add_file(
        &mut self,
        sources: &Sources,
        file: &str,
        parent: Option<usize>,
        is_beside_children: bool,
        build: Build,
    ) -> Option<usize> {
        let Some(text) = sources.get(file) else {
            self.problems.push(format!("{file}: there is no such file"));
            return None;
        };
        let scope = scope(&compiled(&code(text), build));
        let stem = file.strip_suffix(".rs").unwrap_or(file);
        let (folder, name) = stem.rsplit_once('/').unwrap_or(("", stem));
        let is_beside_children = is_beside_children || name == "mod";
        let folder = if is_beside_children { folder } else { stem };
        Some(self.add(sources, file, folder, scope, parent, build))
    }

    /// Adds a module whose children are files in a folder.
    fn add(
        &mut self,
        sources: &Sources,
        file: &str,
        folder: &str,
        mut scope: Scope,
        parent: Option<usize>,
        build: Build,
    ) -> usize {
        let declared = std::mem::take(&mut scope.modules);
        let module = self.modules.len();
        self.modules.push(Module {
            file: file.to_owned(),
            scope,
            parent,
            children: Vec::new(),
        });
        for child in declared {
            let inside = join(folder, &child.name);
            let number = if let Some(inline) = child.inline {
                Some(self.add(sources, file, &inside, inline, Some(module), build))
            } else {
                let (beside, _) = file.rsplit_once('/').unwrap_or(("", file));
                let plain = format!("{inside}.rs");
                let nested = format!("{inside}/mod.rs");
                let path = match &child.path {
                    Some(path) => join(beside, path),
                    None if sources.contains_key(&nested) => nested,
                    None => plain,
                };
                self.add_file(sources, &path, Some(module), child.path.is_some(), build)
            };
            let number = number.map(|number| (child.name, number));
            self.modules[module].children.extend(number);
        }
        module
    }

    /// Whether a module is another one, or lies inside of it.
    pub fn is_inside(&self, module: usize, other: usize) -> bool {
        let up = |module: &usize| self.modules[*module].parent;
        std::iter::successors(Some(module), up).any(|module| module == other)
    }

    /// What an import of a module leads to, by its place there; nothing if its path leads nowhere.
    pub fn follow_import(&self, module: usize, import: usize) -> Vec<Target> {
        let path = &self.modules[module].scope.imports[import].path;
        self.resolve(module, path, false, &mut vec![(module, import)])
    }

    /// What a path inside an item leads to; nothing if it leads nowhere.
    pub fn follow(&self, module: usize, body: &Body, path: &Path) -> Vec<Target> {
        let (first, rest) = path.segments.split_first().expect("a segment");
        let mut imports = body.imports.iter();
        let local = imports.find(|import| {
            import.name.as_ref() == Some(first) && !std::ptr::eq(&import.path, path)
        });
        let Some(local) = local else {
            return self.resolve(module, path, false, &mut Vec::new());
        };
        let segments = local.path.segments.iter().chain(rest).cloned();
        let path = Path {
            segments: segments.collect(),
            line: path.line,
        };
        self.resolve(module, &path, false, &mut Vec::new())
    }

    /// Only modules and types can stand before `::`, and the name before it is looked up among
    /// these alone.
    fn resolve(
        &self,
        module: usize,
        path: &Path,
        types_only: bool,
        seen: &mut Seen,
    ) -> Vec<Target> {
        let (first, mut rest) = path.segments.split_first().expect("a segment");
        let types_first = types_only || !rest.is_empty();
        let mut targets = match first.as_str() {
            "crate" => vec![Target::Module(self.root(module))],
            "self" => vec![Target::Module(module)],
            "super" => {
                let mut parent = self.modules[module].parent;
                while let Some((next, behind)) = rest.split_first()
                    && next == "super"
                {
                    parent = parent.and_then(|parent| self.modules[parent].parent);
                    rest = behind;
                }
                parent.map(Target::Module).into_iter().collect()
            }
            name => self.lookup(module, name, types_first, seen),
        };
        if targets.iter().all(|target| *target == Target::Outside) {
            let crate_root = self.crates.get(first).map(|root| Target::Module(*root));
            targets = vec![crate_root.unwrap_or(Target::Outside)];
        }
        for (at, segment) in rest.iter().enumerate() {
            let types = types_only || at + 1 < rest.len();
            targets = targets
                .into_iter()
                .flat_map(|target| match target {
                    Target::Module(module) => self.lookup(module, segment, types, seen),
                    inside => vec![inside],
                })
                .collect();
        }
        targets
    }

    fn root(&self, module: usize) -> usize {
        let up = |module: &usize| self.modules[*module].parent;
        let last = std::iter::successors(Some(module), up).last();
        last.unwrap_or(module)
    }

    /// What a name means in a module.
    fn lookup(&self, number: usize, name: &str, types_only: bool, seen: &mut Seen) -> Vec<Target> {
        let module = &self.modules[number];
        let defined = module
            .scope
            .definitions
            .iter()
            .find(|item| item.name == name && (item.is_type || !types_only));
        let mut targets: Vec<Target> = defined
            .map(|item| Target::Item {
                module: number,
                name: item.name.clone(),
            })
            .into_iter()
            .collect();
        let children = module.children.iter().filter(|(child, _)| child == name);
        targets.extend(children.map(|(_, child)| Target::Module(*child)));
        let named = |import: &Import| import.name.as_deref() == Some(name);
        targets.extend(self.through(number, named, None, types_only, seen));
        // A module does not hide a function of its name.
        let is_module = |target: &Target| matches!(target, Target::Module(_));
        let is_found = !targets.is_empty() && (types_only || !targets.iter().all(is_module));
        if !is_found {
            let glob = |import: &Import| import.is_glob;
            targets.extend(self.through(number, glob, Some(name), types_only, seen));
        }
        targets
    }

    /// What the imports of one kind lead to, and a name beneath that.
    fn through(
        &self,
        number: usize,
        kind: impl Fn(&Import) -> bool,
        name: Option<&str>,
        types_only: bool,
        seen: &mut Seen,
    ) -> Vec<Target> {
        let mut targets = Vec::new();
        for (at, import) in self.modules[number].scope.imports.iter().enumerate() {
            if !kind(import) || seen.contains(&(number, at)) {
                continue;
            }
            seen.push((number, at));
            let found = self.resolve(number, &import.path, types_only || name.is_some(), seen);
            for target in found {
                match (target, name) {
                    (Target::Module(module), Some(name)) => {
                        targets.extend(self.lookup(module, name, types_only, seen));
                    }
                    // The variants of an enum are not read; importing them has led to it already.
                    (Target::Item { .. }, Some(_)) => {}
                    (target, _) => targets.push(target),
                }
            }
            seen.pop();
        }
        targets
    }
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() {
        name.to_owned()
    } else {
        format!("{folder}/{name}")
    }
}
