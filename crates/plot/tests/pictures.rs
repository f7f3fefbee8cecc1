//! Whole pictures: each kind of chart against a picture that somebody has looked at, and what PNG makes of it.

#![allow(clippy::unwrap_used, reason = "all of it is test code")]

use std::{fs, path::PathBuf};

use pricepipe_core::{
    Timestamp,
    analytics::{Candles, PricePoint},
};
use pricepipe_plot::{
    BarMerger, Chart, Ink, Layer, Line, Move, Panel, Size, Theme, Thinner, Values, png, svg,
};
use resvg::tiny_skia::Pixmap;

const SIZE: Size = Size { width: 600, height: 340 };
const START: i64 = 1_795_413_603_000;

/// Prices that wander, three seconds apart, with a hole of ten minutes in the middle.
fn points(count: i64) -> Vec<PricePoint> {
    let (mut random, mut cents, mut points) = (7_u64, 6_732_150_i64, Vec::new());
    for n in 0..count {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        cents += (random >> 40) as i64 % 2_001 - 1_000;
        let hole = if n < count / 2 { 0 } else { 600_000 };
        let time = Timestamp::from_millis(START + n * 3_000 + hole).unwrap();
        points
            .push(PricePoint { time, price: format!("{}.{:02}", cents / 100, cents % 100).parse().unwrap() });
    }
    points
}

fn line(points: &[PricePoint], change: impl Fn(f64) -> f64) -> Line {
    let mut thinner = Thinner::new(600);
    points.iter().for_each(|point| thinner.push(point.time, change(point.price.to_f64())));
    thinner.finish()
}

fn named(name: &str, ink: Ink, line: Line) -> Layer {
    Layer::Line { name: name.to_owned(), ink, line }
}

fn chart(title: &str, panels: Vec<Panel>) -> Chart {
    Chart { title: title.to_owned(), panels }
}

fn panel(name: &str, unit: &str, layers: Vec<Layer>) -> Panel {
    Panel { name: name.to_owned(), values: Values::Price(unit.to_owned()), layers }
}

/// Lines, a level and what lies around it, and a second symbol with other prices.
fn lines() -> Chart {
    let points = points(60);
    let price = || named("price", Ink::Quiet, line(&points, |price| price));
    let around = |low, high| Layer::Range { name: "around".to_owned(), ink: Ink::Warm, low, high };
    let level = |value| Layer::Level { name: "a < level & more".to_owned(), ink: Ink::Warm, value };
    let first = vec![around(67_270.0, 67_330.0), price(), level(67_300.0)];
    let second = vec![price(), named("smaller", Ink::Cool, line(&points, |price| price * 0.9995))];
    chart("BTCUSDT, ETHUSDT – lines", vec![panel("BTCUSDT", "USDT", first), panel("ETHUSDT", "USDT", second)])
}

/// A band, and percents below it.
fn band() -> Chart {
    let points = points(60);
    let of = |factor: f64| line(&points, |price| price * factor);
    let band = Layer::Band { name: "band".to_owned(), ink: Ink::Cool, low: of(0.9998), high: of(1.0002) };
    let above = panel("", "USDT", vec![band, named("price", Ink::Cool, of(1.0))]);
    let percents = named("distance", Ink::Warm, line(&points, |price| (price - 67_000.0) / 1_000.0));
    let below = Panel { name: String::new(), values: Values::Percent, layers: vec![percents] };
    chart("BTCUSDT – a band", vec![above, below])
}

fn candles() -> Chart {
    let interval = "15s".parse().unwrap();
    let (mut candles, mut merger) = (Candles::of(interval), BarMerger::new(interval, 120));
    points(120).into_iter().filter_map(|point| candles.push(point)).for_each(|candle| merger.push(&candle));
    candles.finish().iter().for_each(|candle| merger.push(candle));
    chart("BTCUSDT – candles", vec![panel("", "USDT", vec![Layer::Candles(merger.finish())])])
}

fn moves() -> Chart {
    let points = points(60);
    let at = |n: usize| (points[n].time.as_millis(), points[n].price.to_f64());
    let between = |from: usize, to: usize| {
        let (from, to) = (at(from), at(to));
        Move { from, to, percent: (to.1 / from.1 - 1.0) * 100.0 }
    };
    let moves = Layer::Moves {
        name: "3 jumps".to_owned(),
        moves: [(2, 8), (20, 22), (35, 40)].map(|(f, t)| between(f, t)).into(),
    };
    chart(
        "BTCUSDT – jumps",
        vec![panel("", "price", vec![named("price", Ink::Quiet, line(&points, |p| p)), moves])],
    )
}

