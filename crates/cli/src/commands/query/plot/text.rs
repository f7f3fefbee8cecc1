//! A chart as text: lines of braille, candles of blocks, axes beside them. Pure.

use pricepipe_plot::{Bars, Chart, Extent, Ink, Layer, Line, Move, Panel, Scale, Values, ticks};
use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::{Color, Style},
    symbols::Marker,
    widgets::{
        Widget,
        canvas::{self, Canvas, Context},
    },
};

/// Lines of a panel that is alone, of one among several, and of one of percents.
const ALONE: u16 = 16;
const AMONG: u16 = 10;
const PERCENTS: u16 = 6;
/// A label of the value axis with what is beside it, when candles are counted before labels are known.
const USUAL_LABEL: u16 = 14;
/// Without colours, the lines of a panel are told apart by these.
const MARKERS: [Marker; 3] = [Marker::Braille, Marker::Custom('•'), Marker::Custom('∘')];
/// The edge of an area, and a level.
const EDGE: char = '·';
const LEVEL: char = '╌';
/// Share of the values' span that is left free below and above.
const ROOM: f64 = 0.04;

/// How many candles there is room for.
pub(super) fn room(columns: u16) -> u16 {
    columns.saturating_sub(USUAL_LABEL)
}

/// The chart, so many columns wide.
pub(super) fn chart(chart: &Chart, columns: u16, colours: bool) -> String {
    let (first, last) = chart.times().unwrap_or((0, 1));
    let heights = chart.panels.iter().map(|panel| match (&panel.values, chart.panels.len()) {
        (Values::Percent, _) => PERCENTS,
        (_, 1) => ALONE,
        _ => AMONG,
    });
    let heights: Vec<u16> = heights.collect();
    let axes: Vec<Axis> =
        chart.panels.iter().zip(&heights).map(|(panel, lines)| Axis::of(panel, *lines)).collect();
    let label = axes.iter().map(|axis| axis.width).max().unwrap_or(0);
    // Title, time and an empty line; a legend and an empty line for each panel; three lines of time axis.
    let lines = 3 + heights.iter().map(|height| height + 2).sum::<u16>() + 2;
    let mut buffer = Buffer::empty(Rect::new(0, 0, columns, lines));
    buffer.set_stringn(0, 0, &chart.title, columns.into(), Style::new());
    buffer.set_stringn(0, 1, ticks::range(first, last), columns.into(), Style::new());
    let (left, mut top) = (label + 2, 3);
    for ((panel, axis), height) in chart.panels.iter().zip(&axes).zip(heights) {
        legend(&mut buffer, panel, (left, top), colours);
        let area = Rect::new(left, top + 1, columns - left, height);
        let span = (last - first).max(1) as f64;
        let time = Extent { low: first as f64, high: first as f64 + span };
        axis.draw(&mut buffer, panel, area);
        draw(&mut buffer, panel, area, (time, axis.values), colours);
        top += height + 2;
    }
    time_axis(&mut buffer, Rect::new(left, top - 1, columns - left, 3), first, last);
    written(&buffer, colours)
}

/// The value axis of a panel.
struct Axis {
    values: Extent,
    ticks: Vec<ticks::ValueTick>,
    width: u16,
}

impl Axis {
    fn of(panel: &Panel, lines: u16) -> Self {
        let values = panel.extent().with_room(ROOM);
        let ticks = ticks::values(values.low, values.high, usize::from(lines * 2 / 5).max(2));
        let labels = ticks.iter().map(|tick| tick.label.as_str()).chain([panel.values.unit(), "UTC"]);
        let width = labels.map(|label| label.chars().count() as u16).max().unwrap_or(0);
        Axis { values, ticks, width }
    }

    fn draw(&self, buffer: &mut Buffer, panel: &Panel, area: Rect) {
        for y in area.top()..area.bottom() {
            buffer.set_string(area.left() - 1, y, "│", Style::new());
        }
        let right_aligned = |text: &str| area.left().saturating_sub(2 + text.chars().count() as u16);
        let unit = panel.values.unit();
        buffer.set_string(right_aligned(unit), area.top() - 1, unit, Style::new());
        for tick in &self.ticks {
            let y = row(area, self.values, tick.value);
            buffer.set_string(right_aligned(&tick.label), y, &tick.label, Style::new());
            buffer.set_string(area.left() - 1, y, "┤", Style::new());
        }
    }
}

