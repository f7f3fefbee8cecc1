//! Progress off a terminal: a line for each price as it arrives, for people or for programs.

use std::{
    collections::HashMap,
    io::{self, Write},
};

use pricepipe_core::Timestamp;
use pricepipe_service::clock;
use serde::Serialize;
use serde_json::{json, value::RawValue};

use super::snapshot::{Row, Share, Snapshot, count_text};

/// With more symbols than this a line stands for all of them.
const MOST_SYMBOLS: usize = 20;

/// A replay has a line for so many percents more.
const STEP: u32 = 5;

/// What tells one price of a symbol from the next.
type Moment = (Option<u64>, Option<Timestamp>);

fn moment(row: &Row) -> Moment {
    // Where messages are counted, each has a line; one price may come as several.
    (row.messages, row.received.filter(|_| row.messages.is_none()))
}

/// Writes lines to an output.
pub(super) struct Lines<W> {
    output: W,
    json: bool,
    /// When the last price of each symbol arrived that was written, and with how many messages.
    written: HashMap<String, Moment>,
    /// The step of a replay that was written last.
    step: Option<u32>,
}

impl<W: Write> Lines<W> {
    /// Lines as text or as JSON.
    pub(super) fn new(output: W, json: bool) -> Self {
        Lines { output, json, written: HashMap::new(), step: None }
    }

    /// Writes what is new.
    pub(super) fn show(&mut self, snapshot: &Snapshot) -> io::Result<()> {
        if let Some(share) = &snapshot.replay {
            return self.show_share(share, snapshot);
        }
        let news: Vec<&Row> = snapshot.rows.iter().filter(|row| self.is_new(row)).collect();
        for row in &news {
            self.written.insert(row.symbol.clone(), moment(row));
        }
        if news.len() > MOST_SYMBOLS {
            writeln!(self.output, "{}", many(&news, snapshot, self.json))?;
        } else {
            for row in news {
                writeln!(self.output, "{}", if self.json { as_json(row) } else { as_text(row) })?;
            }
        }
        self.output.flush()
    }

    /// While history comes, its prices are not told one by one.
    fn show_share(&mut self, share: &Share, snapshot: &Snapshot) -> io::Result<()> {
        let step = share.percent() / STEP;
        if self.step.replace(step) == Some(step) {
            return Ok(());
        }
        let sums = &snapshot.sums;
        if self.json {
            let (fraction, state) = (rounded(share.fraction, 4), &share.text);
            let line =
                json!({"time": clock::now(), "replayed": fraction, "state": state, "totals": sums.json});
            writeln!(self.output, "{line}")?;
        } else {
            writeln!(self.output, "{:>3} %  {}; {}", share.percent(), share.text, sums.text)?;
        }
        self.output.flush()
    }

    fn is_new(&self, row: &Row) -> bool {
        row.price.is_some() && self.written.get(&row.symbol) != Some(&moment(row))
    }
}

fn as_text(row: &Row) -> String {
    // Unknown for the first seconds, until the consumer has heard from the broker.
    let lag = row.lag.map_or_else(String::new, |lag| format!("  lag {lag}"));
    format!(
        "{:<12} {:>16} {:>8}  messages {}  stored {} (duplicates {}){lag}",
        row.symbol,
        row.price_text(),
        row.change_text(),
        count_text(row.messages),
        count_text(row.stored),
        count_text(row.duplicates)
    )
}

/// A row as a JSON object; the price keeps its digits by going from text to text.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonLine<'a> {
    symbol: &'a str,
    price: Option<Box<RawValue>>,
    /// When it arrived.
    time: Option<Timestamp>,
    age_seconds: Option<f64>,
    change_percent: Option<f64>,
    messages: Option<u64>,
    stored: Option<u64>,
    duplicates: Option<u64>,
    lag: Option<u64>,
}

fn as_json(row: &Row) -> String {
    let line = JsonLine {
        symbol: &row.symbol,
        price: RawValue::from_string(row.price_text()).ok(),
        time: row.received,
        age_seconds: row.age.map(|age| rounded(age.as_secs_f64(), 3)),
        change_percent: row.change_percent().map(|percent| rounded(percent, 4)),
        messages: row.messages,
        stored: row.stored,
        duplicates: row.duplicates,
        lag: row.lag,
    };
    serde_json::to_string(&line).unwrap_or_default()
}

