//! An example of the live view, and its picture for the README: always what the code draws.

use std::{fmt::Write, fs, time::Duration};

use ratatui::{
    Terminal,
    backend::TestBackend,
    buffer::{Buffer, Cell},
    style::{Color, Modifier},
};

use super::{
    Titles,
    controls::Controls,
    frame::{Scene, draw},
    snapshot::{Part, Row, Snapshot, State, Sums},
    theme::Theme,
    trends::Trends,
};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/images/live-view.svg");
/// Columns and lines of the picture, and what a cell of it measures.
const SIZE: (u16, u16) = (100, 24);
const CELL: (f64, f64) = (8.4, 18.0);
const MARGIN: f64 = 14.0;
/// Above the first line: the bar of the terminal's window.
const BAR: f64 = 34.0;

/// The symbols with their first and last price, and how they moved.
const SYMBOLS: [(&str, f64, f64, usize); 11] = [
    ("BTCUSDT", 67_012.4, 67_321.5, 2),
    ("ETHUSDT", 3_214.07, 3_246.11, 2),
    ("SOLUSDT", 171.92, 170.36, 2),
    ("BNBUSDT", 612.4, 613.1, 2),
    ("XRPUSDT", 2.3361, 2.3412, 4),
    ("ADAUSDT", 0.8124, 0.8077, 4),
    ("DOGEUSDT", 0.214_31, 0.217_88, 5),
    ("AVAXUSDT", 34.18, 34.02, 2),
    ("LINKUSDT", 17.43, 17.66, 2),
    ("DOTUSDT", 5.918, 5.918, 3),
    ("SHIBUSDT", 0.000_021_17, 0.000_021_44, 8),
];

/// A moment of an invented pipeline.
pub(super) fn snapshot() -> Snapshot {
    let (rows, part) = (SYMBOLS.iter().enumerate(), |name, place: &str, text: &str| Part {
        name,
        place: place.to_owned(),
        state: State::Fine(text.to_owned()),
    });
    let row = |(index, (symbol, first, last, digits)): (usize, &(&str, f64, f64, usize))| Row {
        symbol: (*symbol).to_owned(),
        price: format!("{last:.digits$}").parse().ok(),
        first: format!("{first:.digits$}").parse().ok(),
        received: "2026-11-23T06:00:03.112Z".parse().ok(),
        age: Some(Duration::from_millis(412)),
        messages: Some(1_284),
        stored: Some(1_284 - u64::from(index % 5 == 2)),
        duplicates: Some(0),
        lag: Some(u64::from(index % 5 == 2)),
    };
    Snapshot {
        rows: rows.map(row).collect(),
        parts: vec![
            part("exchange", "https://data-api.binance.vision", ""),
            part("Kafka", "localhost:9092", ""),
            part("store", "MongoDB, database fx", ""),
        ],
        sums: Sums {
            text: "produced 14124, stored 14122 (duplicates 0), dead letters 0, skipped slots 0".to_owned(),
            json: serde_json::Value::Null,
        },
        stale_after: Duration::from_secs(8),
        ..Snapshot::default()
    }
}

/// The prices before it: a walk from the first price to the last that always goes the same way.
pub(super) fn trends() -> Trends {
    let mut trends = Trends::default();
    let mut seed = 7_u64;
    for step in 0..40_u64 {
        let rows = SYMBOLS.iter().zip(snapshot().rows).map(|((_, first, last, digits), row)| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let chance = (seed >> 40) as f64 / f64::from(1 << 24) - 0.5;
            let price = first + (last - first) * step as f64 / 39.0 + (last - first) * chance * 0.7;
            Row { price: format!("{price:.digits$}").parse().ok(), messages: Some(step), ..row }
        });
        let at = pricepipe_core::Timestamp::from_millis(1_795_413_480_000 + step as i64 * 3_000).ok();
        trends.note(&Snapshot { at, rows: rows.collect(), ..Snapshot::default() });
    }
    trends
}

/// What is told of it.
pub(super) fn titles() -> Titles {
    Titles {
        command: "run",
        pipeline: "majors".to_owned(),
        details: vec![
            ("metrics", "http://127.0.0.1:8080/metrics".to_owned()),
            ("query", "pricepipe query latest -f majors.yaml".to_owned()),
        ],
        warnings: Vec::new(),
    }
}

/// Its log.
pub(super) fn logs() -> Vec<String> {
    vec!["2026-11-23T05:14:51.204Z  WARN binance: HTTP 429, waiting 2 s as Retry-After says".to_owned()]
}

