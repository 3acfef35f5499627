use serde_json::json;

use super::reader::number;
use super::*;
use crate::problem::FieldProblemCode;

fn whole_document(text: &str) -> Value {
    read(text.as_bytes(), Shape::Whole).unwrap().value
}

fn refused(text: &[u8]) -> String {
    read(text, Shape::Ignored).unwrap_err().to_string()
}

fn problems(text: &str) -> Vec<(String, FieldProblemCode)> {
    let document = read(text.as_bytes(), FUNCTION).unwrap();
    let problems = document.read_with(|_| Ok(())).err().unwrap_or_default();
    problems.first().iter().map(|it| (it.pointer.clone(), *it.code.known().unwrap())).collect()
}

#[test]
fn every_json_value_is_read_as_serde_json_reads_it() {
    let text = r#" {"a": [1, -2, 3.5, "x\u00e4\ud83d\ude00\n\/", null, true, false, [], {}], "b": {"a": {}},
        "": 9223372036854775807, "ä\"": 0, "e": [-0.5, 1.25e2, 2E-1, 1.5e+3] } "#;
    let expected: Value = serde_json::from_str(text).unwrap();
    assert_eq!(whole_document(text), expected);
    assert!(read(text.as_bytes(), Shape::Ignored).unwrap().value.is_null());
}

