//! Reads a crate's files and finds which file each path leads to.
//!
//! Paths are taken from `use` items and, anywhere else, from tokens (`super::words::line(..)`, also inside
//! of macros). A path leads to the file that defines the item: re-exports (`pub use`) are followed. Code
//! under `#[cfg(test)]` is left out, since tests may look at everything.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Attribute, Item, UseTree};

/// The files of a crate's `src`, by their path in it.
pub(crate) type Files = BTreeMap<PathBuf, String>;

/// One module of a crate, which is a file or stands inline in one.
struct Module {
    file: PathBuf,
    parent: Option<usize>,
    children: BTreeMap<String, usize>,
    /// The names that it defines; `true` for types.
    items: BTreeMap<String, bool>,
    /// The names that `use` brings, with what they stand for.
    imports: Vec<(String, Vec<String>)>,
    globs: Vec<Vec<String>>,
    /// Paths in its code.
    paths: BTreeSet<Vec<String>>,
}

/// A use of one file by another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Use {
    pub(crate) from: PathBuf,
    pub(crate) to: PathBuf,
    /// The path as it is written.
    pub(crate) path: String,
    /// Whether the path leads to a type.
    pub(crate) is_type: bool,
}

/// The uses in the code of a crate.
#[derive(Debug, Default)]
pub(crate) struct Uses {
    /// Files of the same crate.
    pub(crate) files: BTreeSet<Use>,
    /// Other crates of the workspace: the file, and the crate's name.
    pub(crate) crates: BTreeSet<(PathBuf, String)>,
}

/// The item that a path leads to.
enum UsedItem {
    Module(usize),
    Item { module: usize, is_type: bool },
    Crate(String),
}

/// Reads the crate whose first file is `root` (`lib.rs` or `main.rs`). `others` are the workspace's
/// crates, as code spells them.
pub(crate) fn read(files: &Files, root: &str, others: &BTreeSet<String>) -> Uses {
    let mut reader = Reader { files, others, modules: Vec::new() };
    reader.file(Path::new(root), None);
    reader.uses()
}

struct Reader<'a> {
    files: &'a Files,
    others: &'a BTreeSet<String>,
    modules: Vec<Module>,
}