#[test]
fn the_picture_in_the_readme_is_up_to_date() {
    let (titles, snapshot, trends, logs) = (titles(), snapshot(), trends(), logs());
    let (controls, theme) = (Controls::default(), Theme { colours: true });
    let scene = Scene { titles: &titles, snapshot: &snapshot, trends: &trends, logs: &logs, controls, theme };
    let mut terminal = Terminal::new(TestBackend::new(SIZE.0, SIZE.1)).unwrap();
    terminal.draw(|frame| _ = draw(frame, &scene)).unwrap();
    let picture = svg(terminal.backend().buffer());
    if std::env::var_os("UPDATE").is_some() {
        fs::create_dir_all(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/images")).unwrap();
        fs::write(FILE, &picture).unwrap();
    }
    let found = fs::read_to_string(FILE).unwrap_or_default();
    assert!(found == picture, "{FILE} is not what the code draws: `make generate` writes it");
}

/// A terminal's window with these cells in it.
fn svg(buffer: &Buffer) -> String {
    let (width, height) =
        (f64::from(SIZE.0) * CELL.0 + 2.0 * MARGIN, f64::from(SIZE.1) * CELL.1 + BAR + MARGIN);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
         viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\" aria-label=\"pricepipe run on a terminal: a row per \
         symbol with its price, change, trend, age and counts\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"10\" fill=\"#12161d\"/>\n"
    );
    for (x, colour) in [(20, "#ff5f57"), (40, "#febc2e"), (60, "#28c840")] {
        let _ = writeln!(svg, "<circle cx=\"{x}\" cy=\"17\" r=\"6\" fill=\"{colour}\"/>");
    }
    svg += "<g font-family=\"ui-monospace, 'SF Mono', 'DejaVu Sans Mono', Menlo, Consolas, monospace\" \
            font-size=\"14\" xml:space=\"preserve\">\n";
    let mut frames = String::new();
    for line in 0..buffer.area.height {
        let y = BAR + f64::from(line) * CELL.1;
        for (start, text, cell) in runs(buffer, line) {
            let x = MARGIN + f64::from(start) * CELL.0;
            let length = text.chars().count() as f64 * CELL.0;
            let bold = if cell.modifier.contains(Modifier::BOLD) { " font-weight=\"bold\"" } else { "" };
            let colour = colour(cell.fg);
            let _ = match kind(&text) {
                Kind::Frame => {
                    frames.extend(text.chars().enumerate().map(|(n, c)| stroke(c, x + n as f64 * CELL.0, y)));
                    Ok(())
                }
                Kind::Bars => {
                    let bars = text.chars().enumerate().map(|(n, c)| bar(c, x + n as f64 * CELL.0, y));
                    writeln!(svg, "<path fill=\"{colour}\" d=\"{}\"/>", bars.collect::<String>())
                }
                Kind::Text => writeln!(
                    svg,
                    "<text x=\"{x:.1}\" y=\"{:.1}\" fill=\"{colour}\" textLength=\"{length:.1}\"{bold}>{}</text>",
                    y + 13.0,
                    escaped(&text)
                ),
            };
        }
    }
    let colour = colour(Color::DarkGray);
    svg + &format!("</g>\n<path fill=\"none\" stroke=\"{colour}\" d=\"{frames}\"/>\n</svg>\n")
}

/// Frames and bars are drawn rather than written: in some fonts they do not touch each other.
#[derive(PartialEq, Eq)]
enum Kind {
    Frame,
    Bars,
    Text,
}

fn kind(text: &str) -> Kind {
    match text.chars().next() {
        Some('│' | '─' | '╭' | '╮' | '╰' | '╯') => Kind::Frame,
        Some('▁'..='█') => Kind::Bars,
        _ => Kind::Text,
    }
}

/// A piece of a frame in the cell whose corner is there.
fn stroke(piece: char, x: f64, y: f64) -> String {
    let (middle, centre, right, bottom) = (x + CELL.0 / 2.0, y + CELL.1 / 2.0, x + CELL.0, y + CELL.1);
    match piece {
        '│' => format!("M{middle:.1} {y:.1}V{bottom:.1}"),
        '─' => format!("M{x:.1} {centre:.1}H{right:.1}"),
        '╭' => format!("M{middle:.1} {bottom:.1}Q{middle:.1} {centre:.1} {right:.1} {centre:.1}"),
        '╮' => format!("M{x:.1} {centre:.1}Q{middle:.1} {centre:.1} {middle:.1} {bottom:.1}"),
        '╰' => format!("M{middle:.1} {y:.1}Q{middle:.1} {centre:.1} {right:.1} {centre:.1}"),
        _ => format!("M{x:.1} {centre:.1}Q{middle:.1} {centre:.1} {middle:.1} {y:.1}"),
    }
}

/// A bar of a trend in the cell whose corner is there.
fn bar(bar: char, x: f64, y: f64) -> String {
    let eighths = f64::from(u32::from(bar) - u32::from('▁') + 1);
    let (height, width) = ((CELL.1 - 3.0) * eighths / 8.0, CELL.0 - 1.0);
    format!("M{x:.1} {:.1}h{width:.1}v-{height:.1}h-{width:.1}z", y + CELL.1 - 2.0)
}

/// The texts of a line with their columns and their style; a new one wherever the style changes or there is a gap.
fn runs(buffer: &Buffer, line: u16) -> Vec<(u16, String, Cell)> {
    let mut runs: Vec<(u16, String, Cell)> = Vec::new();
    let mut gap = true;
    for column in 0..buffer.area.width {
        let cell = &buffer[(column, line)];
        if cell.symbol() == " " {
            gap = true;
            continue;
        }
        match runs.last_mut() {
            Some((_, text, first))
                if !gap
                    && (first.fg, first.modifier) == (cell.fg, cell.modifier)
                    && kind(text) == kind(cell.symbol()) =>
            {
                text.push_str(cell.symbol());
            }
            _ => runs.push((column, cell.symbol().to_owned(), cell.clone())),
        }
        gap = false;
    }
    runs
}

fn colour(colour: Color) -> &'static str {
    match colour {
        Color::Green => "#3fb950",
        Color::Red => "#f85149",
        Color::Yellow => "#d29922",
        Color::Cyan => "#56d4dd",
        Color::DarkGray => "#4a5463",
        _ => "#d5dbe3",
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