/// A text that is JSON, or nearly.
fn nearly_json(random: &mut fastrand::Rng, depth: usize) -> String {
    let mut text = match random.usize(..if depth == 0 { 6 } else { 9 }) {
        0 => "null".to_owned(),
        1 => ["true", "false"][random.usize(..2)].to_owned(),
        2 => ["0", "-1", "12.5", "1e2", "-0.25E-1", "01", "1.", "+1", "-"][random.usize(..9)]
            .to_owned(),
        3 | 4 => [r#""""#, r#""a""#, r#""\u00e9\n""#, r#""\ud83d\ude00""#, r#""\x""#, "\"\u{1}\""]
            [random.usize(..6)]
        .to_owned(),
        5 => format!("\"{}\"", random.char('ä'..'ö')),
        6 => {
            let items: Vec<_> =
                (0..random.usize(..4)).map(|_| nearly_json(random, depth - 1)).collect();
            format!("[{}]", items.join(" ,"))
        }
        _ => {
            let fields: Vec<_> = (0..random.usize(..4))
                .map(|field| format!("\"{field}\":{}", nearly_json(random, depth - 1)))
                .collect();
            format!("{{{}}}", fields.join(", "))
        }
    };
    // Now and then a character too many or too few.
    if random.usize(..40) == 0 {
        let places: Vec<_> = text.char_indices().map(|(at, _)| at).collect();
        let at = places[random.usize(..places.len())];
        if random.bool() {
            text.remove(at);
        } else {
            text.insert(at, ['"', ',', ']', '}', ':', '\\', 'x', ' '][random.usize(..8)]);
        }
    }
    text
}

#[test]
fn what_serde_json_reads_is_read_and_what_it_refuses_is_refused() {
    let mut random = fastrand::Rng::with_seed(20_261_125);
    let (mut accepted, mut refused) = (0, 0);
    for _ in 0..20_000 {
        let text = nearly_json(&mut random, 3);
        let ours = read(text.as_bytes(), Shape::Whole);
        match serde_json::from_str::<Value>(&text) {
            Ok(value) => {
                let Ok(ours) = ours else { panic!("refused: {text}: {ours:?}") };
                assert_eq!(canonical_digest(&ours.value), canonical_digest(&value), "{text}");
                accepted += 1;
            }
            Err(error) => {
                assert!(ours.is_err(), "accepted: {text}: {error}");
                refused += 1;
            }
        }
        assert_eq!(
            read(text.as_bytes(), Shape::Ignored).is_ok(),
            read(text.as_bytes(), Shape::Whole).is_ok(),
            "{text}"
        );
    }
    assert!(accepted > 3000 && refused > 3000, "{accepted} {refused}");
}

#[test]
fn what_is_not_one_unambiguous_document_is_refused_with_its_place() {
    for (text, told) in [
        (&b""[..], "it ends early at line 1, column 1"),
        (b"{\"a\": 1", "it ends early at line 1, column 8"),
        (b"{\"a\": \"x", "it ends early at line 1, column 9"),
        (b"[1,\n 2,]", "it has a syntax error at line 2, column 4"),
        (b"{\"a\": 1} {}", "it has a syntax error at line 1, column 10"),
        (b"{a: 1}", "it has a syntax error at line 1, column 2"),
        (b"[NaN]", "it has a syntax error at line 1, column 2"),
        (b"[01]", "it has a syntax error at line 1, column 3"),
        (b"\"a\tb\"", "it has a syntax error at line 1, column 3"),
        (b"[\n\"\xc3\xa4\xff\"]", "it is not UTF-8 at line 2, column 3"),
        (b"\xff\xfe{\0}\0", "it is not UTF-8 at line 1, column 1"),
        (b"\xef\xbb\xbf{}", "it begins with a byte order mark, which must be left out, at line 1"),
        (b"\"\\ud800\"", "half of a surrogate pair"),
        (b"\"\\udc00\\ud800\"", "half of a surrogate pair"),
        (b"\"\\ud800\\u0041\"", "half of a surrogate pair"),
        (
            b"{\n\"a\": {\"b\": 1, \"\\u0062\": \"s3cr3t\"}}",
            "twice in one object at line 2, column 15",
        ),
    ] {
        let refused = refused(text);
        assert!(refused.contains(told), "{}: {refused}", String::from_utf8_lossy(text));
        assert!(!refused.contains("s3cr3t"), "{refused}");
    }
}

#[test]
fn nesting_has_an_end() {
    let nested = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(read(nested(DEEPEST).as_bytes(), Shape::Whole).is_ok());
    assert!(refused(nested(DEEPEST + 1).as_bytes()).contains("nested too deeply"));
    assert!(refused(nested(1_000_000).as_bytes()).contains("line 1, column 129"));
    assert!(refused("[".repeat(1000).as_bytes()).contains("nested too deeply"));
}

#[test]
fn what_leaves_the_structure_clear_does_not_end_the_reading() {
    let deep = format!("{}{}", "[\"]\",".repeat(200), "]".repeat(200)).replace(",]", "]");
    for text in [
        r#"{"functionName": "a", "code": "\ud800", "tags": 1}"#.to_owned(),
        r#"{"functionName": "a", "code": 1, "functionName": "b", "tags": 1}"#.to_owned(),
        format!(r#"{{"functionName": "a", "code": {deep}, "tags": 1}}"#),
    ] {
        let readable = read(text.as_bytes(), FUNCTION).unwrap_err().readable;
        assert_eq!((&readable["functionName"], &readable["tags"]), (&json!("a"), &json!(1)));
    }
    assert!(read(b"{\"functionName\": \"a\"", FUNCTION).unwrap_err().readable.is_null());
}

#[test]
fn numbers_beyond_all_range_are_well_formed() {
    assert_eq!(whole_document("[1e400, -1e400]"), json!([f64::MAX, f64::MIN]));
    assert!(read(b"{\"drift\": 1e400, \"unknown\": -1E999}", FUNCTION).is_ok());
}

#[test]
fn whole_numbers_are_whole_however_they_are_spelled() {
    let read = |text| whole(&number(text));
    for text in ["1000", "1e3", "1000.0", "10.00E+2", "10000e-1"] {
        assert_eq!(read(text), Some(1000), "{text}");
    }
    assert_eq!(read("256.5"), None);
    assert_eq!((read("1e400"), read("-1e400")), (Some(i64::MAX), Some(i64::MIN)));
    assert_eq!(read("18446744073709551615"), Some(i64::MAX));
}

#[test]
fn two_spellings_of_one_document_have_one_digest() {
    let digest = |text| canonical_digest(&whole_document(text));
    let one = digest(r#"{"b": [1000, {"d": "x", "c": null}], "a": "\u0041"}"#);
    assert_eq!(one, digest(r#"{"a":"A","b":[1e3,{"c":null,"d":"x"}]}"#));
    assert_eq!(one.len(), 64);
    for other in [
        r#"{"a":"A","b":[{"c":null,"d":"x"},1000]}"#,
        r#"{"a":"A","b":[1001,{"c":null,"d":"x"}]}"#,
        r#"{"a":"A","b":["1000",{"c":null,"d":"x"}]}"#,
        r#"{"a":"A","b":[1000,{"d":"x"}]}"#,
    ] {
        assert_ne!(one, digest(other), "{other}");
    }
    let pairs = [("[[],[]]", "[[[]]]"), (r#"{"ab":"c"}"#, r#"{"a":"bc"}"#), ("1e300", "1e301")];
    for (one, other) in pairs {
        assert_ne!(digest(one), digest(other), "{one} {other}");
    }
}

#[test]
fn of_a_function_only_what_a_function_has_is_kept() {
    let text = r#"{"functionName": "a", "status": {"x": 1}, "colour": [1, 2], "memory": 7}"#;
    let document = read(text.as_bytes(), FUNCTION).unwrap();
    assert_eq!(document.value, json!({"functionName": "a"}));
    let unknown = FieldProblemCode::UnknownField;
    assert_eq!(problems(text), [("/colour".to_owned(), unknown), ("/memory".to_owned(), unknown)]);
    assert!(read(b"[[0],[0]]", FUNCTION).unwrap().value.is_array());
}

#[test]
fn a_part_is_a_document_with_places_of_its_own() {
    const SHAPE: Shape = Shape::Object(|field| (field == "function").then_some(FUNCTION));
    let text = r#"{"function": {"handler": "x", "colour": 1}, "more": 1}"#;
    let part = read(text.as_bytes(), SHAPE).unwrap().into_part("/function");
    assert_eq!(part.value, json!({"handler": "x"}));
    let problems = part.read_with(|_| Ok(())).unwrap_err();
    let at: Vec<_> = problems.first().iter().map(|it| it.pointer.as_str()).collect();
    assert_eq!(at, ["/colour", "/more"]);
}

#[test]
fn unknown_fields_are_counted_and_a_hundred_told() {
    let fields: Vec<_> = (0..5000).map(|n| format!("\"field{n}\": {n}")).collect();
    let text = format!("{{{}, \"{}\": 1}}", fields.join(","), "x".repeat(100_000));
    let document = read(text.as_bytes(), FUNCTION).unwrap();
    let problems = document.read_with(|_| Ok(())).unwrap_err();
    assert_eq!((problems.first().len(), problems.count()), (100, 5001));
    assert_eq!(problems.first()[0].pointer, "/field0");
}

#[test]
fn a_field_with_more_values_than_a_function_has_is_one_problem() {
    let many = format!("[{}0]", "[0],".repeat(MOST_VALUES));
    let text = format!(r#"{{"code": {many}, "tags": {{"a": {many}}}, "handler": "x"}}"#);
    let out_of_range = FieldProblemCode::OutOfRange;
    let expected = [("/code".to_owned(), out_of_range), ("/tags".to_owned(), out_of_range)];
    assert_eq!(problems(&text), expected);
    let document = read(text.as_bytes(), FUNCTION).unwrap();
    assert_eq!(document.value, json!({"handler": "x"}));
    // It was given, so that it is missing is no news.
    let missing = FieldProblem::new("/code", FieldProblemCode::Required, "must be given");
    let problems = document.read_with(|_| Err::<(), _>(vec![missing])).unwrap_err();
    assert_eq!(problems.count(), 2);
}
