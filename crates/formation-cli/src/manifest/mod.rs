//! The manifest, `formation.yaml`: the functions that somebody wants, in the API's own fields.
//!
//! What several functions share stands in `defaults`, what differs from place to place in
//! `overlays`. They are merged as JSON merge patches (RFC 7396), in this order: the defaults, the
//! overlay's defaults, the function, the overlay's function. A function is sent to the API as it is
//! then, but for its code, which may be a folder or an archive beside the manifest.

mod blank;
mod merge;
mod problems;
pub mod schema;
mod variables;
pub mod write;
mod yaml;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use formation_model::FunctionName;
use formation_model::function::property;
use serde_json::{Map, Value};

use self::merge::merged;
pub use self::problems::Problems;
pub use self::variables::Lookup;
use self::yaml::{Content, Member, Node};
pub use self::yaml::{LARGEST, Misplaced, Place};

/// The tag by which a manifest knows its functions.
pub const MANIFEST_TAG: &str = "formation-manifest";

/// A manifest that has been read.
#[derive(Clone, Debug)]
pub struct Manifest {
    file: String,
    text: String,
    root: Node,
    overlay: Option<Node>,
}

/// A function as a manifest wants it.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Its name.
    pub name: FunctionName,
    /// What is asked of it in the API's fields, but for its name and its code.
    pub fields: Map<String, Value>,
    /// Where its code is.
    pub code: Code,
    /// Where what stands.
    node: Node,
    /// Where its name stands.
    name_at: Place,
}

/// Where a function's code is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Code {
    /// As the API takes it: inline, or in S3.
    AsItIs(Value),
    /// A folder beside the manifest, to be zipped.
    Folder(Local),
    /// An archive beside the manifest.
    Zip(Local),
}

/// Something beside the manifest.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Local {
    /// Its path, relative to the manifest.
    pub path: String,
    /// The command that makes it, for `sh -c`.
    pub build: Option<String>,
}

impl Wanted {
    /// Where the value at a JSON pointer into this function stands, or else the function's name.
    pub fn place_of(&self, pointer: &str) -> Place {
        let first = pointer.split('/').nth(1).unwrap_or_default();
        match self.node.members().and_then(|members| members.get(first)) {
            // A field that should not be there is shown, not its value.
            Some(member) if pointer.matches('/').count() == 1 && property(first).is_none() => {
                member.key_at
            }
            // What is wrong with a variable is shown at its name: its value may be a secret.
            Some(member) if first == "environment" => {
                let name = pointer.split('/').nth(2).unwrap_or_default();
                let name = name.replace("~1", "/").replace("~0", "~");
                let variable = member.node.members().and_then(|it| it.get(&name));
                variable.map_or(member.node.at, |variable| variable.key_at)
            }
            // So may be what a schedule or a rule hands over.
            Some(_) if ["schedules", "eventRules"].contains(&first) => {
                self.node.place_of(pointer.strip_suffix("/input").unwrap_or(pointer))
            }
            Some(_) => self.node.place_of(pointer),
            None => self.name_at,
        }
    }
}

impl Manifest {
    /// Reads a manifest; `file` is how the user names it, `overlay` which of its overlays counts.
    ///
    /// # Errors
    /// What is wrong with it as a whole: its syntax, a member that no manifest has, no such overlay.
    pub fn read(file: &str, text: &str, overlay: Option<&str>) -> Result<Self, Problems> {
        let problems = |found| Problems::new(file, text, found);
        let root = yaml::read(text).map_err(|misplaced| problems(vec![misplaced]))?;
        let mut found = Vec::new();
        members(
            &root,
            "a manifest",
            &["$schema", "name", "stack", "defaults", "functions", "overlays"],
            &mut found,
        );
        if let Some(functions) = root.get("functions") {
            objects(functions, "functions", &mut found);
        } else {
            found.push(Misplaced::new(root.at, "`functions` is missing: {NAME: {code: ...}}"));
        }
        object(root.get("defaults"), "defaults", &mut found);
        if let Some(overlays) = root.get("overlays") {
            objects(overlays, "overlays", &mut found);
            for member in overlays.members().into_iter().flat_map(BTreeMap::values) {
                members(&member.node, "an overlay", &["defaults", "functions"], &mut found);
                object(member.node.get("defaults"), "defaults", &mut found);
                if let Some(functions) = member.node.get("functions") {
                    objects(functions, "functions", &mut found);
                }
            }
        }
        let overlay = overlay.and_then(|name| {
            let overlays = root.get("overlays");
            let node = overlays.and_then(|overlays| overlays.get(name)).cloned();
            if node.is_none() {
                let names = overlays.and_then(Node::members).map(|it| it.keys().cloned().collect());
                let message = format!("there is no overlay {name}{}", one_of(names));
                found.push(Misplaced::new(overlays.map_or(root.at, |it| it.at), message));
            }
            node
        });
        if found.is_empty() {
            Ok(Self { file: file.to_owned(), text: text.to_owned(), root, overlay })
        } else {
            Err(problems(found))
        }
    }

