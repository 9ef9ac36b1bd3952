//! Imports between the files of a crate: no circles, and none that points upwards.
//!
//! A file imports another when a `use` declaration or a path in its code names an item that the other file defines. A
//! name that comes through a facade counts as an import of the file that defines it. `mod` declarations and re-exports
//! of a file's own descendants (`pub use self::child::Name`) are no imports, also where the file's own code uses such
//! a name.
//!
//! Modules stand in the order of their `mod` declarations, ground floor first: a file may import from the siblings of
//! its own ancestors that are declared before them, and from what is inside those. A file and its descendants may
//! import from each other, but not in a circle. rustfmt sorts `mod` lines that stand together: a blank line between
//! them keeps an order that is not that of the alphabet.
//!
//! Test code is left out: what is built under `cfg(test)` alone, and modules named `tests`, `testing` or `loom_models`.
//! The check reads names and no types. It does not see calls of methods, inherent or of traits, nor macros that are
//! used by their place in the text and not by a path.

mod tree;

mod names;

mod graph;

use std::{fmt::Write as _, fs, path::Path};

use self::{
    graph::{Graph, Import},
    tree::Tree,
};
use crate::{
    outcome::{Outcome, Stop},
    workspace::Workspace,
};

/// Checks every crate, and prints each circle and each import upwards.
pub(crate) fn run(workspace: &Workspace) -> Outcome {
    let mut wrong = Vec::new();
    for package in &workspace.packages {
        for root in &package.roots {
            let read = |path: &Path| fs::read_to_string(path).ok();
            let from_root =
                |path: &Path| path.strip_prefix(&workspace.root).unwrap_or(path).display().to_string();
            let findings = Findings::of(root, &read, &from_root).map_err(Stop::Failed)?;
            print!("{}", findings.text);
            if findings.circles + findings.upwards > 0 {
                let Findings { circles, upwards, .. } = findings;
                wrong.push(format!("{}: circles {circles}, imports upwards {upwards}", package.name));
            }
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(Stop::Failed(wrong.join("; "))) }
}

/// The faults of one crate.
struct Findings {
    circles: usize,
    upwards: usize,
    text: String,
}

impl Findings {
    /// Reads the crate at `root`; `show` gives the name of a file in messages.
    fn of(
        root: &Path,
        read: &dyn Fn(&Path) -> Option<String>,
        show: &dyn Fn(&Path) -> String,
    ) -> Result<Self, String> {
        let tree = Tree::read(root, read)?;
        let graph = Graph::new(&tree);
        let (circles, upwards) = (graph.circles(&tree), graph.upwards(&tree));
        let shown = |import: Import| shown(&tree, &graph, import, show);
        let mut text = String::new();
        for circle in &circles {
            text.push_str("circle of imports:\n");
            for import in circle {
                let _ = writeln!(text, "  {}", shown(*import));
            }
        }
        for import in &upwards {
            let Some([below, above]) = tree.parting(*import) else { continue };
            let _ = writeln!(text, "import upwards: `mod {above}` is declared after `mod {below}`:");
            let _ = writeln!(text, "  {}", shown(*import));
        }
        Ok(Self { circles: circles.len(), upwards: upwards.len(), text })
    }
}

/// `a.rs:3 imports Name, other (line 7) from b.rs`
fn shown(tree: &Tree, graph: &Graph, import: Import, show: &dyn Fn(&Path) -> String) -> String {
    let names = graph.names(import);
    let first = names.values().min().copied().unwrap_or(0);
    let mut names: Vec<_> = names.iter().map(|(name, line)| (*line, name)).collect();
    names.sort_unstable();
    let named = |(line, name): (usize, &String)| {
        if line == first { name.clone() } else { format!("{name} (line {line})") }
    };
    let names: Vec<_> = names.into_iter().map(named).collect();
    let (from, to) = (&tree.files[import.0], &tree.files[import.1]);
    format!("{}:{first} imports {} from {}", show(from), names.join(", "), show(to))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::BTreeMap, path::PathBuf};

    /// The messages about a crate of these files, `lib.rs` among them.
    fn check(files: &[(&str, &str)]) -> String {
        let files: BTreeMap<PathBuf, &str> =
            files.iter().map(|(path, text)| (Path::new("src").join(path), *text)).collect();
        let read = |path: &Path| files.get(path).map(|text| (*text).to_owned());
        let show =
            |path: &Path| path.strip_prefix("src").expect("in src").to_string_lossy().replace('\\', "/");
        Findings::of(Path::new("src/lib.rs"), &read, &show).unwrap_or_else(|error| panic!("{error}")).text
    }

    #[test]
    fn a_tree_that_points_down_passes() {
        let told = check(&[
            ("lib.rs", "mod low;\n\nmod high;\npub use self::{high::High, low::Low};"),
            ("low.rs", "mod inner;\npub(crate) use self::inner::Inner;\npub struct Low;"),
            ("low/inner.rs", "pub(crate) struct Inner(super::Low);"),
            (
                "high.rs",
                "mod part;\nuse crate::low::{Inner, Low};\nuse self::part::Part;\npub struct High(Low, Inner, Part);",
            ),
            ("high/part.rs", "use std::sync::Arc;\nuse crate::Low;\npub(super) struct Part(Arc<Low>);"),
        ]);
        assert_eq!(told, "");
    }

    #[test]
    fn two_files_that_import_each_other_are_a_circle() {
        let told = check(&[
            ("lib.rs", "mod a;\nmod b;"),
            ("a.rs", "\nuse crate::b::B;\npub struct A(B);"),
            ("b.rs", "pub struct B;\nfn a(_: super::a::A) {}"),
        ]);
        assert_eq!(
            told,
            "\
circle of imports:
  a.rs:2 imports B from b.rs
  b.rs:2 imports A from a.rs
import upwards: `mod b` is declared after `mod a`:
  a.rs:2 imports B from b.rs
"
        );
    }

    #[test]
    fn a_circle_of_three_is_printed_whole() {
        let told = check(&[
            ("lib.rs", "mod a;\nmod b;\nmod c;"),
            ("a.rs", "use crate::{\n    c::{C, other},\n};"),
            ("b.rs", "use crate::a::A;"),
            ("c.rs", "use crate::b::B;"),
        ]);
        assert_eq!(
            told,
            "\
circle of imports:
  a.rs:2 imports C, other from c.rs
  c.rs:1 imports B from b.rs
  b.rs:1 imports A from a.rs
import upwards: `mod c` is declared after `mod a`:
  a.rs:2 imports C, other from c.rs
"
        );
    }

    #[test]
    fn a_parent_and_its_child_are_a_circle_too() {
        let told = check(&[
            ("lib.rs", "mod a;"),
            ("a.rs", "mod part;\n\nuse self::part::Part;\npub struct A(Part);"),
            ("a/part.rs", "use super::A;\npub(crate) struct Part(Box<A>);"),
        ]);
        assert_eq!(
            told,
            "\
circle of imports:
  a.rs:3 imports Part from a/part.rs
  a/part.rs:1 imports A from a.rs
"
        );
    }

    #[test]
    fn a_facade_is_not_tied_to_the_names_it_hands_on() {
        let told = check(&[
            ("lib.rs", "mod a;"),
            ("a.rs", "mod part;\npub(crate) use self::part::Part;\npub struct A(Part);"),
            ("a/part.rs", "use super::A;\npub(crate) struct Part(Box<A>);"),
        ]);
        assert_eq!(told, "");
    }

    #[test]
    fn an_import_upwards_is_told_without_a_circle() {
        let told = check(&[
            ("lib.rs", "mod low;\n\nmod high;"),
            ("low.rs", "mod part;"),
            ("low/part.rs", "fn part() { crate::high::deep::high() }"),
            ("high.rs", "pub(crate) mod deep;"),
            ("high/deep.rs", "pub(crate) fn high() {}"),
        ]);
        assert_eq!(
            told,
            "\
import upwards: `mod high` is declared after `mod low`:
  low/part.rs:1 imports high from high/deep.rs
"
        );
    }

    #[test]
    fn siblings_inside_a_folder_have_an_order_too() {
        let told = check(&[
            ("lib.rs", "mod room;"),
            ("room.rs", "mod first;\nmod second;"),
            ("room/first.rs", "use super::second::Second;"),
            ("room/second.rs", "pub(super) struct Second;"),
        ]);
        assert!(told.contains("room/first.rs:1 imports Second from room/second.rs"), "{told}");
    }

    #[test]
    fn a_name_is_followed_through_facades_renames_and_globs() {
        let told = check(&[
            ("lib.rs", "mod low;\n\nmod high;\npub use self::high::*;"),
            ("low.rs", "use crate::{Renamed, Starred, high::Plain};"),
            (
                "high.rs",
                "mod deep;\nmod star;\npub(crate) use self::deep::{Deep as Renamed, Plain};\npub use self::star::*;",
            ),
            ("high/deep.rs", "pub struct Deep;\npub struct Plain;"),
            ("high/star.rs", "pub struct Starred;"),
        ]);
        assert_eq!(
            told,
            "\
import upwards: `mod high` is declared after `mod low`:
  low.rs:1 imports Deep, Plain from high/deep.rs
import upwards: `mod high` is declared after `mod low`:
  low.rs:1 imports Starred from high/star.rs
"
        );
    }

    #[test]
    fn a_name_that_a_parent_defines_is_an_import_of_the_parent() {
        let told = check(&[
            ("lib.rs", "mod a;\n\nfn root() -> a::A { a::A }"),
            ("a.rs", "pub struct A;\nuse super::root;"),
        ]);
        assert!(told.contains("a.rs:2 imports root from lib.rs"), "{told}");
    }

    #[test]
    fn names_behind_a_glob_are_found_where_they_are_used() {
        let told = check(&[
            ("lib.rs", "mod a;\nmod b;"),
            ("a.rs", "use crate::b::*;\nfn a() -> B { made() }"),
            ("b.rs", "pub struct B;\npub fn made() -> B { B }"),
        ]);
        assert!(told.contains("a.rs:2 imports B, made from b.rs"), "{told}");
    }

    #[test]
    fn paths_through_an_imported_module_and_in_macros_are_seen() {
        let told = check(&[
            ("lib.rs", "mod a;\nmod b;\nmod c;"),
            ("a.rs", "use crate::b;\nfn a() {\n    b::made();\n}"),
            ("b.rs", "pub fn made() {\n    println!(\"{}\", crate::c::NUMBER);\n    assert!(!x.b::y());\n}"),
            ("c.rs", "pub const NUMBER: u8 = 1;"),
        ]);
        assert!(told.contains("a.rs:3 imports made from b.rs"), "{told}");
        assert!(told.contains("b.rs:2 imports NUMBER from c.rs"), "{told}");
        assert_eq!(told.lines().count(), 4, "{told}");
    }

    #[test]
    fn an_item_that_a_macro_made_belongs_to_the_file_of_the_macro() {
        let told = check(&[
            ("lib.rs", "mod a;\nmod b;"),
            ("a.rs", "fn a() { crate::b::LOCAL.with(|_| {}) }"),
            ("b.rs", "thread_local! { pub static LOCAL: u8 = 1; }"),
        ]);
        assert!(told.contains("a.rs:1 imports LOCAL from b.rs"), "{told}");
    }

    #[test]
    fn a_path_of_another_crate_is_no_import() {
        let told = check(&[
            ("lib.rs", "mod a;\nmod b;"),
            ("a.rs", "fn a() {\n    ::b::made();\n    ::b::made!();\n}"),
            ("b.rs", "pub fn made() {}"),
        ]);
        assert_eq!(told, "");
    }

    #[test]
    fn a_facade_over_another_crate_is_imported_itself() {
        let told = check(&[
            ("lib.rs", "mod a;\nmod sys;"),
            ("a.rs", "use crate::sys::Mutex;"),
            ("sys.rs", "pub(crate) use std::sync::Mutex;"),
        ]);
        assert!(told.contains("a.rs:1 imports Mutex from sys.rs"), "{told}");
    }

    #[test]
    fn tests_are_left_out() {
        let told = check(&[
            (
                "lib.rs",
                "mod a;\nmod b;\n#[cfg(all(test, loom))]\nmod gone;\n#[cfg(feature = \"x\")]\npub mod testing;",
            ),
            (
                "a.rs",
                "pub struct A;\n#[cfg(test)]\nuse crate::b::B;\n#[cfg(test)]\nmod checks { use crate::b::B; }\n\
                 mod tests { use crate::b::B; }\n#[cfg(not(test))]\nfn a() {}\n\
                 impl A { #[cfg(test)] fn b() { crate::b::b() } }",
            ),
            ("b.rs", "use crate::a::A;\npub struct B;"),
        ]);
        assert_eq!(told, "");
    }

    #[test]
    fn both_ways_of_naming_a_file_are_known() {
        let told = check(&[
            ("lib.rs", "mod a;"),
            ("a/mod.rs", "mod b;\nmod inline { mod c; }"),
            ("a/b.rs", "use super::inline::C;"),
            ("a/inline/c.rs", ""),
        ]);
        assert!(!told.contains("upwards"), "the inline module is in the parent's file: {told}");
        assert_eq!(told, "");
    }

    #[test]
    fn a_module_without_a_file_and_a_text_that_is_no_rust_are_errors() {
        let read = |path: &Path| match path.to_str()? {
            "src/lib.rs" => Some("mod gone;".to_owned()),
            "src/main.rs" => Some("\nfn (".to_owned()),
            _ => None,
        };
        let show = |path: &Path| path.display().to_string();
        let error = |root: &str| Findings::of(Path::new(root), &read, &show).err().expect("it is wrong");
        assert_eq!(error("src/lib.rs"), "src/lib.rs: `mod gone` has no file");
        assert!(error("src/main.rs").starts_with("src/main.rs:2: "), "{}", error("src/main.rs"));
    }
}
