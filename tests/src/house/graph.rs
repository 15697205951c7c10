//! Which file names items of which other files, and where that goes in circles.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::items::Path;
use super::program::{Program, Target};

/// The names that each place takes from each other one.
///
/// An edge is a path from one file to an item that another file defines, through whatever
/// re-exports it takes. Declaring a module, and re-exporting an item of an own child, is no edge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Graph {
    pub edges: BTreeMap<String, BTreeMap<String, BTreeSet<String>>>,
}

impl Graph {
    /// The edges between the files of a program, and the paths that lead nowhere.
    pub fn of(program: &Program) -> (Self, Vec<String>) {
        let mut builder = Builder {
            program,
            graph: Self::default(),
            problems: Vec::new(),
        };
        for module in 0..program.modules.len() {
            builder.read(module);
        }
        (builder.graph, builder.problems)
    }

    pub fn add(&mut self, from: &str, to: &str, name: &str) {
        let targets = self.edges.entry(from.to_owned()).or_default();
        let names = targets.entry(to.to_owned()).or_default();
        names.insert(name.to_owned());
    }

    /// Adds the edges of another graph.
    pub fn join(&mut self, other: &Self) {
        for (from, to, names) in other.edges() {
            for name in names {
                self.add(from, to, name);
            }
        }
    }

    /// The same with places put together; edges within one place vanish, as does a place without a
    /// new name.
    pub fn fold(&self, place: impl Fn(&str) -> Option<String>) -> Self {
        let mut folded = Self::default();
        for (from, to, names) in self.edges() {
            let (Some(from), Some(to)) = (place(from), place(to)) else {
                continue;
            };
            for name in names.iter().filter(|_| from != to) {
                folded.add(&from, &to, name);
            }
        }
        folded
    }

    pub fn edges(&self) -> impl Iterator<Item = (&str, &str, &BTreeSet<String>)> {
        self.edges.iter().flat_map(|(from, targets)| {
            let edge = move |(to, names)| (from.as_str(), String::as_str(to), names);
            targets.iter().map(edge)
        })
    }

    /// The largest sets of places each of which leads to each other one.
    pub fn cycles(&self) -> Vec<BTreeSet<String>> {
        let mut reach: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for from in self.edges.keys() {
            reach.insert(from, self.reachable(from));
        }
        let leads = |from: &str, to: &str| reach.get(from).is_some_and(|all| all.contains(to));
        let mut cycles: Vec<BTreeSet<String>> = Vec::new();
        for start in self.edges.keys() {
            if !leads(start, start) || cycles.iter().any(|cycle| cycle.contains(start)) {
                continue;
            }
            let others = reach[start.as_str()].iter();
            let cycle = others.filter(|other| leads(other, start));
            cycles.push(cycle.map(|place| (*place).to_owned()).collect());
        }
        cycles
    }

    fn reachable(&self, start: &str) -> BTreeSet<&str> {
        let mut reached = BTreeSet::new();
        let mut open = vec![start];
        while let Some(place) = open.pop() {
            let targets = self.edges.get(place).into_iter().flatten();
            open.extend(
                targets.filter_map(|(to, _)| reached.insert(to.as_str()).then_some(to.as_str())),
            );
        }
        reached
    }

    /// A cycle as text, with every edge inside of it and the names that make the edge.
    pub fn show(&self, cycle: &BTreeSet<String>) -> String {
        let mut text = format!("a cycle of {} places:\n", cycle.len());
        for (from, to, names) in self.edges() {
            if cycle.contains(from) && cycle.contains(to) {
                let _ = writeln!(text, "  {from} -> {to}: {}", list(names));
            }
        }
        text
    }
}

pub fn list(names: &BTreeSet<String>) -> String {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    names.join(", ")
}

struct Builder<'a> {
    program: &'a Program,
    graph: Graph,
    problems: Vec<String>,
}

impl Builder<'_> {
    fn read(&mut self, module: usize) {
        let scope = &self.program.modules[module].scope;
        for (at, import) in scope.imports.iter().enumerate() {
            let targets = self.program.follow_import(module, at);
            self.add(module, &import.path, targets, import.is_export);
        }
        for body in &scope.bodies {
            let imports = body.imports.iter().map(|import| &import.path);
            for path in body.paths.iter().chain(imports) {
                let targets = self.program.follow(module, body, path);
                self.add(module, path, targets, false);
            }
        }
    }

    fn add(&mut self, from: usize, path: &Path, targets: Vec<Target>, is_export: bool) {
        let file = &self.program.modules[from].file;
        if targets.is_empty() {
            let path_text = path.segments.join("::");
            let problem = format!("{file}:{}: {path_text} leads nowhere", path.line);
            self.problems.push(problem);
        }
        for target in targets {
            let Target::Item { module, name } = target else {
                continue;
            };
            let to = &self.program.modules[module].file;
            let own_child = is_export && self.program.is_inside(module, from);
            if to != file && !own_child {
                self.graph.add(file, to, &name);
            }
        }
    }
}

#[cfg(test)]
mod tests;