impl Reader<'_> {
    fn file(&mut self, path: &Path, parent: Option<usize>) -> usize {
        let text = self.files.get(path).unwrap_or_else(|| panic!("{} is missing", path.display()));
        let code = syn::parse_file(text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        self.module(path, parent, code.items)
    }

    fn module(&mut self, file: &Path, parent: Option<usize>, items: Vec<Item>) -> usize {
        let id = self.modules.len();
        self.modules.push(Module {
            file: file.to_owned(),
            parent,
            children: BTreeMap::new(),
            items: BTreeMap::new(),
            imports: Vec::new(),
            globs: Vec::new(),
            paths: BTreeSet::new(),
        });
        for item in items {
            self.item(id, item);
        }
        id
    }

    fn item(&mut self, id: usize, item: Item) {
        if attributes(&item).iter().any(is_test) {
            return;
        }
        let (name, is_type) = match item {
            Item::Mod(item) => return self.child(id, item),
            Item::Use(item) => return self.modules[id].take_use(Vec::new(), &item.tree),
            Item::Const(ref i) => (Some(&i.ident), false),
            Item::Enum(ref i) => (Some(&i.ident), true),
            Item::Fn(ref i) => (Some(&i.sig.ident), false),
            Item::Macro(ref i) => (i.ident.as_ref(), false),
            Item::Static(ref i) => (Some(&i.ident), false),
            Item::Struct(ref i) => (Some(&i.ident), true),
            Item::Trait(ref i) => (Some(&i.ident), true),
            Item::Type(ref i) => (Some(&i.ident), true),
            _ => (None, false),
        };
        let module = &mut self.modules[id];
        if let Some(name) = name {
            module.items.insert(name.to_string(), is_type);
        }
        take_paths(item.to_token_stream(), &mut module.paths);
    }

    fn child(&mut self, id: usize, item: syn::ItemMod) {
        let name = item.ident.to_string();
        let file = self.modules[id].file.clone();
        let child = match item.content {
            Some((_, items)) => self.module(&file, Some(id), items),
            None => {
                let folder = folder_of(&file);
                let flat = folder.join(format!("{name}.rs"));
                let deep = folder.join(&name).join("mod.rs");
                let path = if self.files.contains_key(&flat) { flat } else { deep };
                self.file(&path, Some(id))
            }
        };
        self.modules[id].children.insert(name, child);
    }

    fn uses(&self) -> Uses {
        let mut uses = Uses::default();
        for (id, module) in self.modules.iter().enumerate() {
            let imports = module.imports.iter().map(|(_, path)| path);
            for path in imports.chain(&module.globs).chain(&module.paths) {
                let (to, is_type) = match self.find(id, path, 0) {
                    Some(UsedItem::Crate(name)) => {
                        uses.crates.insert((module.file.clone(), name));
                        continue;
                    }
                    Some(UsedItem::Item { module, is_type }) => (module, is_type),
                    // What is used of it shows in the code.
                    Some(UsedItem::Module(_)) | None => continue,
                };
                let to = self.modules[to].file.clone();
                if to != module.file {
                    let from = module.file.clone();
                    uses.files.insert(Use { from, to, path: path.join("::"), is_type });
                }
            }
        }
        uses
    }

    /// Where `path` leads, as written in the module `id`.
    fn find(&self, id: usize, path: &[String], depth: usize) -> Option<UsedItem> {
        let (first, rest) = path.split_first()?;
        let start = match first.as_str() {
            "crate" => UsedItem::Module(self.root(id)),
            "self" => UsedItem::Module(id),
            "super" => UsedItem::Module(self.modules[id].parent?),
            _ => match self.name(id, first, rest.is_empty(), depth) {
                Some(target) => target,
                None if self.others.contains(first) => UsedItem::Crate(first.clone()),
                None => return None,
            },
        };
        self.follow(start, rest, depth)
    }

    fn follow(&self, start: UsedItem, rest: &[String], depth: usize) -> Option<UsedItem> {
        let UsedItem::Module(at) = start else { return Some(start) };
        let Some((next, rest)) = rest.split_first() else { return Some(start) };
        let target = match next.as_str() {
            "super" => UsedItem::Module(self.modules[at].parent?),
            "self" => UsedItem::Module(at),
            _ => self.name(at, next, rest.is_empty(), depth)?,
        };
        self.follow(target, rest, depth)
    }

    /// A name in a module. At a path's end it is an item rather than a module; before it, a module.
    fn name(&self, id: usize, name: &str, is_last: bool, depth: usize) -> Option<UsedItem> {
        let module = &self.modules[id];
        let item = || module.items.get(name).map(|&is_type| UsedItem::Item { module: id, is_type });
        let child = || module.children.get(name).map(|&child| UsedItem::Module(child));
        let own = if is_last { item().or_else(child) } else { child().or_else(item) };
        if own.is_some() || depth > 20 {
            return own;
        }
        let named = module.imports.iter().filter(|(alias, _)| alias == name);
        let found = named
            .filter_map(|(_, path)| {
                // `use base::key` in a module `base` would lead back to itself.
                self.find_import(id, path, depth + 1)
            })
            .collect::<Vec<_>>();
        let is_module = |t: &UsedItem| matches!(t, UsedItem::Module(_));
        let mut found = found;
        found.sort_by_key(|t| is_module(t) == is_last);
        found.into_iter().next().or_else(|| {
            module.globs.iter().find_map(|path| match self.find_import(id, path, depth + 1)? {
                UsedItem::Module(at) if at != id => self.name(at, name, is_last, depth + 1),
                _ => None,
            })
        })
    }

    /// Imports do not lead to themselves: `use walkdir;` is the crate, not the import.
    fn find_import(&self, id: usize, path: &[String], depth: usize) -> Option<UsedItem> {
        if self.others.contains(&path[0]) && !self.modules[id].children.contains_key(&path[0]) {
            return Some(UsedItem::Crate(path[0].clone()));
        }
        let is_external = !["crate", "self", "super"].contains(&path[0].as_str())
            && !self.modules[id].children.contains_key(&path[0])
            && !self.modules[id].items.contains_key(&path[0]);
        if is_external { None } else { self.find(id, path, depth) }
    }

    fn root(&self, mut id: usize) -> usize {
        while let Some(parent) = self.modules[id].parent {
            id = parent;
        }
        id
    }
}

