//! As much of PromQL as is needed to see which metrics and labels an expression names.

/// What an expression names.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Metrics, each with what is asked of its labels.
    pub selectors: Vec<Selector>,
    /// Labels of `by`, `on` and the like.
    pub grouping: Vec<String>,
    /// Labels that the expression itself makes.
    pub made: Vec<String>,
}

/// A metric, and what is asked of its labels.
#[derive(Debug, PartialEq, Eq)]
pub struct Selector {
    /// The metric.
    pub metric: String,
    /// Label and value; the value is a regular expression where one may stand.
    pub matchers: Vec<(String, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'a> {
    Word(&'a str),
    Text(&'a str),
    Sign(char),
}

/// Words before a list of labels.
const GROUPING: &[&str] = &["by", "without", "on", "ignoring", "group_left", "group_right"];
const MAKING: &[&str] = &["label_replace", "label_join"];

/// Reads an expression.
pub fn names(expression: &str) -> Names {
    let (tokens, mut names, mut makes) = (tokens(expression), Names::default(), false);
    let mut rest = tokens.as_slice();
    while let Some((token, after)) = rest.split_first() {
        rest = after;
        match *token {
            Token::Word(word) if GROUPING.contains(&word) => {
                names.grouping.extend(words(until(&mut rest, ')')).map(str::to_owned));
            }
            Token::Word(word) if MAKING.contains(&word) => makes = true,
            Token::Word(word) if is_metric(word, rest) => {
                let matchers =
                    if rest.first() == Some(&Token::Sign('{')) { until(&mut rest, '}') } else { &[] };
                names.selectors.push(Selector { metric: word.to_owned(), matchers: pairs(matchers) });
            }
            // The first text of such a function, besides those of selectors, is the label that it makes.
            Token::Text(label) if makes => {
                names.made.push(label.to_owned());
                makes = false;
            }
            _ => {}
        }
    }
    names
}

fn is_metric(word: &str, rest: &[Token<'_>]) -> bool {
    rest.first() == Some(&Token::Sign('{')) || word == "up" || word.starts_with("pricepipe_")
}

/// Takes everything up to `end`, and `end` with it.
fn until<'t, 'a>(rest: &mut &'t [Token<'a>], end: char) -> &'t [Token<'a>] {
    let length = rest.iter().position(|token| *token == Token::Sign(end)).unwrap_or(rest.len());
    let (taken, after) = rest.split_at(length);
    *rest = after.get(1..).unwrap_or_default();
    taken
}

fn words<'a>(tokens: &[Token<'a>]) -> impl Iterator<Item = &'a str> {
    tokens.iter().filter_map(|token| if let Token::Word(word) = token { Some(*word) } else { None })
}

fn pairs(tokens: &[Token<'_>]) -> Vec<(String, String)> {
    let texts =
        tokens.iter().filter_map(|token| if let Token::Text(text) = token { Some(*text) } else { None });
    words(tokens).zip(texts).map(|(label, value)| (label.to_owned(), value.to_owned())).collect()
}

fn tokens(expression: &str) -> Vec<Token<'_>> {
    let (mut tokens, mut rest) = (Vec::new(), expression);
    while let Some(first) = rest.chars().next() {
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let length = |found: Option<usize>| found.unwrap_or(rest.len());
        let (token, taken) = match first {
            '"' => {
                let end = length(rest[1..].find('"').map(|end| end + 1));
                (Some(Token::Text(&rest[1..end])), (end + 1).min(rest.len()))
            }
            'a'..='z' | 'A'..='Z' | '_' => {
                let end = length(rest.find(|c| !is_part(c)));
                (Some(Token::Word(&rest[..end])), end)
            }
            // Numbers, lengths of time and Grafana's variables name nothing.
            '0'..='9' | '$' => (None, length(rest[1..].find(|c| !is_part(c)).map(|end| end + 1))),
            sign => (Some(Token::Sign(sign)), sign.len_utf8()),
        };
        tokens.extend(token);
        rest = &rest[taken..];
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_matchers_and_groups_are_told_from_functions_and_lengths_of_time() {
        let text =
            r#"sum by (topic, pod) (rate(pricepipe_x_total{topic=~"$t", job="a,b"}[5m:1m])) > 1 unless up"#;
        let names = names(text);
        let [x, up] = &names.selectors[..] else { panic!("{names:?}") };
        assert_eq!(x.metric, "pricepipe_x_total");
        let matchers =
            [("topic", "$t"), ("job", "a,b")].map(|(label, value)| (label.to_owned(), value.to_owned()));
        assert_eq!((&x.matchers[..], up.metric.as_str()), (&matchers[..], "up"));
        assert_eq!((names.grouping, names.made), (vec!["topic".to_owned(), "pod".to_owned()], vec![]));
    }

    #[test]
    fn a_label_that_is_made_is_found_behind_a_selector() {
        let names = names(r#"label_join(up{job="x"}, "pipeline", "/", "namespace", "name")"#);
        assert_eq!(names.made, ["pipeline"]);
    }
}
