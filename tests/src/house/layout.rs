//! The modules of a crate: how many there are, and which may import which.

use std::collections::BTreeSet;

use super::findings::Finding;
use super::graph::{Graph, list};
use super::program::Sources;

/// What the modules beneath one folder must satisfy. A file and the folder of its name are one
/// module.
#[derive(Clone, Copy, Debug)]
pub struct Layout<'a> {
    pub folder: &'a str,
    /// From the lowest to the highest. Modules of one layer do not import each other.
    pub layers: &'a [&'a [&'a str]],
    pub modules_max: usize,
}

impl Layout<'_> {
    /// The module that a file is part of.
    pub fn module(&self, file: &str) -> Option<String> {
        let below = file.strip_prefix(self.folder)?.strip_prefix('/')?;
        let top = below.split('/').next()?;
        Some(top.strip_suffix(".rs").unwrap_or(top).to_owned())
    }

    /// Too many modules, and modules without a layer. The key is what is wrong.
    pub fn modules(&self, sources: &Sources) -> Vec<Finding> {
        let mut faults = Vec::new();
        let modules: BTreeSet<String> = sources
            .keys()
            .filter_map(|file| self.module(file))
            .collect();
        let (count, max) = (modules.len(), self.modules_max);
        if count > max {
            let list = list(&modules);
            faults.push(format!(
                "{} has {count} modules; {max} are allowed: {list}",
                self.folder
            ));
        }
        for module in modules.iter().filter(|module| self.layer(module).is_none()) {
            faults.push(format!("{module} has no layer"));
        }
        let finding = |fault: String| Finding {
            key: fault.clone(),
            text: fault,
        };
        faults.into_iter().map(finding).collect()
    }

    /// The arrows between modules that do not go down. The key is `from -> to`.
    pub fn arrows(&self, graph: &Graph) -> Vec<Finding> {
        let mut findings = Vec::new();
        let graph = graph.fold(|file| self.module(file));
        for (from, to, names) in graph.edges() {
            let key = format!("{from} -> {to}");
            let names = list(names);
            let fault = match (self.layer(from), self.layer(to)) {
                (Some(from), Some(to)) if from > to => continue,
                (Some(from), Some(to)) if from == to => "both are in one layer",
                (Some(_), Some(_)) => "arrows go down only",
                _ => "one of them has no layer",
            };
            findings.push(Finding {
                text: format!("{key}: {fault} ({names})"),
                key,
            });
        }
        findings
    }

    fn layer(&self, module: &str) -> Option<usize> {
        self.layers.iter().position(|layer| layer.contains(&module))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYOUT: Layout<'_> = Layout {
        folder: "a/src",
        layers: &[&["low"], &["left", "right"], &["high"]],
        modules_max: 3,
    };

    fn texts(findings: &[Finding]) -> Vec<&str> {
        findings
            .iter()
            .map(|finding| finding.text.as_str())
            .collect()
    }

    #[track_caller]
    fn check_modules(files: &[&str], expected: &[&str]) {
        let source = |file: &&str| (format!("a/src/{file}"), String::new());
        let findings = LAYOUT.modules(&files.iter().map(source).collect());
        assert_eq!(texts(&findings), expected);
    }

    #[track_caller]
    fn check_arrows(edges: &[(&str, &str)], expected: &[&str]) {
        let mut graph = Graph::default();
        for (from, to) in edges {
            graph.add(&format!("a/src/{from}"), &format!("a/src/{to}"), "Name");
        }
        assert_eq!(texts(&LAYOUT.arrows(&graph)), expected);
    }

    #[test]
    fn a_file_and_its_folder_are_one_module() {
        let module = |file| LAYOUT.module(file);
        assert_eq!(module("a/src/high.rs").as_deref(), Some("high"));
        assert_eq!(module("a/src/high/b/c.rs").as_deref(), Some("high"));
        assert_eq!(module("a/tests/b.rs"), None);
    }

    #[test]
    fn modules_are_few_and_have_layers() {
        check_modules(&["low.rs", "low/a.rs", "high.rs", "left/b.rs"], &[]);
        let four = "a/src has 4 modules; 3 are allowed: high, left, low, right";
        check_modules(&["low.rs", "left.rs", "high.rs", "right.rs"], &[four]);
        check_modules(&["low.rs", "new.rs"], &["new has no layer"]);
    }

    #[test]
    fn arrows_go_down_only() {
        check_arrows(&[("high.rs", "low.rs"), ("high.rs", "left/b.rs")], &[]);
        check_arrows(&[("high.rs", "high/b.rs"), ("high/b.rs", "high.rs")], &[]);
        check_arrows(
            &[("low/b.rs", "high.rs")],
            &["low -> high: arrows go down only (Name)"],
        );
        check_arrows(
            &[("left.rs", "right/b.rs")],
            &["left -> right: both are in one layer (Name)"],
        );
        check_arrows(
            &[("high.rs", "new.rs")],
            &["high -> new: one of them has no layer (Name)"],
        );
    }
}
