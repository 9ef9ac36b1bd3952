//! The modules of a crate, read from its sources: their declarations, and the paths in their code.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::{
    Attribute, Item, Meta, Token, UseTree, Visibility,
    punctuated::Punctuated,
    visit::{self, Visit},
};

/// Modules that hold tests by their name, whatever their attributes say.
const TEST_MODULES: [&str; 3] = ["tests", "testing", "loom_models"];

/// A crate: its files and its modules. Module 0 is the root.
pub(super) struct Tree {
    pub(super) files: Vec<PathBuf>,
    pub(super) modules: Vec<Module>,
}

/// A module, in a file of its own or inside another.
pub(super) struct Module {
    pub(super) name: String,
    pub(super) parent: Option<usize>,
    pub(super) file: usize,
    /// In the order of their `mod` declarations.
    pub(super) children: Vec<usize>,
    /// Names of the items that are defined here.
    pub(super) items: BTreeSet<String>,
    pub(super) uses: Vec<Use>,
    pub(super) mentions: Vec<Mention>,
}

/// One leaf of a `use` declaration.
pub(super) struct Use {
    pub(super) path: Segments,
    /// The name that it binds; none for a glob.
    pub(super) name: Option<String>,
    /// True if the declaration has a visibility: `pub`, `pub(crate)` …
    pub(super) public: bool,
    pub(super) line: usize,
}

/// A path in code.
pub(super) struct Mention {
    pub(super) path: Segments,
    pub(super) line: usize,
}

/// The segments of a path, without generic arguments.
pub(super) type Segments = Vec<String>;

impl Tree {
    /// Reads the crate with the root file `root`. `read` returns the text of a file, or none if the file is missing.
    pub(super) fn read(root: &Path, read: &dyn Fn(&Path) -> Option<String>) -> Result<Self, String> {
        let mut tree = Self { files: Vec::new(), modules: Vec::new() };
        let folder = root.parent().unwrap_or(Path::new("")).to_owned();
        let text = read(root).ok_or_else(|| format!("{}: cannot be read", root.display()))?;
        tree.file(read, root.to_owned(), &text, folder, None, "crate")?;
        Ok(tree)
    }

    /// Reads a file, and the files of its modules, which are in `folder`.
    fn file(
        &mut self,
        read: &dyn Fn(&Path) -> Option<String>,
        path: PathBuf,
        text: &str,
        folder: PathBuf,
        parent: Option<usize>,
        name: &str,
    ) -> Result<(), String> {
        let parsed = syn::parse_file(text).map_err(|error| {
            let at = error.span().start();
            format!("{}:{}: {error}", path.display(), at.line)
        })?;
        self.files.push(path);
        let file = self.files.len() - 1;
        let module = self.module(file, parent, name);
        Reader { tree: self, read, module, folder, error: None }.items(&parsed.items)
    }

    fn module(&mut self, file: usize, parent: Option<usize>, name: &str) -> usize {
        let module = self.modules.len();
        self.modules.push(Module {
            name: name.to_owned(),
            parent,
            file,
            children: Vec::new(),
            items: BTreeSet::new(),
            uses: Vec::new(),
            mentions: Vec::new(),
        });
        if let Some(parent) = parent {
            self.modules[parent].children.push(module);
        }
        module
    }
}

/// Reads the items of one module.
struct Reader<'a> {
    tree: &'a mut Tree,
    read: &'a dyn Fn(&Path) -> Option<String>,
    module: usize,
    /// The folder of the module's children.
    folder: PathBuf,
    error: Option<String>,
}