    /// Its name, by which it knows its functions; none if it has none.
    ///
    /// # Errors
    /// It is no text that a tag can have, or a variable in it is not set.
    pub fn name(&self, lookup: Lookup<'_>) -> Result<Option<String>, Problems> {
        self.text_of("name", lookup)
    }

    /// The stack that it is for, if it says so.
    ///
    /// # Errors
    /// It is no text, or a variable in it is not set.
    pub fn stack(&self, lookup: Lookup<'_>) -> Result<Option<String>, Problems> {
        self.text_of("stack", lookup)
    }

    /// The functions of these names, or all of them where none is named, by name.
    ///
    /// # Errors
    /// Everything that is wrong with those functions and can be told without the API, or that there
    /// is none of such a name.
    pub fn functions(&self, names: &[String], lookup: Lookup<'_>) -> Result<Vec<Wanted>, Problems> {
        let mut found = Vec::new();
        let empty = BTreeMap::new();
        let declared = self.root.get("functions").and_then(Node::members).unwrap_or(&empty);
        let changed = self.overlay_of("functions").and_then(Node::members).unwrap_or(&empty);
        let mut all: BTreeMap<&String, &Member> = changed.iter().collect();
        all.extend(declared);
        for name in names.iter().filter(|name| !all.contains_key(name)) {
            let known = Some(all.keys().map(|name| (*name).clone()).collect());
            let message = format!("there is no function {name}{}", one_of(known));
            found.push(Misplaced::new(self.root.place_of("/functions"), message));
        }
        let chosen = all.iter().filter(|(name, _)| names.is_empty() || names.contains(name));
        let mut wanted = Vec::new();
        for (name, member) in chosen {
            let patches = [
                self.root.get("defaults"),
                self.overlay_of("defaults"),
                declared.get(*name).map(|it| &it.node),
                changed.get(*name).map(|it| &it.node),
            ];
            let merging = patches.into_iter().flatten();
            let Some(node) = merging.fold(None, |target, patch| Some(merged(target, patch))) else {
                continue;
            };
            wanted.extend(function(name, member.key_at, node, lookup, &mut found));
        }
        if found.is_empty() { Ok(wanted) } else { Err(self.problems(found)) }
    }

    /// The names of all functions that it has, those of any overlay among them.
    pub fn names(&self) -> BTreeSet<&str> {
        let overlays = self.root.get("overlays").and_then(Node::members);
        let overlays = overlays.into_iter().flat_map(BTreeMap::values).map(|it| &it.node);
        let functions = overlays.chain([&self.root]).filter_map(|it| it.get("functions"));
        functions.filter_map(Node::members).flat_map(BTreeMap::keys).map(String::as_str).collect()
    }

    /// What is wrong at places of this file.
    pub fn problems(&self, found: Vec<Misplaced>) -> Problems {
        Problems::new(&self.file, &self.text, found)
    }

    /// All that stands in it.
    #[cfg(test)]
    pub(crate) fn document(&self) -> Value {
        self.root.to_json()
    }

    fn overlay_of(&self, member: &str) -> Option<&Node> {
        self.overlay.as_ref().and_then(|overlay| overlay.get(member))
    }

    fn text_of(&self, member: &str, lookup: Lookup<'_>) -> Result<Option<String>, Problems> {
        let Some(node) = self.root.get(member) else { return Ok(None) };
        let mut node = node.clone();
        let mut found = Vec::new();
        variables::put_in(&mut node, lookup, &mut found);
        let text = match node.as_text() {
            _ if !found.is_empty() => return Err(self.problems(found)),
            Some(text) if !text.is_empty() => text.to_owned(),
            _ => {
                let message = format!("`{member}` must be a text");
                return Err(self.problems(vec![Misplaced::new(node.at, message)]));
            }
        };
        Ok(Some(text))
    }
}

/// Reads a function that has been merged.
fn function(
    name: &str,
    name_at: Place,
    mut node: Node,
    lookup: Lookup<'_>,
    found: &mut Vec<Misplaced>,
) -> Option<Wanted> {
    let before = found.len();
    let parsed = name.parse::<FunctionName>();
    if let Err(error) = &parsed {
        found.push(Misplaced::new(
            name_at,
            format!("`{name}` cannot be a function's name: {error}"),
        ));
    }
    let Content::Map(members) = &mut node.content else { return None };
    for (field, member) in &mut *members {
        match field.as_str() {
            "functionName" => {
                let message = "a function's name is its key: take `functionName` out";
                found.push(Misplaced::new(member.key_at, message));
            }
            // Values are texts to Lambda. What YAML reads as something else would be another text than
            // the one that stands here, as in `1.10` or `0x10`.
            "environment" | "tags" => texts(field, &mut member.node, lookup, found),
            "code" => code_texts(&mut member.node, lookup, found),
            field if property(field).is_some() => {
                variables::put_in(&mut member.node, lookup, found);
            }
            field => {
                let message = format!("a function has no `{field}`{}", similar(field));
                found.push(Misplaced::new(member.key_at, message));
            }
        }
    }
    let code = match node.get("code") {
        Some(code) => read_code(code, found),
        None => {
            let message = "`code` is missing: {folder: PATH}, {zip: PATH}, or inline";
            found.push(Misplaced::new(name_at, message));
            None
        }
    };
    let Value::Object(mut fields) = node.to_json() else { return None };
    fields.remove("code");
    let (Ok(name), Some(code), true) = (parsed, code, found.len() == before) else { return None };
    Some(Wanted { name, fields, code, node, name_at })
}