/// As many decimals as mean something.
fn rounded(number: f64, decimals: i32) -> f64 {
    let scale = 10_f64.powi(decimals);
    (number * scale).round() / scale
}

fn many(news: &[&Row], snapshot: &Snapshot, json: bool) -> String {
    let sums = &snapshot.sums;
    if json {
        return json!({"symbols": news.len(), "time": clock::now(), "totals": sums.json}).to_string();
    }
    format!("{} symbols  {}", news.len(), sums.text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::row;

    fn lines(json: bool, moments: &[Snapshot]) -> String {
        let mut lines = Lines::new(Vec::new(), json);
        moments.iter().for_each(|moment| lines.show(moment).unwrap());
        String::from_utf8(lines.output).unwrap()
    }

    fn at(messages: u64) -> Snapshot {
        Snapshot { rows: vec![row("BTCUSDT", "101.50", messages)], ..Snapshot::default() }
    }

    #[test]
    fn a_price_is_written_once_however_often_it_is_looked_at() {
        let text = lines(false, &[at(1), at(1), at(2)]);
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(text.starts_with("BTCUSDT                101.50   +1.50%  messages 1  stored 1"), "{text}");
    }

    #[test]
    fn json_lines_keep_the_digits_of_the_price() {
        let text = lines(true, &[at(1)]);
        assert!(text.starts_with("{\"symbol\":\"BTCUSDT\",\"price\":101.50,"), "{text}");
        assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
    }

    #[test]
    fn json_lines_say_when_the_price_came_and_round_what_was_computed() {
        let mut moment = at(1);
        moment.rows[0].first = "99.00".parse().ok();
        let line: serde_json::Value = serde_json::from_str(&lines(true, &[moment])).unwrap();
        assert_eq!(line["time"], "2026-11-23T06:00:03.112Z");
        assert_eq!(
            (line["ageSeconds"].as_f64(), line["changePercent"].as_f64()),
            (Some(0.412), Some(2.5253))
        );
    }

    #[test]
    fn a_lag_that_is_not_known_is_left_out() {
        let mut moment = at(1);
        moment.rows[0].lag = None;
        assert!(!lines(false, &[moment]).contains("lag"));
    }

    #[test]
    fn where_nobody_counts_messages_a_price_is_new_when_it_has_come_later() {
        let stored = |received: &str| {
            let row = Row { messages: None, received: received.parse().ok(), ..row("A", "1.0", 1) };
            Snapshot { rows: vec![row], ..Snapshot::default() }
        };
        let text = lines(
            false,
            &["2026-11-23T06:00:03Z", "2026-11-23T06:00:03Z", "2026-11-23T06:00:06Z"].map(stored),
        );
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(text.contains("messages -  stored 1 (duplicates 0)"), "{text}");
    }

    #[test]
    fn a_replay_has_a_line_for_each_step_and_not_for_each_price() {
        let at = |fraction| {
            let replay = Some(Share { fraction, text: "at noon".to_owned() });
            Snapshot { rows: vec![row("A", "1.0", 1)], replay, ..Snapshot::default() }
        };
        let text = lines(false, &[at(0.0), at(0.04), at(0.051), at(1.0), at(1.0)]);
        assert_eq!(text, "  0 %  at noon; \n  5 %  at noon; \n100 %  at noon; \n");
        let json: serde_json::Value = serde_json::from_str(&lines(true, &[at(0.25)])).unwrap();
        assert_eq!(json["replayed"], 0.25);
    }

    #[test]
    fn many_symbols_share_a_line() {
        let rows = (0..21).map(|n| row(&format!("S{n}"), "1.0", 1)).collect();
        let text = lines(false, &[Snapshot { rows, ..Snapshot::default() }]);
        assert!(text.starts_with("21 symbols"), "{text}");
        assert_eq!(text.lines().count(), 1);
    }
}
