//! Why a question has no answer, in words. Pure.

use pricepipe_core::Timestamp;
use pricepipe_store::Period;

use super::{Answer, args::Question};

/// What to say of an answer without rows, or of symbols without one.
pub(super) fn reasons(question: &Question, answer: &Answer) -> Vec<String> {
    let looked_at: u64 = answer.symbols.iter().map(|(_, prices, _)| prices).sum();
    match question {
        Question::MovingAverage { .. } | Question::Volatility { .. } if looked_at > 0 => {
            let short = answer.symbols.iter().filter(|(_, _, rows)| *rows == 0);
            short.map(|(symbol, prices, _)| too_few(question, symbol, *prices)).collect()
        }
        _ if answer.rows > 0 => Vec::new(),
        Question::Jumps { percent, within, .. } if looked_at > 0 => {
            let within = within.map(|within| format!(" within {within}")).unwrap_or_default();
            vec![format!("no jump of {percent} % or more{within} among {looked_at} prices")]
        }
        _ => vec![nothing(question).to_owned()],
    }
}

fn too_few(question: &Question, symbol: &str, prices: u64) -> String {
    let needed = question.before() as u64 + 1;
    let limited =
        question.prices().and_then(|prices| prices.limit).is_some_and(|limit| (limit as u64) < needed);
    let (count, remedy) = if limited {
        ("were looked at", format!("raise --limit to {needed} or more"))
    } else {
        ("are there", "choose a smaller --window, or wait".to_owned())
    };
    format!("{symbol}: this window needs {needed} prices and {prices} {count}; {remedy}")
}

fn nothing(question: &Question) -> &'static str {
    let always = question.period(Timestamp::MAX).is_ok_and(|period| period == Period::default());
    if !always { "there are no prices of this time" } else { "there are no prices to answer from" }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Cli, Command};

    fn told(arguments: &str, symbols: &[(&str, u64, u64)]) -> Vec<String> {
        let words = format!("pricepipe query {arguments} -f x.yaml");
        let Command::Query(args) = Cli::parse_from(words.split(' ')).command else { panic!("not a query") };
        let rows = symbols.iter().map(|(_, _, rows)| rows).sum();
        let symbols =
            symbols.iter().map(|(name, prices, rows)| ((*name).to_owned(), *prices, *rows)).collect();
        reasons(&args.question, &Answer { rows, symbols, plot: None })
    }

    #[test]
    fn an_answer_without_rows_says_why_and_what_to_do() {
        for (arguments, symbols, expected) in [
            ("latest", &[] as &[_], "there are no prices to answer from"),
            ("stats --since 1h", &[], "there are no prices of this time"),
            ("jumps --percent 50", &[("A", 3, 0), ("B", 2, 0)], "no jump of 50 % or more among 5 prices"),
            ("jumps --within 60s", &[("A", 3, 0)], "no jump of 1 % or more within 1m among 3 prices"),
            ("jumps", &[("A", 0, 0)], "there are no prices to answer from"),
            (
                "moving-average -w 150 -l 100",
                &[("A", 100, 0)],
                "A: this window needs 150 prices and 100 were looked at; raise --limit to 150 or more",
            ),
            (
                "volatility -w 150",
                &[("A", 121, 0), ("B", 160, 10)],
                "A: this window needs 151 prices and 121 are there; choose a smaller --window, or wait",
            ),
        ] {
            assert_eq!(told(arguments, symbols), [expected], "{arguments}");
        }
        assert!(told("jumps", &[("A", 3, 1)]).is_empty());
    }
}
