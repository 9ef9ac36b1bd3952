//! Finds the file that defines a name, through `use` declarations, renames and globs.

use super::tree::Tree;

/// The meaning of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Module(usize),
    Item { file: usize, name: String },
}

impl Tree {
    /// Resolves `path` as code in `module` would. The result is empty for a path into another crate, and has several
    /// entries for a name that is, for example, both a module and a function.
    pub(super) fn resolve(&self, module: usize, path: &[String]) -> Vec<Found> {
        self.resolve_in(module, path, &mut Vec::new())
    }

    /// `open` holds the lookups that this one serves: a `use` whose first name is its own stands for another crate.
    fn resolve_in<'a>(
        &'a self,
        module: usize,
        path: &'a [String],
        open: &mut Vec<(usize, &'a str)>,
    ) -> Vec<Found> {
        let Some((first, rest)) = path.split_first() else { return Vec::new() };
        let mut found = match first.as_str() {
            "crate" => vec![Found::Module(0)],
            "self" => vec![Found::Module(module)],
            "super" => self.parent(module),
            name => self.lookup(module, name, open),
        };
        for name in rest {
            // Types and modules share a namespace, and only they can be prefixes: beside a module, an item is a
            // function, a value or a macro.
            if found.iter().any(|found| matches!(found, Found::Module(_))) {
                found.retain(|found| matches!(found, Found::Module(_)));
            }
            found = found.into_iter().flat_map(|found| self.inside(found, name, open)).collect();
        }
        found
    }

    fn inside<'a>(&'a self, found: Found, name: &'a str, open: &mut Vec<(usize, &'a str)>) -> Vec<Found> {
        match found {
            // A variant, an associated function.
            Found::Item { .. } => vec![found],
            Found::Module(module) if name == "super" => self.parent(module),
            Found::Module(module) => {
                let inside = self.lookup(module, name, open);
                // A macro invocation of that module, such as `thread_local!`, defines the name.
                if inside.is_empty() { vec![self.item(module, name)] } else { inside }
            }
        }
    }

    fn lookup<'a>(&'a self, module: usize, name: &'a str, open: &mut Vec<(usize, &'a str)>) -> Vec<Found> {
        if open.contains(&(module, name)) {
            return Vec::new();
        }
        open.push((module, name));
        let here = &self.modules[module];
        let children = here.children.iter().filter(|child| self.modules[**child].name == name);
        let mut found: Vec<Found> = children.map(|child| Found::Module(*child)).collect();
        if here.items.contains(name) {
            found.push(self.item(module, name));
        }
        for declared in here.uses.iter().filter(|declared| declared.name.as_deref() == Some(name)) {
            let of_this_crate = self.resolve_in(module, &declared.path, open);
            if of_this_crate.is_empty() {
                // This file hands on a name of another crate.
                found.push(self.item(module, name));
            }
            found.extend(of_this_crate);
        }
        if found.is_empty() {
            for glob in here.uses.iter().filter(|declared| declared.name.is_none()) {
                for source in self.resolve_in(module, &glob.path, open) {
                    if let Found::Module(source) = source {
                        found.extend(self.lookup(source, name, open));
                    }
                }
            }
        }
        open.pop();
        found
    }

    fn parent(&self, module: usize) -> Vec<Found> {
        self.modules[module].parent.map(Found::Module).into_iter().collect()
    }

    fn item(&self, module: usize, name: &str) -> Found {
        Found::Item { file: self.modules[module].file, name: name.to_owned() }
    }
}