impl Reader<'_> {
    fn items(mut self, items: &[Item]) -> Result<(), String> {
        for item in items {
            if let Some(name) = defined(item) {
                self.here().items.insert(name);
            }
            self.visit_item(item);
        }
        self.error.map_or(Ok(()), Err)
    }

    fn here(&mut self) -> &mut Module {
        &mut self.tree.modules[self.module]
    }

    fn child(&mut self, module: &syn::ItemMod) -> Result<(), String> {
        let name = plain(&module.ident);
        let folder = self.folder.join(&name);
        if let Some((_, items)) = &module.content {
            let file = self.tree.modules[self.module].file;
            let child = self.tree.module(file, Some(self.module), &name);
            let reader = Reader { tree: self.tree, read: self.read, module: child, folder, error: None };
            return reader.items(items);
        }
        let places = [self.folder.join(format!("{name}.rs")), folder.join("mod.rs")];
        let found = places.into_iter().find_map(|path| Some(((self.read)(&path)?, path)));
        let Some((text, path)) = found else {
            let file = &self.tree.files[self.tree.modules[self.module].file];
            return Err(format!("{}: `mod {name}` has no file", file.display()));
        };
        self.tree.file(self.read, path, &text, folder, Some(self.module), &name)
    }

    fn import(&mut self, tree: &UseTree, path: &mut Segments, public: bool) {
        let (name, last, line) = match tree {
            UseTree::Path(part) => {
                path.push(plain(&part.ident));
                self.import(&part.tree, path, public);
                path.pop();
                return;
            }
            UseTree::Group(group) => {
                group.items.iter().for_each(|tree| self.import(tree, path, public));
                return;
            }
            UseTree::Name(name) => (&name.ident, Some(&name.ident), name.ident.span()),
            UseTree::Rename(name) => (&name.ident, Some(&name.rename), name.ident.span()),
            UseTree::Glob(glob) => {
                let line = glob.star_token.spans[0].start().line;
                self.here().uses.push(Use { path: path.clone(), name: None, public, line });
                return;
            }
        };
        let mut path = path.clone();
        let mut bound = last.map(plain);
        if name == "self" && !path.is_empty() {
            // `a::{self}` binds the last name before it.
            if bound.as_deref() == Some("self") {
                bound = path.last().cloned();
            }
        } else {
            path.push(plain(name));
        }
        let line = line.start().line;
        self.here().uses.push(Use { path, name: bound, public, line });
    }

    /// The paths in the tokens of a macro, which syn does not read.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path: Segments = Vec::new();
        let mut line = 0;
        let mut before = Before::Nothing;
        let mut tokens = tokens.into_iter().peekable();
        while let Some(token) = tokens.next() {
            match token {
                TokenTree::Ident(ident) => match before {
                    Before::Colons if !path.is_empty() => {
                        path.push(plain(&ident));
                        before = Before::Name;
                    }
                    Before::Nothing | Before::Name => {
                        self.mention(&mut path, line);
                        line = ident.span().start().line;
                        path.push(plain(&ident));
                        before = Before::Name;
                    }
                    // `$crate` is the crate; `$name`, `.name` and `::name` are nothing of its modules.
                    Before::Dollar if ident == "crate" => {
                        line = ident.span().start().line;
                        path.push(plain(&ident));
                        before = Before::Name;
                    }
                    Before::Dollar | Before::Dot | Before::Colons => before = Before::Foreign,
                    Before::Foreign => {}
                },
                TokenTree::Punct(punct) if punct.as_char() == ':' => {
                    let second =
                        tokens.next_if(|next| matches!(next, TokenTree::Punct(p) if p.as_char() == ':'));
                    match (second.is_some(), before) {
                        (true, Before::Foreign) => {}
                        (true, _) => before = Before::Colons,
                        (false, _) => {
                            self.mention(&mut path, line);
                            before = Before::Nothing;
                        }
                    }
                }
                TokenTree::Punct(punct) => {
                    self.mention(&mut path, line);
                    before = match punct.as_char() {
                        '$' => Before::Dollar,
                        '.' => Before::Dot,
                        _ => Before::Nothing,
                    };
                }
                TokenTree::Group(group) => {
                    let called = group.delimiter() == Delimiter::Parenthesis && before == Before::Name;
                    if called {
                        self.call(&mut path, line)
                    } else {
                        self.mention(&mut path, line)
                    }
                    before = Before::Nothing;
                    self.tokens(group.stream());
                }
                TokenTree::Literal(_) => {
                    self.mention(&mut path, line);
                    before = Before::Nothing;
                }
            }
        }
        self.mention(&mut path, line);
    }

    /// Records a path that is a value, a type or a macro. A lone name in small letters is taken for a variable.
    fn mention(&mut self, path: &mut Segments, line: usize) {
        let path = std::mem::take(path);
        if path.len() > 1 || path.first().is_some_and(|name| name.starts_with(char::is_uppercase)) {
            self.here().mentions.push(Mention { path, line });
        }
    }

    /// Records a path that is called. A path that begins with `::` is empty here, and belongs to another crate.
    fn call(&mut self, path: &mut Segments, line: usize) {
        let path = std::mem::take(path);
        if !path.is_empty() {
            self.here().mentions.push(Mention { path, line });
        }
    }

    fn path(path: &syn::Path) -> (Segments, usize) {
        if path.leading_colon.is_some() {
            return (Vec::new(), 0);
        }
        let line = path.segments.first().map_or(0, |segment| segment.ident.span().start().line);
        (path.segments.iter().map(|segment| plain(&segment.ident)).collect(), line)
    }
}

