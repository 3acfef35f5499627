//! A DynamoDB table at the wire: it holds items, and judges the conditions and applies the updates
//! that the records ask for. It knows as much of DynamoDB's expressions as they use.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// An item, in DynamoDB's JSON.
pub(crate) type Item = Map<String, Value>;

#[derive(Default)]
pub(super) struct Table {
    items: BTreeMap<(String, String), Item>,
}

/// What a call is answered: a body, or an error with its body.
pub(super) type Answer = Result<Value, Value>;

impl Table {
    pub fn get(&self, key: &Value) -> Option<&Item> {
        self.items.get(&place(key))
    }

    pub fn put(&mut self, item: Item) {
        self.items.insert(place(&Value::Object(item.clone())), item);
    }

    pub fn remove(&mut self, key: &Value) {
        self.items.remove(&place(key));
    }

    pub fn items(&self) -> impl Iterator<Item = &Item> {
        self.items.values()
    }

    pub fn call(&mut self, operation: &str, request: &Value) -> Answer {
        match operation {
            "GetItem" => Ok(self.get(&request["Key"]).map_or(json!({}), |it| json!({"Item": it}))),
            "BatchGetItem" => {
                let (table, wanted) =
                    request["RequestItems"].as_object().unwrap().iter().next().unwrap();
                let keys = wanted["Keys"].as_array().unwrap().iter();
                let found: Vec<_> = keys.filter_map(|key| self.get(key)).collect();
                Ok(json!({"Responses": {table: found}, "UnprocessedKeys": {}}))
            }
            "UpdateItem" => {
                if let Err(found) = self.judge(request) {
                    return Err(json!({
                        "__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException",
                        "message": "The conditional request failed", "Item": found,
                    }));
                }
                let written = self.update(request);
                Ok(json!({"Attributes": written}))
            }
            "PutItem" | "DeleteItem" => {
                if self.judge(request).is_err() {
                    return Err(json!({
                        "__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException",
                        "message": "The conditional request failed",
                    }));
                }
                match request["Item"].as_object() {
                    Some(item) => self.put(item.clone()),
                    None => self.remove(&request["Key"]),
                }
                Ok(json!({}))
            }
            "TransactWriteItems" => self.transact(request["TransactItems"].as_array().unwrap()),
            "Query" => Ok(self.query(request)),
            other => panic!("the table knows no {other}"),
        }
    }

    fn transact(&mut self, writes: &[Value]) -> Answer {
        let parts = |write: &Value| {
            let (kind, part) = write.as_object().unwrap().iter().next().unwrap();
            (kind.clone(), part.clone())
        };
        let judged: Vec<_> = writes.iter().map(|write| self.judge(&parts(write).1)).collect();
        if judged.iter().any(Result::is_err) {
            let reason = |judged: &Result<(), Item>| match judged {
                Ok(()) => json!({"Code": "None"}),
                Err(item) => json!({"Code": "ConditionalCheckFailed", "Item": item}),
            };
            return Err(json!({
                "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
                "Message": "Transaction cancelled",
                "CancellationReasons": judged.iter().map(reason).collect::<Vec<_>>(),
            }));
        }
        for write in writes {
            let (kind, part) = parts(write);
            match kind.as_str() {
                "Put" => self.put(part["Item"].as_object().unwrap().clone()),
                "ConditionCheck" => {}
                "Delete" => drop(self.items.remove(&place(&part["Key"]))),
                "Update" => drop(self.update(&part)),
                other => panic!("the table knows no {other}"),
            }
        }
        Ok(json!({}))
    }

    /// Whether the write's condition holds; if not, the item that it was judged by.
    fn judge(&self, write: &Value) -> Result<(), Item> {
        let key = if write["Key"].is_null() { &write["Item"] } else { &write["Key"] };
        let item = self.get(key).cloned().unwrap_or_default();
        match write["ConditionExpression"].as_str() {
            Some(condition) if !holds(condition, write, &item) => Err(item),
            _ => Ok(()),
        }
    }