fn draw(buffer: &mut Buffer, panel: &Panel, area: Rect, (time, values): (Extent, Extent), colours: bool) {
    let per_column = ((time.high - time.low) / f64::from(area.width)) as i64;
    let canvas = Canvas::default().x_bounds([time.low, time.high]).y_bounds([values.low, values.high]);
    let layers = panel.layers.iter().zip(markers(panel, colours));
    let paint = canvas.paint(|context: &mut Context<'_>| {
        for (layer, marker) in layers.clone() {
            if marker != Marker::Braille {
                // On top of what is there already; braille joins it.
                context.layer();
            }
            context.marker(marker);
            line_layer(context, layer, time, per_column);
        }
    });
    paint.render(area, buffer);
    for layer in &panel.layers {
        match layer {
            Layer::Candles(bars) => candles(buffer, bars, area, time, values),
            Layer::Moves { moves, .. } => marks(buffer, moves, area, time, values),
            Layer::Line { .. } | Layer::Band { .. } | Layer::Level { .. } | Layer::Range { .. } => {}
        }
    }
}

/// How each layer is drawn.
fn markers(panel: &Panel, colours: bool) -> Vec<Marker> {
    let markers = if colours { &MARKERS[..1] } else { &MARKERS[..] };
    let mut lines = markers.iter().cycle();
    let marker = |layer: &Layer| match layer {
        Layer::Line { .. } => lines.next().copied().unwrap_or(Marker::Braille),
        Layer::Level { .. } => Marker::Custom(LEVEL),
        _ => Marker::Custom(EDGE),
    };
    panel.layers.iter().map(marker).collect()
}

fn line_layer(context: &mut Context<'_>, layer: &Layer, time: Extent, per_column: i64) {
    let mut level = |value, ink| {
        context.draw(&canvas::Line { x1: time.low, y1: value, x2: time.high, y2: value, color: color(ink) });
    };
    match layer {
        Layer::Level { value, ink, .. } => level(*value, *ink),
        Layer::Range { low, high, ink, .. } => [*low, *high].into_iter().for_each(|value| level(value, *ink)),
        Layer::Line { line, ink, .. } => broken_line(context, line, *ink, per_column),
        Layer::Band { low, high, ink, .. } => {
            [low, high].into_iter().for_each(|line| broken_line(context, line, *ink, per_column));
        }
        Layer::Candles(_) | Layer::Moves { .. } => {}
    }
}

/// A line that stops where prices do. A hole narrower than two columns is none.
fn broken_line(context: &mut Context<'_>, line: &Line, ink: Ink, per_column: i64) {
    for part in line.parts(2 * per_column) {
        // A value that is alone is a line from itself to itself.
        let next = part.iter().skip(1).chain(part.last());
        for (from, to) in part.iter().zip(next) {
            let (x1, y1, x2, y2) = (from.millis as f64, from.value, to.millis as f64, to.value);
            context.draw(&canvas::Line { x1, y1, x2, y2, color: color(ink) });
        }
    }
}

fn candles(buffer: &mut Buffer, bars: &Bars, area: Rect, time: Extent, values: Extent) {
    for bar in &bars.bars {
        let x = column(area, time, bar.start + bars.width / 2);
        let (body, ink) = if bar.rises() { ("█", Ink::Cool) } else { ("▒", Ink::Warm) };
        let y = |value| row(area, values, value);
        let (top, bottom) = (y(bar.open.max(bar.close)), y(bar.open.min(bar.close)));
        for line in y(bar.high)..=y(bar.low) {
            let symbol = if (top..=bottom).contains(&line) { body } else { "│" };
            buffer.set_string(x, line, symbol, Style::new().fg(color(ink)));
        }
    }
}

/// Each move where it ended, with how far it went where there is room; the greatest first.
fn marks(buffer: &mut Buffer, moves: &[Move], area: Rect, time: Extent, values: Extent) {
    let mut taken: Vec<(u16, u16, u16)> = Vec::new();
    let place = |found: &Move| {
        let (symbol, ink) = if found.percent >= 0.0 { ("▲", Ink::Cool) } else { ("▼", Ink::Warm) };
        let style = Style::new().fg(color(ink));
        (column(area, time, found.to.0), row(area, values, found.to.1), symbol, style)
    };
    for found in moves {
        let (x, y, symbol, style) = place(found);
        buffer.set_string(x, y, symbol, style);
        taken.push((y, x, x + 1));
    }
    for found in moves {
        let (x, y, _, style) = place(found);
        let text = format!("{:+.2}%", found.percent);
        let wide = text.len() as u16;
        let free = |start: &u16| {
            // A space before the next label, too.
            let end = start + wide;
            let touches = |(line, from, to): &(u16, u16, u16)| *line == y && *start < *to && *from <= end;
            *start >= area.left() && end <= area.right() && !taken.iter().any(touches)
        };
        if let Some(start) = [x + 1, x.saturating_sub(wide + 1)].into_iter().find(free) {
            buffer.set_string(start, y, text, style);
            taken.push((y, start, start + wide));
        }
    }
}

