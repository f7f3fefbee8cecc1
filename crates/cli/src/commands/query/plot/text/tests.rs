use std::{fs, path::PathBuf};

use pricepipe_core::{
    Timestamp,
    analytics::{Candles, PricePoint},
};
use pricepipe_plot::{BarMerger, Thinner};

use super::*;

fn points(count: i64) -> Vec<PricePoint> {
    let point = |n: i64| {
        // Up, down, and up again, with a hole of a minute.
        let cents = 10_000 + 40 * (n - 20).abs() + (n * 7_919) % 83;
        let time =
            Timestamp::from_millis(1_795_413_603_000 + n * 3_000 + if n < 30 { 0 } else { 60_000 }).unwrap();
        PricePoint { time, price: format!("{}.{:02}", cents / 100, cents % 100).parse().unwrap() }
    };
    (0..count).map(point).collect()
}

fn line(points: &[PricePoint], change: impl Fn(f64) -> f64) -> Line {
    let mut thinner = Thinner::new(200);
    points.iter().for_each(|point| thinner.push(point.time, change(point.price.to_f64())));
    thinner.finish()
}

fn panel(name: &str, layers: Vec<Layer>) -> Panel {
    Panel { name: name.to_owned(), values: Values::Price("USDT".to_owned()), layers }
}

fn lines() -> Chart {
    let points = points(50);
    let named = |name: &str, ink, line| Layer::Line { name: name.to_owned(), ink, line };
    let range = Layer::Range { name: "around".to_owned(), ink: Ink::Warm, low: 102.0, high: 106.0 };
    let level = Layer::Level { name: "level".to_owned(), ink: Ink::Warm, value: 104.0 };
    let first = vec![range, named("price", Ink::Cool, line(&points, |price| price)), level];
    let second = vec![
        named("price", Ink::Quiet, line(&points, |price| price)),
        named("more", Ink::Warm, line(&points, |price| price + 3.0)),
    ];
    Chart { title: "A, B – lines".to_owned(), panels: vec![panel("A", first), panel("B", second)] }
}

fn candles() -> Chart {
    let interval = "6s".parse().unwrap();
    let (mut candles, mut merger) = (Candles::of(interval), BarMerger::new(interval, 60));
    points(50).into_iter().filter_map(|point| candles.push(point)).for_each(|candle| merger.push(&candle));
    candles.finish().iter().for_each(|candle| merger.push(candle));
    let panels = vec![panel("", vec![Layer::Candles(merger.finish())])];
    Chart { title: "A – candles".to_owned(), panels }
}

fn moves() -> Chart {
    let points = points(50);
    let at = |n: usize| (points[n].time.as_millis(), points[n].price.to_f64());
    let moves = vec![
        Move { from: at(3), to: at(10), percent: -2.5 },
        Move { from: at(30), to: at(45), percent: 1.25 },
        Move { from: at(44), to: at(45), percent: 0.5 },
    ];
    let price = Layer::Line { name: "price".to_owned(), ink: Ink::Quiet, line: line(&points, |price| price) };
    let panels = vec![panel("", vec![price, Layer::Moves { name: "3 jumps".to_owned(), moves }])];
    Chart { title: "A – jumps".to_owned(), panels }
}

#[test]
fn charts_of_text_are_up_to_date_with_their_golden_files() {
    for (name, shown) in [("lines", lines()), ("candles", candles()), ("moves", moves())] {
        let drawn = chart(&shown, 72, false);
        assert!(drawn.lines().all(|line| line.chars().count() <= 72 && !line.ends_with(' ')), "{drawn}");
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("src/commands/query/plot/text")
            .join(format!("{name}.golden.txt"));
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&path, &drawn).unwrap();
        }
        assert!(fs::read_to_string(&path).unwrap() == drawn, "{} is out of date:\n{drawn}", path.display());
    }
}

#[test]
fn colours_are_there_when_they_are_wanted_and_each_ends() {
    let (with, without) = (chart(&lines(), 60, true), chart(&lines(), 60, false));
    assert!(with.contains("\u{1b}[94m") && with.contains("\u{1b}[33m"), "{with}");
    let endings = with.matches("\u{1b}[0m").count();
    assert_eq!(with.matches('\u{1b}').count(), 2 * endings, "each colour ends on its line");
    assert!(!without.contains('\u{1b}'), "{without}");
}

#[test]
fn a_chart_is_drawn_at_any_width_and_of_any_number_of_prices() {
    for columns in [40, 80, 300] {
        for count in [1, 2, 50] {
            let price =
                Layer::Line { name: "price".to_owned(), ink: Ink::Cool, line: line(&points(count), |p| p) };
            let one = Chart { title: "A".to_owned(), panels: vec![panel("", vec![price])] };
            let text = chart(&one, columns, false);
            assert!(
                text.chars().any(|c| ('\u{2801}'..='\u{28ff}').contains(&c)),
                "{count} in {columns}:\n{text}"
            );
        }
    }
}
