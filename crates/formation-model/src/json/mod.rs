//! Reading JSON that others wrote: one well-formed document, with no key twice, and no more kept of
//! it than a request can need.
//!
//! A tree of everything takes a hundred times the size of a document of small arrays or objects, and
//! whether two keys are one is only seen in such a tree or on the way. So this reader checks the
//! whole document, keeps the fields that its [`Shape`] names, and counts the rest. What is wrong with
//! a document and yet leaves its structure clear (a key twice, half a surrogate pair, deep nesting)
//! does not end the reading: whoever sent it can still be told.

mod reader;
#[cfg(test)]
mod tests;

use std::ops::Range;

use serde_json::Value;
use sha2::{Digest, Sha256};

use self::reader::Reader;
use crate::fields::whole;
use crate::function;
use crate::problem::{FieldProblem, FieldProblems};
use crate::view::OUTPUT_ONLY;

/// Objects and arrays that may stand in each other. A function has six, an event with one eight.
const DEEPEST: usize = 128;

/// Values that are kept of a document. Within AWS's limits a function has some hundreds: 4 KB of
/// environment are at most 512 variables.
const MOST_VALUES: usize = 10_000;

/// What of a value is kept.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// All of it, if a function can have as much.
    Whole,
    /// Nothing: it only has to be well-formed.
    Ignored,
    /// Of an object, the fields that have a shape; that there are others is a problem. Of another
    /// value, what tells its type.
    Object(fn(&str) -> Option<Shape>),
    /// Of an array, where its first items stand in the text, so many: each is a document of its own. Of
    /// another value, what tells its type.
    Items(usize),
}

/// The shape of a function, or of a patch for one.
pub const FUNCTION: Shape = Shape::Object(|field| match field {
    field if function::property(field).is_some() => Some(Shape::Whole),
    field if OUTPUT_ONLY.contains(&field) => Some(Shape::Ignored),
    _ => None,
});

/// The shape of a request for an upload.
pub const UPLOAD: Shape =
    Shape::Object(|field| ["sizeBytes", "sha256"].contains(&field).then_some(Shape::Whole));

/// The shape of a request to go back to a revision.
pub const ROLLBACK: Shape = Shape::Object(|field| (field == "revision").then_some(Shape::Whole));

/// A document as far as it was kept.
#[derive(Debug)]
pub struct Document {
    /// What was kept. Numbers beyond the range of a 64-bit float are the largest in it, which is
    /// beyond the range of every field.
    pub value: Value,
    /// Fields that hold more values than a function can have.
    oversized: Vec<FieldProblem>,
    /// Fields without a shape.
    unknown: FieldProblems,
    items: Vec<Range<usize>>,
    item_count: usize,
}

impl Document {
    /// The part at the JSON pointer `place`, as a document of its own. What is wrong elsewhere is
    /// wrong with it, too.
    #[must_use]
    pub fn into_part(mut self, place: &str) -> Self {
        self.value = self.value.pointer_mut(place).map(Value::take).unwrap_or_default();
        for problem in self.oversized.iter_mut().chain(self.unknown.first_mut()) {
            if let Some(rest) = problem.pointer.strip_prefix(place)
                && (rest.is_empty() || rest.starts_with('/'))
            {
                problem.pointer = rest.to_owned();
            }
        }
        self
    }

    /// Where the items of [`Shape::Items`] stand in the text, the first ones.
    pub fn items(&self) -> &[Range<usize>] {
        &self.items
    }

    /// How many items there are.
    pub fn item_count(&self) -> usize {
        self.item_count
    }

    /// Whether everything that a request may hold was kept: what tells one request from another is
    /// in `value` then, and only in the text otherwise.
    pub fn is_whole(&self) -> bool {
        self.oversized.is_empty() && self.unknown.is_empty()
    }

    /// What `read` makes of the document.
    ///
    /// # Errors
    /// Everything that is wrong with it: what `read` has found, and what was not kept.
    pub fn read_with<T>(
        &self,
        read: impl FnOnce(&Value) -> Result<T, Vec<FieldProblem>>,
    ) -> Result<T, FieldProblems> {
        let found = match read(&self.value) {
            Ok(read) if self.is_whole() => return Ok(read),
            Ok(_) => Vec::new(),
            Err(found) => found,
        };
        // What was left out has only been missed.
        let missed = |problem: &FieldProblem| {
            self.oversized.iter().any(|left_out| left_out.pointer == problem.pointer)
        };
        let found = found.into_iter().filter(|problem| !missed(problem));
        let mut problems: FieldProblems = found.chain(self.oversized.iter().cloned()).collect();
        problems.append(self.unknown.clone());
        Err(problems)
    }
}

