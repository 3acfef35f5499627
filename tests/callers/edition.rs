//! A function that tells which edition of it runs, and those who call it.

use std::cell::{Cell, RefCell};
use std::time::Instant;

use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use aws_sdk_lambda::config::retry::RetryConfig;
use aws_sdk_lambda::error::DisplayErrorContext;
use aws_sdk_lambda::primitives::Blob;
use formation_model::{Operation, OperationStatus};
use formation_tests::World;
use serde::Deserialize;
use serde_json::{Value, json};

const CODE: &str = include_str!("edition.mjs");

/// How many callers there are.
const CALLERS: usize = 3;

/// What a caller is answered.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
pub struct Answer {
    /// The edition of the code.
    pub code: u32,
    /// The edition of the environment.
    pub environment: u32,
    /// What became of a call that only this edition's permissions allow: `done`, or the error's name.
    pub outcome: String,
}

impl Answer {
    /// An edition, whole.
    pub fn of(edition: u32) -> Self {
        Self { code: edition, environment: edition, outcome: "done".to_owned() }
    }
}

/// A function whose editions differ in code, environment and permissions.
pub struct Editions<'a> {
    pub world: &'a World,
    pub name: String,
    /// Each edition reads a table of its own: what their names begin with.
    tables: String,
    /// What callers invoke.
    invoke_arn: String,
}

impl<'a> Editions<'a> {
    /// Makes its first edition, and tables for so many.
    pub async fn new(world: &'a World, editions: usize) -> Self {
        let (name, tables) = (world.name("editions"), world.name("read"));
        for edition in 1..=editions {
            create_table(world, &format!("{tables}-{edition}")).await;
        }
        let mut it = Self { world, name, tables, invoke_arn: String::new() };
        let created = world.create(&it.name, it.fields(1)).await;
        assert_eq!(created.status, OperationStatus::Succeeded, "{created:#?}");
        let resources = world.function(&it.name).await.resources;
        it.invoke_arn = resources.invoke_arn;
        assert!(it.invoke_arn.ends_with(":live"), "{}", it.invoke_arn);
        it
    }

    /// All that an edition differs in.
    pub fn fields(&self, edition: u32) -> Value {
        let (region, account) = (&self.world.stack.region, &self.world.stack.account_id);
        let table = format!("arn:aws:dynamodb:{region}:{account}:table/{}-{edition}", self.tables);
        json!({
            "code": CODE.replace("@EDITION@", &edition.to_string()),
            "environment": {"EDITION": edition.to_string(), "TABLES": self.tables},
            "policyStatements": [{"actions": ["dynamodb:GetItem"], "resources": [table]}],
        })
    }

    pub async fn update(&self, edition: u32) -> Operation {
        let updated = self.world.patch(&self.name, self.fields(edition)).await;
        assert_eq!(updated.status, OperationStatus::Succeeded, "{updated:#?}");
        updated
    }

    /// What a caller is answered, or told instead. Nothing is tried twice.
    pub async fn answer(&self, event: &Value) -> Result<Answer, String> {
        let once = aws_sdk_lambda::Config::builder().retry_config(RetryConfig::disabled());
        let invoke = self.world.lambda.invoke().function_name(&self.invoke_arn);
        let invoke = invoke.payload(Blob::new(event.to_string())).customize();
        let answered = invoke.config_override(once).send().await;
        let answered = answered.map_err(|error| DisplayErrorContext(error).to_string())?;
        let body = answered.payload().map(AsRef::as_ref).unwrap_or_default();
        let text = String::from_utf8_lossy(body).into_owned();
        match answered.function_error() {
            None => serde_json::from_slice(body).map_err(|error| format!("{error}: {text}")),
            Some(_) => Err(text),
        }
    }

    /// Does `something` while callers call without pause.
    pub async fn called_during<T>(
        &self,
        something: impl AsyncFnOnce(&Called) -> T,
    ) -> (T, Vec<Call>) {
        let called = Called::default();
        let callers = (0..CALLERS).map(async |caller| {
            while !called.is_over.get() {
                let began = Instant::now();
                let answer = self.answer(&json!({})).await;
                called.calls.borrow_mut().push(Call { caller, began, answer });
            }
        });
        let all = async {
            // Some calls before it, some after it.
            called.more(self.world).await;
            let done = something(&called).await;
            called.more(self.world).await;
            called.is_over.set(true);
            done
        };
        let (done, _) = futures_util::join!(all, futures_util::future::join_all(callers));
        (done, called.calls.take())
    }
}

/// A call, and what its caller was told.
#[derive(Debug)]
pub struct Call {
    pub caller: usize,
    pub began: Instant,
    pub answer: Result<Answer, String>,
}

/// The calls so far.
#[derive(Default)]
pub struct Called {
    calls: RefCell<Vec<Call>>,
    is_over: Cell<bool>,
}

impl Called {
    /// Waits until every caller has begun another call and was answered.
    pub async fn more(&self, world: &World) {
        let now = Instant::now();
        world
            .until("every caller has called again", async || {
                let calls = self.calls.borrow();
                let since = |caller| calls.iter().any(|it| it.caller == caller && it.began > now);
                (0..CALLERS).all(since).then_some(())
            })
            .await;
    }

    /// Waits until a caller that has begun its call since was answered by this edition.
    pub async fn reach(&self, world: &World, edition: u32, since: Instant) {
        let what = format!("a caller is answered by edition {edition}");
        world
            .until(&what, async || {
                let calls = self.calls.borrow();
                let mut late = calls.iter().rev().take_while(|it| it.began > since);
                late.any(|it| it.answer.as_ref().is_ok_and(|it| it.code == edition)).then_some(())
            })
            .await;
    }
}

async fn create_table(world: &World, name: &str) {
    let id = AttributeDefinition::builder().attribute_name("id");
    let id = id.attribute_type(ScalarAttributeType::S).build().unwrap();
    let key = KeySchemaElement::builder().attribute_name("id").key_type(KeyType::Hash);
    let create = world.dynamodb.create_table().table_name(name).attribute_definitions(id);
    let create = create.key_schema(key.build().unwrap()).billing_mode(BillingMode::PayPerRequest);
    create.send().await.unwrap();
}
