//! The imports between the files of a crate: their circles, and those that point upwards.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque, btree_map::Entry},
    iter,
};

use super::{names::Found, tree::Tree};

/// The imports between files, which are numbered as in [`Tree::files`].
#[derive(Default)]
pub(super) struct Graph {
    imports: BTreeMap<(usize, usize), Names>,
}

/// Names that a file imports, with the first line of each.
pub(super) type Names = BTreeMap<String, usize>;

/// A file, and the file that it imports from.
pub(super) type Import = (usize, usize);

impl Graph {
    pub(super) fn new(tree: &Tree) -> Self {
        let mut graph = Self::default();
        for (number, module) in tree.modules.iter().enumerate() {
            for declared in module.uses.iter().filter(|declared| declared.name.is_some()) {
                let found = tree.resolve(number, &declared.path);
                for (file, name) in items(found) {
                    // A re-export of what is inside: the file is the facade of that.
                    if !(declared.public && tree.is_inside(file, module.file)) {
                        graph.add((module.file, file), name, declared.line);
                    }
                }
            }
            // Names of `use` declarations are counted there, also those that only a re-export binds.
            let handed_on = |name: &String| {
                module.uses.iter().any(|declared| declared.public && declared.name.as_ref() == Some(name))
            };
            for mention in module.mentions.iter().filter(|mention| !handed_on(&mention.path[0])) {
                for (file, name) in items(tree.resolve(number, &mention.path)) {
                    graph.add((module.file, file), name, mention.line);
                }
            }
        }
        graph
    }

    fn add(&mut self, import: Import, name: String, line: usize) {
        if import.0 != import.1 {
            let first = self.imports.entry(import).or_default().entry(name).or_insert(line);
            *first = line.min(*first);
        }
    }

    pub(super) fn names(&self, import: Import) -> &Names {
        &self.imports[&import]
    }

    /// The imports that point upwards.
    pub(super) fn upwards(&self, tree: &Tree) -> Vec<Import> {
        self.imports.keys().copied().filter(|import| tree.points_upwards(*import)).collect()
    }

    /// Circles of imports, each the shortest that is left once an import of every earlier one is gone: without these
    /// imports there is no circle.
    pub(super) fn circles(&self, tree: &Tree) -> Vec<Vec<Import>> {
        let mut left: BTreeSet<Import> = self.imports.keys().copied().collect();
        let mut circles = Vec::new();
        while let Some(circle) = shortest_circle(&left) {
            // The import to mend, most likely: one that points upwards, or the one with the fewest names.
            let rank = |import: &Import| (!tree.points_upwards(*import), self.names(*import).len());
            let weakest = circle.iter().copied().min_by_key(rank).expect("a circle has imports");
            left.remove(&weakest);
            circles.push(circle);
        }
        circles
    }
}

impl Tree {
    /// True if the module of the file `inside` is that of the file `outside` or a descendant of it.
    fn is_inside(&self, inside: usize, outside: usize) -> bool {
        self.way(inside).starts_with(&self.way(outside))
    }

    /// True if the imported file stands above the importing one. A file and its descendants may use each other.
    fn points_upwards(&self, import: Import) -> bool {
        // Modules are numbered as they are read, and so in the order of their declarations.
        self.siblings(import).is_some_and(|(from, to)| from < to)
    }

    /// The names of the two modules at which the ways to both files part.
    pub(super) fn parting(&self, import: Import) -> Option<[&str; 2]> {
        let (from, to) = self.siblings(import)?;
        Some([&self.modules[from].name, &self.modules[to].name])
    }

    fn siblings(&self, (from, to): Import) -> Option<(usize, usize)> {
        self.way(from).into_iter().zip(self.way(to)).find(|(from, to)| from != to)
    }

    /// The modules from the root to the file.
    fn way(&self, file: usize) -> Vec<usize> {
        let own = self.modules.iter().position(|module| module.file == file);
        let mut way: Vec<usize> = iter::successors(own, |module| self.modules[*module].parent).collect();
        way.reverse();
        way
    }
}

fn items(found: Vec<Found>) -> impl Iterator<Item = (usize, String)> {
    found.into_iter().filter_map(|found| match found {
        Found::Item { file, name } => Some((file, name)),
        Found::Module(_) => None,
    })
}

fn shortest_circle(imports: &BTreeSet<Import>) -> Option<Vec<Import>> {
    let files: BTreeSet<usize> = imports.iter().map(|(from, _)| *from).collect();
    files.into_iter().filter_map(|file| circle_through(file, imports)).min_by_key(Vec::len)
}

/// The shortest circle through `start`.
fn circle_through(start: usize, imports: &BTreeSet<Import>) -> Option<Vec<Import>> {
    let mut came_from = BTreeMap::new();
    let mut open = VecDeque::from([start]);
    while let Some(file) = open.pop_front() {
        for &(_, next) in imports.range((file, 0)..=(file, usize::MAX)) {
            if next == start {
                let back = |file: &usize| came_from.get(file).copied();
                let mut circle: Vec<Import> = iter::successors(Some(file), back)
                    .filter_map(|file| Some((*came_from.get(&file)?, file)))
                    .collect();
                circle.reverse();
                circle.push((file, start));
                return Some(circle);
            }
            if let Entry::Vacant(entry) = came_from.entry(next) {
                entry.insert(file);
                open.push_back(next);
            }
        }
    }
    None
}