impl Module {
    fn take_use(&mut self, mut before: Vec<String>, tree: &UseTree) {
        match tree {
            UseTree::Path(path) => {
                before.push(path.ident.to_string());
                self.take_use(before, &path.tree);
            }
            UseTree::Name(name) if name.ident == "self" => {
                let alias = before.last().cloned().unwrap_or_default();
                self.imports.push((alias, before));
            }
            UseTree::Name(name) => {
                before.push(name.ident.to_string());
                self.imports.push((name.ident.to_string(), before));
            }
            UseTree::Rename(renamed) => {
                if renamed.ident != "self" {
                    before.push(renamed.ident.to_string());
                }
                self.imports.push((renamed.rename.to_string(), before));
            }
            UseTree::Glob(_) => self.globs.push(before),
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.take_use(before.clone(), tree);
                }
            }
        }
    }
}

/// The folder in which the children of a file's module lie.
fn folder_of(file: &Path) -> PathBuf {
    let folder = file.parent().unwrap_or(Path::new(""));
    match file.file_stem().and_then(|stem| stem.to_str()) {
        Some("lib" | "main" | "mod") | None => folder.to_owned(),
        Some(stem) => folder.join(stem),
    }
}

/// All `a::b` in the tokens, whatever stands around them.
fn take_paths(tokens: TokenStream, out: &mut BTreeSet<Vec<String>>) {
    let mut path: Vec<String> = Vec::new();
    let mut colons = 0;
    for token in tokens {
        match token {
            TokenTree::Punct(p) if p.as_char() == ':' => {
                colons += 1;
                continue;
            }
            TokenTree::Ident(ident) => {
                if colons != 2 {
                    keep(&mut path, out);
                }
                path.push(ident.to_string());
            }
            TokenTree::Group(group) => {
                keep(&mut path, out);
                take_paths(group.stream(), out);
            }
            _ => keep(&mut path, out),
        }
        colons = 0;
    }
    keep(&mut path, out);
}

fn keep(path: &mut Vec<String>, out: &mut BTreeSet<Vec<String>>) {
    let path = std::mem::take(path);
    if path.len() > 1 {
        out.insert(path);
    }
}

fn is_test(attribute: &Attribute) -> bool {
    let path = attribute.path();
    let says_test = |tokens: TokenStream| {
        tokens.into_iter().any(|t| matches!(t, TokenTree::Ident(ident) if ident == "test"))
    };
    path.is_ident("test")
        || (path.is_ident("cfg")
            && attribute.meta.require_list().is_ok_and(|list| says_test(list.tokens.clone())))
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(i) => &i.attrs,
        Item::Enum(i) => &i.attrs,
        Item::Fn(i) => &i.attrs,
        Item::Impl(i) => &i.attrs,
        Item::Macro(i) => &i.attrs,
        Item::Mod(i) => &i.attrs,
        Item::Static(i) => &i.attrs,
        Item::Struct(i) => &i.attrs,
        Item::Trait(i) => &i.attrs,
        Item::Type(i) => &i.attrs,
        Item::Use(i) => &i.attrs,
        _ => &[],
    }
}
