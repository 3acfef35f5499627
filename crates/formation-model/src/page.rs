//! Lists, page by page.

/// One page of a list. It may hold fewer items than asked for, even none: there are more as long as
/// there is a token.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Page<Item> {
    /// The items.
    pub items: Vec<Item>,
    /// Where the next page begins; none on the last.
    pub next_token: Option<String>,
}
