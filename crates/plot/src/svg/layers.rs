//! The layers of a panel: lines, areas, candles, moves.

use std::fmt::Write as _;

use super::{
    layout::Area,
    legend::{DASHES, triangle},
    sheet::{Sheet, point, short, width},
};
use crate::{Bars, Dot, Ink, Layer, Line, Move, Theme};

/// A hole narrower than this many pixels of the usual width is none in the picture.
const LEAST_HOLE: f64 = 6.0;
/// Share of its place that a candle fills.
const BODY: f64 = 0.7;
/// The font of a move's label, and half of its mark, in pixels of the usual width.
const LABEL: f64 = 15.0;
const MARK: f64 = 6.5;

pub(super) fn layer(sheet: &mut Sheet, layer: &Layer, area: &Area) {
    let filled = format!(" fill-opacity=\"{}\"", sheet.theme.area());
    match layer {
        Layer::Line { ink, line, .. } => {
            let strength = if *ink == Ink::Quiet { 1.6 } else { 2.2 };
            let color = sheet.theme.ink(*ink);
            let (joined, alone) = paths_of(line, area, sheet.unit);
            for (path, width) in [(joined, strength), (alone, 2.5 * strength)] {
                if !path.is_empty() {
                    sheet.stroke(&path, color, width, " stroke-linecap=\"round\"");
                }
            }
        }
        Layer::Band { ink, low, high, .. } => {
            sheet.fill(&path_between(low, high, area, sheet.unit), sheet.theme.ink(*ink), &filled);
        }
        Layer::Level { ink, value, .. } => {
            let y = area.value.place(*value);
            let path = format!("M{}H{}", point((area.left, y)), short(area.right));
            sheet.stroke(&path, sheet.theme.ink(*ink), 2.0, DASHES);
        }
        Layer::Range { ink, low, high, .. } => {
            let (top, bottom) = (area.value.place(*high), area.value.place(*low));
            let path = format!(
                "M{}H{}V{}H{}z",
                point((area.left, top)),
                short(area.right),
                short(bottom),
                short(area.left)
            );
            sheet.fill(&path, sheet.theme.ink(*ink), &filled);
        }
        Layer::Candles(bars) => candles(sheet, bars, area),
        Layer::Moves { moves, .. } => marks(sheet, moves, area),
    }
}

fn place(area: &Area, millis: i64, value: f64) -> (f64, f64) {
    (area.time.place(millis as f64), area.value.place(value))
}

/// So many milliseconds are as wide as the least hole.
fn visible(area: &Area, unit: f64) -> i64 {
    let span = area.time.values.high - area.time.values.low;
    (span / (area.right - area.left) * LEAST_HOLE * unit) as i64
}

/// Values with neighbours, joined; and those that are alone, each of no length, so that round ends make it a dot.
fn paths_of(line: &Line, area: &Area, unit: f64) -> (String, String) {
    let (mut joined, mut alone) = (String::new(), String::new());
    for part in line.parts(visible(area, unit)) {
        let place = points(part.iter(), area);
        // A String takes everything.
        let _ = if part.len() > 1 { write!(joined, "M{place}") } else { write!(alone, "M{place}h0") };
    }
    (joined, alone)
}

fn path_between(low: &Line, high: &Line, area: &Area, unit: f64) -> String {
    let (visible, mut path) = (visible(area, unit), String::new());
    for (low, high) in low.parts(visible).zip(high.parts(visible)) {
        let (above, below) = (points(high.iter(), area), points(low.iter().rev(), area));
        // A String takes everything.
        let _ = write!(path, "M{above}L{below}z");
    }
    path
}

fn points<'a>(dots: impl Iterator<Item = &'a Dot>, area: &Area) -> String {
    dots.map(|dot| point(place(area, dot.millis, dot.value))).collect::<Vec<_>>().join("L")
}

