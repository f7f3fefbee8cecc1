//! A chart as SVG: where everything goes, then what is drawn there.

mod layers;
mod layout;
mod legend;
mod sheet;

pub use self::layout::{Size, least_height};
use self::{
    layout::{Area, Layout},
    sheet::{Anchor, Sheet},
};
use crate::{Chart, Panel, Theme, png::FAMILY, ticks};

/// The chart as a document of SVG. A chart without data becomes its title alone.
pub fn svg(chart: &Chart, size: Size, theme: Theme) -> String {
    let layout = Layout::of(chart, size);
    let mut sheet = Sheet::new(size, theme, layout.unit, &chart.title);
    title(&mut sheet, chart, &layout);
    for (panel, area) in chart.panels.iter().zip(&layout.areas) {
        frame(&mut sheet, panel, area, &layout);
        legend::legend(&mut sheet, panel, area, &layout);
        panel.layers.iter().for_each(|layer| layers::layer(&mut sheet, layer, area));
    }
    if let Some(last) = layout.areas.last() {
        time_labels(&mut sheet, &layout, last);
    }
    sheet.finish()
}

fn title(sheet: &mut Sheet, chart: &Chart, layout: &Layout) {
    let room = f64::from(layout.size.width) - 2.0 * layout.margin;
    let at = (layout.margin, layout.title_line);
    let title = sheet::shortened(&chart.title, layout.title, room);
    sheet.strong_text(at, &title, layout.title);
    let range = chart.times().map(|(first, last)| ticks::range(first, last));
    let below = sheet::shortened(&range.unwrap_or_default(), layout.text, room);
    sheet.text(
        (layout.margin, layout.subtitle_line),
        &below,
        layout.text,
        Anchor::Start,
        sheet.theme.label(),
    );
}

/// The grid, the labels of the value axis, and its unit.
fn frame(sheet: &mut Sheet, panel: &Panel, area: &Area, layout: &Layout) {
    let (grid, label) = (sheet.theme.grid(), sheet.theme.label());
    for tick in &layout.times {
        let x = area.time.place(tick.millis as f64);
        sheet.line((x, area.top), (x, area.bottom), grid);
    }
    for tick in &area.ticks {
        let y = area.value.place(tick.value);
        sheet.line((area.left, y), (area.right, y), grid);
        let at = (area.left - layout.gap, y + layout.text * 0.35);
        sheet.text(at, &tick.label, layout.text, Anchor::End, label);
    }
    sheet.line((area.left, area.bottom), (area.right, area.bottom), sheet.theme.axis());
    let at = (area.left - layout.gap, area.first_line);
    sheet.text(at, panel.values.unit(), layout.text, Anchor::End, label);
}

/// The labels of the time axis below the last panel; of two that would touch, the later one stays.
fn time_labels(sheet: &mut Sheet, layout: &Layout, area: &Area) {
    let (color, size) = (sheet.theme.label(), layout.text);
    let line = |n: f64| area.bottom + layout.gap + size * (0.8 + 1.3 * n);
    // The range of time says it, too, where there is no room.
    let first = layout
        .times
        .first()
        .map(|tick| area.time.place(tick.millis as f64) - sheet::width(&tick.label, size) / 2.0);
    if first.is_none_or(|first| first > area.left) {
        sheet.text((area.left - layout.gap, line(0.0)), "UTC", size, Anchor::End, color);
    }
    let mut context: Vec<(f64, &str)> = Vec::new();
    for tick in &layout.times {
        let x = area.time.place(tick.millis as f64);
        sheet.line((x, area.bottom), (x, area.bottom + layout.gap * 0.6), sheet.theme.axis());
        sheet.text((within(layout, &tick.label, x), line(0.0)), &tick.label, size, Anchor::Middle, color);
        if let Some(text) = tick.context.as_deref().filter(|text| !text.is_empty()) {
            let touches = |(before, other): &(f64, &str)| {
                let widths = sheet::width(other, size) + sheet::width(text, size);
                x - before < widths / 2.0 + size
            };
            if context.last().is_some_and(touches) {
                context.pop();
            }
            context.push((x, text));
        }
    }
    for (x, text) in context {
        sheet.text((within(layout, text, x), line(1.0)), text, size, Anchor::Middle, color);
    }
}

/// Where the middle of a label goes that must not leave the picture.
fn within(layout: &Layout, text: &str, x: f64) -> f64 {
    let half = sheet::width(text, layout.text) / 2.0 + layout.gap / 2.0;
    x.clamp(half, (f64::from(layout.size.width) - half).max(half))
}