/// Puts variables into an object of texts, and refuses what is none.
fn texts(field: &str, node: &mut Node, lookup: Lookup<'_>, found: &mut Vec<Misplaced>) {
    if let Content::Map(members) = &node.content {
        for (key, member) in members {
            let Content::Scalar(scalar) = &member.node.content else { continue };
            if scalar.plain && may_be_no_text(&scalar.text) {
                let message =
                    format!("a value in `{field}` is a text: put that of {key} in quotes");
                found.push(Misplaced::new(member.key_at, message));
            }
        }
    }
    variables::put_in(node, lookup, found);
    if let Content::Map(members) = &mut node.content {
        for member in members.values_mut() {
            // The value of a variable is the text that it is.
            if let Content::Scalar(scalar) = &mut member.node.content {
                scalar.plain = false;
            }
        }
    }
}

/// Whether some reader of YAML takes a plain scalar for something else than a text.
fn may_be_no_text(text: &str) -> bool {
    const OF_YAML_1_1: [&str; 8] = ["y", "n", "yes", "no", "on", "off", "true", "false"];
    let plain = yaml::Scalar { text: text.to_owned(), plain: true };
    !plain.value().is_string() || OF_YAML_1_1.contains(&text.to_ascii_lowercase().as_str())
}

/// Puts variables into what says where the code is. Inline code and commands have a `${` of their own.
fn code_texts(node: &mut Node, lookup: Lookup<'_>, found: &mut Vec<Misplaced>) {
    if let Content::Map(members) = &mut node.content {
        for (_, member) in members.iter_mut().filter(|(key, _)| *key != "build") {
            variables::put_in(&mut member.node, lookup, found);
        }
    }
}

fn read_code(node: &Node, found: &mut Vec<Misplaced>) -> Option<Code> {
    let kind = ["folder", "zip"].into_iter().find(|key| node.get(key).is_some());
    let Some(kind) = kind else {
        if let Some(Member { key_at, .. }) = node.members().and_then(|it| it.get("build")) {
            let message = "`build` makes what `folder` or `zip` names: one of them is missing";
            found.push(Misplaced::new(*key_at, message));
            return None;
        }
        return Some(Code::AsItIs(node.to_json()));
    };
    let before = found.len();
    members(node, &format!("code with a `{kind}`"), &[kind, "build"], found);
    let mut text = |key: &str| {
        let value = node.get(key)?;
        let text = value.as_text().filter(|text| !text.is_empty()).map(str::to_owned);
        if text.is_none() {
            found.push(Misplaced::new(value.at, format!("`{key}` must be a text")));
        }
        text
    };
    let (path, build) = (text(kind), text("build"));
    let local = Local { path: path?, build };
    if found.len() > before {
        return None;
    }
    Some(if kind == "folder" { Code::Folder(local) } else { Code::Zip(local) })
}

/// Notes what is no object, and members that `what` does not have.
fn members(node: &Node, what: &str, known: &[&str], found: &mut Vec<Misplaced>) {
    let Some(members) = node.members() else {
        found.push(Misplaced::new(node.at, format!("{what} must be an object")));
        return;
    };
    for (key, member) in members.iter().filter(|(key, _)| !known.contains(&key.as_str())) {
        let names = known.iter().filter(|name| !name.starts_with('$'));
        let names = one_of(Some(names.map(|name| (*name).to_owned()).collect()));
        found.push(Misplaced::new(member.key_at, format!("{what} has no `{key}`{names}")));
    }
}

fn object(node: Option<&Node>, name: &str, found: &mut Vec<Misplaced>) {
    if let Some(node) = node.filter(|node| node.members().is_none()) {
        found.push(Misplaced::new(node.at, format!("`{name}` must be an object")));
    }
}

/// Notes what is no object of objects.
fn objects(node: &Node, name: &str, found: &mut Vec<Misplaced>) {
    object(Some(node), name, found);
    for (key, member) in node.members().into_iter().flatten() {
        object(Some(&member.node), key, found);
    }
}

fn one_of(names: Option<Vec<String>>) -> String {
    match names {
        Some(names) if !names.is_empty() => format!("; there is {}", names.join(", ")),
        _ => String::new(),
    }
}

/// A field whose name is nearly that one.
fn similar(field: &str) -> String {
    let like = |name: &str| name.to_ascii_lowercase().replace(['-', '_'], "");
    let wanted = like(field);
    let mut known = formation_model::function::properties().map(|property| property.name);
    let near = known.find(|name| {
        let name = like(name);
        name == wanted
            || (wanted.len() > 3 && (name.starts_with(&wanted) || wanted.starts_with(&name)))
    });
    near.map_or_else(String::new, |name| format!("; is `{name}` meant?"))
}
