//! Counts the words of a text.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct Text {
    text: String,
}

#[derive(Debug, Eq, PartialEq, Serialize)]
struct Counted {
    words: usize,
    longest: Option<String>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let shortest: usize = std::env::var("SHORTEST")?.parse()?;
    run(service_fn(async |event: LambdaEvent<Text>| {
        let counted = count(&event.payload.text, shortest);
        println!("{} words", counted.words);
        Ok::<_, Error>(counted)
    }))
    .await
}

/// How many words of at least `shortest` letters there are, and the first of the longest.
fn count(text: &str, shortest: usize) -> Counted {
    let words = text.split(|it: char| !it.is_alphanumeric());
    let length = |word: &str| word.chars().count();
    let words: Vec<_> = words.filter(|word| length(word) >= shortest.max(1)).collect();
    let longest = words.iter().rev().max_by_key(|word| length(word));
    Counted { words: words.len(), longest: longest.map(ToString::to_string) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_counted_from_a_length_on() {
        let text = "It is as asked, or nothing of it is.";
        let longest = Some("nothing".to_owned());
        assert_eq!(count(text, 1), Counted { words: 9, longest: longest.clone() });
        assert_eq!(count(text, 3), Counted { words: 2, longest });
        assert_eq!(count("...", 0), Counted { words: 0, longest: None });
    }
}
