//! How many invocations of a function may run at once, of those that the account has in all.

use serde_json::{Value, json};

use super::FunctionSpec;
use super::configuration::ROW;
use super::property::Property;
use super::reader::Reader;
use crate::fields::whole;
use crate::part::Facet;
use crate::problem::FieldProblemCode as Code;
use crate::warning::{Warning, WarningCode};

const NAME: &str = "reservedConcurrency";

pub(super) const PROPERTIES: &[Property] = &[Property {
    name: NAME,
    facets: &[Facet::Concurrency],
    schema: || {
        json!({
            "type": ["integer", "null"], "minimum": 0, "default": null,
            "description": "How many of the account's concurrent invocations are set apart for the \
                            function, which are the most that it may have, too; 0 stops it. Null: \
                            none. At most what the stack's parameter MaxReservedConcurrency says."
        })
    },
    example: || json!(5),
    read,
    ..ROW
}];

fn read(it: &mut Reader<'_>) {
    let number = match it.fields.take(it.name) {
        None | Some(Value::Null) => return,
        Some(Value::Number(number)) => whole(number),
        Some(_) => None,
    };
    let Some(number) = number else {
        return it.fields.note(
            it.at(),
            Code::WrongType,
            "must be a whole number, or null for none",
        );
    };
    let most = it.defaults.max_reserved_concurrency;
    // What a function has, it keeps, whatever the stack has allowed since.
    let has = it.current.and_then(|current| current.reserved_concurrency);
    match u32::try_from(number) {
        Ok(number) if number <= most || has == Some(number) => {
            it.draft.reserved_concurrency = Some(number);
        }
        _ => {
            let detail = format!(
                "must be 0 to {most}, which the stack's parameter MaxReservedConcurrency says"
            );
            it.fields.note(it.at(), Code::OutOfRange, detail);
        }
    }
}

/// That a function which is as asked answers nobody.
pub(super) fn warning<Code>(spec: &FunctionSpec<Code>) -> Option<Warning> {
    (spec.reserved_concurrency == Some(0)).then(|| {
        let detail = "0 stops the function: Lambda refuses every invocation of it, until it has another \
                      number, or null";
        Warning::new(&format!("/{NAME}"), WarningCode::FunctionStopped, detail.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::super::Defaults;
    use super::*;
    use crate::problem::FieldProblem;
    use crate::request::tests::{DEFAULTS, current, hello_with};
    use crate::request::{self, patched};

    fn at_most(max_reserved_concurrency: u32) -> Defaults {
        Defaults { max_reserved_concurrency, ..DEFAULTS.clone() }
    }

    fn asked(value: Value) -> Result<Option<u32>, FieldProblem> {
        let read = request::read(&hello_with(NAME, value), &at_most(10), None);
        read.map(|it| it.reserved_concurrency).map_err(|mut found| found.remove(0))
    }

    #[test]
    fn a_number_from_0_to_what_the_stack_allows_or_none() {
        assert_eq!(asked(Value::Null), Ok(None));
        for (value, expected) in [(json!(0), 0), (json!(10), 10), (json!(3.0), 3)] {
            assert_eq!(asked(value), Ok(Some(expected)));
        }
        for value in [json!("5"), json!(true), json!([]), json!(1.5)] {
            let problem = asked(value.clone()).unwrap_err();
            assert_eq!(
                (problem.pointer.as_str(), problem.code.known()),
                ("/reservedConcurrency", Some(&Code::WrongType)),
                "{value}"
            );
        }
        for value in [json!(-1), json!(11), json!(u64::MAX), json!(1e300)] {
            let problem = asked(value.clone()).unwrap_err();
            assert_eq!(problem.code.known(), Some(&Code::OutOfRange), "{value}");
            assert!(problem.detail.contains("0 to 10"), "{}", problem.detail);
            assert!(problem.detail.contains("MaxReservedConcurrency"), "{}", problem.detail);
        }
    }

    #[test]
    fn what_a_function_has_it_keeps_and_null_takes_it_away() {
        let with = FunctionSpec { reserved_concurrency: Some(10), ..current() };
        let after = |patch: Value, most| {
            patched(&patch, &at_most(most), &with).map(|it| it.reserved_concurrency)
        };
        assert_eq!(after(json!({"memoryMegabytes": 512}), 2), Ok(Some(10)));
        assert_eq!(after(json!({NAME: 10}), 2), Ok(Some(10)));
        assert_eq!(after(json!({NAME: 2}), 2), Ok(Some(2)));
        assert!(after(json!({NAME: 9}), 2).is_err());
        assert_eq!(after(json!({NAME: null}), 2), Ok(None));
        // What GET returned can be PUT, with and without one.
        for spec in [with, current()] {
            let mut body = spec.values();
            body["code"] = json!("x");
            let read = request::read(&body, &at_most(2), Some(&spec)).unwrap();
            assert_eq!(read.reserved_concurrency, spec.reserved_concurrency);
        }
    }

    #[test]
    fn only_a_function_that_is_stopped_is_warned_of() {
        let warned = |reserved_concurrency| {
            warning(&FunctionSpec { reserved_concurrency, ..current() }).map(|it| it.pointer)
        };
        assert_eq!(warned(Some(0)).as_deref(), Some("/reservedConcurrency"));
        assert_eq!((warned(None), warned(Some(1))), (None, None));
    }
}