    fn update(&mut self, write: &Value) -> Item {
        let key = write["Key"].as_object().unwrap();
        let mut item = self.get(&write["Key"]).cloned().unwrap_or_else(|| key.clone());
        let tokens = tokens(write["UpdateExpression"].as_str().unwrap());
        let mut at = 0;
        let mut clause = "";
        let name =
            |token: &str| write["ExpressionAttributeNames"][token].as_str().unwrap().to_owned();
        while at < tokens.len() {
            match tokens[at].as_str() {
                word @ ("SET" | "REMOVE" | "ADD") => {
                    clause = if word == "SET" {
                        "SET"
                    } else if word == "ADD" {
                        "ADD"
                    } else {
                        "REMOVE"
                    };
                    at += 1;
                }
                "," => at += 1,
                path if clause == "REMOVE" => {
                    item.remove(&name(path));
                    at += 1;
                }
                path if clause == "ADD" => {
                    let old = item.get(&name(path)).map_or(0, number);
                    let sum = old + number(&write["ExpressionAttributeValues"][&tokens[at + 1]]);
                    item.insert(name(path), json!({"N": sum.to_string()}));
                    at += 2;
                }
                path if tokens[at + 2] == "if_not_exists" => {
                    // path = if_not_exists ( path , value )
                    let value = &write["ExpressionAttributeValues"][&tokens[at + 6]];
                    item.entry(name(path)).or_insert_with(|| value.clone());
                    at += 8;
                }
                path => {
                    let value = &write["ExpressionAttributeValues"][&tokens[at + 2]];
                    assert!(!value.is_null(), "{path} has no value in {write}");
                    item.insert(name(path), value.clone());
                    at += 3;
                }
            }
        }
        self.put(item.clone());
        item
    }

    fn query(&self, request: &Value) -> Value {
        let matches = |item: &&Item| {
            ["KeyConditionExpression", "FilterExpression"]
                .iter()
                .filter_map(|name| request[name].as_str())
                .all(|expression| holds(expression, request, item))
        };
        let mut found: Vec<_> = self.items.values().filter(matches).collect();
        if request["IndexName"] == "due" {
            found.sort_by_key(|item| number(&item["dueAt"]));
        }
        if request["ScanIndexForward"] == false {
            found.reverse();
        }
        json!({"Items": found, "Count": found.len()})
    }
}

fn place(key: &Value) -> (String, String) {
    let part = |name: &str| key[name]["S"].as_str().unwrap().to_owned();
    (part("pk"), part("sk"))
}

fn number(value: &Value) -> i64 {
    value["N"].as_str().unwrap().parse().unwrap()
}

fn tokens(expression: &str) -> Vec<String> {
    let spaced: String = expression
        .chars()
        .flat_map(|c| if "(),".contains(c) { vec![' ', c, ' '] } else { vec![c] })
        .collect();
    spaced.split_whitespace().map(str::to_owned).collect()
}

/// Whether a condition holds of an item: `AND`, `OR`, `=`, `<=` and functions of attributes.
fn holds(expression: &str, request: &Value, item: &Item) -> bool {
    let tokens = tokens(expression);
    let mut at = 0;
    let held = any(&tokens, &mut at, request, item);
    assert_eq!(at, tokens.len(), "not all was read of {expression}");
    held
}

fn any(tokens: &[String], at: &mut usize, request: &Value, item: &Item) -> bool {
    let mut held = all(tokens, at, request, item);
    while tokens.get(*at).is_some_and(|token| token == "OR") {
        *at += 1;
        held |= all(tokens, at, request, item);
    }
    held
}

fn all(tokens: &[String], at: &mut usize, request: &Value, item: &Item) -> bool {
    let mut held = one(tokens, at, request, item);
    while tokens.get(*at).is_some_and(|token| token == "AND") {
        *at += 1;
        held &= one(tokens, at, request, item);
    }
    held
}

fn one(tokens: &[String], at: &mut usize, request: &Value, item: &Item) -> bool {
    let value = |token: &String| match token.as_bytes()[0] {
        b':' => Some(&request["ExpressionAttributeValues"][token]),
        _ => item.get(request["ExpressionAttributeNames"][token].as_str().unwrap()),
    };
    let rest = &tokens[*at..];
    match rest[0].as_str() {
        "(" => {
            *at += 1;
            let held = any(tokens, at, request, item);
            assert_eq!(tokens[*at], ")");
            *at += 1;
            held
        }
        "attribute_exists" => {
            *at += 4;
            value(&rest[2]).is_some()
        }
        "attribute_not_exists" => {
            *at += 4;
            value(&rest[2]).is_none()
        }
        "begins_with" => {
            *at += 6;
            let text = |token| value(token).and_then(|value| value["S"].as_str());
            text(&rest[2]).unwrap_or_default().starts_with(text(&rest[4]).unwrap())
        }
        _ => {
            *at += 3;
            let (left, right) = (value(&rest[0]), value(&rest[2]));
            match rest[1].as_str() {
                "=" => left == right,
                "<=" => left.is_some_and(|left| number(left) <= number(right.unwrap())),
                other => panic!("the table knows no {other}"),
            }
        }
    }
}
