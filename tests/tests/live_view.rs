//! `pricepipe run` on a real terminal: what is seen, what keys do, and how the terminal is left. No server, no network.

use pricepipe_tests::terminal::Terminal;
use tempfile::TempDir;

const PRICES: &str = "[{symbol: BTCUSDT}, {symbol: ETHUSDT}, {symbol: SOLUSDT}]";

/// A pipeline that polls each second, in a folder of its own.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let text = format!(
        "apiVersion: pricepipe.dev/v1alpha1\nkind: PricePipeline\nmetadata: {{name: live}}\nspec:\n  symbols: {PRICES}\n  \
         sources: [{{exchange: binance, rest: {{intervalSeconds: 1}}}}]\n"
    );
    std::fs::write(folder.path().join("live.yaml"), text).expect("a writable folder");
    folder
}

fn run(size: (u16, u16), folder: &TempDir, environment: &[(&str, &str)]) -> Terminal {
    let arguments = ["run", "live.yaml", "--simulate", "--admin-address", "127.0.0.1:0"];
    Terminal::start(size, folder.path(), &arguments, environment)
}

/// Whether a symbol's line has a price and something that is stored.
fn has_price(text: &str) -> bool {
    text.lines().any(|line| line.contains("BTCUSDT") && line.contains('%'))
}

/// Whether all three parts are at hand, too.
fn runs(text: &str) -> bool {
    has_price(text) && ["● exchange", "● Kafka", "● store"].iter().all(|part| text.contains(part))
}

fn assert_summary(terminal: &Terminal) {
    let text = terminal.text();
    let (table, summary) = text.split_once("produced ").unwrap_or_else(|| panic!("no summary:\n{text}"));
    assert!(table.contains("SYMBOL") && has_price(table), "the last table stays:\n{text}");
    assert!(summary.contains("stored ") && summary.contains("dead letters 0"), "{text}");
    assert!(!text.contains('╭') && !text.contains("? help"), "nothing of the live view stays:\n{text}");
}

#[test]
fn keys_show_help_sort_pause_and_quit_and_the_terminal_is_left_as_it_was() {
    let folder = folder();
    let mut terminal = run((80, 24), &folder, &[]);
    let text = terminal.until("a price", runs);
    assert!(terminal.with(|parser| parser.screen().alternate_screen()), "{text}");
    for expected in
        ["pricepipe run · live", "● exchange", "● Kafka", "● store", "by pipeline order", "q quit"]
    {
        assert!(text.contains(expected), "{expected} is not in\n{text}");
    }
    assert!(terminal.is_styled(), "colours:\n{text}");
    terminal.press("?");
    terminal.until("the help", |text| text.contains("Help") && text.contains("since the first price"));
    terminal.press("?");
    terminal.until("the end of the help", |text| !text.contains("Help"));
    terminal.press("sr");
    let text = terminal.until("the order", |text| text.contains("by symbol, reversed"));
    let at = |symbol: &str| text.find(symbol).unwrap();
    assert!(at("SOLUSDT") < at("ETHUSDT") && at("ETHUSDT") < at("BTCUSDT"), "{text}");
    terminal.press("p");
    let paused = terminal.until("the pause", |text| text.contains("PAUSED"));
    // The pipeline goes on: what is behind the picture has changed when it is let go.
    terminal.press("p");
    terminal.until("another picture", |text| {
        !text.contains("PAUSED") && text.lines().nth(8) != paused.lines().nth(8)
    });
    terminal.press("q");
    assert_eq!(terminal.end(), 0, "{}", terminal.text());
    assert_summary(&terminal);
}

#[test]
fn ctrl_c_is_a_key_that_stops_and_drains() {
    let folder = folder();
    let mut terminal = run((80, 24), &folder, &[]);
    terminal.until("a price", has_price);
    terminal.press("typed ahead");
    terminal.press("\u{3}");
    assert_eq!(terminal.end(), 0, "{}", terminal.text());
    assert_summary(&terminal);
    assert!(!terminal.text().contains("typed"), "keys do not echo:\n{}", terminal.text());
}

#[test]
fn a_signal_and_a_closed_help_leave_the_terminal_in_order_too() {
    let folder = folder();
    let mut terminal = run((80, 24), &folder, &[]);
    terminal.until("a price", has_price);
    terminal.press("h");
    terminal.until("the help", |text| text.contains("Help"));
    terminal.signal("TERM");
    assert_eq!(terminal.end(), 0, "{}", terminal.text());
    assert_summary(&terminal);
}

#[test]
fn a_second_quit_stops_at_once() {
    let folder = folder();
    let away = pricepipe_tests::worker::free_address();
    let arguments = ["run", "live.yaml", "--simulate", "--real-servers", "--admin-address", "127.0.0.1:0"];
    let variables = [("MONGO_CONNECTION_STRING", &*format!("mongodb://{away}"))];
    let mut terminal = Terminal::start((80, 24), folder.path(), &arguments, &variables);
    terminal.until("a price, and no store", |text| has_price(text) && text.contains("✖ store"));
    terminal.press("q");
    terminal.until("the drain", |text| text.contains("Ctrl-C again stops at once"));
    terminal.press("q");
    assert_eq!(terminal.end(), 130, "{}", terminal.text());
}

#[test]
fn no_color_leaves_no_style_in_any_cell() {
    let folder = folder();
    let mut terminal = run((80, 24), &folder, &[("NO_COLOR", "1")]);
    let text = terminal.until("a price", has_price);
    assert!(!terminal.is_styled(), "{text}");
    terminal.press("?");
    let text = terminal.until("the help", |text| text.contains("Help"));
    assert!(!terminal.is_styled(), "{text}");
    terminal.press("?p");
    let text = terminal.until("the pause", |text| text.contains("PAUSED"));
    assert!(!terminal.is_styled(), "{text}");
    terminal.press("q");
    assert_eq!(terminal.end(), 0);
}

#[test]
fn another_size_is_another_picture_and_a_small_one_is_enough() {
    let folder = folder();
    let mut terminal = run((40, 10), &folder, &[]);
    let text = terminal.until("a price", runs);
    assert!(text.contains("● exchange  ● Kafka  ● store") && !text.contains("DUPLICATES"), "{text}");
    terminal.resize(120, 30);
    terminal.until("more room", |text| has_price(text) && text.contains("TREND") && text.contains('╭'));
    terminal.resize(3, 2);
    terminal.press("?jsx");
    terminal.resize(80, 24);
    terminal.until("room again", |text| text.contains("Help"));
    terminal.press("\u{1b}");
    terminal.until("the end of the help", |text| !text.contains("Help") && has_price(text));
    terminal.press("q");
    assert_eq!(terminal.end(), 0);
    assert_summary(&terminal);
}

#[test]
fn a_terminal_that_cannot_do_it_gets_lines() {
    let folder = folder();
    let arguments = ["run", "live.yaml", "--simulate", "--admin-address", "127.0.0.1:0", "--stop-after", "3"];
    let mut terminal = Terminal::start((100, 24), folder.path(), &arguments, &[("TERM", "dumb")]);
    assert_eq!(terminal.end(), 0);
    let text = terminal.text();
    assert!(text.lines().any(|line| line.starts_with("BTCUSDT") && line.contains("messages 1 ")), "{text}");
}