fn legend(buffer: &mut Buffer, panel: &Panel, (left, y): (u16, u16), colours: bool) {
    let mut x = left;
    let room = |buffer: &Buffer, x: u16| usize::from(buffer.area.right().saturating_sub(x));
    if !panel.name.is_empty() {
        (x, _) = buffer.set_stringn(x, y, format!("{}   ", panel.name), room(buffer, x), Style::new());
    }
    for (layer, marker) in panel.layers.iter().zip(markers(panel, colours)) {
        for (key, ink) in keys(layer, marker) {
            (x, _) = buffer.set_stringn(x, y, key, room(buffer, x), Style::new().fg(color(ink)));
        }
        (x, _) = buffer.set_stringn(x, y, format!(" {}   ", layer.name()), room(buffer, x), Style::new());
    }
}

fn keys(layer: &Layer, marker: Marker) -> Vec<(String, Ink)> {
    match (layer, marker) {
        (Layer::Candles(_), _) => vec![("█".to_owned(), Ink::Cool), ("▒".to_owned(), Ink::Warm)],
        (Layer::Moves { .. }, _) => vec![("▲".to_owned(), Ink::Cool), ("▼".to_owned(), Ink::Warm)],
        (Layer::Line { ink, .. } | Layer::Band { ink, .. }, Marker::Custom(c)) => {
            vec![(c.to_string().repeat(2), *ink)]
        }
        (Layer::Level { ink, .. } | Layer::Range { ink, .. }, Marker::Custom(c)) => {
            vec![(c.to_string().repeat(2), *ink)]
        }
        (Layer::Line { ink, .. }, _) => vec![("⠤⠒".to_owned(), *ink)],
        _ => Vec::new(),
    }
}

fn time_axis(buffer: &mut Buffer, area: Rect, first: i64, last: i64) {
    let line = format!("└{}", "─".repeat(area.width.into()));
    buffer.set_string(area.left() - 1, area.top(), line, Style::new());
    let fits = |most: &usize| (ticks::time_width(first, last, *most) + 3) * most <= area.width.into();
    let most = (2..=8).rev().find(fits).unwrap_or(2);
    let time = Extent { low: first as f64, high: (last as f64).max(first as f64 + 1.0) };
    let middle = |text: &str, x: u16| {
        let wide = text.chars().count() as u16;
        x.saturating_sub(wide / 2).min(area.right().saturating_sub(wide))
    };
    let marks = ticks::times(first, last, most);
    let free =
        marks.first().is_none_or(|tick| middle(&tick.label, column(area, time, tick.millis)) >= area.left());
    if free {
        buffer.set_string(area.left().saturating_sub(5), area.top() + 1, "UTC", Style::new());
    }
    let mut contexts: Vec<(u16, String)> = Vec::new();
    for tick in marks {
        let x = column(area, time, tick.millis);
        buffer.set_string(x, area.top(), "┬", Style::new());
        buffer.set_string(middle(&tick.label, x), area.top() + 1, &tick.label, Style::new());
        if let Some(text) = tick.context {
            let start = middle(&text, x);
            // Of two that would touch, the later one stays.
            contexts.retain(|(before, other)| usize::from(*before) + other.chars().count() < start.into());
            contexts.push((start, text));
        }
    }
    for (x, text) in contexts {
        buffer.set_string(x, area.top() + 2, text, Style::new());
    }
}

/// The column and the line of a value, inside the area.
fn column(area: Rect, time: Extent, millis: i64) -> u16 {
    let places = (f64::from(area.left()), f64::from(area.right()));
    let x = Scale { values: time, places }.place(millis as f64) as u16;
    x.clamp(area.left(), area.right() - 1)
}

fn row(area: Rect, values: Extent, value: f64) -> u16 {
    let places = (f64::from(area.bottom()), f64::from(area.top()));
    let y = Scale { values, places }.place(value) as u16;
    y.clamp(area.top(), area.bottom() - 1)
}

fn color(ink: Ink) -> Color {
    match ink {
        Ink::Quiet => Color::Gray,
        Ink::Cool => Color::Blue,
        Ink::Warm => Color::Yellow,
    }
}

/// The lines of a buffer, without what is empty at their ends.
fn written(buffer: &Buffer, colours: bool) -> String {
    let mut out = String::new();
    for line in buffer.content.chunks(buffer.area.width.into()) {
        let used = line.iter().rposition(|cell| cell.symbol() != " ").map_or(0, |last| last + 1);
        for cells in line[..used].chunk_by(|one, other| one.fg == other.fg) {
            let text: String = cells.iter().map(ratatui::buffer::Cell::symbol).collect();
            match code(cells[0].fg).filter(|_| colours) {
                Some(code) => out += &format!("\u{1b}[{code}m{text}\u{1b}[0m"),
                None => out += &text,
            }
        }
        out.push('\n');
    }
    out
}

/// The number by which a terminal knows the colours that are used here.
fn code(color: Color) -> Option<u8> {
    match color {
        Color::Gray => Some(37),
        Color::Blue => Some(94),
        Color::Yellow => Some(33),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