/// The token before the one that is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    Name,
    Colons,
    Dollar,
    Dot,
    /// A name that belongs to no path of this crate.
    Foreign,
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if for_tests(attributes(item)) {
            return;
        }
        match item {
            Item::Mod(module) => {
                if TEST_MODULES.iter().any(|name| module.ident == name) {
                    return;
                }
                if let Err(error) = self.child(module) {
                    self.error.get_or_insert(error);
                }
            }
            Item::Use(item) => {
                if item.leading_colon.is_none() {
                    let public = !matches!(item.vis, Visibility::Inherited);
                    self.import(&item.tree, &mut Vec::new(), public);
                }
            }
            // `extern crate self as caller`
            Item::ExternCrate(item) if item.ident == "self" => {
                if let Some((_, name)) = &item.rename {
                    let line = name.span().start().line;
                    let (path, name) = (vec!["crate".to_owned()], Some(plain(name)));
                    self.here().uses.push(Use { path, name, public: false, line });
                }
            }
            _ => visit::visit_item(self, item),
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if !for_tests(&item.attrs) {
            visit::visit_impl_item_fn(self, item);
        }
    }

    fn visit_expr_call(&mut self, call: &'ast syn::ExprCall) {
        if let syn::Expr::Path(function) = &*call.func {
            let (mut path, line) = Self::path(&function.path);
            self.call(&mut path, line);
        }
        visit::visit_expr_call(self, call);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let (mut segments, line) = Self::path(path);
        self.mention(&mut segments, line);
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, invoked: &'ast syn::Macro) {
        let (mut path, line) = Self::path(&invoked.path);
        self.call(&mut path, line);
        self.tokens(invoked.tokens.clone());
    }

    // `pub(in crate::some::module)` is no import.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}

    fn visit_attribute(&mut self, _: &'ast Attribute) {}
}

/// The name that an item defines in its module. An invocation of a macro such as `thread_local!` has none; a name that
/// is looked up in a module and not found is taken for the work of such a macro.
fn defined(item: &Item) -> Option<String> {
    let ident = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::TraitAlias(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    (!for_tests(attributes(item))).then(|| plain(ident))
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::ForeignMod(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::TraitAlias(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// True if an item with these attributes is built for tests alone.
fn for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let path = attribute.path();
        path.is_ident("test")
            || path.is_ident("cfg") && attribute.parse_args::<Meta>().is_ok_and(|meta| wants_tests(&meta))
    })
}

/// True if a condition of `cfg` holds in tests and doctests alone.
fn wants_tests(condition: &Meta) -> bool {
    let parts = |list: &syn::MetaList| {
        list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated).unwrap_or_default()
    };
    match condition {
        Meta::Path(path) => path.is_ident("test") || path.is_ident("doctest"),
        Meta::List(list) if list.path.is_ident("all") => parts(list).iter().any(wants_tests),
        Meta::List(list) if list.path.is_ident("any") => parts(list).iter().all(wants_tests),
        _ => false,
    }
}

/// The name without `r#`.
fn plain(ident: &syn::Ident) -> String {
    let name = ident.to_string();
    name.strip_prefix("r#").map_or_else(|| name.clone(), str::to_owned)
}
