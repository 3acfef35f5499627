//! Patterns of actions, with `*` for any characters and `?` for one, without case: as IAM has them.

/// Whether some text matches both patterns.
///
/// Takes a time that grows with the product of their lengths.
pub fn overlap(a: &str, b: &str) -> bool {
    let (a, b) = (a.to_ascii_lowercase().into_bytes(), b.to_ascii_lowercase().into_bytes());
    // Of what is left of `a`, by its beginning: whether it overlaps with what is left of `b`. `b` gets
    // longer from its end.
    let mut behind: Vec<bool> = Vec::new();
    for at in (0..=b.len()).rev() {
        let rest = &b[at..];
        let mut now = vec![false; a.len() + 1];
        for from in (0..=a.len()).rev() {
            now[from] = match (a.get(from), rest.first()) {
                (None, None) => true,
                (Some(b'*'), None) => now[from + 1],
                (None, Some(b'*')) => behind[from],
                // A star stands for nothing, or for what the other begins with.
                (Some(b'*'), Some(_)) | (Some(_), Some(b'*')) => now[from + 1] || behind[from],
                (Some(x), Some(y)) => (x == y || *x == b'?' || *y == b'?') && behind[from + 1],
                (None, Some(_)) | (Some(_), None) => false,
            };
        }
        behind = now;
    }
    behind.first().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether `text` is what `pattern` stands for, tried out.
    fn matches(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern, text) {
            ([], []) => true,
            ([b'*', rest @ ..], _) => (0..=text.len()).any(|taken| matches(rest, &text[taken..])),
            ([p, rest @ ..], [t, text @ ..]) => (p == t || *p == b'?') && matches(rest, text),
            _ => false,
        }
    }

    /// Every text of at most `length` of these characters.
    fn texts(characters: &[u8], length: usize) -> Vec<Vec<u8>> {
        let mut all = vec![Vec::new()];
        let mut last = all.clone();
        for _ in 0..length {
            last = last
                .iter()
                .flat_map(|text| characters.iter().map(|c| [&text[..], &[*c]].concat()))
                .collect();
            all.extend(last.clone());
        }
        all
    }

    #[test]
    fn two_patterns_overlap_where_some_text_matches_both() {
        let patterns = texts(b"ab*?", 4);
        // A text that matches both can be had with at most a character for each of theirs.
        let texts = texts(b"ab", 8);
        // By the place of a text, whether it matches.
        let matched: Vec<Vec<bool>> = patterns
            .iter()
            .map(|pattern| texts.iter().map(|text| matches(pattern, text)).collect())
            .collect();
        let mut overlapping = 0;
        for (a, of_a) in patterns.iter().zip(&matched) {
            for (b, of_b) in patterns.iter().zip(&matched) {
                let expected = of_a.iter().zip(of_b).any(|(a, b)| *a && *b);
                let texts = [a, b].map(|it| String::from_utf8(it.clone()).unwrap());
                assert_eq!(overlap(&texts[0], &texts[1]), expected, "{texts:?}");
                overlapping += usize::from(expected);
            }
        }
        assert!(overlapping > 1000, "{overlapping}");
    }

    #[test]
    fn actions_overlap_without_case() {
        for (a, b, expected) in [
            ("dynamodb:PutItem", "DynamoDB:putitem", true),
            ("dynamodb:*Item", "dynamodb:Put*", true),
            ("dynamodb:*Item", "dynamodb:Query", false),
            ("*", "s3:GetObject", true),
            ("s3:Get*", "s3:Put*", false),
            ("s3:Get?bject", "s3:GetObject", true),
            ("s3:GetObject", "s3:GetObjectVersion", false),
        ] {
            assert_eq!(overlap(a, b), expected, "{a} {b}");
            assert_eq!(overlap(b, a), expected, "{b} {a}");
        }
        // Long patterns take no longer than their product.
        assert!(!overlap(&"*a".repeat(700), &format!("{}c", "*b".repeat(700))));
    }
}