type Named = (&'static str, fn() -> Chart, Theme);

const CHARTS: [Named; 4] = [
    ("lines", lines, Theme::Light),
    ("band", band, Theme::Dark),
    ("candles", candles, Theme::Light),
    ("moves", moves, Theme::Dark),
];

#[test]
fn every_kind_of_chart_is_up_to_date_with_its_golden_picture() {
    for (name, chart, theme) in CHARTS {
        let (chart, path) = (chart(), golden(name));
        let drawn = svg(&chart, SIZE, theme);
        assert_eq!(drawn, svg(&chart, SIZE, theme), "the same chart is the same picture");
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&path, &drawn).unwrap();
        }
        let held = fs::read_to_string(&path).unwrap();
        assert!(held == drawn, "{} is out of date: look at what `make generate` writes", path.display());
    }
}

#[test]
fn a_hole_in_the_prices_is_a_hole_in_the_line_and_in_the_band() {
    let paths = |chart: &Chart| svg(chart, SIZE, Theme::Light).lines().map(str::to_owned).collect::<Vec<_>>();
    let strokes = |chart: &Chart| {
        let lines = paths(chart);
        let strokes = lines
            .into_iter()
            .filter(|line| line.contains("stroke-linecap"))
            .map(|line| line.matches('M').count());
        strokes.collect::<Vec<_>>()
    };
    assert_eq!(strokes(&band()), [2, 2], "price and percents begin twice");
    let area = |line: &&String| line.contains("fill-opacity") && line.matches('z').count() == 2;
    assert_eq!(paths(&band()).iter().filter(area).count(), 1, "the band has two parts");
}

#[test]
fn a_png_has_the_size_and_the_colours_of_its_chart() {
    for (name, chart, _) in CHARTS {
        let chart = chart();
        let [light, dark] = [Theme::Light, Theme::Dark].map(|theme| {
            let bytes = png(&svg(&chart, SIZE, theme)).unwrap();
            Pixmap::decode_png(&bytes).unwrap()
        });
        assert_eq!((light.width(), light.height()), (SIZE.width, SIZE.height), "{name}");
        let background = |picture: &Pixmap| picture.pixel(1, 1).unwrap();
        let drawn = |picture: &Pixmap| {
            let empty = background(picture);
            picture.pixels().iter().filter(|pixel| **pixel != empty).count() as f64
                / picture.pixels().len() as f64
        };
        assert!(
            (0.01..0.7).contains(&drawn(&light)) && (0.01..0.7).contains(&drawn(&dark)),
            "{name} is drawn"
        );
        assert!(background(&light).red() > 200 && background(&dark).red() < 50, "{name} has its theme");
    }
}

/// A font that lacks a character, or that is not found, would leave it out without a word.
#[test]
fn text_is_painted() {
    let title = |text: &str| {
        let picture = svg(&chart(text, Vec::new()), SIZE, Theme::Light);
        let picture = Pixmap::decode_png(&png(&picture).unwrap()).unwrap();
        let head = picture.pixels().iter().take(600 * 26);
        head.filter(|pixel| pixel.red() < 128).count()
    };
    for character in "AZaz09±–·…%,:<>&-_.".chars() {
        assert!(title(&character.to_string()) > title(""), "{character:?} is not painted");
    }
}

#[test]
fn every_label_is_inside_the_picture_and_none_of_an_axis_touches_another() {
    for (name, chart, theme) in CHARTS {
        for width in [300_u32, 600, 1_200, 3_000] {
            let height = width * 2 / 3;
            let picture = svg(&chart(), Size { width, height }, theme);
            let attribute = |line: &str, name: &str| -> Option<f64> {
                line.split_once(&format!(" {name}=\""))?.1.split_once('"')?.0.parse().ok()
            };
            let labels: Vec<(f64, f64)> = picture
                .lines()
                .filter(|line| line.starts_with("<text"))
                .map(|line| (attribute(line, "x").unwrap(), attribute(line, "y").unwrap()))
                .collect();
            assert!(labels.len() > 5, "{name}");
            for (x, y) in &labels {
                let inside = (0.0..=f64::from(width)).contains(x) && (0.0..=f64::from(height)).contains(y);
                assert!(inside, "{name} of {width}: a label at {x} {y}");
            }
            for (n, one) in labels.iter().enumerate() {
                assert!(
                    labels[n + 1..].iter().all(|other| other != one),
                    "{name} of {width}: two labels at {one:?}"
                );
            }
        }
    }
}

fn golden(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{name}.svg"))
}
