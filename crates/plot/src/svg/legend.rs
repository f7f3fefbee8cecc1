//! The legend above a panel: its name, then each layer with a key.

use super::{
    layout::{Area, Layout},
    sheet::{Anchor, Sheet, point, width},
};
use crate::{Ink, Layer, Panel};

/// A key is so many times as wide as its text is high.
const KEY: f64 = 1.9;
/// Between a key and its name, and between a name and the next key.
const NEAR: f64 = 0.5;
const FAR: f64 = 1.5;

/// Something in a legend: the panel's name, or a layer.
type Entry<'a> = (String, Option<&'a Layer>);

fn entries(panel: &Panel) -> Vec<Entry<'_>> {
    let name = (!panel.name.is_empty()).then(|| (panel.name.clone(), None));
    name.into_iter().chain(panel.layers.iter().map(|layer| (layer.name(), Some(layer)))).collect()
}

/// Each entry with its line and its distance from the left.
fn placed<'a>(panel: &'a Panel, text: f64, room: f64) -> Vec<(usize, f64, Entry<'a>)> {
    let (mut line, mut x) = (0, 0.0);
    let place = |entry: Entry<'a>| {
        let key = if entry.1.is_some() { (KEY + NEAR) * text } else { 0.0 };
        let needed = key + width(&entry.0, text);
        if x > 0.0 && x + needed > room {
            (line, x) = (line + 1, 0.0);
        }
        let here = (line, x, entry);
        x += needed + FAR * text;
        here
    };
    entries(panel).into_iter().map(place).collect()
}

/// How many lines a legend needs.
pub(super) fn lines(panel: &Panel, text: f64, room: f64) -> usize {
    placed(panel, text, room).last().map_or(1, |(line, ..)| line + 1)
}

pub(super) fn legend(sheet: &mut Sheet, panel: &Panel, area: &Area, layout: &Layout) {
    let text = layout.text;
    for (line, x, (name, layer)) in placed(panel, text, area.right - area.left - layout.gap) {
        let baseline = area.first_line - (area.lines - 1 - line.min(area.lines - 1)) as f64 * text * 1.5;
        let mut x = area.left + layout.gap + x;
        if let Some(layer) = layer {
            key(sheet, layer, (x, baseline - text * 0.35), text);
            x += (KEY + NEAR) * text;
            sheet.text((x, baseline), &name, text, Anchor::Start, sheet.theme.text());
        } else {
            sheet.strong_text((x, baseline), &name, text);
        }
    }
}

/// The key of a layer, with its left middle there.
fn key(sheet: &mut Sheet, layer: &Layer, (x, y): (f64, f64), text: f64) {
    let (theme, width, half) = (sheet.theme, KEY * text, text * 0.4);
    let dash = format!("M{}h{width:.1}", point((x, y)));
    match layer {
        Layer::Line { ink, .. } => sheet.stroke(&dash, theme.ink(*ink), 3.0, ""),
        Layer::Level { ink, .. } => sheet.stroke(&dash, theme.ink(*ink), 2.0, DASHES),
        Layer::Band { ink, .. } | Layer::Range { ink, .. } => {
            let path = format!("M{}h{width:.1}v{:.1}h-{width:.1}z", point((x, y - half)), 2.0 * half);
            sheet.fill(&path, theme.ink(*ink), &format!(" fill-opacity=\"{}\"", theme.area()));
        }
        Layer::Candles(_) => {
            for (ink, x) in [(Ink::Cool, x + 0.45 * text), (Ink::Warm, x + 1.45 * text)] {
                let wick = format!("M{}v{:.1}", point((x, y - 1.35 * half)), 2.7 * half);
                sheet.stroke(&wick, theme.ink(ink), 1.5, "");
                let body = format!(
                    "M{}h{half:.1}v{:.1}h-{half:.1}z",
                    point((x - half / 2.0, y - 0.8 * half)),
                    1.6 * half
                );
                sheet.fill(&body, theme.ink(ink), "");
            }
        }
        Layer::Moves { .. } => {
            sheet.fill(&triangle((x + 0.45 * text, y), half, true), theme.ink(Ink::Cool), "");
            sheet.fill(&triangle((x + 1.45 * text, y), half, false), theme.ink(Ink::Warm), "");
        }
    }
}

/// How a level is dashed.
pub(super) const DASHES: &str = " stroke-dasharray=\"7 5\"";

/// A triangle around a place, with its point above or below.
pub(super) fn triangle((x, y): (f64, f64), half: f64, up: bool) -> String {
    let (tip, base) = if up { (y - half, y + half) } else { (y + half, y - half) };
    format!("M{}L{}L{}z", point((x, tip)), point((x + half, base)), point((x - half, base)))
}
