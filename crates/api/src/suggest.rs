//! The known name that an unknown one was meant to be. Pure.

/// The nearest known name, when one is near.
pub(crate) fn nearest<'a>(unknown: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = unknown.to_ascii_lowercase();
    // A third of the letters may differ: `interval` is not `intervalSeconds`, but begins it.
    let limit = (unknown.chars().count() / 3).max(1);
    known
        .into_iter()
        .filter_map(|name| {
            let candidate = name.to_ascii_lowercase();
            let begins =
                unknown.len() >= 3 && (candidate.starts_with(&lower) || lower.starts_with(&candidate));
            let distance = distance(&lower, &candidate);
            (distance <= limit || begins).then_some((distance, name))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// How many letters must be changed, added or taken away.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in to.iter().enumerate() {
            let change = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = change.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_understood_and_a_stranger_is_not() {
        let known = ["symbols", "sources", "intervalSeconds", "timeoutSeconds"];
        for (unknown, expected) in [
            ("symbol", Some("symbols")),
            ("Symbols", Some("symbols")),
            ("soruces", Some("sources")),
            ("interval", Some("intervalSeconds")),
            ("intervallSeconds", Some("intervalSeconds")),
            ("interval_seconds", Some("intervalSeconds")),
            ("colour", None),
            ("in", None),
            ("x", None),
        ] {
            assert_eq!(nearest(unknown, known), expected, "{unknown}");
        }
    }

    #[test]
    fn the_distance_counts_changes() {
        for (from, to, expected) in [("", "abc", 3), ("abc", "abc", 0), ("kitten", "sitting", 3)] {
            assert_eq!(distance(from, to), expected);
        }
    }
}
