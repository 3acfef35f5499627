//! Lists, page by page.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, IgnoredAny, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::operation::Operation;
use crate::revision::Revision;
use crate::view::Function;

/// One page of a list. It may hold fewer items than asked for, even none: there are more as long as
/// there is a token.
///
/// In JSON the items stand under the name of what is listed: `{"functions": [...], "nextToken": "..."}`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Page<Item> {
    /// The items.
    pub items: Vec<Item>,
    /// Where the next page begins; none on the last.
    pub next_token: Option<String>,
}

/// What is listed page by page.
pub trait Listed {
    /// The field of a page that holds the items.
    const FIELD: &'static str;
    /// The name of a page's schema.
    const LIST: &'static str;
    /// What the schema tells of a page.
    const ABOUT_PAGE: &'static str;
    /// What the schema tells of the items of a page.
    const ABOUT_ITEMS: &'static str;
}

impl Listed for Function {
    const FIELD: &'static str = "functions";
    const LIST: &'static str = "FunctionList";
    const ABOUT_PAGE: &'static str = "One page of functions.";
    const ABOUT_ITEMS: &'static str = "The functions, ordered by name. A page may hold fewer than \
                                       asked for, even none: there are more as long as there is a \
                                       `nextToken`.";
}

impl Listed for Operation {
    const FIELD: &'static str = "operations";
    const LIST: &'static str = "OperationList";
    const ABOUT_PAGE: &'static str = "One page of a function's operations.";
    const ABOUT_ITEMS: &'static str = "The operations, newest first.";
}

impl Listed for Revision {
    const FIELD: &'static str = "revisions";
    const LIST: &'static str = "RevisionList";
    const ABOUT_PAGE: &'static str = "One page of a function's revisions.";
    const ABOUT_ITEMS: &'static str =
        "The revisions that are kept, newest first, without what each was.";
}

const NEXT_TOKEN: &str = "nextToken";

impl<Item: Listed + Serialize> Serialize for Page<Item> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut page = serializer.serialize_map(None)?;
        page.serialize_entry(Item::FIELD, &self.items)?;
        if let Some(token) = &self.next_token {
            page.serialize_entry(NEXT_TOKEN, token)?;
        }
        page.end()
    }
}

impl<'de, Item: Listed + Deserialize<'de>> Deserialize<'de> for Page<Item> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PageVisitor(PhantomData))
    }
}

struct PageVisitor<Item>(PhantomData<Item>);

impl<'de, Item: Listed + Deserialize<'de>> Visitor<'de> for PageVisitor<Item> {
    type Value = Page<Item>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object with {}", Item::FIELD)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut items, mut next_token) = (None, None);
        while let Some(field) = map.next_key::<Cow<'de, str>>()? {
            if field == Item::FIELD {
                items = Some(map.next_value()?);
            } else if field == NEXT_TOKEN {
                next_token = map.next_value()?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        let items = items.ok_or_else(|| A::Error::missing_field(Item::FIELD))?;
        Ok(Page { items, next_token })
    }
}

impl<Item: Listed + JsonSchema> JsonSchema for Page<Item> {
    fn schema_name() -> Cow<'static, str> {
        Item::LIST.into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "description": Item::ABOUT_PAGE,
            "properties": {
                Item::FIELD: {
                    "type": "array",
                    "description": Item::ABOUT_ITEMS,
                    "items": generator.subschema_for::<Item>(),
                },
                NEXT_TOKEN: {
                    "type": ["string", "null"],
                    "description": "Where the next page begins; absent on the last.",
                },
            },
            "required": [Item::FIELD],
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Number(u32);

    impl Listed for Number {
        const FIELD: &'static str = "numbers";
        const LIST: &'static str = "NumberList";
        const ABOUT_PAGE: &'static str = "";
        const ABOUT_ITEMS: &'static str = "";
    }

    fn read(page: &Value) -> Result<Page<Number>, serde_json::Error> {
        // From text and from a value, whose keys are read in different ways.
        let from_text = serde_json::from_str::<Page<Number>>(&page.to_string());
        let read = serde_json::from_value::<Page<Number>>(page.clone());
        assert_eq!(from_text.ok(), read.as_ref().ok().cloned());
        read
    }

    #[test]
    fn items_stand_under_the_name_of_what_is_listed() {
        let page = Page { items: vec![Number(1), Number(2)], next_token: Some("t".to_owned()) };
        let written = serde_json::to_value(&page).unwrap();
        assert_eq!(written, json!({"numbers": [1, 2], "nextToken": "t"}));
        assert_eq!(read(&written).unwrap(), page);
        let last = Page::<Number> { items: Vec::new(), next_token: None };
        let written = serde_json::to_value(&last).unwrap();
        assert_eq!(written, json!({"numbers": []}));
        assert_eq!(read(&written).unwrap(), last);
    }

    #[test]
    fn fields_of_a_later_release_are_ignored_and_a_page_of_something_else_is_refused() {
        let later = json!({"total": {"count": 3}, "numbers": [3], "nextToken": null});
        assert_eq!(read(&later).unwrap().items, [Number(3)]);
        assert!(read(&json!({"functions": []})).is_err());
        assert!(read(&json!([])).is_err());
    }
}