/// Why a text is not one well-formed JSON document, and where it ceases to be.
#[derive(Debug, thiserror::Error)]
#[error("{flaw} at line {line}, column {column}")]
pub struct MalformedJson {
    flaw: Flaw,
    line: usize,
    column: usize,
    /// What could be read all the same; null where the document breaks off.
    pub readable: Value,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
enum Flaw {
    #[error("it begins with a byte order mark, which must be left out,")]
    ByteOrderMark,
    #[error("it is not UTF-8")]
    NotUtf8,
    #[error("it ends early")]
    Early,
    #[error("it has a syntax error")]
    Syntax,
    #[error("a key stands twice in one object")]
    Twice,
    #[error("a string has one half of a surrogate pair (\\ud800 to \\udfff) without the other")]
    Surrogate,
    #[error("it is nested too deeply (more than {DEEPEST} objects and arrays in each other)")]
    Depth,
}

/// Reads the document in `text`, and keeps of it what `shape` says.
///
/// # Errors
/// [`MalformedJson`]. Parsers disagree about which of two equal keys counts (RFC 8259, section 4) and
/// about lone surrogates (section 8.2), so what was checked elsewhere may not be what acts.
pub fn read(text: &[u8], shape: Shape) -> Result<Document, MalformedJson> {
    let whole = match str::from_utf8(text) {
        Ok(whole) => whole,
        Err(error) => {
            // It was read up to here.
            let before = text.get(..error.valid_up_to()).unwrap_or_default();
            return Err(malformed(Flaw::NotUtf8, &String::from_utf8_lossy(before), Value::Null));
        }
    };
    let mut reader = Reader::new(whole);
    let value = reader.document(shape);
    match (value, reader.first_flaw) {
        (Ok(value), None) => {
            let value = value.unwrap_or_default();
            let Reader { oversized, unknown, items, item_count, .. } = reader;
            Ok(Document { value, oversized, unknown, items, item_count })
        }
        (Ok(value), Some(fault)) => {
            Err(malformed(fault.flaw, &whole[..fault.at], value.unwrap_or_default()))
        }
        (Err(fault), first) => {
            let fault = first.unwrap_or(fault);
            Err(malformed(fault.flaw, &whole[..fault.at], Value::Null))
        }
    }
}

/// `before` is what stands before the flaw.
fn malformed(flaw: Flaw, before: &str, readable: Value) -> MalformedJson {
    let (line, column) = match before.rsplit_once('\n') {
        Some((lines, last)) => (lines.matches('\n').count() + 2, last.chars().count() + 1),
        None => (1, before.chars().count() + 1),
    };
    MalformedJson { flaw, line, column, readable }
}

/// SHA-256, in hex, of what a document says: the order of its keys, white space and the spelling of
/// strings and of whole numbers do not count.
pub fn canonical_digest(value: &Value) -> String {
    let mut hash = Sha256::new();
    feed(&mut hash, value);
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Every value begins with its type, and what varies in length with its length.
fn feed(hash: &mut Sha256, value: &Value) {
    let mut sized = |kind: &str, length: usize| {
        hash.update(kind);
        hash.update((length as u64).to_be_bytes());
    };
    match value {
        Value::Null => hash.update("null"),
        Value::Bool(true) => hash.update("true"),
        Value::Bool(false) => hash.update("false"),
        Value::Number(number) => {
            let text = match whole(number) {
                // Those at the ends may have been larger.
                Some(whole) if whole.unsigned_abs() < i64::MAX as u64 => whole.to_string(),
                _ => number.to_string(),
            };
            sized("number", text.len());
            hash.update(text);
        }
        Value::String(text) => {
            sized("string", text.len());
            hash.update(text);
        }
        Value::Array(items) => {
            sized("array", items.len());
            items.iter().for_each(|item| feed(hash, item));
        }
        Value::Object(fields) => {
            sized("object", fields.len());
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_unstable_by_key(|(key, _)| *key);
            for (key, value) in fields {
                hash.update((key.len() as u64).to_be_bytes());
                hash.update(key);
                feed(hash, value);
            }
        }
    }
}