/// Wicks and bodies, those that rise and those that fall.
fn candles(sheet: &mut Sheet, bars: &Bars, area: &Area) {
    let span = area.time.values.high - area.time.values.low;
    let slot = bars.width as f64 / span * (area.right - area.left);
    let body = (slot * BODY).max(1.0);
    let thin = (body / sheet.unit / 3.0).clamp(0.8, 2.0);
    for (rises, ink) in [(true, Ink::Cool), (false, Ink::Warm)] {
        let (mut wicks, mut bodies) = (String::new(), String::new());
        for bar in bars.bars.iter().filter(|bar| bar.rises() == rises) {
            let x = area.time.place(bar.start as f64 + bars.width as f64 / 2.0);
            let y = |value| area.value.place(value);
            let (top, bottom) = (y(bar.open.max(bar.close)), y(bar.open.min(bar.close)));
            // A String takes everything.
            let _ = write!(wicks, "M{}V{}", point((x, y(bar.high))), short(y(bar.low)));
            let (corner, height) = (point((x - body / 2.0, top)), (bottom - top).max(sheet.unit));
            let _ = write!(bodies, "M{corner}h{body:.1}v{}h-{body:.1}z", short(height));
        }
        if !wicks.is_empty() {
            sheet.stroke(&wicks, sheet.theme.ink(ink), thin, "");
            sheet.fill(&bodies, sheet.theme.ink(ink), "");
        }
    }
}

/// Each move with a mark where it ended, and with a label where there is room; the greatest first.
fn marks(sheet: &mut Sheet, moves: &[Move], area: &Area) {
    let (half, size) = (MARK * sheet.unit, LABEL * sheet.unit);
    let color =
        |found: &Move, theme: Theme| theme.ink(if found.percent >= 0.0 { Ink::Cool } else { Ink::Warm });
    let mut taken: Vec<[f64; 4]> = Vec::new();
    for found in moves {
        let (from, to) = (place(area, found.from.0, found.from.1), place(area, found.to.0, found.to.1));
        let color = color(found, sheet.theme);
        sheet.stroke(&format!("M{}L{}", point(from), point(to)), color, 2.6, " stroke-linecap=\"round\"");
        let (x, y) = tip(found, area, half);
        sheet.fill(&triangle((x, y), half, found.percent >= 0.0), color, "");
        taken.push([x - half, y - half, x + half, y + half]);
    }
    for found in moves {
        let (text, (x, y)) = (format!("{:+.2} %", found.percent), tip(found, area, half));
        let wide = width(&text, size) / 2.0;
        let beyond = if found.percent >= 0.0 { y - half * 1.7 } else { y + half * 1.7 + size * 0.75 };
        let (level, away) = (y + size * 0.3, half * 1.5 + wide);
        let frame = |(x, y): (f64, f64)| [x - wide, y - size * 0.8, x + wide, y + size * 0.2];
        let free = |at: &(f64, f64)| {
            let frame = frame(*at);
            inside(&frame, area) && !taken.iter().any(|other| touch(&frame, other))
        };
        if let Some(at) = [(x, beyond), (x + away, level), (x - away, level)].into_iter().find(free) {
            sheet.text_on_top(at, &text, size, color(found, sheet.theme));
            taken.push(frame(at));
        }
    }
}

/// The middle of a move's mark, beyond where it ended.
fn tip(found: &Move, area: &Area, half: f64) -> (f64, f64) {
    let (x, y) = place(area, found.to.0, found.to.1);
    (x, if found.percent >= 0.0 { y - half * 1.4 } else { y + half * 1.4 })
}

fn inside(frame: &[f64; 4], area: &Area) -> bool {
    frame[0] >= area.left && frame[1] >= area.top && frame[2] <= area.right && frame[3] <= area.bottom
}

fn touch(one: &[f64; 4], other: &[f64; 4]) -> bool {
    one[0] < other[2] && other[0] < one[2] && one[1] < other[3] && other[1] < one[3]
}
